"""Video files in and out, in this process (PyAV): probe, decode to `Frames`, encode `Frames`.

Files are written under a temporary name and renamed when whole, so nothing half-written is ever there.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import av.error
import numpy as np
from numpy.typing import NDArray

from vpgen.clip import Video
from vpgen.errors import InvalidInput, StoreError
from vpgen.media.color import BT709, LIMITED, to_array, to_frame
from vpgen.media.frames import Frames, Pixels

MAX_PIXELS = 8192 * 4320
MAX_SECONDS = 600
WHOLE = 0.97
"""Share of the announced frames that must be there; containers of real cameras are off by one or two."""
THREADS = 4
"""Fixed, because x264's output depends on it: the same input gives the same bytes on every machine."""
MEZZANINE: dict[Pixels, dict[str, str]] = {
    "yuv444p": {"qp": "0", "preset": "ultrafast"},
    "yuv420p": {"crf": "6", "preset": "ultrafast"},
}
"""What is kept between stages is decoded once or twice and never delivered: lossless where frames are small
(the animated clip), near-lossless where they are large (upscaled and interpolated 1080p)."""

Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class VideoFacts:
    """What a file says of itself; colour tags by their H.273 codes (1 is BT.709), range 1 is limited."""

    codec: str
    pixels: str
    size: tuple[int, int]
    fps: Fraction
    frames: int
    seconds: float
    primaries: int
    transfer: int
    matrix: int
    color_range: int
    faststart: bool
    metadata: Mapping[str, str]


def probe(path: Path) -> Video:
    """Size, rate and frame count of a video file. Raises InvalidInput for anything that is not one."""
    facts = inspect(path)
    return Video(path, facts.size, facts.fps, facts.frames)


def inspect(path: Path) -> VideoFacts:
    """Everything known of a video file. Raises InvalidInput for anything that is not one."""
    with _reading(path) as (container, stream):
        context = stream.codec_context
        fps = Fraction(stream.average_rate or stream.guessed_rate or 0)
        count = stream.frames or sum(1 for packet in container.demux(stream) if packet.size)
        return VideoFacts(
            codec=context.name,
            pixels=context.pix_fmt or "",
            size=(context.width, context.height),
            fps=fps,
            frames=count,
            seconds=float(stream.duration * stream.time_base if stream.duration else count / fps),
            primaries=int(context.color_primaries),
            transfer=int(context.color_trc),
            matrix=int(context.colorspace),
            color_range=int(context.color_range),
            faststart=_faststart(path),
            metadata=dict(container.metadata),
        )


def decode(video: Video | Path, pixels: Pixels = "yuv420p") -> Frames:
    """The frames of a file, decoded in threads as they are asked for. Raises InvalidInput.

    Whatever the file's own matrix and range, frames come out as BT.709 limited (or sRGB).
    """
    known = video if isinstance(video, Video) else probe(video)

    def read() -> Iterator[NDArray[np.uint8]]:
        with _reading(known.path) as (container, stream):
            stream.thread_type = "FRAME"
            count = 0
            with _damage(known.path):
                for frame in container.decode(stream):
                    count += 1
                    yield _normal(frame, pixels)
            if count < WHOLE * known.frames:
                raise InvalidInput(
                    f"{known.path.name} is damaged: it ends after {count} of {known.frames} frames",
                    remedy="Export or download it again",
                )

    return Frames(known.size, known.fps, known.frames, pixels, read)


def encode(
    frames: Frames,
    path: Path,
    options: Mapping[str, str],
    *,
    pixels: Pixels = "yuv420p",
    metadata: Mapping[str, str] | None = None,
    progress: Progress | None = None,
) -> Video:
    """Write H.264 with BT.709 tags and exactly `frames.count` frames; MP4 gets its index in front.

    Raises StoreError when it cannot be written, ValueError when the stream yields another number of frames
    than it promised.
    """
    width, height = frames.size
    if pixels == "yuv420p" and (width % 2 or height % 2):
        raise InvalidInput(f"4:2:0 video needs an even width and height, not {width}x{height}")
    part = path.with_name(f".{path.stem}.part{path.suffix}")
    faststart = {"movflags": "+faststart"} if path.suffix == ".mp4" else {}
    written = 0
    try:
        with _disk(path), av.open(str(part), "w", options=faststart) as container:
            container.metadata.update(metadata or {})
            stream: Any = container.add_stream("libx264", rate=frames.fps)
            stream.width, stream.height, stream.pix_fmt = width, height, pixels
            stream.options = dict(options)
            context = stream.codec_context
            context.thread_type, context.thread_count = "FRAME", THREADS
            context.color_primaries = context.color_trc = context.colorspace = BT709
            context.color_range = LIMITED
            context.time_base = 1 / frames.fps
            for array in frames.open():
                frame = to_frame(array, frames.pixels, pixels)
                frame.pts, frame.time_base = written, context.time_base
                container.mux(stream.encode(frame))
                written += 1
                if progress:
                    progress(written / frames.count, f"frame {written}/{frames.count}")
            container.mux(stream.encode(None))
            if written != frames.count:
                raise ValueError(f"the stream gave {written} frames instead of {frames.count}")
        part.replace(path)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)
    return Video(path, frames.size, frames.fps, written)


def write_mezzanine(frames: Frames, path: Path, progress: Progress | None = None) -> Video:
    """Keep frames between stages: RGB and 4:4:4 keep full colour resolution, 4:2:0 stays what it is."""
    pixels: Pixels = "yuv420p" if frames.pixels == "yuv420p" else "yuv444p"
    return encode(frames, path, MEZZANINE[pixels], pixels=pixels, progress=progress)


def _normal(frame: av.VideoFrame, pixels: Pixels) -> NDArray[np.uint8]:
    """A decoded frame in the wanted format; untagged video is taken as BT.709 limited, as players do for HD."""
    matrix = {5: "ITU601", 6: "SMPTE170M", 7: "SMPTE240M"}.get(int(frame.colorspace), "ITU709")
    full = int(frame.color_range) == 2 or frame.format.name.startswith("yuvj")
    wanted = "JPEG" if pixels == "rgb24" else "MPEG"
    if frame.format.name == pixels and matrix == "ITU709" and not full:
        return to_array(frame, pixels)
    frame = frame.reformat(
        format=pixels,
        src_colorspace=matrix,
        dst_colorspace="ITU709",
        src_color_range="JPEG" if full else "MPEG",
        dst_color_range=wanted,
        interpolation="BICUBIC",
    )
    return to_array(frame, pixels)


@contextmanager
def _reading(path: Path) -> Iterator[tuple[Any, Any]]:
    """An open container and its first video stream, with everything that is not a video said plainly."""
    try:
        size = path.stat().st_size
    except OSError as error:
        raise InvalidInput(f"cannot read {path}: {error.strerror}") from error
    if not size:
        raise InvalidInput(f"{path.name} is empty (0 bytes)", remedy="Export or download it again")
    try:
        container = av.open(str(path))
    except (av.error.FFmpegError, UnicodeError, ValueError) as error:
        raise InvalidInput(
            f"{path.name} is not a video that can be read: {error}", remedy="Give an MP4, MOV, MKV or WebM file"
        ) from error
    with container:
        if not container.streams.video:
            raise InvalidInput(f"{path.name} has no picture in it", remedy="Give a file with a video stream")
        stream = container.streams.video[0]
        context = stream.codec_context
        seconds = float(stream.duration * stream.time_base) if stream.duration and stream.time_base else 0.0
        if not 0 < context.width * context.height <= MAX_PIXELS:
            raise InvalidInput(f"{path.name} is {context.width}x{context.height}; the limit is 8192x4320")
        if seconds > MAX_SECONDS:
            raise InvalidInput(f"{path.name} is {seconds:.0f} s long; the limit is {MAX_SECONDS} s")
        if not (stream.average_rate or stream.guessed_rate):
            raise InvalidInput(f"{path.name} has no frame rate", remedy="It holds a still picture: give that instead")
        yield container, stream


@contextmanager
def _damage(path: Path) -> Iterator[None]:
    try:
        yield
    except av.error.FFmpegError as error:
        raise InvalidInput(f"{path.name} is damaged: {error}", remedy="Export or download it again") from error


@contextmanager
def _disk(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno in {errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EACCES, errno.EFBIG, errno.EIO, errno.ENOENT}:
            raise StoreError(
                f"cannot write {path}: {error.strerror}", remedy="Free some space; nothing half-written was left"
            ) from error
        raise


def _faststart(path: Path) -> bool:
    """Does an MP4's index stand before its frames? Walks the top-level boxes."""
    with path.open("rb") as file:
        while head := file.read(8):
            size, kind = int.from_bytes(head[:4], "big"), head[4:8]
            if kind == b"moov":
                return True
            if kind == b"mdat" or size < 8:
                return False
            file.seek(size - 8, 1)
    return False
