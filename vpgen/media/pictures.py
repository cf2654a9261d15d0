"""Reads the pictures users bring, of whatever kind and however broken, into sRGB stills."""

from __future__ import annotations

import io
import struct
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageCms, ImageOps, UnidentifiedImageError

from vpgen.clip import Alpha, Still
from vpgen.errors import InvalidInput

FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "GIF")
"""What is decoded, by Pillow's names."""
MAX_BYTES = 64 * 2**20
MAX_PIXELS = 64_000_000
"""Read from the header and refused before anything is allocated: a decompression bomb is a tiny file."""
MIN_SIDE = 64
MAX_ASPECT = 8.0
CUT_OUT = 0.01
"""The share of see-through pixels that makes a picture a cut-out: more than a photo's rounded corners."""

_BROKEN = (OSError, SyntaxError, ValueError, EOFError, struct.error, TypeError, KeyError, IndexError, OverflowError)
"""What Pillow's decoders raise on damaged files; SyntaxError is its own word for a malformed PNG or TIFF."""


def read_picture(source: Path | bytes) -> Still:
    """An upright 8-bit sRGB still of a JPEG, PNG, WebP, TIFF or GIF file, or of its bytes.

    EXIF rotation is applied; an embedded ICC profile is converted to sRGB; CMYK, grey, palette and
    16-bit pictures become 8-bit RGB; of an animation the first frame is taken. `alpha` is set when at
    least CUT_OUT of the pixels are see-through, and the colours below them are left as they are.

    Raises InvalidInput, with a remedy, for what is missing, no picture, damaged, too large or too small.
    """
    name = "this picture" if isinstance(source, bytes) else str(source)
    data = source if isinstance(source, bytes) else _bytes(source)
    if not data:
        raise InvalidInput(f"{name} is empty (0 bytes)", remedy="Export or download the picture again")
    if len(data) > MAX_BYTES:
        raise _too_large(name, f"{len(data) / 2**20:.0f} MiB", f"{MAX_BYTES // 2**20} MiB")
    try:
        with Image.open(io.BytesIO(data), formats=FORMATS) as image:
            _check_size(name, *image.size)
            image.load()
            upright = ImageOps.exif_transpose(image)
            alpha = _alpha(upright)
            rgb = _rgb(name, upright)
    except (Image.DecompressionBombError, Image.DecompressionBombWarning) as error:
        raise _too_large(name, "beyond what any camera makes", f"{MAX_PIXELS // 10**6} megapixels") from error
    except UnidentifiedImageError as error:
        raise InvalidInput(
            f"{name} is not a picture in a format that is read here, whatever its name ends in",
            remedy="Give a JPEG, PNG, WebP, TIFF or GIF file (HEIC and camera raw: export them as JPEG first)",
        ) from error
    except InvalidInput:
        raise
    except _BROKEN as error:
        raise InvalidInput(
            f"{name} is damaged or cut short and cannot be decoded: {error}",
            remedy="Open it in a picture editor and export it again, or copy the file again from where it came",
        ) from error
    return Still(rgb=rgb, alpha=alpha)


def _bytes(path: Path) -> bytes:
    if path.is_dir():
        raise InvalidInput(f"{path} is a folder, not a picture", remedy="Name one picture file inside it")
    if not path.exists():
        raise InvalidInput(f"there is no file {path}", remedy="Check the path; it is relative to the current folder")
    if not path.is_file():
        raise InvalidInput(f"{path} is a device or pipe, not a picture file", remedy="Save the picture to a file first")
    size = path.stat().st_size
    if size > MAX_BYTES:
        raise _too_large(str(path), f"{size / 2**20:.0f} MiB", f"{MAX_BYTES // 2**20} MiB")
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}", remedy="Check the file's permissions") from error


def _too_large(name: str, what: str, limit: str) -> InvalidInput:
    return InvalidInput(
        f"{name} is too large: {what}; the limit is {limit}",
        remedy="Scale it down; a clip uses at most 2560 pixels of its longer side",
    )


def _check_size(name: str, width: int, height: int) -> None:
    if width * height > MAX_PIXELS:
        raise _too_large(name, f"{width}x{height} pixels", f"{MAX_PIXELS // 10**6} megapixels")
    if min(width, height) < MIN_SIDE:
        raise InvalidInput(
            f"{name} is {width}x{height} pixels; each side needs at least {MIN_SIDE}",
            remedy="Give the original picture instead of its thumbnail; 1000 pixels or more look good",
        )
    if max(width, height) > MAX_ASPECT * min(width, height):
        raise InvalidInput(
            f"{name} is {width}x{height} pixels, a strip more than {MAX_ASPECT:.0f} times as long as wide",
            remedy="Crop it to what shall be seen",
        )


def _alpha(image: Image.Image) -> Alpha | None:
    if not image.has_transparency_data:
        return None
    alpha = np.array(image.convert("RGBA").getchannel("A"))
    return alpha if np.mean(alpha < 128) >= CUT_OUT else None


def _rgb(name: str, image: Image.Image) -> NDArray[np.uint8]:
    if image.mode.startswith("I;16"):
        return np.repeat((np.asarray(image).astype(np.uint16) >> 8).astype(np.uint8)[..., None], 3, axis=2)
    if image.mode in {"I", "F"}:
        raise InvalidInput(
            f"{name} stores 32-bit measurements, not colours", remedy="Export it with 8 or 16 bits per channel"
        )
    colours = image if image.mode in {"RGB", "L", "CMYK"} else image.convert("RGBA" if "A" in image.mode else "RGB")
    if colours.mode == "RGBA":  # the colours as stored: convert() would do, but profiles want three channels
        colours = Image.merge("RGB", colours.split()[:3])
    converted = _to_srgb(colours, image.info.get("icc_profile"))
    return np.array(converted.convert("RGB"))


def _to_srgb(image: Image.Image, profile: bytes | None) -> Image.Image:
    """The picture in sRGB; as it is when it has no profile, a broken one, or one for other channels."""
    if not profile:
        return image
    try:
        embedded = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if ImageCms.getProfileDescription(embedded).startswith("sRGB"):
            return image
        return ImageCms.profileToProfile(image, embedded, ImageCms.createProfile("sRGB"), outputMode="RGB") or image
    except (ImageCms.PyCMSError, OSError, ValueError):
        return image


def as_png(picture: NDArray[np.uint8]) -> bytes:
    """A lossless PNG: (h, w) grey, (h, w, 3) RGB or (h, w, 4) RGBA, colours under alpha 0 kept.

    The fastest level with one filter and run lengths: a third of the time of Pillow's for hardly more bytes.
    """
    import cv2  # 0.1 s that reading a picture does not need

    order = {3: cv2.COLOR_RGB2BGR, 4: cv2.COLOR_RGBA2BGRA}
    turned = picture if picture.ndim == 2 else cv2.cvtColor(picture, order[picture.shape[2]])
    flags = [cv2.IMWRITE_PNG_COMPRESSION, 1, cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE]
    done, data = cv2.imencode(".png", turned, [*flags, cv2.IMWRITE_PNG_FILTER, cv2.IMWRITE_PNG_FILTER_SUB])
    if not done:
        raise InvalidInput(f"a picture of shape {picture.shape} and type {picture.dtype} cannot be written as PNG")
    return bytes(data)


def as_jpeg(picture: NDArray[np.uint8], quality: int) -> bytes:
    """(h, w, 3) RGB as JPEG."""
    import cv2

    return bytes(cv2.imencode(".jpg", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR), [cv2.IMWRITE_JPEG_QUALITY, quality])[1])


def within(still: Still, longest: int) -> Still:
    """The picture, made smaller when its longer side exceeds `longest` pixels."""
    width, height = still.size
    scale = longest / max(width, height)
    return still if scale >= 1 else _resized(still, (round(width * scale), round(height * scale)))


def covering(still: Still, size: tuple[int, int]) -> Still:
    """The picture scaled to cover (width, height) and cropped to it about its centre; its alpha is dropped."""
    width, height = still.size
    scale = max(size[0] / width, size[1] / height)
    still = _resized(still, (max(size[0], round(width * scale)), max(size[1], round(height * scale))))
    left, top = (still.size[0] - size[0]) // 2, (still.size[1] - size[1]) // 2
    return Still(rgb=still.rgb[top : top + size[1], left : left + size[0]].copy())


def _resized(still: Still, size: tuple[int, int]) -> Still:
    import cv2

    how = cv2.INTER_AREA if size[0] < still.size[0] else cv2.INTER_CUBIC
    alpha = None if still.alpha is None else np.asarray(cv2.resize(still.alpha, size, interpolation=how), np.uint8)
    return Still(rgb=np.asarray(cv2.resize(still.rgb, size, interpolation=how), np.uint8), alpha=alpha)
