"""Decide what a figure looks like: what the text says, and the seed's taste for what it leaves open."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vpgen.backends.animatic.figure.reading import Reading, lexicon
from vpgen.backends.animatic.figure.shapes import Colour, darker, lighter, mix

FULL = ("spacesuit", "hanbok", "kimono", "dress")
OUTER = ("raincoat", "coat", "suit", "uniform", "hoodie", "jacket")
TOPS = ("sweater", "tshirt", "shirt")
BOTTOMS = ("skirt", "jeans", "shorts", "trousers")
HELD = ("umbrella", "balloon", "lantern", "bouquet", "phone", "cup", "sword", "suitcase", "handbag", "cane")
"""What occupies one hand, most telling first."""
_OWN_COLOUR = {
    "raincoat": "yellow", "suit": "navy", "jeans": "denim", "uniform": "navy", "spacesuit": "white", "robot": "silver",
    "umbrella": "red", "balloon": "red", "straw_hat": "mustard", "crown": "gold", "lantern": "orange", "book": "burgundy",
    "guitar": "orange", "camera": "black", "suitcase": "brown", "handbag": "brown", "headphones": "black",
    "bouquet": "pink", "phone": "black", "cup": "cream", "sword": "silver", "cane": "brown", "glasses": "black",
    "sunglasses": "black", "dog": "brown", "cat": "grey", "gat": "black", "boots": "brown",
}  # fmt: skip


@dataclass(frozen=True)
class Look:
    """A figure ready to be drawn: every attribute settled, every colour an RGB triple.

    `turn` is -1 (away) for the back, 0 for the front, 1 for the side that faces right; `mirror` makes it left.
    """

    who: str
    age: str
    feminine: bool
    pose: str
    view: str
    mirror: bool
    full: str | None
    outer: str | None
    top: str
    bottom: str
    boots: bool
    hair: str
    accessories: tuple[str, ...]
    colours: dict[str, Colour]
    smile: float
    variant: float

    @property
    def held(self) -> str | None:
        """The thing in one hand."""
        return next((thing for thing in HELD if thing in self.accessories), None)

    @property
    def two_handed(self) -> bool:
        """Are both hands at one thing?"""
        return bool({"guitar", "camera", "book"} & set(self.accessories))

    @property
    def sleeved(self) -> tuple[str, str]:
        """(colour slot, name) of the outermost garment that has sleeves."""
        if self.full and not (self.full == "dress" and self.outer):
            return "full", self.full
        return ("outer", self.outer) if self.outer else ("top", self.top)


def _who(reading: Reading, rng: np.random.Generator) -> tuple[str, str, bool]:
    """(who, age, feminine); nobody described is a woman or a man."""
    coin = bool(rng.random() < 0.5)
    dressed = {"dress", "skirt"} & set(reading.garments)
    who = reading.who or ("astronaut" if "spacesuit" in reading.garments else None)
    who = who or ("woman" if dressed or (coin and "beard" not in reading.accessories) else "man")
    feminine = {"woman": True, "girl": True, "grandmother": True, "man": False, "boy": False, "grandfather": False}
    age = "child" if who in ("girl", "boy", "child") else "elder" if who.startswith(("grand", "elder")) else "adult"
    return who, age, feminine.get(who, coin or bool(dressed))


def _view(reading: Reading, pose: str, rng: np.random.Generator) -> tuple[str, bool]:
    """(front, side or back; mirrored). Poses that read best from one side choose it when the text does not."""
    coin = bool(rng.random() < 0.5)
    if reading.facing in ("left", "right"):
        return "side", reading.facing == "left"
    if reading.facing == "away" or pose in ("gaze", "look_back"):
        return ("front" if reading.facing == "toward" else "back"), coin
    if reading.facing == "toward":
        return "front", coin
    return ("side" if pose in ("walk", "run", "sit") else "front"), coin


def _pose(reading: Reading, rng: np.random.Generator) -> str:
    """The pose named, else standing; somebody with nothing in hand may as well walk."""
    lucky = bool(rng.random() < 0.3)
    if reading.pose == "gaze" and reading.facing == "toward":
        return "stand"
    if reading.pose is None and reading.facing is None and not reading.accessories and lucky:
        return "walk"
    return reading.pose or "stand"


def _outfit(reading: Reading, who: str, *, feminine: bool, rng: np.random.Generator) -> dict[str, str | None]:
    """Which garments are worn: those named, completed by what goes with them."""
    named = reading.garments
    chance = rng.random(4)
    full = next((g for g in named if g in FULL), None)
    outer = next((g for g in named if g in OUTER), None)
    top = next((g for g in named if g in TOPS), None)
    bottom = next((g for g in named if g in BOTTOMS), None)
    if who == "astronaut":
        full, outer = "spacesuit", None
    if not (full or outer or top or bottom) and who != "robot":
        if feminine and chance[0] < 0.42:
            full = "dress"
        elif chance[0] < 0.75:
            outer = ("coat", "hoodie", "jacket")[int(chance[1] * 3)]
    if full == "dress" and top and bottom:
        full = None
    top = top or ("shirt" if outer == "suit" else ("tshirt", "sweater", "shirt")[int(chance[2] * 3)])
    bottom = bottom or (
        "skirt" if feminine and (outer == "uniform" or chance[3] < 0.25) and outer != "suit" else "trousers"
    )
    return {"full": full, "outer": outer, "top": top, "bottom": bottom}


def _hair(reading: Reading, age: str, *, feminine: bool, rng: np.random.Generator) -> str:
    if reading.hair:
        return reading.hair
    choices = {
        (True, "adult"): ("long", "bob", "ponytail", "bun", "long", "curly"),
        (True, "child"): ("bob", "twintails", "ponytail", "long"),
        (True, "elder"): ("bun", "curly", "bun"),
        (False, "adult"): ("short", "short", "short", "curly"),
        (False, "child"): ("short", "short", "bowl"),
        (False, "elder"): ("short", "bald"),
    }[feminine, age]
    return choices[int(rng.integers(len(choices)))]


def _palette(reading: Reading, outfit: dict[str, str | None], age: str, rng: np.random.Generator) -> dict[str, Colour]:
    """A colour for everything: named colours first, then what a thing is usually made of, then a palette."""
    data = lexicon()
    swatch: dict[str, Colour] = {name: tuple(value) for name, value in data["swatch"].items()}
    named = {key: swatch[name] for key, name in reading.colours.items()}
    sets = data["palettes"]
    main, second, accent, shoes = (tuple(c) for c in sets[int(rng.integers(len(sets)))])
    pale = mix(lighter(accent, 0.55), (250, 246, 240), 0.4)
    own = {key: swatch[name] for key, name in _OWN_COLOUR.items()}
    colours: dict[str, Colour] = {
        "full": main, "outer": main, "top": pale if outfit["outer"] else main, "bottom": second, "accent": accent,
        "shoes": shoes, "scarf": accent, "hat": accent, "cap": accent, "beanie": accent, "backpack": accent,
        "lining": pale, **own,
    }  # fmt: skip
    for slot in ("full", "outer", "top", "bottom"):
        garment = outfit[slot]
        if garment in own:
            colours[slot] = own[garment]
    main_slot = next(slot for slot in ("full", "outer", "top") if outfit[slot])
    if "clothes" in named:
        colours[main_slot] = named["clothes"]
        if main_slot == "top":
            colours["bottom"] = darker(named["clothes"], 0.2)
    for slot in ("full", "outer", "top", "bottom"):
        colours[slot] = named.get(outfit[slot] or "", colours[slot])
    colours.update({key: value for key, value in named.items() if key not in ("hair", "clothes")})
    if outfit["outer"] == "suit" and outfit["bottom"] not in named:
        colours["bottom"] = colours["outer"]
        colours["shoes"] = named.get("shoes", darker(swatch["brown"], 0.5))
    colours["shoes"] = named.get("boots", own["boots"]) if "boots" in reading.garments else colours["shoes"]

    tones = data["hair_swatch"]
    depth = int(rng.choice(5, p=[0.3, 0.33, 0.2, 0.1, 0.07]))
    colours["skin"] = tuple(data["skin"][depth])
    natural = ("black", "black", "brown", "black", "chestnut", "brown", "blond")[
        int(rng.integers(7 if depth < 3 else 4))
    ]
    tone = tones[reading.hair_colour or ("grey" if age == "elder" else natural)]
    if "hair" in reading.colours:
        word = reading.colours["hair"]
        tone = tones.get({"white": "grey", "gold": "blond", "yellow": "blond", "silver": "grey"}.get(word, word))
        tone = tone or swatch[word]
    colours["hair"] = tuple(tone)
    return colours


def settle(reading: Reading, rng: np.random.Generator) -> Look:
    """Complete a reading into a `Look`; the same reading and generator state give the same look."""
    who, age, feminine = _who(reading, rng)
    pose = _pose(reading, rng)
    view, mirror = _view(reading, pose, rng)
    outfit = _outfit(reading, who, feminine=feminine, rng=rng)
    hair = _hair(reading, age, feminine=feminine, rng=rng)
    colours = _palette(reading, outfit, age, rng)
    return Look(
        who=who,
        age=age,
        feminine=feminine,
        pose=pose,
        view=view,
        mirror=mirror,
        full=outfit["full"],
        outer=outfit["outer"],
        top=outfit["top"] or "shirt",
        bottom=outfit["bottom"] or "trousers",
        boots="boots" in reading.garments or (outfit["outer"] == "raincoat" and "shoes" not in reading.garments),
        hair=hair,
        accessories=reading.accessories,
        colours=colours,
        smile=float(rng.uniform(0.3, 1.0)),
        variant=float(rng.random()),
    )
