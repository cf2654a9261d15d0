"""vpgen turns a story into a scored, priced six-second clip.

    import vpgen
    clip = vpgen.run(vpgen.make("A woman walks along the beach at dusk"))
    clip.video, clip.scores, clip.cost

Everything else is a module of its own; importing this package loads none of them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from vpgen.studio import Clip, final, make, plan, preview, run

__all__ = ["Clip", "__version__", "final", "make", "plan", "preview", "run"]


def __getattr__(name: str) -> Any:  # whatever the module holds
    if name in __all__:
        return getattr(import_module("vpgen.studio"), name)
    raise AttributeError(f"module 'vpgen' has no attribute {name!r}")
