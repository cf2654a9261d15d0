"""Camera moves: words → a path through the scene → where each layer stands at a moment, with no edge ever shown.

The camera looks at planes at depths d (the person's is 1, the sky's is infinite). Moving forward by c scales a
plane by d / (d - c), moving sideways by x shifts it by -x / d, turning shifts all planes alike. Lengths are
fractions of the frame's width; time runs from 0 to 1 over the clip.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

SAMPLES = 97
"""Moments at which the needed overscan is looked up; the paths are smooth."""


@dataclass(frozen=True)
class Pose:
    """Where the camera is and looks: forward, sideways (x right, y down) and turned (x right, y down)."""

    forward: float = 0.0
    x: float = 0.0
    y: float = 0.0
    pan: float = 0.0
    tilt: float = 0.0


@dataclass(frozen=True)
class Move:
    """One named move and how far it goes (1 is the usual)."""

    kind: str
    amount: float = 1.0


_WORDS: tuple[tuple[str, str], ...] = (
    ("still", r"\bstatic\b|\bstill\b|\blocked[- ]?off\b|\bfixed\b|no camera|고정|정지|움직이지 않"),
    (
        "push",
        r"push|dolly[- ]?in|zoom(s|ing)? in|moves? (in|closer)|approach|forward|다가|가까이|줌\s*인|전진|클로즈업",
    ),
    (
        "pull",
        r"pull|dolly[- ]?out|zoom(s|ing)? out|moves? (away|back)|retreat|멀어|물러|줌\s*아웃|후진|빠져나",
    ),
    ("orbit", r"orbit|arc\b|circl|around|revolv|선회|주위를|돌며|돌아|회전|감싸"),
    ("crane-down", r"crane(s)? down|descend|lower(s|ing)?\b|내려오|내려온|내려간|하강|아래로"),
    ("crane-up", r"crane|ris(e|es|ing)\b|ascend|lift|boom up|올라|상승|위로|솟"),
    ("tilt-up", r"tilt(s|ing)? up|look(s)? up|올려다|틸트\s*업"),
    ("tilt-down", r"tilt|look(s)? down|내려다|틸트"),
    ("pan-left", r"(pan|track|truck|slide|move)\w* (to the )?left|left(ward)?|왼쪽|좌측"),
    ("pan-right", r"\bpan|track|truck|slid(e|es|ing)|right(ward)?|sideways|오른쪽|우측|패닝|팬\b|옆으로"),
    ("handheld", r"hand[- ]?held|shak(y|ing)|documentary|핸드헬드|흔들"),
)
_SLOW = r"slow|gentle|gradual|subtle|softly|천천히|느리게|서서히|조용히|살며시"
_FAST = r"fast|quick|rapid|sudden|dramatic|빠르게|급히|빨리|휙|극적"
_BLOCKS = {"crane-up": "crane-down", "tilt-down": "tilt-up", "pan-right": "pan-left"}
"""The general word of the first is not meant when the second was named."""


def read_moves(text: str) -> tuple[Move, ...]:
    """The moves a motion prompt names, in Korean or English; a slow push in when it names none."""
    text = text.lower()
    pace = 0.75 if re.search(_SLOW, text) else 1.5 if re.search(_FAST, text) else 1.0
    kinds = [kind for kind, words in _WORDS if re.search(words, text)]
    kinds = [kind for kind in kinds if _BLOCKS.get(kind) not in kinds]
    if "still" in kinds:
        return (Move("still"),)
    return tuple(Move(kind, pace) for kind in kinds) or (Move("push", pace),)


def ease(t: float) -> float:
    """Smootherstep (Perlin 2002) mixed with a line: starts and ends softly, never stands for long."""
    smooth = t * t * t * (t * (6 * t - 15) + 10)
    return 0.75 * smooth + 0.25 * t


def pose_at(moves: Sequence[Move], t: float, seed: int = 0) -> Pose:
    """The camera at time t (0 to 1)."""
    pose, e = Pose(), ease(min(1.0, max(0.0, t)))
    for move in moves:
        a = move.amount
        match move.kind:
            case "push":
                pose = replace(pose, forward=pose.forward + 0.13 * a * e)
            case "pull":
                pose = replace(pose, forward=pose.forward + 0.13 * a * (1 - e))
            case "pan-left" | "pan-right":
                sign = 1 if move.kind == "pan-right" else -1
                pose = replace(
                    pose, x=pose.x + sign * 0.035 * a * (e - 0.5), pan=pose.pan + sign * 0.05 * a * (e - 0.5)
                )
            case "tilt-up" | "tilt-down":
                sign = 1 if move.kind == "tilt-down" else -1
                pose = replace(pose, tilt=pose.tilt + sign * 0.05 * a * (e - 0.5))
            case "crane-up" | "crane-down":
                sign = 1 if move.kind == "crane-down" else -1
                pose = replace(
                    pose, y=pose.y + sign * 0.04 * a * (e - 0.5), tilt=pose.tilt + sign * 0.01 * a * (e - 0.5)
                )
            case "orbit":
                swing = 0.09 * a * (e - 0.5)
                pose = replace(pose, x=pose.x + swing, pan=pose.pan - swing)
            case "handheld":
                dx, dy = _drift(t, seed)
                pose = replace(pose, pan=pose.pan + 0.004 * a * dx, tilt=pose.tilt + 0.004 * a * dy)
            case _:
                pass
    return pose


def _drift(t: float, seed: int) -> tuple[float, float]:
    """Two smooth wandering curves in -1 to 1: a few slow sines with seeded phases."""
    phases = np.random.default_rng(seed).uniform(0, 2 * math.pi, (2, 3))
    rates = np.array([1.7, 3.1, 5.3])
    weights = np.array([0.55, 0.3, 0.15])
    x, y = (weights * np.sin(2 * math.pi * rates * t + phases)).sum(axis=1)
    return float(x), float(y)


def place(pose: Pose, depth: float, aspect: float) -> tuple[float, float, float]:
    """Scale and shift (x, y as fractions of width and height) of a plane at `depth` seen from `pose`."""
    nearness = 0.0 if math.isinf(depth) else 1.0 / depth
    scale = 1.0 / max(0.2, 1.0 - pose.forward * nearness)
    return scale, -(pose.x * nearness + pose.pan) * scale, -(pose.y * nearness + pose.tilt) * scale * aspect


def overscan(moves: Sequence[Move], depths: Sequence[float], aspect: float, drift: float, seed: int) -> float:
    """The enlargement of the whole scene at which no plane's edge comes into the frame at any time.

    A plane enlarged by b * s and shifted by (x, y) covers the frame while b * s >= 1 + 2 max(|x|, |y|).
    `drift` is how much farther (fraction of width or height) ambient motion may shift a plane.
    """
    needed = 1.0
    for t in np.linspace(0, 1, SAMPLES):
        pose = pose_at(moves, float(t), seed)
        for depth in depths:
            scale, x, y = place(pose, depth, aspect)
            needed = max(needed, (1 + 2 * (max(abs(x), abs(y)) + drift)) / scale)
    return needed + 0.004
