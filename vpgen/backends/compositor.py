"""Puts a cut-out person into a place: on the ground line, in its light, with a shadow and without a halo."""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal
from typing import Annotated, ClassVar, Literal, TypeVar

import cv2
import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from vpgen.clip import RGB, Alpha, Layer, Scene, Still, Value
from vpgen.errors import InvalidInput
from vpgen.media.blend import flatten
from vpgen.media.harmonise import edges_for_gamma, relight, shadow
from vpgen.media.scene import estimate_scene
from vpgen.stages import CompositeRequest, Readiness, Usage, Work

Shot = Literal["close", "full", "wide"]
Side = Literal["left", "centre", "right"]
Word = TypeVar("Word", Shot, Side)

_SHOTS: tuple[tuple[Shot, str], ...] = (
    ("close", r"close[- ]?up|bust shot|portrait shot|클로즈\s?업|바스트\s?샷|얼굴\s?(?:샷|가까이)"),
    ("full", r"full[- ](?:shot|body|length)|head to toe|전신|풀\s?샷"),
    ("wide", r"(?:wide|long)[- ](?:shot|view|angle)|in the distance|롱\s?샷|와이드\s?샷|원경|멀리서"),
)
_SIDES: tuple[tuple[Side, str], ...] = (
    ("left", r"\b(?:on|at|to|from) the left\b(?! (?:hand|arm|leg|foot|eye|ear|cheek|shoulder))|왼쪽에|왼편에|좌측에"),
    (
        "right",
        r"\b(?:on|at|to|from) the right\b(?! (?:hand|arm|leg|foot|eye|ear|cheek|shoulder))|오른쪽에|오른편에|우측에",
    ),
    ("centre", r"\b(?:in|at) the (?:cent(?:re|er)|middle)\b|\bcent(?:re|er)ed\b|가운데|중앙|정중앙"),
)
_X: dict[Side, float] = {"left": 1 / 3, "centre": 0.5, "right": 2 / 3}
EYES = 0.93
"""Height of the eyes as a share of a standing person's."""
STANDING = (0.5, 0.72)
CLOSE_CUT, CLOSE_FULL = 0.92, 1.5
"""Heights in a close shot: of a person cut at the waist, and of a whole one, whose legs leave the frame."""


@dataclass(frozen=True)
class Placement:
    """Where the cut-out goes: its size (width, height), and the row and column of its top left corner."""

    size: tuple[int, int]
    left: int
    top: int
    standing: bool


class Compositor:
    """cut-out over background → one still in layers: background, "shadow", "person", what is in front.

    Layers blend in gamma-encoded values (`vpgen.media.blend.flatten`), as the animator and every video
    player do; the person's edge pixels are given colours with which that equals blending in linear light.
    """

    name: ClassVar[str] = "ground-line"
    version: ClassVar[str] = "1"
    stored: ClassVar[bool] = True

    class Params(Value):
        """`scale`: the person's height as a share of the frame's; `x`: their middle, 0 left to 1 right.

        None lets the words of the prompt and the background decide. `harmony`: 0 leaves the person's colours.
        """

        scale: Annotated[float, Field(ge=0.05, le=3)] | None = None
        x: Annotated[float, Field(ge=0, le=1)] | None = None
        harmony: Annotated[float, Field(ge=0, le=1)] = 1.0

    def __init__(self, params: Params) -> None:
        self.params = params

    def estimate(self, request: CompositeRequest) -> Usage:  # noqa: ARG002  # the pictures may not exist yet
        return {"cpu_second": Decimal("0.6")}

    @classmethod
    def readiness(cls) -> Readiness:
        return Readiness(ready=True)

    def composite(self, request: CompositeRequest, work: Work) -> Still:
        """Raises InvalidInput when the person has no alpha, or one that is see-through everywhere."""
        person, background = request.person.load(), request.background.load()
        rgb, alpha, cut = _trim(person)
        photo = not background.layers and background.scene == Scene()
        scene = estimate_scene(background.rgb) if photo else background.scene
        place = self._place(alpha, background, scene, request, cut=cut)
        work.progress(0.3, "matching the light")

        rgb, alpha, (left, top) = _fit(rgb, alpha, place, background.size)
        rows, columns = slice(top, top + alpha.shape[0]), slice(left, left + alpha.shape[1])
        behind = background.rgb[rows, columns]
        rgb = edges_for_gamma(relight(rgb, alpha, behind, scene, self.params.harmony), alpha, behind)
        plane = np.zeros((*background.rgb.shape[:2], 4), np.uint8)
        plane[rows, columns] = np.dstack([rgb, alpha])
        cast = np.zeros_like(plane)
        feet = place.top + place.size[1]
        if place.standing and feet <= background.size[1]:
            cast = shadow(alpha, left, feet, background.size, scene)

        back = background.layers or (Layer("background", _opaque(background.rgb), 3.0),)
        layers = (
            *(layer for layer in back if layer.depth >= 1),
            Layer("shadow", cast, 1.0),
            Layer("person", plane, 1.0),
            *(layer for layer in back if layer.depth < 1),
        )
        return Still(rgb=flatten(layers), layers=layers, scene=scene)

    def _place(
        self, alpha: Alpha, background: Still, scene: Scene, request: CompositeRequest, *, cut: bool
    ) -> Placement:
        """A person cut by their picture's lower edge fills the frame's lower edge; a whole one stands on the ground."""
        width, height = background.size
        prompt = request.prompt
        shot = _said(_SHOTS, f"{prompt.character} {prompt.motion} {prompt.style}")
        aspect = alpha.shape[0] / alpha.shape[1]
        tall = self.params.scale or (_cut_height(shot) if cut else _standing_height(shot, aspect, scene))
        if self.params.scale is None:
            tall = min(tall, 0.92 * width / height * aspect) if cut or tall < 1 else tall
        size = (max(2, round(tall * height / aspect)), max(2, round(tall * height)))
        if cut:
            top = height - size[1]
        elif tall > 1:
            top = round(0.08 * height)
        else:
            top = round(scene.ground * height) - size[1]
        side = _said(_SIDES, prompt.character)
        middle = (
            self.params.x if self.params.x is not None else _X[side] if side else _calmest(background.rgb, size, shot)
        )
        return Placement(size, round(middle * width - size[0] / 2), top, standing=not cut)


def _said(words: tuple[tuple[Word, str], ...], text: str) -> Word | None:
    return next((name for name, pattern in words if re.search(pattern, text, re.IGNORECASE)), None)


def _cut_height(shot: Shot | None) -> float:
    return {"close": CLOSE_CUT, "wide": 0.6}.get(shot or "", 0.8)


def _standing_height(shot: Shot | None, aspect: float, scene: Scene) -> float:
    """A camera at eye height sees every standing person's eyes on the horizon, however far away they are.

    Somebody who sits or lies (`aspect`, height by width, is low) is less tall than if they stood.
    """
    low, high = STANDING
    if shot == "close":
        return CLOSE_FULL
    upright = (scene.ground - scene.horizon) / EYES
    if shot == "wide":
        low, high = 0.24, 0.42
        upright *= 0.6
    elif shot == "full":
        low = 0.62
    return float(np.clip(upright, low, high)) * float(np.clip(0.55 * aspect, 0.6, 1))


def _calmest(rgb: RGB, size: tuple[int, int], shot: Shot | None) -> float:
    """The third with less going on behind the person; the middle for a close shot or a person too wide for a third."""
    width = rgb.shape[1]
    if shot == "close" or size[0] > 0.6 * width:
        return 0.5
    grey = cv2.resize(cv2.cvtColor(rgb, cv2.COLOR_RGB2GRAY), (96, 54), interpolation=cv2.INTER_AREA)
    busy = np.abs(cv2.Laplacian(grey, cv2.CV_32F))
    half = max(4, round(48 * size[0] / width))
    energy = {x: float(busy[:, max(0, round(96 * x) - half) : round(96 * x) + half].mean()) for x in (1 / 3, 2 / 3)}
    return min(energy, key=lambda x: energy[x])


def _trim(person: Still) -> tuple[RGB, Alpha, bool]:
    """The person without the empty margin, and whether their picture's lower edge cuts them."""
    alpha = person.alpha
    if alpha is None:
        raise InvalidInput("the person is not cut out: the picture has no alpha", remedy="Run the matting stage first")
    x, y, width, height = cv2.boundingRect((alpha > 8).astype(np.uint8))
    if width < 4 or height < 4:
        raise InvalidInput(
            "the cut-out is see-through everywhere: there is nobody to place",
            remedy="Give a photo that shows one person, or an RGBA picture with somebody in it",
        )
    touching = int(np.count_nonzero(alpha[-1] > 128))
    rgb = person.rgb[y : y + height, x : x + width]
    trimmed = alpha[y : y + height, x : x + width].copy()
    _feather_cut_sides(trimmed, at_left=x == 0, at_right=x + width == alpha.shape[1])
    return rgb, trimmed, touching > 0.25 * width


def _feather_cut_sides(alpha: Alpha, *, at_left: bool, at_right: bool) -> None:
    """An arm cut by the photo's side fades out over 3 % of the width instead of ending in a straight line."""
    reach = max(1, round(0.03 * alpha.shape[1]))
    ramp = np.linspace(0, 1, reach, endpoint=False, dtype=np.float32)
    if at_left:
        alpha[:, :reach] = alpha[:, :reach] * ramp
    if at_right:
        alpha[:, -reach:] = alpha[:, -reach:] * ramp[::-1]


def _fit(rgb: RGB, alpha: Alpha, place: Placement, canvas: tuple[int, int]) -> tuple[RGB, Alpha, tuple[int, int]]:
    """The person at the size of the placement, without what lies outside the canvas; (left, top) within it.

    Scaled premultiplied, so that the colour of see-through pixels counts for nothing.
    """
    share = alpha.astype(np.float32)[..., None] / 255
    how = cv2.INTER_AREA if place.size[1] < alpha.shape[0] else cv2.INTER_CUBIC
    scaled = cv2.resize(np.concatenate([rgb * share, share], axis=2), place.size, interpolation=how)
    left, top = max(0, place.left), max(0, place.top)
    right, bottom = min(canvas[0], place.left + place.size[0]), min(canvas[1], place.top + place.size[1])
    if right <= left or bottom <= top:
        raise InvalidInput("the person lies outside the frame", remedy="Set x nearer to 0.5 or a smaller scale")
    scaled = scaled[top - place.top : bottom - place.top, left - place.left : right - place.left]
    opacity = np.clip(scaled[..., 3:], 0, 1)
    colours = np.clip(scaled[..., :3] / np.maximum(opacity, 1 / 510) + 0.5, 0, 255).astype(np.uint8)
    return colours, np.round(opacity[..., 0] * 255).astype(np.uint8), (left, top)


def _opaque(rgb: RGB) -> NDArray[np.uint8]:
    return np.dstack([rgb, np.full(rgb.shape[:2], 255, np.uint8)])
