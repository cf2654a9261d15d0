"""How our pictures look: colours that colour-blind eyes tell apart, a font that has Korean, no pyplot state.

Loading this module loads Matplotlib.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import cache, wraps
from io import BytesIO
from typing import TYPE_CHECKING, Any, ParamSpec

from vpgen.errors import MissingDependency
from vpgen.media.contact_sheet import FONT

try:
    import matplotlib as mpl
    from matplotlib import font_manager
    from matplotlib.figure import Figure
except ImportError as error:
    raise MissingDependency("pictures need matplotlib", remedy="pip install 'vpgen[lab]'") from error

if TYPE_CHECKING:
    from matplotlib.axes import Axes

P = ParamSpec("P")
GREY = "#4d4d4d"
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9")
MARKERS = ("s", "^", "D", "v", "P", "X")
WIDTH = 8.0
"""Inches; what fits a page and, at 10 points, a phone held across."""
_STYLE: dict[str, Any] = {
    "font.size": 10, "axes.titlesize": 11, "axes.titleweight": "bold", "axes.titlelocation": "left",
    "axes.spines.top": False, "axes.spines.right": False, "axes.axisbelow": True, "figure.facecolor": "white",
    "grid.color": "#e3e6eb", "legend.frameon": False, "legend.fontsize": 9, "hatch.linewidth": 0.6,
}  # fmt: skip


def styled(draw: Callable[P, Figure]) -> Callable[P, Figure]:
    """Draw with our own defaults, and a font for letters the usual one lacks (Korean in an error, say)."""

    @wraps(draw)
    def styled(*args: P.args, **kwargs: P.kwargs) -> Figure:
        style: Any = {**_STYLE, "font.family": ["DejaVu Sans", _own_font()]}
        with mpl.rc_context(style):
            return draw(*args, **kwargs)

    return styled


@cache
def _own_font() -> str:
    """Make our font known to Matplotlib, as bold too so that it does not complain of its absence; returns its name."""
    fonts = font_manager.fontManager
    fonts.addfont(str(FONT))
    fonts.ttflist.append(replace(fonts.ttflist[-1], weight=700))
    return str(fonts.ttflist[-1].name)


def png(figure: Figure, *, dpi: int = 144) -> bytes:
    """A figure as the bytes of a PNG file."""
    out = BytesIO()
    figure.savefig(out, format="png", dpi=dpi, metadata={"Software": None})
    return out.getvalue()


def figure_of(height: float) -> Figure:
    """An empty figure, `height` inches high; its text fits around it by itself."""
    return Figure(figsize=(WIDTH, height), layout="constrained")


@styled
def _one(height: float) -> Figure:
    figure = figure_of(height)
    figure.subplots()
    return figure


def styled_figure(height: float) -> tuple[Figure, Axes]:
    """An empty figure in our style, with its axes."""
    figure = _one(height)
    return figure, figure.axes[0]


def blank(figure: Figure, axes: Axes, why: str) -> Figure:
    """A figure that says why there is nothing to draw."""
    axes.set_axis_off()
    axes.text(0.5, 0.5, why, ha="center", va="center", transform=axes.transAxes, color=GREY)
    return figure


def plain(text: str) -> str:
    """Text that Matplotlib takes as it is: a dollar starts no formula."""
    return text.replace("$", r"\$")
