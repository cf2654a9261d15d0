"""Makes a cut-out belong to its place: exposure, colour of the light, light on its rim, shadow, honest edges.

All of it works in linear light. Planes are blended in gamma-encoded values later on, as video is, so
`edges_for_gamma` gives the person's half-transparent pixels colours that come out the same either way.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from vpgen.clip import RGB, Alpha, Scene
from vpgen.media.scene import LUMINANCE, to_linear, to_srgb

Float = NDArray[np.float32]

DAYLIGHT = 0.68
"""Mean linear luminance of sun and sky on a clear day in this project's scenes: no change of exposure."""


def relight(rgb: RGB, alpha: Alpha, behind: RGB, scene: Scene, strength: float) -> RGB:
    """The person's colours (h, w, 3) in the scene's light; `behind` is the background under the same pixels.

    Exposure follows the scene's light (power 0.6) and a little the background's own brightness (power 0.2); white
    balance is a von Kries gain towards the colour of light and surroundings (power 0.5): enough to belong, not
    enough to turn a face blue. The side towards the light is lifted, the far side lowered, by at most 15 %.
    `strength` is 0 to 1.
    """
    linear = to_linear(rgb)
    weight = np.asarray(alpha / np.float32(255), np.float32)
    light, ambient = (to_linear(np.array(c, np.uint8)) for c in (scene.light_rgb, scene.ambient_rgb))
    around = to_linear(behind[::4, ::4]).mean(axis=(0, 1))  # lamps and walls, which the scene's one light leaves out
    illuminant = 0.4 * light + 0.4 * ambient + 0.2 * around
    level = float((0.5 * light + 0.5 * ambient) @ LUMINANCE)
    own = float(np.average(linear @ LUMINANCE, weights=weight + 1e-9))
    exposure = (level / DAYLIGHT) ** 0.6 * ((float(around @ LUMINANCE) + 0.02) / (own + 0.02)) ** 0.2
    balance = np.clip(illuminant / max(float(illuminant @ LUMINANCE), 1e-4), 0.4, 2.0) ** 0.5
    gain = np.clip(exposure, 0.33, 1.3) * balance / float(balance @ LUMINANCE)
    gain = gain**strength

    across = np.linspace(-1, 1, rgb.shape[1], dtype=np.float32) * np.float32(scene.light[0] * 0.15 * strength)
    lit = linear * gain.astype(np.float32) * (1 + across)[None, :, None]
    lit += _edge_light(weight, behind, scene, light, strength)
    return np.asarray(np.clip(to_srgb(lit) + 0.5, 0, 255), np.uint8)


def _edge_light(weight: Float, behind: RGB, scene: Scene, light: Float, strength: float) -> Float:
    """What the light adds near the outline: a rim on the side it comes from, and the background's glow all round.

    Found at a quarter of the size: it is blurred anyway.
    """
    height, width = weight.shape
    size = (max(8, width // 4), max(8, height // 4))
    small = cv2.resize(weight, size, interpolation=cv2.INTER_AREA)
    sigma = max(1.0, max(size) / 160)
    soft = cv2.GaussianBlur(cv2.copyMakeBorder(small, 0, 1, 0, 0, cv2.BORDER_REPLICATE), (0, 0), sigma)[:-1]
    x, y = (-cv2.Sobel(soft, cv2.CV_32F, *order, ksize=3) for order in ((1, 0), (0, 1)))
    towards = np.clip(x * scene.light[0] - y * scene.light[1], 0, None) * sigma * 0.5
    rim = np.minimum(towards, 0.35)[..., None] * light
    glow = cv2.resize(behind, size, interpolation=cv2.INTER_AREA)
    glow = to_linear(np.asarray(cv2.GaussianBlur(glow, (0, 0), 3 * sigma), np.uint8))
    wrapped = (1 - soft)[..., None] * glow * 0.25
    added = (rim + wrapped) * small[..., None] * strength
    return np.asarray(cv2.resize(added, (width, height), interpolation=cv2.INTER_LINEAR), np.float32)


def edges_for_gamma(rgb: RGB, alpha: Alpha, behind: RGB) -> RGB:
    """Colours whose gamma-space blend over `behind` is the linear-light blend of `rgb` over it.

    A lens adds light, not code values: an edge that is half hair and half bright sky is much brighter than
    the mean of their codes. With C the colour asked for, a its alpha and B what is behind:
    C' = (srgb(a lin(C) + (1 - a) lin(B)) - (1 - a) B) / a. Where the person moves over other pixels, it is near.
    """
    result = rgb.copy()
    partial = (alpha > 0) & (alpha < 255)
    a = (alpha[partial].astype(np.float32) / 255)[:, None]
    over, under = rgb[partial], behind[partial]
    wanted = to_srgb(np.asarray(a * to_linear(over) + (1 - a) * to_linear(under), np.float32))
    result[partial] = np.clip((wanted - (1 - a) * under) / a + 0.5, 0, 255).astype(np.uint8)
    return result


def shadow(alpha: Alpha, left: int, feet: float, canvas: tuple[int, int], scene: Scene) -> NDArray[np.uint8]:
    """The shadow of a standing person as an RGBA plane of the `canvas` (width, height).

    `alpha` is the person's (h, w), placed with its left edge at `left` and its lowest pixel on row `feet`.
    A soft ellipse where the feet touch the ground, always; and the silhouette laid on the ground, away from
    the light, the longer the lower the light and the darker the harder it is.
    """
    width, height = canvas
    h = alpha.shape[0]
    x, up = scene.light
    hardness = min(1.0, float(np.hypot(x, up)))
    slope = x / max(hardness, 1e-6)
    elevation = float(np.clip(up / max(hardness, 1e-6), 0.3, 1.0))
    length = float(np.clip(0.13 / elevation, 0.1, 0.4))
    quarter = np.array([[0.25, 0, 0], [0, 0.25, 0], [0, 0, 1]])
    # A pixel `rise` above the feet lands `length * rise` below them, shifted away from the light.
    lay = np.array(
        [[1, 0.55 * slope / elevation, left - 0.55 * slope / elevation * h], [0, -length, feet + length * h]]
    )
    small = (width // 4, height // 4)
    cast = cv2.warpAffine(alpha, (quarter @ np.vstack([lay, [0, 0, 1]]))[:2], small, flags=cv2.INTER_LINEAR)
    near = cv2.GaussianBlur(cast, (0, 0), max(1.0, h / 400)).astype(np.float32)
    far = cv2.GaussianBlur(cast, (0, 0), max(2.0, h / 90)).astype(np.float32)
    row = (np.arange(small[1], dtype=np.float32) * 4 - feet) / max(1.0, length * h)
    fade = np.clip(row, 0, 1)[:, None]
    density = ((1 - fade) * near + fade * far) * (1 - 0.7 * fade) * (0.12 + 0.38 * hardness)

    soles = np.flatnonzero(alpha[-max(2, h // 25) :].max(axis=0) > 64)
    middle, half = left + float(soles.mean()), 0.5 * float(np.ptp(soles)) + 0.03 * h
    xs = (np.arange(small[0], dtype=np.float32) * 4 - middle) / half
    ys = (np.arange(small[1], dtype=np.float32) * 4 - (feet - 0.004 * h)) / max(2.0, 0.16 * half)
    contact = np.exp(-1.3 * (xs[None, :] ** 2 + ys[:, None] ** 2)) * 255 * 0.6
    density = 255 - (255 - density) * (255 - contact) / 255  # two shades over each other

    plane = np.empty((height, width, 4), np.uint8)
    plane[..., :3] = (np.array(scene.ambient_rgb, np.float32) * 0.16).astype(np.uint8)
    plane[..., 3] = cv2.resize(np.round(density).astype(np.uint8), canvas, interpolation=cv2.INTER_LINEAR)
    return plane
