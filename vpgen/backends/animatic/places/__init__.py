"""The places, a module each: a function that draws the layers on a stage and returns the height of the horizon."""

from __future__ import annotations

from collections.abc import Callable

from vpgen.backends.animatic.places.city import city
from vpgen.backends.animatic.places.desert import desert
from vpgen.backends.animatic.places.field import field
from vpgen.backends.animatic.places.forest import forest
from vpgen.backends.animatic.places.mountain import mountain
from vpgen.backends.animatic.places.park import park
from vpgen.backends.animatic.places.river import river
from vpgen.backends.animatic.places.room import room
from vpgen.backends.animatic.places.sea import sea
from vpgen.backends.animatic.places.snowfield import snowfield
from vpgen.backends.animatic.places.space import space
from vpgen.backends.animatic.places.village import village
from vpgen.backends.animatic.stage import Stage
from vpgen.clip import Place

__all__ = ["PLACES"]

PLACES: dict[Place, Callable[[Stage], float]] = {
    "sea": sea,
    "mountain": mountain,
    "forest": forest,
    "desert": desert,
    "field": field,
    "river": river,
    "snowfield": snowfield,
    "city": city,
    "village": village,
    "park": park,
    "room": room,
    "space": space,
}
