"""Video files: exact, tagged, whole or absent; anything else is a clear error."""

import resource
from collections.abc import Iterator
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from vpgen.backends.x264 import X264, X264Params
from vpgen.clip import ClipSpec
from vpgen.errors import InvalidInput, StoreError
from vpgen.media.color import as_pixels, convert
from vpgen.media.frames import Frames
from vpgen.media.retime import shrunk
from vpgen.media.video import decode, encode, inspect, probe, write_mezzanine
from vpgen.stages import EncodeRequest, Ref, Work

FAST = {"crf": "18", "preset": "ultrafast"}


def picture(size: tuple[int, int] = (128, 72), shift: int = 0) -> np.ndarray:
    """A smooth coloured picture."""
    x, y = np.meshgrid(np.linspace(0, 6, size[0]), np.linspace(0, 4, size[1]))
    waves = [127 + 100 * np.sin(x + k + shift * 0.1) * np.cos(y - k) for k in (0.0, 1.0, 2.0)]
    return np.stack(waves, axis=2).astype(np.uint8)


def stream(count: int, fps: int = 24, size: tuple[int, int] = (128, 72)) -> Frames:
    """A moving picture of `count` frames."""
    return Frames(size, Fraction(fps), count, "rgb24", lambda: (picture(size, i) for i in range(count)))


def psnr(a: np.ndarray, b: np.ndarray) -> float:
    return float(10 * np.log10(255**2 / max(1e-9, np.mean((a.astype(float) - b) ** 2))))


def test_a_delivered_file_is_what_it_says(tmp_path: Path) -> None:
    """1920x1080, 24 fps, 144 frames, 6.000 s, H.264, yuv420p, BT.709 limited, index in front."""
    spec = ClipSpec()
    still = picture(spec.size)
    frames = Frames(spec.size, Fraction(24), 144, "rgb24", lambda: (still for _ in range(144)))
    request = EncodeRequest(Ref("k", lambda: frames), spec)
    video = X264(X264Params(preset="draft")).encode(request, Work(dir=tmp_path))
    facts = inspect(video.path)
    assert (facts.codec, facts.pixels, facts.size, facts.fps, facts.frames) == (
        "h264",
        "yuv420p",
        (1920, 1080),
        24,
        144,
    )
    assert facts.seconds == pytest.approx(6.0, abs=1e-6)
    assert (facts.primaries, facts.transfer, facts.matrix, facts.color_range) == (1, 1, 1, 1)
    assert facts.faststart
    assert sum(1 for _ in decode(video).open()) == 144


def test_the_same_frames_are_the_same_bytes(tmp_path: Path) -> None:
    """Encoding does not depend on the clock or on luck."""
    one = encode(stream(10), tmp_path / "a.mp4", FAST)
    two = encode(stream(10), tmp_path / "b.mp4", FAST)
    assert one.path.read_bytes() == two.path.read_bytes()


def test_colours_survive_the_way_there_and_back(tmp_path: Path) -> None:
    """RGB → BT.709 → RGB stays within 41 dB; a BT.601 mix-up would be far below."""
    video = encode(stream(3), tmp_path / "a.mp4", {"crf": "1", "preset": "ultrafast"})
    assert min(psnr(a, picture(shift=i)) for i, a in enumerate(decode(video, "rgb24").open())) > 41


def test_a_mezzanine_keeps_what_it_is_given(tmp_path: Path) -> None:
    """Full-colour frames come back as they went in, but for the rounding of YUV."""
    video = write_mezzanine(stream(5), tmp_path / "m.mkv")
    assert inspect(video.path).pixels == "yuv444p"
    assert min(psnr(a, picture(shift=i)) for i, a in enumerate(decode(video, "rgb24").open())) > 48


@pytest.mark.parametrize(("given_frames", "kept"), [(23, 24), (24, 24), (25, 24)])
def test_a_frame_too_few_or_too_many_is_mended(tmp_path: Path, given_frames: int, kept: int) -> None:
    """The last frame is held, or left out."""
    spec = ClipSpec(size=(128, 72), fps=24, seconds=1)
    request = EncodeRequest(Ref("k", lambda: stream(given_frames)), spec)
    assert X264(X264Params()).encode(request, Work(dir=tmp_path)).frames == kept


@pytest.mark.parametrize(
    ("frames", "said"),
    [(stream(12), "12 frames, and 24"), (stream(24, fps=25), "at 25 fps"), (stream(24, size=(64, 64)), "64x64")],
)
def test_the_wrong_length_rate_or_size_is_an_error(tmp_path: Path, frames: Frames, said: str) -> None:
    """Nothing is stretched in silence."""
    request = EncodeRequest(Ref("k", lambda: frames), ClipSpec(size=(128, 72), fps=24, seconds=1))
    with pytest.raises(InvalidInput, match=said):
        X264(X264Params()).encode(request, Work(dir=tmp_path))


def test_odd_sizes_are_an_error(tmp_path: Path) -> None:
    """4:2:0 needs even sides."""
    with pytest.raises(InvalidInput, match="even width"):
        encode(stream(1, size=(127, 71)), tmp_path / "a.mp4", FAST)


def test_a_stream_that_breaks_leaves_nothing(tmp_path: Path) -> None:
    """An exception half-way, or too few frames, leaves no file and no part of one."""

    def broken() -> Iterator[np.ndarray]:
        yield picture()
        raise RuntimeError("no more")

    with pytest.raises(RuntimeError, match="no more"):
        encode(Frames((128, 72), Fraction(24), 5, "rgb24", broken), tmp_path / "a.mp4", FAST)
    short = Frames((128, 72), Fraction(24), 5, "rgb24", lambda: iter([picture()]))
    with pytest.raises(ValueError, match="1 frames instead of 5"):
        encode(short, tmp_path / "b.mp4", FAST)
    assert list(tmp_path.iterdir()) == []


def test_a_full_disk_is_said_and_leaves_nothing(tmp_path: Path) -> None:
    """The file-size limit of the process stands in for a full disk."""
    noise = np.random.default_rng(0).integers(0, 255, (360, 640, 3), np.uint8)
    frames = Frames((640, 360), Fraction(24), 30, "rgb24", lambda: (np.roll(noise, i, 0) for i in range(30)))
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    import signal

    before = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, hard))
    try:
        with pytest.raises(StoreError, match="cannot write"):
            encode(frames, tmp_path / "a.mkv", {"qp": "0", "preset": "ultrafast"})
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
        signal.signal(signal.SIGXFSZ, before)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("content", "said"),
    [(b"", "0 bytes"), (b"hello, I am text", "not a video"), (b"\x00" * 5000, "not a video")],
)
def test_what_is_no_video_is_said_plainly(tmp_path: Path, content: bytes, said: str) -> None:
    """Zero bytes, text and zeros named .mp4."""
    path = tmp_path / "x.mp4"
    path.write_bytes(content)
    with pytest.raises(InvalidInput, match=said):
        probe(path)
    with pytest.raises(InvalidInput, match="cannot read"):
        probe(tmp_path / "missing.mp4")


def test_a_truncated_video_is_an_error_not_a_short_clip(tmp_path: Path) -> None:
    """Cut in the middle: either it does not open, or reading says that it is damaged."""
    path = encode(stream(48), tmp_path / "a.mp4", FAST).path
    path.write_bytes(path.read_bytes()[:-400])
    with pytest.raises(InvalidInput):
        encode(decode(path), tmp_path / "b.mp4", FAST)


def test_sound_alone_is_no_video(tmp_path: Path) -> None:
    """A file without a picture says so."""
    path = tmp_path / "a.wav"
    with av.open(str(path), "w") as container:
        audio = container.add_stream("pcm_s16le", rate=8000)
        frame = av.AudioFrame.from_ndarray(np.zeros((1, 800), np.int16), format="s16", layout="mono")
        frame.sample_rate = 8000
        container.mux(audio.encode(frame))
    with pytest.raises(InvalidInput, match="no picture"):
        probe(path)


@given(st.integers(2, 40), st.integers(2, 40))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_formats_turn_into_each_other(wide: int, high: int) -> None:
    """Any even size keeps its shape through every format, and grey stays grey."""
    size = (wide * 2, high * 2)
    grey = np.full((size[1], size[0], 3), 100, np.uint8)
    for target in ("yuv420p", "yuv444p"):
        back = convert(convert(grey, "rgb24", target), target, "rgb24")
        assert back.shape == grey.shape
        assert np.abs(back.astype(int) - 100).max() <= 2
    frames = as_pixels(Frames(size, Fraction(1), 1, "rgb24", lambda: iter([grey])), "yuv420p")
    assert next(frames.open()).shape == (size[1] * 3 // 2, size[0])


@pytest.mark.parametrize(("size", "fps"), [((256, 144), 24), ((128, 72), 48), ((256, 144), 72), ((252, 142), 24)])
def test_a_larger_or_faster_clip_is_brought_down_to_its_spec(tmp_path: Path, size: tuple[int, int], fps: int) -> None:
    """As providers give it: more pixels, a multiple of the rate, a few lines too few."""
    given = stream(fps, fps, size)
    request = EncodeRequest(Ref("k", lambda: given), ClipSpec(size=(128, 72), fps=24, seconds=1))
    video = X264(X264Params(crf=4)).encode(request, Work(dir=tmp_path))
    assert (video.size, video.fps, video.frames) == ((128, 72), 24, 24)
    every = fps // 24
    for index, (made, source) in enumerate(zip(decode(video).open(), list(given.open())[::every], strict=True)):
        if index % 8 == 0:
            small = shrunk(replace(given, count=1, open=lambda source=source: iter([source])), (128, 72))
            assert psnr(made, next(iter(small.open()))) > 36
