"""What comes back: real pixels, drawn by vpgen's embedded default when somebody fetches them."""

from __future__ import annotations

import asyncio
import dataclasses
import hashlib
import io
import re
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from fractions import Fraction
from functools import cache
from pathlib import Path
from typing import Any, Literal

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageFilter

from vpgen.clip import RGB, Still, Video
from vpgen.errors import NoPersonFound, VpgenError
from vpgen.media.frames import Frames

Format = Literal["png", "jpeg", "webp", "mp4"]
Size = tuple[int, int]
DRAWINGS_AT_ONCE = 2
MIME: dict[Format, str] = {"png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp", "mp4": "video/mp4"}
X264 = {"crf": "20", "preset": "ultrafast"}
STOCK_TEXT = "a woman in a red coat, a beach at dusk"
PERSON = re.compile(
    r"\b(wom[ae]n|m[ae]n|girl|boy|child(ren)?|kid|lady|person|people|someone|human|robot|astronaut|dancer|singer|student|"
    r"soldier|knight|prince(ss)?|king|queen|detective|chef|doctor|nurse|hero(ine)?|couple|traveller|samurai|witch|wizard|"
    r"musician|artist|farmer|fisherman|keeper|grand(ma|pa|mother|father))\b|여자|남자|소녀|소년|아이|사람|노인|할머니|할아버지|로봇",
    re.IGNORECASE,
)
NOBODY = re.compile(r"\b(no|without|nobody|empty of)\b[^,.;]*|사람\s*없", re.IGNORECASE)
LARGEST = 40_000_000
"""Pixels of a picture or frame that is taken, or made."""
LONGEST = 60.0
"""Seconds of a video that is made."""


@dataclass(frozen=True)
class Recipe:
    """What is to be made. `source` is a kept file (named by its digest) or what another job makes.

    `size` is that of the result; `seconds` and `fps` are for videos.
    """

    do: Literal["draw", "move", "enlarge", "cut-out", "retime"]
    size: Size
    format: Format
    text: str = ""
    seed: int = 0
    source: Path | Recipe | None = None
    seconds: float = 0.0
    fps: int = 24
    blurred: bool = False

    @property
    def kind(self) -> Literal["image", "video"]:
        """What it makes."""
        return "video" if self.format == "mp4" else "image"

    @property
    def digest(self) -> str:
        """Stands for what it makes, wherever its source is kept."""
        source = self.source.digest if isinstance(self.source, Recipe) else self.source and self.source.name
        return hashlib.sha256(repr(dataclasses.replace(self, source=None)).encode() + str(source).encode()).hexdigest()

    def stock(self) -> Recipe:
        """The one that stands for all of this shape."""
        do: Literal["draw", "move", "cut-out"] = "move" if self.kind == "video" else "draw"
        return Recipe("cut-out" if self.do == "cut-out" else do, self.size, self.format, text=STOCK_TEXT,
                      seconds=self.seconds, fps=self.fps, blurred=self.blurred)  # fmt: skip


@dataclass(frozen=True)
class Facts:
    """What is known of a source."""

    kind: Literal["image", "video"]
    size: Size
    seconds: float = 0.0
    fps: int = 24


class Renderer:
    """Makes each thing once, in a few threads, and keeps it in a folder."""

    def __init__(self) -> None:
        self._folder = Path()
        self._pool = ThreadPoolExecutor(DRAWINGS_AT_ONCE, thread_name_prefix="sandbox-drawing")
        self._made: dict[Recipe, asyncio.Task[Path]] = {}

    @contextmanager
    def opened(self) -> Iterator[None]:
        """A folder to keep things in, for as long as the block lasts; then no thread draws on."""
        with tempfile.TemporaryDirectory(prefix="vpgen-sandbox-", ignore_cleanup_errors=True) as folder:
            self._folder = Path(folder)
            yield
            self._pool.shutdown(wait=True, cancel_futures=True)

    def keep(self, data: bytes) -> Path:
        """Write what was submitted; the same bytes have the same path."""
        path = self._folder / hashlib.sha256(data).hexdigest()
        if not path.exists():
            path.write_bytes(data)
        return path

    async def facts(self, source: Path | Recipe) -> Facts | None:
        """Size and length of a source; None when it is neither a picture nor a video."""
        if isinstance(source, Recipe):
            return Facts(source.kind, source.size, source.seconds, source.fps)
        return await asyncio.to_thread(_facts, source)

    async def file(self, recipe: Recipe, *, stock: bool) -> Path:
        """The finished file. Raises VpgenError when the source turns out to be damaged."""
        wanted = recipe.stock() if stock else recipe
        if wanted not in self._made:
            self._made[wanted] = asyncio.create_task(self._make(wanted))
        return await asyncio.shield(self._made[wanted])

    async def _make(self, recipe: Recipe) -> Path:
        if isinstance(recipe.source, Recipe):
            recipe = dataclasses.replace(recipe, source=await self.file(recipe.source, stock=False))
        path = self._folder / f"{recipe.digest}.{recipe.format}"
        await asyncio.get_running_loop().run_in_executor(self._pool, render, recipe, path)
        return path


def render(recipe: Recipe, path: Path) -> None:
    """Make it, at `path`."""
    if recipe.kind == "image":
        path.write_bytes(_encoded(_picture(recipe), recipe))
        return
    from vpgen.media.video import encode

    encode(_moving(recipe), path, X264)


def shape(ratio: str, height: int) -> Size:
    """(width, height), even, of an aspect ratio such as "16:9" whose shorter side is `height`."""
    across, up = (int(part) for part in ratio.split(":"))
    if across >= up:
        return round(height * across / up / 2) * 2, height
    return height, round(height * up / across / 2) * 2


def even(size: Size) -> Size:
    """4:2:0 video has even sides."""
    return max(2, size[0] // 2 * 2), max(2, size[1] // 2 * 2)


def _facts(path: Path) -> Facts | None:
    try:
        with Image.open(path) as image:
            return Facts("image", image.size) if image.width * image.height <= LARGEST else None
    except (OSError, SyntaxError, ValueError, Image.DecompressionBombError, Image.DecompressionBombWarning):
        pass
    from vpgen.media.video import probe

    try:
        video = probe(path)
    except VpgenError:
        return None
    return Facts("video", video.size, video.seconds, round(video.fps))


def _picture(recipe: Recipe) -> NDArray[np.uint8]:
    """RGB or RGBA pixels."""
    if recipe.do == "cut-out":
        return _cut_out(recipe)
    if recipe.do == "draw":
        return _drawing(recipe.text, recipe.seed, recipe.size)
    return np.asarray(cv2.resize(_read(recipe.source), recipe.size, interpolation=cv2.INTER_LANCZOS4), np.uint8)


def _drawing(text: str, seed: int, size: Size) -> RGB:
    """The place that the text names, with the person in it if it names one."""
    from vpgen.backends.animatic.background import draw_background
    from vpgen.backends.animatic.figure import draw_figure

    place = draw_background(text, seed, size).rgb
    if not _names_person(text):
        return place
    figure = draw_figure(text, seed, size)
    if figure.alpha is None:
        return figure.rgb
    cover = figure.alpha[..., None].astype(np.float32) / 255
    return np.asarray(figure.rgb * cover + place * (1 - cover), np.uint8)


def _names_person(text: str) -> bool:
    return bool(PERSON.search(NOBODY.sub("", text)))


def _cut_out(recipe: Recipe) -> NDArray[np.uint8]:
    from vpgen.backends.onnx.matting import PersonMatting
    from vpgen.stages import MattingRequest, Ref, Work

    rgb = _drawing(recipe.text, recipe.seed, recipe.size) if recipe.source is None else _read(recipe.source)
    still = Still(rgb=rgb)
    try:
        cut = PersonMatting(PersonMatting.Params()).matting(
            MattingRequest(Ref("", lambda: still)),
            Work(Path(recipe.source).parent if isinstance(recipe.source, Path) else Path()),
        )
    except NoPersonFound:
        alpha = _middle(rgb)
    else:
        rgb, alpha = cut.rgb, cut.alpha if cut.alpha is not None else _middle(rgb)
    return np.dstack([rgb, alpha])


def _middle(rgb: RGB) -> NDArray[np.uint8]:
    """What stands in the middle of a picture without a person: vendors cut out something of any picture."""
    height, width = rgb.shape[:2]
    small = cv2.resize(rgb, (256, 256), interpolation=cv2.INTER_AREA)
    mask = np.zeros((256, 256), np.uint8)
    cv2.grabCut(small, mask, (32, 32, 192, 192), np.zeros((1, 65)), np.zeros((1, 65)), 2, cv2.GC_INIT_WITH_RECT)
    found = np.where(mask % 2 == 1, 255, 0).astype(np.uint8)
    return np.asarray(cv2.resize(found, (width, height), interpolation=cv2.INTER_LINEAR), np.uint8)


def _moving(recipe: Recipe) -> Frames:
    """The frames of a video."""
    if recipe.do == "move":
        return _push_in(recipe)
    from vpgen.media.video import decode, probe

    if not isinstance(recipe.source, Path):
        raise TypeError("a video is enlarged from a file")
    source = probe(recipe.source)
    if recipe.do == "enlarge":
        return _enlarged(decode(source, "yuv420p"), recipe.size)
    return _retimed(source, recipe)


def _push_in(recipe: Recipe) -> Frames:
    from vpgen.media.camera import Move
    from vpgen.media.pictures import covering
    from vpgen.media.planes import Stage

    rgb = _drawing(recipe.text, recipe.seed, recipe.size) if recipe.source is None else _read(recipe.source)
    still = covering(Still(rgb=rgb), recipe.size)
    stage = Stage.of(still, recipe.size, (Move("push", 0.75),), recipe.seed, moving=False, pixels="yuv420p")
    count = round(recipe.seconds * recipe.fps)
    return Frames(
        recipe.size,
        Fraction(recipe.fps),
        count,
        "yuv420p",
        lambda: (stage.at(index / count, recipe.seconds) for index in range(count)),
    )


def _enlarged(frames: Frames, size: Size) -> Frames:
    (width, height), (wide, high) = frames.size, size

    def plane(part: NDArray[np.uint8], to: Size) -> NDArray[np.uint8]:
        return np.asarray(cv2.resize(part, to, interpolation=cv2.INTER_CUBIC), np.uint8)

    def larger(array: NDArray[np.uint8]) -> NDArray[np.uint8]:
        chroma = array[height:].reshape(2, height // 2, width // 2)
        parts = [plane(array[:height], size), *(plane(part, (wide // 2, high // 2)) for part in chroma)]
        return np.concatenate([part.ravel() for part in parts]).reshape(high * 3 // 2, wide)

    return dataclasses.replace(frames, size=size, open=lambda: (larger(array) for array in frames.open()))


def _retimed(source: Video, recipe: Recipe) -> Frames:
    """Another rate: each new frame is mixed of the two it falls between."""
    from vpgen.media.video import decode

    frames = decode(source, "yuv420p")
    count = round(source.seconds * recipe.fps)

    def mixed() -> Iterator[NDArray[np.uint8]]:
        stream = frames.open()
        before = after = next(stream)
        at = 0
        for index in range(count):
            place = index * float(source.fps) / recipe.fps
            while at < place and (following := next(stream, None)) is not None:
                before, after, at = after, following, at + 1
            share = min(1.0, max(0.0, place - (at - 1))) if at else 0.0
            yield np.asarray(cv2.addWeighted(before, 1 - share, after, share, 0), np.uint8)

    return Frames(frames.size, Fraction(recipe.fps), count, "yuv420p", mixed)


def _read(source: Path | Recipe | None) -> RGB:
    from vpgen.media.pictures import read_picture

    if not isinstance(source, Path):
        raise TypeError("a source is a file by the time it is read")
    return read_picture(source).rgb


def _encoded(pixels: NDArray[np.uint8], recipe: Recipe) -> bytes:
    image = Image.fromarray(pixels)
    if recipe.blurred:
        image = image.filter(ImageFilter.GaussianBlur(max(recipe.size) / 30))
    if recipe.format == "jpeg":
        image = image.convert("RGB")
    options: dict[str, Any] = {"png": {"compress_level": 1}, "jpeg": {"quality": 95}, "webp": {"quality": 90}}
    buffer = io.BytesIO()
    image.save(buffer, recipe.format, **options[recipe.format])
    return buffer.getvalue()


@cache
def web_page() -> bytes:
    """What a proxy sends instead of a file."""
    return b"<!doctype html><html><head><title>502 Bad Gateway</title></head><body>upstream</body></html>\n" * 40
