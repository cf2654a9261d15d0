"""Pictures that users bring: every usual kind is read, every broken one is refused with a remedy."""

import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image, ImageCms

from vpgen.errors import InvalidInput
from vpgen.media.pictures import MAX_BYTES, read_picture

SIZE = (96, 64)


def _picture() -> Image.Image:
    """Smooth colours that JPEG keeps within a few levels: red grows to the right, green downwards."""
    x, y = np.meshgrid(np.linspace(40, 220, SIZE[0]), np.linspace(40, 220, SIZE[1]))
    return Image.fromarray(np.dstack([x, y, np.full_like(x, 90)]).astype(np.uint8))


def _encoded(image: Image.Image, kind: str, **options: object) -> bytes:
    out = io.BytesIO()
    image.save(out, kind, **options)
    return out.getvalue()


def _refused(source: Path | bytes, *words: str) -> InvalidInput:
    with pytest.raises(InvalidInput) as caught:
        read_picture(source)
    for word in words:
        assert word in str(caught.value)
    assert caught.value.remedy
    return caught.value


@pytest.mark.parametrize(
    ("kind", "options"),
    [
        ("JPEG", {"quality": 95}),
        ("PNG", {}),
        ("WEBP", {"lossless": True}),
        ("TIFF", {}),
        ("TIFF", {"compression": "tiff_lzw"}),
    ],
)
def test_reads_each_format(kind: str, options: dict[str, object], tmp_path: Path) -> None:
    """JPEG, PNG, WebP and TIFF files come back as the pixels that were written."""
    path = tmp_path / "a.bin"
    path.write_bytes(_encoded(_picture(), kind, **options))
    still = read_picture(path)
    assert still.size == SIZE
    assert still.alpha is None
    assert still.rgb.dtype == np.uint8
    assert np.abs(still.rgb.astype(int) - np.asarray(_picture())).max() <= (6 if kind == "JPEG" else 0)


def test_takes_the_first_frame_of_an_animation() -> None:
    """Of an animated GIF the first frame is read."""
    frames = [Image.new("RGB", SIZE, colour) for colour in ("red", "blue")]
    still = read_picture(_encoded(frames[0], "GIF", save_all=True, append_images=frames[1:]))
    assert tuple(still.rgb[10, 10]) == (255, 0, 0)


@pytest.mark.parametrize("orientation", range(1, 9))
def test_turns_the_picture_upright(orientation: int) -> None:
    """Each of the eight EXIF orientations shows the red corner where the photographer saw it."""
    undo = {2: Image.Transpose.FLIP_LEFT_RIGHT, 3: Image.Transpose.ROTATE_180, 4: Image.Transpose.FLIP_TOP_BOTTOM,
            5: Image.Transpose.TRANSPOSE, 6: Image.Transpose.ROTATE_90, 7: Image.Transpose.TRANSVERSE,
            8: Image.Transpose.ROTATE_270}  # fmt: skip
    stored = _picture().transpose(undo[orientation]) if orientation in undo else _picture()
    exif = Image.Exif()
    exif[0x0112] = orientation
    still = read_picture(_encoded(stored, "PNG", exif=exif))
    np.testing.assert_array_equal(still.rgb, np.asarray(_picture()))


def test_reads_cmyk() -> None:
    """A CMYK JPEG becomes RGB of about the same colours."""
    still = read_picture(_encoded(_picture().convert("CMYK"), "JPEG", quality=95))
    assert np.abs(still.rgb.astype(int) - np.asarray(_picture())).mean() < 4


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_reads_sixteen_bits(kind: str) -> None:
    """A 16-bit grey picture keeps its upper eight bits instead of being clipped to white."""
    ramp = np.tile(np.linspace(0, 65535, SIZE[0]).astype(np.uint16), (SIZE[1], 1))
    still = read_picture(_encoded(Image.fromarray(ramp), kind))
    np.testing.assert_array_equal(still.rgb[..., 1], ramp >> 8)


def test_reads_sixteen_bit_colour() -> None:
    """A 16-bit RGB PNG, as photo editors export it, is read."""
    rows = b"".join(b"\0" + struct.pack(">HHH", 65535, 32768, 0) * SIZE[0] for _ in range(SIZE[1]))
    still = read_picture(_png(*SIZE, depth=16, data=zlib.compress(rows)))
    assert tuple(still.rgb[5, 5]) == (255, 128, 0)


@pytest.mark.parametrize("mode", ["1", "L", "P"])
def test_reads_grey_and_palette(mode: str) -> None:
    """Bilevel, grey and palette pictures become RGB."""
    expected = np.asarray(_picture().convert(mode).convert("RGB"))
    np.testing.assert_array_equal(read_picture(_encoded(_picture().convert(mode), "PNG")).rgb, expected)


def test_converts_an_embedded_profile_to_srgb() -> None:
    """A picture with a profile whose colours differ comes out with the colours it was meant to show."""
    lab = ImageCms.ImageCmsProfile(ImageCms.createProfile("LAB")).tobytes()
    image = _picture()
    to_lab = ImageCms.buildTransform(ImageCms.createProfile("sRGB"), ImageCms.createProfile("LAB"), "RGB", "LAB")
    stored = ImageCms.applyTransform(image, to_lab)
    assert stored is not None
    still = read_picture(_encoded(stored, "TIFF", icc_profile=lab))
    assert np.abs(still.rgb.astype(int) - np.asarray(image)).mean() < 4


def test_ignores_a_broken_profile() -> None:
    """A profile that is nonsense does not make the picture unreadable."""
    still = read_picture(_encoded(_picture(), "PNG", icc_profile=b"nonsense" * 30))
    np.testing.assert_array_equal(still.rgb, np.asarray(_picture()))


@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_keeps_a_real_alpha(mode: str) -> None:
    """A cut-out keeps its alpha, and the colours below it."""
    image = _picture().convert("RGBA")
    alpha = np.zeros(SIZE[::-1], np.uint8)
    alpha[10:50, 20:70] = 255
    image.putalpha(Image.fromarray(alpha))
    still = read_picture(_encoded(image.convert(mode), "PNG"))
    assert still.alpha is not None
    np.testing.assert_array_equal(still.alpha, alpha)
    if mode == "RGBA":
        np.testing.assert_array_equal(still.rgb, np.asarray(_picture()))


def test_drops_an_alpha_that_hides_nothing() -> None:
    """An opaque alpha, or one that only rounds the corners, does not make a photo a cut-out."""
    image = _picture().convert("RGBA")
    image.putpixel((0, 0), (0, 0, 0, 0))
    assert read_picture(_encoded(image, "PNG")).alpha is None


def test_reads_palette_transparency() -> None:
    """A GIF or PNG with one see-through palette entry is a cut-out."""
    image = Image.new("P", SIZE, 0)
    image.putpalette([0, 0, 0, 255, 0, 0])
    image.paste(1, (20, 10, 60, 50))
    still = read_picture(_encoded(image, "PNG", transparency=0))
    assert still.alpha is not None
    assert still.alpha[30, 30] == 255
    assert still.alpha[0, 0] == 0


def _png(width: int, height: int, *, depth: int = 8, data: bytes = b"") -> bytes:
    def chunk(kind: bytes, body: bytes) -> bytes:
        return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))

    header = struct.pack(">IIBBBBB", width, height, depth, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", data) + chunk(b"IEND", b"")


@pytest.mark.parametrize("side", [8_001, 12_000, 60_000])
def test_refuses_a_decompression_bomb(side: int) -> None:
    """A tiny file that claims more than 64 megapixels is refused from its header, at any size."""
    _refused(_png(side, side, data=zlib.compress(bytes(10_000))), "too large", "64 megapixels")


def test_refuses_a_file_that_is_too_long(tmp_path: Path) -> None:
    """A file beyond the limit is refused by its length, without being read."""
    path = tmp_path / "long.png"
    with path.open("wb") as file:
        file.truncate(MAX_BYTES + 1)
    _refused(path, "too large", "64 MiB")


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP", "TIFF", "GIF"])
def test_refuses_a_truncated_file(kind: str) -> None:
    """Half a file is refused instead of being shown half grey."""
    noise = Image.fromarray(np.random.default_rng(1).integers(0, 255, (64, 96, 3), np.uint8))
    data = _encoded(noise, kind)
    _refused(data[: len(data) // 2])


def test_refuses_text_named_jpg(tmp_path: Path) -> None:
    """What a file is called does not matter; what is in it does."""
    path = tmp_path / "photo.jpg"
    path.write_text("this is not a picture\n")
    _refused(path, "photo.jpg", "not a picture")


@pytest.mark.parametrize("size", [(1, 1), (63, 200), (2000, 100)])
def test_refuses_what_is_too_small_or_too_thin(size: tuple[int, int]) -> None:
    """A 1x1 picture, a thumbnail and a long strip are refused with their size."""
    _refused(_encoded(Image.new("RGB", size), "PNG"), f"{size[0]}x{size[1]}")


def test_refuses_what_is_no_file(tmp_path: Path) -> None:
    """A missing file, a folder, an empty file and a pipe each say what they are."""
    (tmp_path / "empty.png").touch()
    os.mkfifo(tmp_path / "pipe.png")
    _refused(tmp_path / "nowhere.png", "there is no file")
    _refused(tmp_path, "folder")
    _refused(tmp_path / "empty.png", "empty")
    _refused(tmp_path / "pipe.png", "pipe")


def test_refuses_measurements() -> None:
    """A 32-bit float TIFF has no colours to show."""
    _refused(_encoded(Image.fromarray(np.zeros((64, 96), np.float32)), "TIFF"), "32-bit")


@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow warns of damaged EXIF that it can do without
@settings(max_examples=150, deadline=None)
@given(st.data())
def test_damaged_files_are_read_or_refused(data: st.DataObject) -> None:
    """Whatever bytes are changed in a picture, it is read or refused, and nothing else is raised."""
    kind = data.draw(st.sampled_from(["JPEG", "PNG", "WEBP", "TIFF", "GIF"]))
    damaged = bytearray(_encoded(_picture(), kind))
    for _ in range(data.draw(st.integers(1, 8))):
        damaged[data.draw(st.integers(0, min(len(damaged) - 1, 400)))] = data.draw(st.integers(0, 255))
    try:
        still = read_picture(bytes(damaged))
    except InvalidInput:
        return
    assert still.rgb.shape[2] == 3
