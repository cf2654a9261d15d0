"""The score set of a finished 1080p clip in one decode pass, against scoring it as the usual libraries do.

    python -m benchmarks.scoring [--runs 5]     (needs the bench extra for scikit-image)

Ours is everything `vpgen final` reports but VMAF (a process of its own): SSIM and PSNR against the preview,
flicker, smoothness and dynamic degree by flow, sharpness, exposure, NIQE. The peer computes SSIM and PSNR with
scikit-image and nothing else, on every sixth frame; its time is scaled to the whole clip.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
import time
from fractions import Fraction
from pathlib import Path

from benchmarks.finishing import COUNT, FPS, SIZE, ours
from vpgen.clip import Video
from vpgen.media.color import convert
from vpgen.media.frames import Frames
from vpgen.media.video import decode, probe, write_mezzanine
from vpgen.quality.clip import measure

EVERY = 6


def small_copy(clip: Video, path: Path) -> Video:
    """A stand-in for the approved preview: half the rate, a third of the size."""
    import cv2

    def frames():
        for index, frame in enumerate(decode(clip).open()):
            if index % 2 == 0:
                yield cv2.resize(convert(frame, "yuv420p", "rgb24"), (640, 360), interpolation=cv2.INTER_AREA)

    return write_mezzanine(Frames((640, 360), Fraction(FPS, 2), COUNT // 2, "rgb24", frames), path)


def scikit_image(clip: Video) -> None:
    """SSIM and PSNR of a clip against itself, luma at full size."""
    from skimage.metrics import peak_signal_noise_ratio, structural_similarity

    for index, frame in enumerate(decode(clip).open()):
        if index % EVERY == 0:
            luma = frame[: SIZE[1]]
            other = luma.copy()
            other[0, 0] ^= 1
            structural_similarity(luma, other)
            peak_signal_noise_ratio(luma, other)


def main() -> None:
    """Measure and print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ours(folder / "clip.mp4")
        clip = probe(folder / "clip.mp4")
        preview = small_copy(clip, folder / "preview.mkv")
        ways = {
            "vpgen, the whole set": (lambda: measure(clip, preview=preview, folder=folder, vmaf=False), 1),
            "scikit-image, SSIM + PSNR": (lambda: scikit_image(clip), EVERY),
        }
        times: dict[str, list[tuple[float, float]]] = {key: [] for key in ways}
        for _ in range(options.runs):
            for key, (work, scale) in ways.items():
                before, began = sum(os.times()[:2]), time.perf_counter()
                work()
                times[key].append(((time.perf_counter() - began) * scale, (sum(os.times()[:2]) - before) * scale))
    print(f"{'':<28}{'wall s':>8}{'CPU s':>8}")
    for key, runs in times.items():
        wall, cpu = (statistics.median(values) for values in zip(*runs, strict=True))
        print(f"{key:<28}{wall:>8.2f}{cpu:>8.2f}")


if __name__ == "__main__":
    main()
