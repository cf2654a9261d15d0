"""Cuts the person out of a picture: MediaPipe's selfie segmentation, refined at full resolution.

The model sees 256x256 pixels, so it runs twice: on the whole picture to find the person, then on the
person's box. A person small in the frame gets as fine an edge as one that fills it.
"""

from __future__ import annotations

from decimal import Decimal
from functools import cache
from importlib.resources import as_file, files
from importlib.util import find_spec
from typing import Any, ClassVar, Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from vpgen.clip import RGB, Still, Value
from vpgen.errors import InvalidInput, MissingDependency, NoPersonFound
from vpgen.media.matte import foreground_colours, guided
from vpgen.stages import MattingRequest, Readiness, Usage, Work

Float = NDArray[np.float32]
Box = tuple[int, int, int, int]
"""left, top, right, bottom in pixels; right and bottom excluded."""

SIDE = 256
MARGIN = 0.2
"""Room around the person's box for what the first look missed, as a fraction of the box."""
MIN_AREA = 0.002
MIN_AGREEMENT = 0.79
MAX_FILL = 0.9
CLOSED_FORM_PIXELS = 600_000
"""The closed-form system is solved at this size at most; it takes about 2.5 CPU-s per megapixel."""


class PersonMatting:
    """picture → the person alone, with soft alpha and colours free of the old background.

    **No person found.** The model answers something on every picture, so the mask must cover MIN_AREA of it and
    at most MAX_FILL of the box it was found in, and must agree with what the model says of the same box
    mirrored, letterboxed and padded: what it takes for a person by mistake rarely survives all three.
    MIN_AGREEMENT (the least intersection over union) was set between real pictures. With a person: an astronaut
    (also mirrored, cropped, dark, small, padded to 16:9 and 1:2, over another photo), a naval officer's portrait
    and its upper half, a cameraman: 0.82 to 0.98. Without: cup, cat (also cropped, padded, small), rocket, stars,
    retina, tissue, temple, flower, gravel, brick, grass, moon, page, coins, clock, a horse's silhouette, noise,
    gradients, flat colours: at most 0.76. A torso without a head is refused as well.
    """

    name: ClassVar[str] = "person"
    version: ClassVar[str] = "1"
    stored: ClassVar[bool] = True

    class Params(Value):
        """`refine`: how the edge is found at full resolution; closed-form needs pymatting and is slower."""

        refine: Literal["none", "guided", "closed-form"] = "guided"

    def __init__(self, params: Params) -> None:
        self.params = params

    def estimate(self, request: MattingRequest) -> Usage:  # noqa: ARG002  # the picture may not exist yet
        return {"cpu_second": Decimal("5.0" if self.params.refine == "closed-form" else "0.8")}

    @classmethod
    def readiness(cls) -> Readiness:
        if find_spec("onnxruntime") is None:
            return Readiness(ready=False, note="onnxruntime is missing", remedy="pip install onnxruntime")
        closed_form = find_spec("pymatting") is not None
        note = "" if closed_form else "refine: closed-form needs pip install 'vpgen[neural]'"
        return Readiness(ready=True, note=note)

    def matting(self, request: MattingRequest, work: Work) -> Still:
        """Raises NoPersonFound; InvalidInput for an RGBA that is see-through everywhere; MissingDependency."""
        still = request.picture.load()
        if still.alpha is not None:
            return _already_cut(still)
        coarse, box = find_person(still.rgb)
        work.progress(0.4, "refining the edge")
        x0, y0, x1, y1 = box
        crop = np.ascontiguousarray(still.rgb[y0:y1, x0:x1])
        match self.params.refine:
            case "none":
                fine = coarse
            case "guided":
                fine = _refine(crop, coarse)
            case "closed-form":
                fine = _closed_form(crop, coarse)
        work.progress(0.6, "finding the person's own colours")
        colours = foreground_colours(crop, fine)
        alpha = np.zeros(still.rgb.shape[:2], np.uint8)
        alpha[y0:y1, x0:x1] = np.round(fine * 255)
        rgb = np.zeros_like(still.rgb)
        rgb[:] = np.average(colours, axis=(0, 1), weights=fine + 1e-6).astype(np.uint8)
        rgb[y0:y1, x0:x1] = colours
        return Still(rgb=rgb, alpha=alpha, scene=still.scene)


def find_person(rgb: RGB) -> tuple[Float, Box]:
    """The person's coarse alpha (0 to 1) within a box of the picture, and the box. Raises NoPersonFound."""
    box = _box(np.maximum(_segment(rgb), _segment_letterboxed(rgb)))
    if box is None:
        raise _nobody()
    for _ in range(2):  # the second look often shows an arm that the first missed
        mask = _segment(_cut(rgb, box))
        inner = _box(mask)
        if inner is None:
            raise _nobody()
        x0, y0, _, _ = box
        left, top, right, bottom = inner
        box = _with_margin((x0 + left, y0 + top, x0 + right, y0 + bottom), rgb.shape)
    crop = _cut(rgb, box)
    straight = _segment(crop)
    mirrored = np.ascontiguousarray(_segment(np.ascontiguousarray(crop[:, ::-1]))[:, ::-1])
    mask = np.asarray((straight + mirrored) / 2, np.float32)
    area = float(np.sum(mask > 0.5)) / (rgb.shape[0] * rgb.shape[1])
    agreement = min(
        _overlap(straight, mirrored),
        _overlap(mask, _segment_letterboxed(crop)),
        _overlap(mask, _segment_padded(crop)),
    )
    if area < MIN_AREA or float(np.mean(mask > 0.5)) > MAX_FILL or agreement < MIN_AGREEMENT:
        raise _nobody()
    return _largest(mask), box


def _nobody() -> NoPersonFound:
    return NoPersonFound(
        "nobody was found in this picture to cut out",
        remedy="Give a photo that shows one person with their head, or an RGBA PNG that is already cut out",
    )


@cache
def _session() -> Any:  # onnxruntime has no types
    try:
        import onnxruntime  # loads only when a picture is cut out
    except ImportError as error:
        raise MissingDependency("matting needs onnxruntime", remedy="pip install onnxruntime") from error
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # 9 ms a run; more threads spin longer than they work
    options.log_severity_level = 3
    with as_file(files("vpgen.backends.onnx") / "models" / "selfie_segmentation.onnx") as path:
        return onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])


def _segment(rgb: RGB) -> Float:
    """The model's mask of the picture, squeezed into its square and back; (h, w), 0 to 1."""
    height, width = rgb.shape[:2]
    square = cv2.resize(rgb, (SIDE, SIDE), interpolation=cv2.INTER_AREA).astype(np.float32) / 255
    mask = _session().run(None, {"input_1": square[None]})[0][0, ..., 0]
    return np.asarray(np.clip(cv2.resize(mask, (width, height), interpolation=cv2.INTER_CUBIC), 0, 1), np.float32)


def _segment_letterboxed(rgb: RGB) -> Float:
    """The mask with the shape of things kept: very wide and very tall pictures need this look as well."""
    height, width = rgb.shape[:2]
    side = max(height, width)
    top, left = (side - height) // 2, (side - width) // 2
    around = (top, side - height - top, left, side - width - left)
    mask = _segment(np.asarray(cv2.copyMakeBorder(rgb, *around, cv2.BORDER_REPLICATE), np.uint8))
    return mask[top : top + height, left : left + width]


def _segment_padded(rgb: RGB) -> Float:
    """The mask when there is grey above and beside the picture, as if the camera stood farther away."""
    height, width = rgb.shape[:2]
    top, side = height // 3, width // 6
    padded = cv2.copyMakeBorder(rgb, top, 0, side, side, cv2.BORDER_CONSTANT, value=(128, 128, 128))
    return _segment(np.asarray(padded, np.uint8))[top:, side : side + width]


def _overlap(a: Float, b: Float) -> float:
    """Intersection over union of two soft masks; 0 when both are empty."""
    return float(np.minimum(a, b).sum() / max(1e-6, float(np.maximum(a, b).sum())))


def _largest(mask: Float) -> Float:
    """The mask without islands that are small beside its largest part: reflections, a picture on the wall."""
    count, labels, stats, _ = cv2.connectedComponentsWithStats((mask > 0.1).astype(np.uint8))
    if count <= 2:
        return mask
    areas = stats[:, cv2.CC_STAT_AREA].copy()
    areas[0] = 0
    keep = areas > 0.1 * areas.max()
    return np.where(keep[labels], mask, 0).astype(np.float32)


def _box(mask: Float) -> Box | None:
    count, _, stats, _ = cv2.connectedComponentsWithStats((mask > 0.5).astype(np.uint8))
    if count < 2:
        return None
    x, y, width, height, _ = (int(v) for v in stats[1 + int(np.argmax(stats[1:, cv2.CC_STAT_AREA]))])
    return _with_margin((x, y, x + width, y + height), mask.shape)


def _with_margin(box: Box, shape: tuple[int, ...]) -> Box:
    x0, y0, x1, y1 = box
    dx, dy = round(MARGIN * (x1 - x0)), round(MARGIN * (y1 - y0))
    return max(0, x0 - dx), max(0, y0 - dy), min(shape[1], x1 + dx), min(shape[0], y1 + dy)


def _cut(rgb: RGB, box: Box) -> RGB:
    x0, y0, x1, y1 = box
    return np.ascontiguousarray(rgb[y0:y1, x0:x1])


def _band(mask: Float) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """What is surely the person and what is surely not; between them lies a band two model pixels wide."""
    reach = max(1, round(max(mask.shape) / SIDE * 2))
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (2 * reach + 1,) * 2)
    inside = cv2.erode((mask > 0.9).astype(np.uint8), kernel, borderValue=1) > 0
    outside = cv2.dilate((mask > 0.1).astype(np.uint8), kernel) == 0
    return inside, outside


def _refine(rgb: RGB, mask: Float) -> Float:
    inside, outside = _band(mask)
    radius = max(2, round(max(mask.shape) / SIDE * 5))
    firm = np.asarray(np.clip((mask - 0.25) / 0.5, 0, 1), np.float32)  # its faint outskirts would show as smears
    alpha = guided(np.asarray(rgb, np.float32) / np.float32(255), firm, radius, eps=1e-4)
    alpha = np.clip((alpha - 0.12) / 0.76, 0, 1)  # a box filter never quite reaches 0 and 1
    return np.where(inside, 1, np.where(outside, 0, alpha)).astype(np.float32)


def _closed_form(rgb: RGB, mask: Float) -> Float:
    """Levin, Lischinski and Weiss, "A Closed-Form Solution to Natural Image Matting", TPAMI 2008, by pymatting."""
    try:
        from pymatting import estimate_alpha_cf  # compiles for a minute once
    except ImportError as error:
        raise MissingDependency(
            "refine: closed-form needs pymatting", remedy="pip install 'vpgen[neural]', or set refine: guided"
        ) from error
    height, width = mask.shape
    ratio = min(1.0, (CLOSED_FORM_PIXELS / (height * width)) ** 0.5)
    size = (round(width * ratio), round(height * ratio))
    inside, outside = _band(mask)
    trimap = np.where(inside, 1.0, np.where(outside, 0.0, 0.5)).astype(np.float32)
    small = cv2.resize(rgb, size, interpolation=cv2.INTER_AREA).astype(np.float64) / 255
    solved = estimate_alpha_cf(small, cv2.resize(trimap, size, interpolation=cv2.INTER_NEAREST).astype(np.float64))
    alpha = np.clip(cv2.resize(solved.astype(np.float32), (width, height), interpolation=cv2.INTER_CUBIC), 0, 1)
    return np.where(inside, 1, np.where(outside, 0, alpha)).astype(np.float32)


def _already_cut(still: Still) -> Still:
    """A user's own RGBA: alpha stays; colours where it is 0 are filled from the nearest opaque ones."""
    alpha = still.alpha
    if alpha is None or not np.any(alpha >= 128):
        raise InvalidInput(
            "this picture's alpha is see-through everywhere: there is nothing to show",
            remedy="Export the cut-out again with its alpha, or give a photo without alpha to have it cut out here",
        )
    hidden = (alpha == 0)[..., None]
    filled = foreground_colours(still.rgb, (alpha > 0).astype(np.float32))
    return Still(rgb=np.where(hidden, filled, still.rgb), alpha=alpha, layers=still.layers, scene=still.scene)
