"""A clip on one page: frames with their times, the story, the figures. And grids of stills with captions."""

from __future__ import annotations

import unicodedata
from collections.abc import Sequence
from functools import cache
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from vpgen.clip import RGB, Video
from vpgen.media.video import decode

FONT = Path(__file__).parent / "fonts" / "vpgen-gothic.ttf"
PAPER, INK, PALE, LINE = (18, 20, 26), (236, 238, 243), (140, 147, 160), (52, 57, 68)
COLUMNS, ROWS = 4, 3
CELL = (480, 270)
MARGIN, GAP = 40, 14
MAX_LINES = 2
"""Of the title; the rest is cut with an ellipsis."""


def contact_sheet(video: Video, path: Path, *, title: str, lines: Sequence[str]) -> Path:
    """Write a PNG with twelve frames of the clip, its title above and the given lines below; returns `path`.

    Raises InvalidInput when the video cannot be read.
    """
    wanted = np.linspace(0, video.frames - 1, COLUMNS * ROWS).round().astype(int)
    frames = pick(video, set(wanted.tolist()))
    pictures = [frames[index] for index in wanted]
    times = [f"{index / float(video.fps):.2f} s" for index in wanted]
    return grid(pictures, times, path, columns=COLUMNS, title=title, lines=lines)


def grid(
    pictures: Sequence[RGB],
    captions: Sequence[str],
    path: Path,
    *,
    columns: int = 4,
    title: str = "",
    lines: Sequence[str] = (),
) -> Path:
    """Write a PNG with pictures (uint8 RGB, any size; fitted into 16:9 cells) and a caption under each."""
    rows = -(-len(pictures) // columns)
    width = 2 * MARGIN + columns * CELL[0] + (columns - 1) * GAP
    inner = width - 2 * MARGIN
    heading = wrap(title, _font(34), inner, MAX_LINES) if title else []
    notes = [line for text in lines for line in wrap(text, _font(19), inner, 3)]
    caption = 30
    top = MARGIN + len(heading) * 46 + (14 if heading else 0)
    height = top + rows * (CELL[1] + caption + GAP) + len(notes) * 29 + (12 if notes else 0) + MARGIN - GAP
    sheet = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(sheet)
    for index, line in enumerate(heading):
        draw.text((MARGIN, MARGIN + index * 46 - 8), line, INK, _font(34))
    for index, (picture, text) in enumerate(zip(pictures, captions, strict=True)):
        x = MARGIN + (index % columns) * (CELL[0] + GAP)
        y = top + (index // columns) * (CELL[1] + caption + GAP)
        image = Image.fromarray(picture)
        image.thumbnail(CELL, Image.Resampling.LANCZOS, reducing_gap=3.0)
        at = (x + (CELL[0] - image.width) // 2, y + (CELL[1] - image.height) // 2)
        sheet.paste(image, at)
        draw.rectangle((at[0] - 1, at[1] - 1, at[0] + image.width, at[1] + image.height), outline=LINE)
        draw.text((x, y + CELL[1] + 5), "".join(wrap(text, _font(17), CELL[0], 1)), PALE, _font(17))
    y = top + rows * (CELL[1] + caption + GAP) + 4
    for index, note in enumerate(notes):
        draw.text((MARGIN, y + index * 29), note, INK if index == 0 else PALE, _font(19))
    sheet.save(path, "PNG", compress_level=6)
    return path


def wrap(text: str, font: ImageFont.FreeTypeFont, width: int, most: int) -> list[str]:
    """The text in at most `most` lines of that width in pixels, breaking anywhere, cut with an ellipsis."""
    text = " ".join("".join(c if unicodedata.category(c)[0] != "C" else " " for c in text[:2000]).split())
    lines: list[str] = []
    while text and len(lines) < most:
        count = _fitting(text, font, width)
        if count < len(text):
            space = text.rfind(" ", 0, count + 1)
            count = space if space > count // 2 else count
            if len(lines) == most - 1:
                lines.append(text[: max(1, count - 1)].rstrip() + "…")
                return lines
        lines.append(text[:count].rstrip())
        text = text[count:].lstrip()
    return lines


def _fitting(text: str, font: ImageFont.FreeTypeFont, width: int) -> int:
    """How many characters fit, by bisection; at least one."""
    low, high = 1, min(len(text), 400)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if font.getlength(text[:middle]) <= width else (low, middle - 1)
    return low


def pick(video: Video, wanted: set[int]) -> dict[int, RGB]:
    """The frames of those numbers (from 0); for one that is missing at the end, the last there is.

    Raises InvalidInput when the video cannot be read.
    """
    frames: dict[int, RGB] = {}
    last = max(wanted)
    for index, frame in enumerate(decode(video, "rgb24").open()):
        if index in wanted:
            frames[index] = frame
        if index >= last:
            break
    if missing := wanted - frames.keys():
        nearest = max(frames)
        frames |= dict.fromkeys(missing, frames[nearest])
    return frames


@cache
def _font(size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(FONT), size)
