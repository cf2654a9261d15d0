"""What is sent to a provider and what comes back, as files."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from itertools import islice
from pathlib import Path

import numpy as np

from vpgen.backends.http.wire import Media
from vpgen.clip import Still, Video
from vpgen.errors import InvalidInput
from vpgen.media.frames import Frames

SENT_ALONG = 5_000_000
"""Bytes, as Base64: what any provider takes as part of a request."""
JPEG_QUALITIES = (95, 88, 78)
SENT_CRF = "12"
"""Of a video that is sent to be enlarged: what is lost here would be enlarged too."""


def read_cut_out(path: Path) -> Still:
    """The picture, which must be see-through somewhere. Raises InvalidInput."""
    from vpgen.media.pictures import read_picture

    still = read_picture(path)
    if still.alpha is None:
        raise InvalidInput("nothing in it is transparent")
    return still


def read_video(path: Path, seconds: float | None = None) -> Video:
    """The video, decoded once to its end; cut to `seconds` when it is longer: some models make certain lengths only."""
    from vpgen.media.video import decode, probe, write_mezzanine

    video = probe(path)
    for _ in decode(video).open():
        pass  # half a file has a whole header: only decoding it tells
    wanted = round(video.fps * Fraction(str(seconds))) if seconds else video.frames
    if video.frames <= wanted + 1:
        return video
    frames = decode(video)
    return write_mezzanine(
        replace(frames, count=wanted, open=lambda: islice(frames.open(), wanted)), path.with_name("cut.mkv")
    )


def as_media(still: Still, path: Path, limit: int = SENT_ALONG) -> Media:
    """A still as PNG; as JPEG when that is too large to be sent along. A cut-out keeps its alpha.

    It lies in a file, so that a hundred clips that wait for their jobs do not hold a hundred pictures in memory.
    """
    from vpgen.media.pictures import as_jpeg, as_png

    data, mime = as_png(np.dstack([still.rgb, still.alpha]) if still.alpha is not None else still.rgb), "image/png"
    if len(data) * 4 // 3 >= limit and still.alpha is None:
        mime = "image/jpeg"
        for quality in JPEG_QUALITIES:
            data = as_jpeg(still.rgb, quality)
            if len(data) * 4 // 3 < limit:
                break
    path.write_bytes(data)
    return Media("image", mime, path)


def as_mp4(load: Callable[[], Video | Frames], path: Path) -> Media:
    """A clip as an H.264 file that every provider reads."""
    from vpgen.media.color import as_pixels
    from vpgen.media.video import decode, encode

    source = load()
    frames = source if isinstance(source, Frames) else decode(source, "yuv420p")
    encode(as_pixels(frames, "yuv420p"), path, {"crf": SENT_CRF, "preset": "veryfast"})
    return Media("video", "video/mp4", path)
