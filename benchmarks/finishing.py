"""The finishing pass: a moving camera over a background with a person in front → 1080p24, 6 s, H.264.

    python -m benchmarks.finishing [--runs 5]     (needs the bench extra for MoviePy and the ffmpeg binary)

Everybody encodes with x264, CRF 18, veryfast. `encode only` is the floor: the frames lie in memory. Runs are interleaved;
medians are printed, CPU-seconds with children. Jitter is the rms distance in pixels of a moving disc's centre of mass from
where the peer's own path puts it, in the decoded clip; PSNR-Y is of decoded luma against a render in floating point (Lanczos-4).
"""

from __future__ import annotations

import argparse
import math
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from vpgen.backends.x264 import PRESETS
from vpgen.clip import Layer, Still
from vpgen.media.camera import overscan, place, pose_at, read_moves
from vpgen.media.frames import Frames
from vpgen.media.pipeline import ordered_map
from vpgen.media.planes import Stage
from vpgen.media.video import decode, encode

SIZE, FPS, COUNT = (1920, 1080), 24, 144
MOVES = read_moves("push in and pan left")
DISC = 1200
"""Where the disc that shows jitter stands across; not at the centre, which a zoom does not move."""

Way = Callable[[int, float], np.ndarray]
"""(frame, depth) → the 2x3 matrix from layer to frame pixels."""


class Peer(Protocol):
    """Writes the clip, or a white disc on black moving in the same way."""

    def __call__(self, path: Path, disc: bool = False) -> object: ...


def scene_layers(disc: bool = False) -> tuple[Layer, Layer]:
    """A textured background at depth 6 and a person (or a disc to measure) at depth 1."""
    random = np.random.default_rng(0)
    rough = cv2.resize(random.integers(40, 210, (27, 48, 3), np.uint8), SIZE, interpolation=cv2.INTER_CUBIC)
    back = np.dstack([np.zeros_like(rough) if disc else rough, np.full(SIZE[::-1], 255, np.uint8)])
    person = np.zeros((SIZE[1], SIZE[0], 4), np.uint8)
    if disc:
        cv2.circle(person, (DISC, 540), 90, (255, 255, 255, 255), -1, cv2.LINE_AA)
    else:
        cv2.ellipse(person, (960, 700), (150, 330), 0, 0, 360, (200, 90, 70, 255), -1, cv2.LINE_AA)
        cv2.circle(person, (960, 330), 90, (230, 190, 160, 255), -1, cv2.LINE_AA)
    return Layer("background", back, 6.0), Layer("person", person, 1.0)


def ours(path: Path, disc: bool = False) -> None:
    """The parallax animator into the encoder."""
    layers = scene_layers(disc)
    stage = Stage.of(Still(rgb=layers[0].rgba[..., :3], layers=layers), SIZE, MOVES, 0, moving=False, pixels="yuv420p")

    def frames():
        return ordered_map(lambda i: stage.at(i / COUNT, 6.0), range(COUNT))

    encode(Frames(SIZE, Fraction(FPS), COUNT, "yuv420p", frames), path, PRESETS["high"])


def encode_only(frames: list[np.ndarray]) -> Peer:
    """The floor."""

    def run(path: Path, disc: bool = False) -> None:  # noqa: ARG001  # the floor has nothing to show
        encode(Frames(SIZE, Fraction(FPS), COUNT, "yuv420p", lambda: iter(frames)), path, PRESETS["high"])

    return run


def opencv_script(path: Path, disc: bool = False) -> None:
    """What one usually writes: warp BGR linearly, blend in float, hand BGR to the encoder."""
    import av

    back, person = scene_layers(disc)
    alpha = person.rgba[..., 3:].astype(np.float32) / 255
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, width=SIZE[0], height=SIZE[1], pix_fmt="yuv420p")
        stream.options = dict(PRESETS["high"])
        for i in range(COUNT):
            frames = []
            for picture, depth in ((back.rgba[..., :3], 6.0), (person.rgba[..., :3], 1.0), (alpha, 1.0)):
                matrix = our_way(i, depth)
                matrix[:, 2] += 0.5 * matrix[:, :2].sum(axis=1) - 0.5
                frames.append(cv2.warpAffine(picture, matrix, SIZE, flags=cv2.INTER_LINEAR))
            a = frames[2][..., None]
            mixed = (frames[1].astype(np.float32) * a + frames[0].astype(np.float32) * (1 - a)).astype(np.uint8)
            container.mux(stream.encode(av.VideoFrame.from_ndarray(mixed, format="rgb24")))
        container.mux(stream.encode(None))


def zoompan(path: Path, disc: bool = False) -> None:
    """Ffmpeg's own graph: zoompan on the background, overlay of the person."""
    import imageio_ffmpeg

    back, person = scene_layers(disc)
    cv2.imwrite(str(path.with_suffix(".b.png")), cv2.cvtColor(back.rgba[..., :3], cv2.COLOR_RGB2BGR))
    cv2.imwrite(str(path.with_suffix(".p.png")), cv2.cvtColor(person.rgba, cv2.COLOR_RGBA2BGRA))
    graph = (
        f"[0:v]zoompan=z='1+0.13*on/{COUNT}':x='iw/2-iw/zoom/2':y='ih/2-ih/zoom/2':d={COUNT}:s=1920x1080:fps={FPS}[b];"
        f"[1:v]zoompan=z='1+0.15*on/{COUNT}':x='iw/2-iw/zoom/2':y='ih/2-ih/zoom/2':d={COUNT}:s=1920x1080:fps={FPS},format=yuva420p[p];"
        "[b][p]overlay=format=auto,format=yuv420p"
    )
    subprocess.run(
        [imageio_ffmpeg.get_ffmpeg_exe(), "-y", "-v", "error", "-i", str(path.with_suffix(".b.png")), "-i", str(path.with_suffix(".p.png")),
         "-filter_complex", graph, "-frames:v", str(COUNT), "-c:v", "libx264", "-crf", "18", "-preset", "veryfast", str(path)],
        check=True,
    )  # fmt: skip


def moviepy(path: Path, disc: bool = False) -> None:
    """MoviePy 2: a resized clip under another."""
    from moviepy import CompositeVideoClip, ImageClip

    back, person = scene_layers(disc)
    under = ImageClip(back.rgba[..., :3]).with_duration(6).resized(lambda t: 1 + 0.13 * t / 6).with_position("center")
    over = ImageClip(person.rgba).with_duration(6).resized(lambda t: 1 + 0.15 * t / 6).with_position("center")
    CompositeVideoClip([under, over], size=SIZE).with_duration(6).write_videofile(
        str(path), fps=FPS, codec="libx264", preset="veryfast", ffmpeg_params=["-crf", "18"], logger=None
    )


def our_way(i: int, depth: float) -> np.ndarray:
    """Layer pixels → frame pixels at frame i, as the camera path has it."""
    base = overscan(MOVES, [1.0, 6.0], SIZE[0] / SIZE[1], 0.0, 0)
    scale, x, y = place(pose_at(MOVES, i / COUNT), depth, SIZE[0] / SIZE[1])
    s = scale * base
    return np.array([[s, 0, SIZE[0] * (0.5 + x - s / 2)], [0, s, SIZE[1] * (0.5 + y - s / 2)]])


def centred_way(i: int, depth: float) -> np.ndarray:
    """The zoom about the centre that the ffmpeg graph and MoviePy were given."""
    s = 1 + (0.13 if depth > 1 else 0.15) * i / COUNT
    return np.array([[s, 0, SIZE[0] * (1 - s) / 2], [0, s, SIZE[1] * (1 - s) / 2]])


def jitter(run: Peer, way: Way, folder: Path) -> float:
    """Rms distance of a disc's centre from where the path puts it, in pixels, a constant offset aside."""
    path = folder / "disc.mp4"
    run(path, disc=True)
    across = np.arange(SIZE[0]) + 0.5
    errors = []
    for i, frame in enumerate(decode(path).open()):
        luma = np.maximum(frame[: SIZE[1]].astype(np.float64) - 24, 0)
        matrix = way(i, 1.0)
        truth = matrix[0, 0] * (DISC + 0.5) + matrix[0, 2]
        errors.append(float((luma.sum(axis=0) * across).sum() / luma.sum()) - truth)
    return float(np.std(errors))


def fidelity(path: Path, way: Way) -> float:
    """Mean PSNR of luma, in dB, of every 12th decoded frame against the same moment rendered in floating point."""
    layers = [(layer.rgba.astype(np.float32), layer.depth) for layer in scene_layers()]
    found = []
    for i, frame in enumerate(decode(path).open()):
        if i % 12:
            continue
        picture = np.zeros((SIZE[1], SIZE[0], 3), np.float32)
        for rgba, depth in layers:
            pre = np.dstack([rgba[..., :3] * (rgba[..., 3:] / 255), rgba[..., 3:] / 255])
            matrix = way(i, depth)
            matrix[:, 2] += 0.5 * matrix[:, :2].sum(axis=1) - 0.5
            warped = cv2.warpAffine(pre, matrix, SIZE, flags=cv2.INTER_LANCZOS4, borderMode=cv2.BORDER_REPLICATE)
            picture = warped[..., :3] + picture * (1 - np.clip(warped[..., 3:], 0, 1))
        luma = 16 + np.clip(picture, 0, 255) @ np.array([0.2126, 0.7152, 0.0722], np.float32) * (219 / 255)
        found.append(10 * math.log10(255**2 / float(np.square(luma - frame[: SIZE[1]]).mean())))
    return statistics.mean(found)


def peak_memory(folder: Path) -> int:
    """Of ours in a process of its own, in MiB (Linux: the high-water mark of its resident memory)."""
    code = (
        "from pathlib import Path; from benchmarks.finishing import ours; "
        f"ours(Path({str(folder / 'rss.mp4')!r})); "
        "print(next(line.split()[1] for line in open('/proc/self/status') if line.startswith('VmHWM')))"
    )
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    return int(done.stdout) // 1024


def main() -> None:
    """Measure everybody and print one table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    peers: dict[str, tuple[Peer, Way]] = {"ours": (ours, our_way), "OpenCV script": (opencv_script, our_way)}
    if find_spec("imageio_ffmpeg"):
        peers["ffmpeg zoompan"] = (zoompan, centred_way)
    if find_spec("moviepy"):
        peers["MoviePy 2"] = (moviepy, centred_way)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        ours(folder / "floor.mp4")
        frames = list(decode(folder / "floor.mp4").open())
        every: dict[str, Peer] = {"encode only": encode_only(frames), **{key: run for key, (run, _) in peers.items()}}
        times: dict[str, list[tuple[float, float]]] = {key: [] for key in every}
        for _ in range(options.runs):
            for key, work in every.items():
                before, began = os.times(), time.perf_counter()
                work(folder / f"{key.replace(' ', '-')}.mp4")
                wall, after = time.perf_counter() - began, os.times()
                times[key].append((wall, math.fsum(after[:4]) - math.fsum(before[:4])))
        del frames
        floor = statistics.median(wall for wall, _ in times["encode only"])
        print(f"{'':<18}{'wall s':>8}{'CPU s':>8}{'x encode-only':>15}{'jitter px':>11}{'PSNR-Y dB':>11}")
        for key, runs in times.items():
            wall, cpu = (statistics.median(values) for values in zip(*runs, strict=True))
            line = f"{key:<18}{wall:>8.2f}{cpu:>8.2f}{wall / floor:>15.2f}"
            if key in peers:
                run, way = peers[key]
                found = fidelity(folder / f"{key.replace(' ', '-')}.mp4", way)
                line += f"{jitter(run, way, folder):>11.4f}{found:>11.2f}"
            print(line, flush=True)
        print(f"\nours: peak memory {peak_memory(folder)} MiB")


if __name__ == "__main__":
    main()
