"""Interpolate by RIFE 4.2x (Huang et al., ECCV 2022), a neural network, through onnxruntime on the CPU."""

from __future__ import annotations

from decimal import Decimal
from functools import cache
from importlib.resources import files
from importlib.util import find_spec
from typing import Any, ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from vpgen.clip import Value
from vpgen.errors import MissingDependency
from vpgen.media.color import as_pixels
from vpgen.media.frames import Frames
from vpgen.media.retime import resample
from vpgen.media.video import decode
from vpgen.stages import InterpolateRequest, Readiness, Usage, Work

CPU_SECONDS_PER_PAIR = Decimal("1.3")
"""At 640x360, where the shipped config uses it; five times that at 1280x720."""
BLOCK = 64
"""The network needs sides that are multiples of this."""
CUT = 0.25
"""Mean difference (0 to 1) of two small, blurred neighbours that only a cut makes."""

Array = NDArray[np.uint8]


class RifeParams(Value):
    """Nothing to set."""


class Rife:
    """The shipped network; 2 to 3 dB better than flow on real footage, at ten times the work."""

    name: ClassVar[str] = "rife"
    version: ClassVar[str] = "1"
    stored: ClassVar[bool] = True
    Params: ClassVar[type[Value]] = RifeParams

    def __init__(self, params: RifeParams) -> None:
        self.params = params

    def estimate(self, request: InterpolateRequest) -> Usage:
        return {"cpu_second": CPU_SECONDS_PER_PAIR * request.fps * 3}

    @classmethod
    def readiness(cls) -> Readiness:
        if find_spec("onnxruntime"):
            return Readiness(ready=True, note="onnxruntime, shipped weights")
        return Readiness(ready=False, note="onnxruntime is not installed", remedy="pip install onnxruntime")

    def interpolate(self, request: InterpolateRequest, work: Work) -> Frames:  # noqa: ARG002  # writing reports
        if find_spec("onnxruntime") is None:
            raise MissingDependency("onnxruntime is not installed", remedy="pip install onnxruntime")
        source = request.video.load()
        frames = source if isinstance(source, Frames) else decode(source, "rgb24")
        return resample(as_pixels(frames, "rgb24"), request.fps, between)


def between(a: Array, b: Array, t: float) -> Array:
    """The RGB frame at time t (0 to 1) between two of one size; at a cut the nearer one."""
    small = [np.asarray(cv2.resize(frame, (32, 18), interpolation=cv2.INTER_AREA), np.float32) for frame in (a, b)]
    difference = float(np.abs(small[0] - small[1]).mean()) / 255
    if difference > CUT:
        return a if t < 0.5 else b
    if not cv2.absdiff(a, b).any():
        return a
    height, width = a.shape[:2]
    pad = ((0, -height % BLOCK), (0, -width % BLOCK), (0, 0))
    pair = np.concatenate([np.pad(frame, pad, mode="edge").transpose(2, 0, 1) for frame in (a, b)])
    inputs = {"x": pair[None].astype(np.float32) / 255, "t": np.full((1, 1, 1, 1), t, np.float32)}
    made = _session().run(None, inputs)[0][0, :, :height, :width]
    return np.asarray((made.transpose(1, 2, 0) * 255 + 0.5).clip(0, 255), np.uint8)


@cache
def _session() -> Any:  # the library is untyped
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # frames run side by side instead, which scales better
    model = files("vpgen.backends.onnx") / "models" / "rife_4.2x_fp16store.onnx"
    return onnxruntime.InferenceSession(model.read_bytes(), options, providers=["CPUExecutionProvider"])
