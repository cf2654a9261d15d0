"""Against a reference: SSIM and PSNR of luma in one pass, and VMAF by the ffmpeg binary when it is there."""

from __future__ import annotations

import json
import math
import subprocess
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from vpgen.clip import Video

C1, C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
VMAF_SECONDS = 240


def ssim(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """Structural similarity of two luma frames of one size, with the 11x11 Gaussian window (σ 1.5) of Wang et al. 2004."""
    x, y = a.astype(np.float32), b.astype(np.float32)

    def blur(picture: NDArray[np.float32]) -> NDArray[np.float32]:
        return np.asarray(cv2.GaussianBlur(picture, (11, 11), 1.5), np.float32)

    mx, my = blur(x), blur(y)
    vx, vy, vxy = blur(x * x) - mx * mx, blur(y * y) - my * my, blur(x * y) - mx * my
    index = (2 * mx * my + C1) * (2 * vxy + C2) / ((mx * mx + my * my + C1) * (vx + vy + C2))
    return float(index[5:-5, 5:-5].mean())


def psnr(error: float) -> float:
    """Peak signal to noise ratio in dB of a mean squared error on 8-bit samples; infinite for none."""
    return math.inf if error <= 0 else 10 * math.log10(255 * 255 / error)


def squared_error(a: NDArray[np.uint8], b: NDArray[np.uint8]) -> float:
    """Mean squared difference of two frames of one shape."""
    return float(cv2.norm(a, b, cv2.NORM_L2SQR) / a.size)


def vmaf(clip: Video, reference: Video, folder: Path) -> tuple[float | None, str]:
    """VMAF (0 to 100) of a clip against a reference, compared at the reference's size and rate; or why there is none.

    Both are tagged BT.709 limited; ffmpeg would otherwise convert one of them without a word.
    """
    if find_spec("imageio_ffmpeg") is None:
        return None, "needs the ffmpeg binary: pip install 'vpgen[vmaf]'"
    import imageio_ffmpeg

    every = Fraction(clip.fps) / Fraction(reference.fps)
    if every.denominator != 1:
        return None, f"the rates {clip.fps} and {reference.fps} do not coincide"
    log = folder / "vmaf.json"
    tags = "setparams=colorspace=bt709:color_primaries=bt709:color_trc=bt709:range=limited"
    size = f"{reference.size[0]}:{reference.size[1]}"
    graph = (
        f"[0:v]select='not(mod(n\\,{every.numerator}))',setpts=N/({reference.fps}*TB),scale={size}:flags=area,format=yuv420p,{tags}[a];"
        f"[1:v]setpts=N/({reference.fps}*TB),format=yuv420p,{tags}[b];[a][b]libvmaf=n_threads=2:log_fmt=json:log_path={log.name}"
    )
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-hide_banner", "-nostdin", "-v", "error", "-i", str(clip.path.absolute()),
               "-i", str(reference.path.absolute()), "-lavfi", graph, "-f", "null", "-"]  # fmt: skip
    try:
        done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=VMAF_SECONDS, check=False)  # noqa: S603  # a fixed program and our own arguments
    except (OSError, subprocess.TimeoutExpired) as error:
        return None, f"ffmpeg did not do it: {type(error).__name__}"
    if done.returncode:
        return None, f"ffmpeg: {(done.stderr.strip().splitlines() or ['failed'])[-1][:120]}"
    return float(json.loads(log.read_text())["pooled_metrics"]["vmaf"]["mean"]), ""
