"""The skeleton under a figure: proportions by age and sex, poses as joint angles, the points they give."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vpgen.backends.animatic.figure.look import Look
from vpgen.backends.animatic.figure.shapes import Points, pts


@dataclass(frozen=True)
class Build:
    """Proportions in units of a hundredth of the standing height."""

    head: float
    shoulder_y: float
    shoulder: float
    waist_y: float
    waist: float
    hip_y: float
    hip: float
    thigh: float
    shin: float
    upper_arm: float
    forearm: float
    leg_radii: tuple[float, float, float, float, float]
    arm_radii: tuple[float, float, float, float, float]


BUILDS = {
    "woman": Build(13.2, 82.0, 7.7, 65.5, 5.1, 53.5, 7.2, 25.0, 24.0, 15.0, 13.0,
                   (4.5, 3.7, 2.7, 2.6, 1.5), (2.3, 2.1, 1.75, 1.7, 1.15)),
    "man": Build(13.2, 82.0, 10.0, 64.5, 6.9, 52.0, 6.9, 24.2, 23.3, 15.6, 13.6,
                 (4.8, 4.1, 3.1, 3.0, 1.8), (3.0, 2.7, 2.2, 2.1, 1.45)),
    "child": Build(20.5, 74.5, 8.2, 59.0, 6.9, 46.0, 7.3, 21.0, 20.5, 13.2, 11.8,
                   (4.6, 4.1, 3.3, 3.0, 2.2), (2.6, 2.4, 2.1, 2.0, 1.6)),
}  # fmt: skip

# Angles in degrees from straight down, positive towards screen right (the way a side view faces).
# Arm and leg 0 are at screen left, and nearer than 1 when the figure is turned.
# (lean, arms ((upper, lower), (upper, lower)), legs ((thigh, shin), (thigh, shin)), feet (tilt, tilt))
Pose = tuple[
    float, tuple[tuple[float, float], tuple[float, float]], tuple[tuple[float, float], tuple[float, float]],
    tuple[float, float],
]  # fmt: skip
POSES: dict[tuple[str, str], Pose] = {
    ("stand", "front"): (0, ((-13, -3), (13, 5)), ((-4, -2), (6, 3)), (0, 0)),
    ("stand", "side"): (0, ((-10, 8), (8, 22)), ((-4, -3), (6, 1)), (0, 0)),
    ("walk", "front"): (0, ((-16, 2), (14, -4)), ((-3, 0), (4, 1)), (0, 0)),
    ("walk", "side"): (2, ((24, 44), (-28, -8)), ((-17, -38), (23, 9)), (-28, 14)),
    ("run", "side"): (11, ((38, 128), (-58, 22)), ((-20, -92), (58, -18)), (-70, -6)),
    ("run", "front"): (0, ((-30, 40), (28, -150)), ((-4, 2), (8, -4)), (0, 0)),
    ("sit", "side"): (-3, ((14, 62), (24, 70)), ((86, 4), (80, -14)), (0, 0)),
    ("sit", "front"): (0, ((-16, 18), (16, -18)), ((-12, -4), (12, 4)), (0, 0)),
    ("wave", "front"): (0, ((-13, -3), (112, 172)), ((-3, -1), (6, 3)), (0, 0)),
    ("wave", "side"): (0, ((120, 165), (-10, 4)), ((-5, -4), (6, 2)), (0, 0)),
    ("spread", "front"): (0, ((-102, -108), (102, 108)), ((-7, -5), (7, 5)), (0, 0)),
    ("spread", "side"): (-5, ((112, 120), (-100, -112)), ((-6, -8), (8, 2)), (0, 0)),
    ("dance", "front"): (-5, ((-118, -176), (74, 108)), ((-3, -3), (52, -38)), (0, -55)),
    ("dance", "side"): (-4, ((128, 160), (-84, -100)), ((-4, -2), (-52, -72)), (0, -75)),
}


@dataclass(frozen=True)
class Skeleton:
    """Joint positions (x, y) in figure space; index 0 of a pair is the screen-left, nearer one."""

    build: Build
    turn: float
    lean: float
    pelvis: Points
    head: Points
    shoulders: tuple[Points, Points]
    elbows: tuple[Points, Points]
    wrists: tuple[Points, Points]
    hips: tuple[Points, Points]
    knees: tuple[Points, Points]
    ankles: tuple[Points, Points]
    feet: tuple[float, float]

    def torso(self, x: float, y: float) -> Points:
        """A point given for an upright torso, leant with it about the pelvis."""
        return lean(np.array([x, y - self.build.hip_y]), self.lean) + self.pelvis

    def chest(self, outline: str, *, shift: float = 1.6, flip: float = 1.0) -> Points:
        """Points given from the pit of the neck, as in SVG, on the torso; `shift` moves them round when it is turned."""
        local = pts(outline) * (flip, 1.0) + (shift * self.turn, self.build.shoulder_y)
        return np.array([self.torso(x, y) for x, y in local])

    @property
    def waist_half(self) -> float:
        """Half the waist as seen."""
        return self.build.waist * (0.5 + 0.5 * self.width)

    @property
    def hip_half(self) -> float:
        """Half the hips as seen."""
        return self.build.hip * (0.45 + 0.55 * self.width)

    @property
    def width(self) -> float:
        """How much of the front a turned torso shows."""
        return 1 - 0.3 * self.turn


def heading(degrees: float) -> Points:
    """The unit vector at an angle from straight down."""
    a = np.radians(degrees)
    return np.array([np.sin(a), -np.cos(a)])


def lean(point: Points, degrees: float) -> Points:
    """A point turned clockwise about the origin."""
    a = np.radians(degrees)
    c, s = np.cos(a), np.sin(a)
    return np.array([c * point[0] + s * point[1], -s * point[0] + c * point[1]])


def build_of(look: Look) -> Build:
    """Proportions for who it is."""
    return BUILDS["child" if look.age == "child" else "woman" if look.feminine else "man"]


def arm_angles(look: Look, arms: tuple[tuple[float, float], tuple[float, float]]) -> list[tuple[float, float]]:
    """The pose's arm angles, changed for what the hands hold."""
    angles = list(arms)
    side = look.view == "side"
    hand = 0 if side else 1
    flip = 1
    holding: dict[str, tuple[float, float]] = {
        "umbrella": (22, 128) if side else (24, 160),
        "balloon": (40, 112) if side else (42, 130),
        "lantern": (48, 74) if side else (34, 58),
        "bouquet": (16, 88) if side else (24, -104),
        "phone": (28, 120) if side else (22, -140),
        "cup": (14, 102) if side else (22, -112),
        "sword": (16, 36) if side else (22, 30),
        "suitcase": (-4, 2) if side else (15, 8),
        "handbag": (-4, 4) if side else (15, 8),
        "cane": (18, 34) if side else (20, 14),
    }
    if look.held:
        upper, lower = holding[look.held]
        angles[hand] = (upper * flip, lower * flip)
        if look.pose in ("wave", "spread") and not side:
            angles[1] = (upper, lower)
            angles[0] = (-112, -172) if look.pose == "wave" else angles[0]
    if "book" in look.accessories and not look.held and look.pose not in ("wave", "spread", "dance", "run"):
        angles = [(10, 100), (16, 98)] if side else [(-14, 98), (14, -98)]
    if "guitar" in look.accessories and look.pose not in ("wave", "spread"):
        angles = [(-22, 78), (34, 112)] if side else [(-26, 76), (38, 118)]
    if "camera" in look.accessories and look.pose not in ("wave", "spread", "dance", "run"):
        angles = [(34, 142), (40, 138)] if side else [(-30, 148), (30, -148)]
    return angles


def _stride(look: Look) -> float:
    """How far the clothes let the legs swing, 1 is free."""
    if look.full in ("kimono", "hanbok"):
        return 0.45
    return 0.75 if look.full == "dress" or look.outer in ("coat", "raincoat") else 1.0


def skeleton_of(look: Look) -> Skeleton:
    """Place the joints for the look's pose so that the lower foot stands on the ground."""
    build = build_of(look)
    view = "side" if look.view == "side" else "front"
    pose = "stand" if look.pose in ("gaze", "look_back") else look.pose
    tilt, arms, legs, feet = POSES[pose, view]
    tilt += 5 if look.age == "elder" and view == "side" else 0
    turn = 1.0 if view == "side" else 0.0
    narrow = 1 - 0.55 * turn
    pelvis = np.array([0.0, build.hip_y])
    ankle = 4.4
    stride = _stride(look) if pose in ("walk", "run") else 1.0
    hips, knees, ankles = [], [], []
    for sign, (thigh_turn, shin_turn) in zip((-1, 1), legs, strict=True):
        hip = pelvis + (sign * (build.hip - build.leg_radii[0]) * narrow, -1.0)
        astride = 3.5 * sign * (1 - turn) if look.full == "spacesuit" else 0.0
        thigh, shin = thigh_turn * stride + astride, shin_turn * stride + astride
        long = build.thigh * (0.38 if pose == "sit" and view == "front" else 1)
        knee = hip + long * heading(thigh)
        hips.append(hip)
        knees.append(knee)
        ankles.append(
            knee + build.shin * (0.86 if pose in ("walk", "run") and turn == 0 and sign > 0 else 1) * heading(shin)
        )
    soles = [a[1] - ankle - 2.6 * max(0.0, -np.sin(np.radians(f))) for a, f in zip(ankles, feet, strict=True)]
    drop = np.array([0.0, -min(soles)])
    pelvis = pelvis + drop

    def upper(x: float, y: float) -> Points:
        return np.asarray(lean(np.array([x, y - build.hip_y]), tilt) + pelvis, np.float64)

    shoulders, elbows, wrists = [], [], []
    for sign, (up, low) in zip((-1, 1), arm_angles(look, arms), strict=True):
        reach = build.shoulder - build.arm_radii[0] * 0.9
        shoulder = upper(sign * reach * (1 - 0.5 * turn), build.shoulder_y - 0.9 - build.arm_radii[0])
        elbow = shoulder + build.upper_arm * heading(up - tilt * 0.5)
        shoulders.append(shoulder)
        elbows.append(elbow)
        wrists.append(elbow + build.forearm * heading(low - tilt * 0.5))
    stoop = (1.6 if turn else 0.0) * (look.age == "elder")
    head = upper(0.9 * turn + stoop, 100 - 0.55 * build.head)
    return Skeleton(
        build, turn, tilt, pelvis, head, (shoulders[0], shoulders[1]), (elbows[0], elbows[1]), (wrists[0], wrists[1]),
        (hips[0] + drop, hips[1] + drop), (knees[0] + drop, knees[1] + drop), (ankles[0] + drop, ankles[1] + drop), feet,
    )  # fmt: skip
