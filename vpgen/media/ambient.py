"""Motion that fits the scene: drifting cloud, shimmering water, swaying leaves, breathing people, rain and snow.

Everything is a function of the clock in seconds and the seed, so a moment looks the same at any frame rate.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vpgen.clip import Scene
from vpgen.media.color import convert

WATER = {"sea", "water", "river", "lake", "reflection"}
FLICKER = {"stars": (0.35, 0.9), "lights": (0.12, 0.5)}
"""Layer → how deep and how fast (Hz) its lights come and go."""


def sway(name: str, clock: float, canvas: tuple[int, int], ground: float, seed: int) -> NDArray[np.float64]:
    """How a layer moves as a whole: a 3x3 matrix in canvas pixels. Shifts stay within 1.5 % of the canvas."""
    width, height = canvas
    if name in {"clouds", "fog"}:
        pace = 0.0022 if name == "clouds" else 0.0016
        return _shift(width * 0.012 * math.sin(clock * pace / 0.012 + _phase(seed, name)), 0.0)
    if name in {"leaves", "foliage", "grass", "branches"}:
        bend = 0.006 * math.sin(1.7 * clock + _phase(seed, name)) + 0.002 * math.sin(4.1 * clock)
        return _about(width / 2, ground * height, np.array([[1, bend, 0], [0, 1, 0], [0, 0, 1.0]]))
    if name == "person":
        breath = 0.0022 * (1 - math.cos(2 * math.pi * 0.28 * clock)) / 2
        lean = 0.0012 * math.sin(2 * math.pi * 0.13 * clock + _phase(seed, name))
        return _about(width / 2, ground * height, np.array([[1, lean, 0], [0, 1 + breath, 0], [0, 0, 1.0]]))
    return np.eye(3)


def stir(
    name: str,
    part: NDArray[np.uint8],
    black: int,
    clock: float,
    corner: tuple[int, int],
    frame: tuple[int, int],
    seed: int,
    *,
    covered: bool,
) -> NDArray[np.uint8]:
    """What moves inside a layer: waves on water, lights that come and go. Works on the part that is in the frame.

    `part` is luma or chroma (height, width[, channels]), premultiplied, its alpha last when `covered`; `black` is
    its value for black; `corner` its left and top in the frame, `frame` the frame's (width, height) in its pixels.
    """
    if name in WATER:
        return _waves(part, black, clock, corner, frame, covered=covered)
    if name in FLICKER:
        depth, rate = FLICKER[name]
        return _lit(part, black, _twinkle(part.shape[:2], clock, corner, frame, seed, depth, rate), covered=covered)
    return part


def _waves(
    part: NDArray[np.uint8], black: int, clock: float, corner: tuple[int, int], frame: tuple[int, int], *, covered: bool
) -> NDArray[np.uint8]:
    """Rows slide to and fro, farther toward the viewer, and their brightness runs in bands down the water."""
    height, width = part.shape[:2]
    rows = np.arange(height, dtype=np.float32)
    near = rows / max(1, height - 1)
    v = (rows + corner[1]) / frame[1]
    slide = (
        frame[0]
        * (0.0006 + 0.0035 * near)
        * (
            np.sin(2 * math.pi * (v * 34 / (0.35 + near) + 0.45 * clock))
            + 0.5 * np.sin(2 * math.pi * (v * 61 - 0.31 * clock))
        )
    )
    across = np.arange(width, dtype=np.float32)[None, :] + slide[:, None].astype(np.float32)
    down = np.repeat(rows[:, None], width, axis=1)
    moved = np.asarray(cv2.remap(part, across, down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE), np.uint8)
    gleam = 1 + 0.035 * np.sin(2 * math.pi * (v * 21 / (0.3 + near) - 0.38 * clock))
    return _lit(moved, black, np.repeat(gleam[:, None].astype(np.float32), width, axis=1), covered=covered)


def _lit(part: NDArray[np.uint8], black: int, gain: NDArray[np.float32], *, covered: bool) -> NDArray[np.uint8]:
    """Brighter or darker by `gain` (height, width): the distance from black grows, as it does for light."""
    channels = cv2.split(part)
    floor = channels[-1].astype(np.float32) * (black / 255) if covered else np.float32(black)
    colours = channels[:-1] if covered else channels
    lit = [np.clip(floor + (c - floor) * gain + 0.5, 0, 255).astype(np.uint8) for c in colours]
    return np.asarray(cv2.merge([*lit, channels[-1]] if covered else lit), np.uint8).reshape(part.shape)


def _twinkle(
    shape: tuple[int, ...],
    clock: float,
    corner: tuple[int, int],
    frame: tuple[int, int],
    seed: int,
    depth: float,
    rate: float,
) -> NDArray[np.float32]:
    """Each patch of lights brightens and dims at its own time."""
    columns, lines = 48, 27
    random = np.random.default_rng(seed)
    phase = random.uniform(0, 2 * math.pi, (lines, columns))
    speed = random.uniform(0.6, 1.4, (lines, columns)) * rate
    strength = (1 - depth * (0.5 + 0.5 * np.sin(2 * math.pi * speed * clock + phase))).astype(np.float32)
    whole = cv2.resize(strength, frame, interpolation=cv2.INTER_LINEAR)
    return np.asarray(whole[corner[1] : corner[1] + shape[0], corner[0] : corner[0] + shape[1]], np.float32)


@dataclass(frozen=True)
class Weather:
    """Rain or snow over the whole frame, in three distances."""

    kind: str
    seeds: NDArray[np.float64]
    size: tuple[int, int]
    tint: tuple[int, int, int]

    @classmethod
    def of(cls, scene: Scene, size: tuple[int, int], seed: int) -> Weather | None:
        """The falling weather of a scene, None when nothing falls."""
        counts = {"rain": 420, "storm": 700, "snow": 330}
        if scene.weather not in counts:
            return None
        random = np.random.default_rng(seed + 77)
        seeds = random.uniform(0, 1, (counts[scene.weather], 5))
        ambient = np.array(scene.ambient_rgb, np.float64)
        bright = 0.45 * ambient + 0.55 * 255 if scene.weather == "snow" else 0.6 * ambient + 0.4 * 235
        r, g, b = (int(c) for c in bright)
        return cls(scene.weather, seeds, size, (r, g, b))

    def over(self, planes: Sequence[NDArray[np.uint8]], clock: float) -> None:
        """Draw the weather at that moment over the Y, U and V planes of a frame, in place."""
        width, height = self.size
        cover = np.zeros((height, width), np.uint8)
        unit = height / 360
        for x, y, far, wobble, weight in self.seeds:
            near = 0.35 + 0.65 * far
            if self.kind == "snow":
                py = (y + clock * (0.05 + 0.11 * near)) % 1.1 - 0.05
                px = (x + 0.02 * math.sin(clock * (0.5 + wobble) + 6.28 * wobble) + clock * 0.012) % 1.1 - 0.05
                radius = unit * (0.7 + 2.1 * near * (0.5 + 0.5 * weight))
                _dot(cover, px * width, py * height, radius, int(130 + 110 * near))
            else:
                slant = 0.10 if self.kind == "rain" else 0.26
                py = (y + clock * (1.3 + 1.1 * near)) % 1.25 - 0.2
                px = (x + slant * py) % 1.1 - 0.05
                length = 0.045 + 0.07 * near
                _streak(
                    cover,
                    (px * width, py * height),
                    (slant * length * width * 0.6, length * height),
                    unit * near,
                    int(50 + 95 * near * (0.6 + 0.4 * weight)),
                )
        tint = convert(np.full((2, 2, 3), self.tint, np.uint8), "rgb24", "yuv444p")[:, 0, 0]
        for plane, value in zip(planes, tint.tolist(), strict=True):
            if plane.shape != cover.shape:
                cover = np.asarray(cv2.resize(cover, plane.shape[::-1], interpolation=cv2.INTER_AREA), np.uint8)
            alpha = cover.astype(np.float32) / 255
            under = plane.astype(np.float32)  # in 8 bits the difference would wrap around
            plane[:] = (under + (value - under) * alpha + 0.5).astype(np.uint8)


_SHIFT = 4
"""OpenCV draws with 1/16 pixel positions at this shift."""


def _dot(cover: NDArray[np.uint8], x: float, y: float, radius: float, level: int) -> None:
    at = (round(x * 16), round(y * 16))
    cv2.circle(cover, at, max(8, round(radius * 16)), level, -1, cv2.LINE_AA, _SHIFT)


def _streak(
    cover: NDArray[np.uint8], at: tuple[float, float], along: tuple[float, float], thickness: float, level: int
) -> None:
    start = (round(at[0] * 16), round(at[1] * 16))
    end = (round((at[0] + along[0]) * 16), round((at[1] + along[1]) * 16))
    cv2.line(cover, start, end, level, max(1, round(thickness)), cv2.LINE_AA, _SHIFT)


def _phase(seed: int, name: str) -> float:
    return (seed * 0.618 + sum(map(ord, name)) * 0.377) % (2 * math.pi)


def _shift(x: float, y: float) -> NDArray[np.float64]:
    return np.array([[1, 0, x], [0, 1, y], [0, 0, 1.0]])


def _about(x: float, y: float, matrix: NDArray[np.float64]) -> NDArray[np.float64]:
    return _shift(x, y) @ matrix @ _shift(-x, -y)
