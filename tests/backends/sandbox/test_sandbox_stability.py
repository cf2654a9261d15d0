"""The look-alike of Stability AI against its published OpenAPI description.

The models below say in short what the description (MIT copy: tryAGI/StabilityAI, src/libs/StabilityAI/openapi.yaml)
has of the endpoints that are served here: the fields of answers, their limits, and the headers of a picture.
"""

import base64
import io
import time
from collections.abc import Callable
from typing import Annotated, Any, Literal

import httpx
import pytest
from PIL import Image
from pydantic import BaseModel, ConfigDict, Field

from vpgen.backends.sandbox import Sandbox

MADE = "/stability/v2beta/stable-image"
Ask = Callable[..., httpx.Response]


class _Strict(BaseModel):
    model_config = ConfigDict(strict=True, extra="forbid")


class PictureBody(_Strict):
    """`application/json; type=image/png` of a generation."""

    image: str
    seed: Annotated[int, Field(ge=0, le=4294967294)]
    finish_reason: Literal["SUCCESS", "CONTENT_FILTERED"]


class PictureHeaders(BaseModel):
    """Headers of `image/*`."""

    content_type: Annotated[str, Field(alias="content-type", pattern="^image/(png|jpeg|webp)$")]
    finish_reason: Annotated[Literal["SUCCESS", "CONTENT_FILTERED"], Field(alias="finish-reason")]
    seed: Annotated[str, Field(pattern=r"^\d+$")]
    request_id: Annotated[str, Field(alias="x-request-id")]


class ErrorBody(_Strict):
    """Every 4xx and 5xx."""

    id: Annotated[str, Field(min_length=1)]
    name: Annotated[str, Field(min_length=1)]
    errors: Annotated[list[str], Field(min_length=1)]


class Accepted(_Strict):
    """200 of an asynchronous endpoint."""

    id: Annotated[str, Field(min_length=1)]


class InProgress(_Strict):
    """202 of a result."""

    id: Annotated[str, Field(min_length=1)]
    status: Literal["in-progress"]


def form(**fields: str | bytes) -> dict[str, Any]:
    """Multipart fields; bytes are files."""
    return {
        name: ("a.png", value, "image/png") if isinstance(value, bytes) else (None, value)
        for name, value in fields.items()
    }


def error(response: httpx.Response) -> tuple[int, str, list[str]]:
    """Status, name and errors of an answer that must have the described shape."""
    said = ErrorBody.model_validate(response.json())
    return response.status_code, said.name, said.errors


@pytest.mark.parametrize("path", ["generate/core", "generate/ultra", "generate/sd3"])
def test_text_becomes_a_picture_as_bytes_or_json(ask: Ask, path: str) -> None:
    """Both ways to accept it, in the shape that was asked for."""
    files = form(prompt="a meadow", aspect_ratio="16:9", seed="7", output_format="jpeg")
    raw = ask("POST", f"{MADE}/{path}", files=files, headers={"accept": "image/*"})
    headers = PictureHeaders.model_validate(dict(raw.headers))
    assert (headers.seed, headers.content_type) == ("7", "image/jpeg")
    assert Image.open(io.BytesIO(raw.content)).size == (1344, 768)
    said = ask("POST", f"{MADE}/{path}", files=files, headers={"accept": "application/json"})
    assert said.headers["content-type"] == "application/json; type=image/jpeg"
    body = PictureBody.model_validate(said.json())
    assert Image.open(io.BytesIO(base64.b64decode(body.image))).format == "JPEG"


def test_a_person_is_cut_out_and_pictures_enlarged(sandbox: Sandbox, ask: Ask, picture: bytes) -> None:
    """The submitted picture itself comes back: without its background, four times as wide, at four megapixels."""
    sandbox.settings(media="drawn")
    woman = ask("POST", f"{MADE}/generate/core", files=form(prompt="a woman in a red coat on a beach")).content
    cut = Image.open(io.BytesIO(ask("POST", f"{MADE}/edit/remove-background", files=form(image=woman)).content))
    low, high = cut.getchannel("A").getextrema()
    assert (cut.mode, cut.size, low, high) == ("RGBA", (1024, 1024), 0, 255)
    nobody = Image.open(io.BytesIO(ask("POST", f"{MADE}/edit/remove-background", files=form(image=picture)).content))
    assert nobody.mode == "RGBA"
    fast = Image.open(io.BytesIO(ask("POST", f"{MADE}/upscale/fast", files=form(image=picture)).content))
    assert fast.size == (512, 384)
    files = form(image=picture, prompt="a fractal")
    large = Image.open(io.BytesIO(ask("POST", f"{MADE}/upscale/conservative", files=files).content))
    assert large.width * large.height == pytest.approx(4_000_000, rel=0.01)


def test_the_creative_upscaler_answers_later(sandbox: Sandbox, ask: Ask, picture: bytes) -> None:
    """An id, 202 while it is made, the picture, and 404 once it has expired."""
    sandbox.settings(speed=10)
    made = ask("POST", f"{MADE}/upscale/creative", files=form(image=picture, prompt="a fractal"))
    path = f"/stability/v2beta/results/{Accepted.model_validate(made.json()).id}"
    first = ask("GET", path)
    assert first.status_code == 202
    InProgress.model_validate(first.json())
    while (result := ask("GET", path, headers={"accept": "application/json"})).status_code == 202:
        time.sleep(0.05)
    PictureBody.model_validate(result.json())
    sandbox.settings(expire_hours=1e-9)
    assert error(ask("GET", path))[:2] == (404, "not_found")


@pytest.mark.parametrize(
    ("path", "fields", "complaint"),
    [
        ("generate/core", {}, "prompt: is required"),
        ("generate/core", {"prompt": "x" * 10_001}, "prompt: must have at most 10000 characters"),
        ("generate/core", {"prompt": "x", "aspect_ratio": "16:10"}, "aspect_ratio: must be one of"),
        ("generate/core", {"prompt": "x", "seed": "4294967295"}, "seed: must be a number"),
        ("generate/sd3", {"prompt": "x", "output_format": "webp"}, "output_format: must be one of"),
        ("generate/sd3", {"prompt": "x", "model": "sd2"}, "model: must be one of"),
        ("edit/remove-background", {"seed": "1"}, "image: is required"),
        ("upscale/fast", {"image": b"no picture"}, "image: must be a jpeg, png or webp"),
    ],
)
def test_what_the_vendor_refuses(ask: Ask, path: str, fields: dict[str, Any], complaint: str) -> None:
    """A 400 that says what is wrong with which field."""
    status, name, errors = error(ask("POST", f"{MADE}/{path}", files=form(**fields) or form(other="1")))
    assert (status, name) == (400, "bad_request")
    assert errors[0].startswith(complaint)


def test_pictures_have_limits(ask: Ask) -> None:
    """A side too short, too many pixels, too long a strip, more than 10 MiB."""

    def png(width: int, height: int) -> bytes:
        buffer = io.BytesIO()
        Image.new("RGB", (width, height)).save(buffer, "png")
        return buffer.getvalue()

    path = f"{MADE}/edit/remove-background"
    assert "each side" in error(ask("POST", path, files=form(image=png(63, 100))))[2][0]
    assert "pixels" in error(ask("POST", path, files=form(image=png(2100, 2000))))[2][0]
    strip = form(image=png(300, 100), prompt="a strip")
    assert "aspect ratio" in error(ask("POST", f"{MADE}/upscale/conservative", files=strip))[2][0]
    assert error(ask("POST", path, files=form(image=bytes(11 * 2**20))))[:2] == (413, "payload_too_large")


def test_moderation(sandbox: Sandbox, ask: Ask) -> None:
    """A refused prompt is 403 and free; a filtered result is a blurred picture and is paid for."""
    refused = ask("POST", f"{MADE}/generate/core", files=form(prompt="sandbox:refuse"))
    assert error(refused)[:2] == (403, "content_moderation")
    assert sandbox.bill()["total_usd"] == "0.00"
    filtered = ask("POST", f"{MADE}/generate/core", files=form(prompt="sandbox:filtered"))
    assert (filtered.status_code, filtered.headers["finish-reason"]) == (200, "CONTENT_FILTERED")
    assert sandbox.bill()["total_usd"] == "0.03"


def test_failures_keys_and_credits(sandbox: Sandbox, ask: Ask) -> None:
    """500 without a charge; 401; 402; the balance in credits."""
    path = f"{MADE}/generate/core"
    assert error(ask("POST", path, files=form(prompt="sandbox:fail")))[:2] == (500, "internal_error")
    assert error(ask("POST", path, files=form(prompt="x"), headers={"authorization": ""}))[:2] == (401, "unauthorized")
    broke = ask("POST", path, files=form(prompt="x"), headers={"authorization": "Bearer broke"})
    assert error(broke)[:2] == (402, "payment_required")
    ask("POST", path, files=form(prompt="x"))
    assert ask("GET", "/stability/v1/user/balance").json() == {"credits": 99_997.0}


def test_too_many_requests(sandbox: Sandbox, ask: Ask) -> None:
    """The 151st request within ten seconds is a 429."""
    sandbox.settings(speed=1)
    codes = [ask("GET", "/stability/v1/user/balance").status_code for _ in range(151)]
    assert codes == [200] * 150 + [429]
