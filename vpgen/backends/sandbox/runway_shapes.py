"""What Runway's endpoints take, model by model, and what they say of a body that is something else."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError
from pydantic.alias_generators import to_camel

from vpgen.backends.sandbox.problems import Problem
from vpgen.backends.sandbox.vendor import LOOPBACK

DATA_LIMIT = 5 * 2**20
URL_LIMIT = 2048
PROMPT_LIMIT = 1000


def _prompt(text: str) -> str:
    length = len(text.encode("utf-16-le", "surrogatepass")) // 2
    if not 1 <= length <= PROMPT_LIMIT:
        raise ValueError(f"must be from 1 to {PROMPT_LIMIT} UTF-16 code units, and has {length}")
    return text


def _address(uri: str) -> str:
    if uri.startswith("data:"):
        if len(uri) > DATA_LIMIT:
            raise ValueError("data URIs may have at most 5 MB; use an upload")
    elif not uri.startswith(("https://", "runway://")) and not LOOPBACK.match(uri):
        raise ValueError("must be an HTTPS URL, a Runway upload URI or a data URI")
    elif len(uri) > URL_LIMIT:
        raise ValueError(f"must have at most {URL_LIMIT} characters")
    return uri


PromptText = Annotated[str, AfterValidator(_prompt)]
Address = Annotated[str, AfterValidator(_address)]
Seed = Annotated[int, Field(ge=0, lt=2**32)]
Percent = Annotated[int, Field(ge=0, le=100)]
Turbo = Literal["1280:720", "720:1280", "1104:832", "832:1104", "960:960", "1584:672"]
Veo = Literal["1280:720", "720:1280", "1080:1920", "1920:1080"]
Picture = Literal[
    "1024:1024", "1080:1080", "1168:880", "1360:768", "1440:1080", "1080:1440", "1808:768", "1920:1080", "1080:1920",
    "2112:912", "1280:720", "720:1280", "720:720", "960:720", "720:960", "1680:720",
]  # fmt: skip


class Part(BaseModel):
    """An object that has no other fields."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, alias_generator=to_camel)


class First(Part):
    """A picture to begin with."""

    uri: Address
    position: Literal["first"]


class Frame(Part):
    """A picture to begin or end with."""

    uri: Address
    position: Literal["first", "last"]


class Moderation(Part):
    """How strict moderation is."""

    public_figure_threshold: Literal["auto", "low"] = "auto"


class Reference(Part):
    """A picture to be like, by the name the prompt calls it."""

    uri: Address
    tag: Annotated[str, Field(pattern=r"^[A-Za-z][A-Za-z0-9_]{2,15}$")] | None = None


class Body(Part):
    """Any request."""

    model: str


class Gen4Turbo(Body):
    """gen4_turbo, from a picture."""

    prompt_image: Address | Annotated[list[First], Field(min_length=1, max_length=1)]
    ratio: Turbo
    duration: Annotated[int, Field(ge=2, le=10)] = 10
    prompt_text: PromptText | None = None
    seed: Seed | None = None
    content_moderation: Moderation | None = None


class Gen45Text(Body):
    """gen4.5, from text."""

    prompt_text: PromptText
    ratio: Literal["1280:720", "720:1280"]
    duration: Annotated[int, Field(ge=2, le=10)]
    seed: Seed | None = None
    content_moderation: Moderation | None = None
    output_format: Literal["mp4"] = "mp4"


class Gen45(Gen45Text):
    """gen4.5, from a picture."""

    prompt_image: Address | Annotated[list[First], Field(min_length=1, max_length=1)]
    ratio: Turbo  # type: ignore[assignment]  # more shapes than from text alone


class VeoText(Body):
    """veo3.1 and its fast sibling, from text."""

    prompt_text: PromptText
    ratio: Veo
    duration: Literal[4, 6, 8] = 8
    audio: bool = True
    negative_prompt: str | None = None
    seed: Seed | None = None


class VeoImage(VeoText):
    """The same from pictures."""

    prompt_image: Address | Annotated[list[Frame], Field(min_length=1, max_length=2)]
    prompt_text: PromptText | None = None  # type: ignore[assignment]  # the picture may say it all


class Gen4Image(Body):
    """gen4_image."""

    prompt_text: PromptText
    ratio: Picture
    reference_images: Annotated[list[Reference], Field(max_length=3)] = Field(default_factory=list)
    seed: Seed | None = None
    content_moderation: Moderation | None = None


class Gen4ImageTurbo(Gen4Image):
    """gen4_image_turbo: never without a reference."""

    reference_images: Annotated[list[Reference], Field(min_length=1, max_length=3)]


class VideoUpscale(Body):
    """Enlarges a video."""

    video_uri: Address
    creativity: Percent | None = None
    flavor: Literal["vivid", "natural"] | None = None
    fps_boost: bool = False
    resolution: Literal["720p", "1k", "2k", "4k"] = "2k"
    sharpen: Percent | None = None
    smart_grain: Percent | None = None


class FrameRate(Body):
    """Brings a video to another rate."""

    video_uri: Address
    target_framerate: Literal["24", "25", "30", "48", "50", "60", "120", "23_98", "29_97", "59_94"]


class ImageUpscale(Body):
    """Enlarges a picture."""

    image_uri: Address
    flavor: Literal["sublime", "photo", "photo_denoiser"] | None = None
    scale_factor: Literal[2, 4, 8, 16] = 2
    sharpen: Percent | None = None
    smart_grain: Percent | None = None
    ultra_detail: Percent | None = None


MODELS: dict[str, dict[str, type[Body]]] = {
    "image_to_video": {"gen4_turbo": Gen4Turbo, "gen4.5": Gen45, "veo3.1": VeoImage, "veo3.1_fast": VeoImage},
    "text_to_video": {"gen4.5": Gen45Text, "veo3.1": VeoText, "veo3.1_fast": VeoText},
    "text_to_image": {"gen4_image": Gen4Image, "gen4_image_turbo": Gen4ImageTurbo},
    "video_upscale": {"magnific_video_upscaler_creative": VideoUpscale, "enhance_frame_rate": FrameRate},
    "image_upscale": {"magnific_precision_upscaler_v2": ImageUpscale},
}


def validated(endpoint: str, body: dict[str, Any]) -> Body:
    """The body as its model has it. Raises Problem with every issue."""
    shapes = MODELS[endpoint]
    if body.get("model") not in shapes:
        expected = " | ".join(f"'{name}'" for name in shapes)
        issue = {
            "code": "invalid_union_discriminator",
            "options": list(shapes),
            "path": ["model"],
            "message": f"Invalid discriminator value. Expected {expected}",
        }
        raise Problem("invalid", "Validation of body failed", issues=(issue,))
    try:
        return shapes[body["model"]].model_validate(body)
    except ValidationError as error:
        found = error.errors(include_url=False, include_context=False)
    unknown = [str(detail["loc"][-1]) for detail in found if detail["type"] == "extra_forbidden"]
    issues = [unrecognised(unknown)] if unknown else []
    for detail in found:
        path = [part for part in detail["loc"] if isinstance(part, int) or part in body or part == detail["loc"][0]]
        if detail["type"] == "missing":
            issues.append({"code": "invalid_type", "received": "undefined", "path": path, "message": "Required"})
        elif detail["type"] != "extra_forbidden" and path not in (issue["path"] for issue in issues):
            issues.append(issue_of(path, detail["msg"]))  # once, though a union says it for each of its members
    raise Problem("invalid", "Validation of body failed", issues=tuple(issues))


def issue_of(path: list[Any], message: str) -> dict[str, Any]:
    """One thing that is wrong with one field."""
    return {"code": "custom", "path": path, "message": message}


def unrecognised(keys: list[str]) -> dict[str, Any]:
    """Fields nobody asked for."""
    said = ", ".join(f"'{key}'" for key in keys)
    return {"code": "unrecognized_keys", "keys": keys, "path": [], "message": f"Unrecognized key(s) in object: {said}"}
