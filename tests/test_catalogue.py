"""The catalogue: what ships is sound, and a config that cannot work fails before anything is spent."""

import datetime
import json
import math
import re
from decimal import Decimal
from pathlib import Path

import pytest
import typer
import yaml
from hypothesis import given
from hypothesis import strategies as st
from typer.testing import CliRunner

from vpgen.catalogue import Model, Provider, closest_ratio, load_catalogue, nearest_seconds, prices, sku
from vpgen.cli.catalogue import catalogue as command
from vpgen.config import load_config
from vpgen.errors import ConfigError, InvalidInput, NotFound, VpgenError
from vpgen.money.prices import PriceBook
from vpgen.territories import overlap

SHIPPED = [
    (provider, name, model) for provider, offer in load_catalogue().items() for name, model in offer.models.items()
]
BEFORE = datetime.date(2026, 1, 1)

LICENCE = {"name": "Apache-2.0"}
VIDEO = {"stages": ["animate"], "endpoint": "videos", "price": None, "verified": "documented", "licence": LICENCE}
ACME = {
    "name": "Acme",
    "url": "https://api.acme.example",
    "key": "ACME_KEY",
    "docs": "https://acme.example",
    "checked": datetime.date(2026, 11, 23),
}


def model(**more: object) -> Model:
    """A model that animates, with something else about it."""
    return Model.model_validate(VIDEO | more)


def own(folder: Path, name: str, content: object) -> Path:
    """A folder for VPGEN_CATALOGUE with one provider file in it."""
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.yaml").write_text(content if isinstance(content, str) else yaml.safe_dump(content))
    return folder


# What ships


def test_every_provider_of_the_backends_has_a_file() -> None:
    """The five that are covered, each with the variable of its key and an https address."""
    offers = load_catalogue()
    assert {name: offer.key for name, offer in offers.items()} == {
        "fal": "FAL_KEY",
        "luma": "LUMA_AGENTS_API_KEY",
        "replicate": "REPLICATE_API_TOKEN",
        "runway": "RUNWAYML_API_SECRET",
        "stability": "STABILITY_API_KEY",
    }
    assert all(offer.url.startswith("https://") and offer.models for offer in offers.values())


@pytest.mark.parametrize(("provider", "name", "entry"), SHIPPED, ids=[f"{one}/{name}" for one, name, _ in SHIPPED])
def test_every_shipped_model_is_whole(provider: str, name: str, entry: Model) -> None:
    """Its successor exists and is alive, its price has a source and a date, its shapes can be chosen among."""
    siblings = load_catalogue()[provider].models
    if entry.successor:
        assert siblings[entry.successor].retires is None
    if entry.retires:
        assert entry.successor
    if entry.price:
        assert entry.price.source
        assert entry.price.date <= datetime.date(2026, 11, 24)
        assert entry.price.usd > 0
    elif not entry.retires:
        assert entry.verified != "sdk", "a model that is sold to us by an SDK has a price page"
    assert closest_ratio(entry, (1920, 1080)) in (entry.ratios or (None,))
    assert set(entry.formats) <= {"seconds"}, "the wires know how to write seconds"
    assert entry.licence.name
    if provider in {"replicate", "fal"}:
        assert entry.inputs, "these two have no names of fields but the model's own"
    if entry.version:
        assert entry.endpoint == "predictions"


def test_the_wanted_backends_are_covered() -> None:
    """Pictures, cut-outs, motion, enlarging and frame rate can each be bought somewhere, at a known price."""
    for stage in ("character", "background", "enlarge", "matting", "animate", "upscale", "interpolate"):
        priced = [
            name for provider, name, entry in SHIPPED
            if not list(entry.check(stage, seconds=6 if stage == "animate" else None)) and entry.clip_usd()
        ]  # fmt: skip
        assert priced, stage


def test_a_clip_within_two_dollars_can_be_put_together() -> None:
    """A still, 6 s of motion and its enlargement by the models the docs name stay well under the budget."""
    offers = load_catalogue()
    parts = [
        offers["runway"].model("gen4_image").clip_usd(ratio="1920:1080"),
        offers["stability"].model("remove-background").clip_usd(),
        offers["runway"].model("gen4_turbo").clip_usd(),
        offers["replicate"].model("topazlabs/video-upscale").clip_usd(),
    ]
    assert parts == [Decimal("0.08"), Decimal("0.05"), Decimal("0.30"), Decimal("0.1122")]


# Checks before anything is spent


def test_a_retired_model_fails_and_names_its_successor() -> None:
    """From the day of its retirement on, and not before."""
    old = load_catalogue()["runway"].model("gen3a_turbo")
    assert list(old.check("animate")) == ["was retired on 2026-07-30; use gen4_turbo instead"]
    assert not list(old.check("animate", today=datetime.date(2026, 7, 29)))
    assert list(old.check("animate", today=datetime.date(2026, 7, 30)))


def test_a_wrong_shape_length_or_stage_is_said() -> None:
    """Each with what it could be instead."""
    turbo = load_catalogue()["runway"].model("gen4_turbo")
    assert list(turbo.check("animate", ratio="16:9")) == [
        "has no ratio 16:9; it has 1280:720, 720:1280, 1104:832, 960:960, 832:1104, 1584:672"
    ]
    assert list(turbo.check("animate", seconds=11)) == ["cannot make 11 s; it makes 2 to 10 s"]
    assert list(turbo.check("upscale")) == ["does animate, not upscale"]
    assert not list(turbo.check("animate", ratio="1280:720", seconds=6, prompt="she walks", territory="KR"))


def test_every_problem_is_said_not_only_the_first() -> None:
    """Retired, of the wrong shape, too long and not for this country: four lines."""
    old = model(
        ratios=["16:9"], seconds=[5], retires=BEFORE, licence={"name": "Private", "excludes": ["KR"]}, prompt_limit=3
    )
    found = list(old.check("animate", ratio="1:1", seconds=6, territory="kr", prompt="a cat"))
    assert len(found) == 5
    assert found[0] == "was retired on 2026-01-01", "no successor is known, so none is named"


@pytest.mark.parametrize(
    ("unit", "prompt", "fits"),
    [
        ("characters", "🎬" * 10, True),
        ("characters", "🎬" * 11, False),
        ("utf16", "🎬" * 5, True),
        ("utf16", "🎬" * 5 + "a", False),
        ("utf16", "바다를 걷는 여자", True),
        ("utf16", "\ud83c" * 10, True),
    ],
)
def test_prompts_are_measured_as_the_provider_does(unit: str, prompt: str, fits: bool) -> None:  # noqa: FBT001
    """An emoji is one character and two UTF-16 units; half of one is no reason to crash."""
    limited = model(prompt_limit=10, prompt_unit=unit)
    assert (not list(limited.check("animate", prompt=prompt))) == fits


def test_a_prompt_that_must_be_there_is_missed_only_when_it_is_known() -> None:
    """A config is checked before there is a prompt; an empty one is a problem, an unknown one is not."""
    needing = model(prompt_required=True)
    assert list(needing.check("animate", prompt="  ")) == ["needs a prompt"]
    assert not list(needing.check("animate"))


def test_a_prompt_that_is_always_sent_is_not_missed() -> None:
    """Neutral words of the catalogue's own, under the model's own name for them."""
    entry = model(prompt_required=True, inputs={"prompt": "text", "image": "image"}, defaults={"text": "a photograph"})
    assert not list(entry.check("animate", prompt=""))


def test_a_picture_that_is_too_large_is_said() -> None:
    """In megapixels, as the vendor says it."""
    cutter = load_catalogue()["stability"].model("remove-background")
    assert not list(cutter.check("matting", picture=(1920, 1080)))
    assert list(cutter.check("matting", picture=(3840, 2160))) == ["takes pictures of up to 4.2 megapixels, not 8.3"]


def test_a_model_that_takes_pictures_is_no_stage_for_videos() -> None:
    """An enlarger of pictures is refused where a video is sent."""
    pictures = load_catalogue()["replicate"].model("nightmareai/real-esrgan")
    assert list(pictures.check("upscale")) == ["does enlarge, not upscale"]
    takes_pictures = model(stages=["upscale"], inputs={"image": "image"})
    assert list(takes_pictures.check("upscale")) == ["takes no video, which upscale sends"]


@pytest.mark.parametrize("territory", ["KR", "kr", "GB", "UK", "EU", "DE", "fr"])
def test_a_licence_that_excludes_the_territory_fails(territory: str) -> None:
    """Also where the licence says EU and the config a member of it."""
    barred = load_catalogue()["replicate"].model("tencent/hunyuan-image-3")
    assert list(barred.check("character", territory=territory)) == [
        f"may not be used in {territory.upper()} (Tencent Hunyuan Community Licence)"
    ]


@pytest.mark.parametrize("territory", ["US", "JP", "CH", None])
def test_a_licence_that_says_nothing_of_the_territory_does_not(territory: str | None) -> None:
    """Elsewhere, and where no territory is configured, it may be used."""
    barred = load_catalogue()["replicate"].model("tencent/hunyuan-image-3")
    assert not list(barred.check("character", territory=territory))


def test_a_country_excluded_is_excluded_for_the_whole_it_is_part_of() -> None:
    """Who publishes in all of the EU publishes in Germany."""
    assert overlap(["EU"], ["DE"])
    assert not overlap(["CH"], ["EU"])
    assert not overlap([], ["EU"])


def test_an_unknown_model_is_refused_with_the_nearest_name() -> None:
    """A slip of the pen costs one glance."""
    runway = load_catalogue()["runway"]
    with pytest.raises(NotFound, match=r"Runway has no model 'gen4turbo'; did you mean 'gen4_turbo'\?"):
        runway.model("gen4turbo")
    with pytest.raises(NotFound, match="it has gen4_image, gen4_turbo"):
        runway.model("xyz")


# Shapes and durations

SIZES = st.tuples(st.integers(64, 7680), st.integers(64, 4320))
RATIOS = st.lists(st.tuples(st.integers(1, 4000), st.integers(1, 4000)), min_size=1, max_size=20)


@given(size=SIZES, shapes=RATIOS)
def test_no_other_shape_is_nearer(size: tuple[int, int], shapes: list[tuple[int, int]]) -> None:
    """Whatever there is to choose from, none of it has an aspect nearer to the wanted one."""

    def apart(shape: tuple[int, int]) -> float:
        return abs(math.log(shape[0] / shape[1]) - math.log(size[0] / size[1]))

    chosen = closest_ratio(model(ratios=[f"{width}:{height}" for width, height in shapes]), size)
    assert chosen is not None
    width, height = map(int, chosen.split(":"))
    assert (width, height) in shapes
    assert apart((width, height)) <= min(map(apart, shapes)) + 1e-8


@pytest.mark.parametrize(
    ("ratios", "size", "chosen"),
    [
        (["1:1", "16:9", "9:16"], (1920, 1080), "16:9"),
        (["1:1", "16:9", "9:16"], (1080, 1920), "9:16"),
        (["1280:720", "720:1280", "960:960"], (640, 360), "1280:720"),
        (["1280:720", "1920:1080"], (640, 360), "1280:720"),
        (["1920:1080", "1280:720"], (1920, 1080), "1920:1080"),
        (["1280:720", "1920:1080"], (3840, 2160), "1920:1080"),
        (["1024x1024", "1360x768"], (1920, 1080), "1360x768"),
        (["auto", "1:1"], (1920, 1080), "1:1"),
        (["auto", "match_input_image"], (1920, 1080), None),
        ([], (1920, 1080), None),
        (["0:0"], (1920, 1080), None),
    ],
)
def test_the_nearest_shape_in_either_spelling(ratios: list[str], size: tuple[int, int], chosen: str | None) -> None:
    """As aspects or in pixels; of equal aspects in pixels the smallest that is large enough."""
    assert closest_ratio(model(ratios=ratios), size) == chosen


@pytest.mark.parametrize(
    ("seconds", "wanted", "chosen"),
    [([5, 10], 6.0, 10), ([2, 3, 6], 6.0, 6), ([10, 5], 4.2, 5), ([4, 6, 8], 6.01, 8), ([], 6.0, None)],
)
def test_the_shortest_duration_that_is_long_enough(seconds: list[int], wanted: float, chosen: int | None) -> None:
    """What is too long is cut; what is too short cannot be mended. A model that asks for none gets none."""
    assert nearest_seconds(model(seconds=seconds), wanted) == chosen


def test_no_duration_is_long_enough() -> None:
    """Said with what there is, and what to do."""
    with pytest.raises(InvalidInput, match=r"cannot make 12 s; it makes 5, 10 s") as caught:
        nearest_seconds(model(seconds=[5, 10]), 12.0)
    assert "vpgen catalogue" in str(caught.value.remedy)


# Prices


def priced(per: str, usd: str = "0.5", **more: object) -> Model:
    """A model that costs so much a unit."""
    quote = {"usd": usd, "per": per, "source": "its price page", "date": datetime.date(2026, 11, 23)}
    return model(price=quote | more)


def test_an_unknown_price_is_none_and_never_zero() -> None:
    """Neither the model, nor a clip of it, nor the price book knows one."""
    unknown = load_catalogue()["replicate"].model("851-labs/background-remover")
    assert unknown.price is None
    assert unknown.clip_usd() is None
    book = PriceBook(target={}, prices={}).joined(prices(load_catalogue()))
    with pytest.raises(NotFound, match="unknown"):
        book.price("replicate/851-labs/background-remover")


@pytest.mark.parametrize(
    ("per", "usd"),
    [("image", "0.5"), ("run", "0.5"), ("video", "0.5"), ("second", "3.0"), ("frame", "72.0"), ("megapixel", "1.0368")],
)
def test_the_price_of_a_clip_by_unit(per: str, usd: str) -> None:
    """One picture, run or video; six seconds; 144 frames; two megapixels."""
    assert priced(per).clip_usd() == Decimal(usd)


def test_the_price_of_a_clip_follows_what_must_be_bought() -> None:
    """A model of 5 and 10 s sells 10 for a clip of 6; one that ends at 5 sells none."""
    quote = {"usd": "0.1", "per": "second", "source": "its price page", "date": datetime.date(2026, 11, 23)}
    assert model(price=quote, seconds=[5, 10]).clip_usd() == Decimal("1.0")
    assert model(price=quote, seconds=[5]).clip_usd() is None
    assert model(price=quote, seconds=[5]).clip_usd(5.0) == Decimal("0.5")


def test_shapes_and_resolutions_have_prices_of_their_own() -> None:
    """By the ratio that is asked for, or by a resolution among the options, of which the config's wins."""
    still = load_catalogue()["runway"].model("gen4_image")
    assert still.clip_usd(ratio="1280:720") == Decimal("0.05")
    assert still.variant("1920:1080") is None
    ray = load_catalogue()["luma"].model("ray-3.2")
    assert ray.variant("16:9") == "720p"
    assert ray.variant("16:9", {"resolution": "1080p"}) == "1080p"
    assert ray.clip_usd(5.0) == Decimal("0.30")
    book = prices(load_catalogue())
    assert book[sku("luma", "ray-3.2", "1080p")].usd == Decimal("1.20")
    assert book["runway/gen4_turbo"].category == "api"
    assert "runway/gen3a_turbo" not in book


# Files of one's own


def test_an_own_model_is_added_to_the_shipped_ones(tmp_path: Path) -> None:
    """Any model by a catalogue entry: six lines in a folder, and the rest of the provider stays."""
    mine = own(tmp_path / "mine", "replicate", {"models": {"me/mine": VIDEO}, "poll_seconds": 9})
    replicate = load_catalogue(mine)["replicate"]
    assert replicate.model("me/mine").stages == ("animate",)
    assert replicate.poll_seconds == 9
    assert set(load_catalogue()["replicate"].models) < set(replicate.models)


def test_an_own_model_replaces_the_shipped_one_whole(tmp_path: Path) -> None:
    """Nothing of the shipped entry shines through: what it says was checked for another one."""
    mine = own(tmp_path / "mine", "runway", {"models": {"gen4_turbo": VIDEO}})
    assert load_catalogue(mine)["runway"].model("gen4_turbo").ratios == ()
    assert load_catalogue(mine)["luma"] == load_catalogue()["luma"]


def test_a_provider_of_ones_own(tmp_path: Path) -> None:
    """A new file is a new provider, by its name."""
    mine = own(tmp_path / "mine", "acme", ACME | {"models": {"one": VIDEO}})
    assert isinstance(load_catalogue(mine)["acme"], Provider)


def test_every_problem_of_every_own_file_at_once_with_its_line(tmp_path: Path) -> None:
    """Six mistakes in three files, six lines; one of them is no YAML at all."""
    mine = own(
        tmp_path / "mine",
        "runway",
        "poll_seconds: 0\n"
        "models:\n"
        "  gen4_turbo:\n"
        "    stages: [animat]\n"
        "    endpoint: image_to_video\n"
        "    verified: sdk\n"
        "    price: {usd: 1, per: second, date: 2026-11-23}\n"
        "    licence: {name: X}\n"
        "    retres: 2027-01-01\n",
    )
    own(mine, "acme", ACME | {"models": {"one": VIDEO | {"successor": "two"}}})
    own(mine, "broken", "name: [\n")
    with pytest.raises(ConfigError) as caught:
        load_catalogue(mine)
    text = "\n".join(caught.value.problems)
    assert "runway.yaml:1: poll_seconds: Input should be greater than 0" in text
    assert "runway.yaml:4: models.gen4_turbo.stages.0: Input should be 'plan'" in text
    assert "runway.yaml:7: models.gen4_turbo.price.source: Field required" in text
    assert "runway.yaml:9: models.gen4_turbo.retres: Extra inputs are not permitted" in text
    assert re.search(r"acme\.yaml:\d+: models\.one\.successor: there is no model 'two'", text)
    assert "broken.yaml:" in text
    assert len(caught.value.problems) == 6
    assert all(str(mine) in problem for problem in caught.value.problems), "never the line of a shipped file"


def test_a_price_without_source_or_of_a_shape_that_is_not_there(tmp_path: Path) -> None:
    """Figures that nobody quoted, or for what is not offered, do not get in."""
    quote = {"usd": "0.1", "per": "image", "source": "", "date": datetime.date(2026, 11, 23), "by_ratio": {"4:3": "1"}}
    mine = own(tmp_path / "mine", "acme", ACME | {"models": {"one": VIDEO | {"price": quote, "ratios": ["1:1"]}}})
    with pytest.raises(ConfigError, match=r"price\.source: String should have at least 1 character"):
        load_catalogue(mine)
    own(mine, "acme", ACME | {"models": {"one": VIDEO | {"price": quote | {"source": "x"}, "ratios": ["1:1"]}}})
    load_catalogue.cache_clear()
    with pytest.raises(ConfigError, match=r"by_ratio\.4:3: is not one of its ratios"):
        load_catalogue(mine)


def test_a_folder_that_is_not_there_is_said(tmp_path: Path) -> None:
    """A typing error in VPGEN_CATALOGUE does not silently mean the shipped prices."""
    with pytest.raises(ConfigError, match="there is no folder"):
        load_catalogue(tmp_path / "nowhere")


# In a config, and at the command line


def buys(tmp_path: Path, stage: str, choice: str) -> Path:
    """A config that has one stage done by a provider."""
    path = tmp_path / "buys.yaml"
    path.write_text(f"extends: animatic\nname: buys\nstages:\n  {stage}: {choice}\n")
    return path


@pytest.mark.parametrize(
    ("stage", "choice", "said"),
    [
        ("animate", "{backend: runway, model: gen3a_turbo}", "was retired on 2026-07-30; use gen4_turbo instead"),
        ("animate", "{backend: runway, model: gen4turbo}", "did you mean 'gen4_turbo'?"),
        ("animate", "{backend: runway, model: gen4_turbo, ratio: '16:9'}", "has no ratio 16:9"),
        ("character", "{backend: replicate, model: tencent/hunyuan-image-3}", "may not be used in KR"),
        ("upscale", "{backend: replicate, model: nightmareai/real-esrgan}", "does enlarge, not upscale"),
    ],
)
def test_a_config_that_cannot_work_fails_when_it_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, stage: str, choice: str, said: str
) -> None:
    """With the line that chose it, before there is a story or a key."""
    monkeypatch.setenv("VPGEN_TERRITORY", "KR")
    with pytest.raises(ConfigError) as caught:
        load_config(buys(tmp_path, stage, choice))
    assert len(caught.value.problems) == 1
    assert said in caught.value.problems[0]
    assert "buys.yaml:4" in caught.value.problems[0]


@pytest.mark.parametrize(
    "text",
    re.findall(r"```yaml\n(extends.*?)```", (Path(__file__).parents[1] / "docs/providers.md").read_text(), re.DOTALL),
)
def test_the_configs_in_the_docs_are_valid(tmp_path: Path, text: str) -> None:
    """They name models that are alive, in shapes and lengths that these have."""
    path = tmp_path / "documented.yaml"
    path.write_text(text)
    assert any("model" in choice.params for choice in load_config(path).stages.values())


def test_the_entry_in_the_docs_is_valid(tmp_path: Path) -> None:
    """The model of one's own that the page shows can be pasted as it stands."""
    page = (Path(__file__).parents[1] / "docs/providers.md").read_text()
    (entry,) = re.findall(r"```yaml\n(# .*?replicate\.yaml\n.*?)```", page, re.DOTALL)
    mine = own(tmp_path / "mine", "replicate", entry)
    assert len(load_catalogue(mine)["replicate"].models) == len(load_catalogue()["replicate"].models) + 1


def catalogue(*arguments: str) -> str:
    """What `vpgen catalogue …` prints."""
    app = typer.Typer()
    app.command()(command)
    done = CliRunner().invoke(app, list(arguments))
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    assert done.exit_code == 0, done.output
    return done.output


def test_the_command_prints_what_can_be_bought() -> None:
    """Prices a clip, what is unknown, what is retired with its successor, who is excluded, and how to use one."""
    text = catalogue()
    assert re.search(r"gen4_turbo +animate +0\.05 / second +0\.30 ", text)
    assert re.search(r"gen3a_turbo .*2026-07-30", text)
    assert "not in EU, GB, KR" in text
    assert re.search(r"851-labs/background-remover +matting +unknown +unknown", text)
    assert "animate: {backend: runway, model: gen4_turbo}" in text
    assert text.index("enhance_frame_rate") < text.index("gen3a_turbo"), "retired ones come last"


def test_the_command_narrows_to_a_provider_and_a_stage() -> None:
    """With one provider its notes are printed too."""
    text = catalogue("stability", "--stage", "matting")
    assert "remove-background" in text
    assert "ultra" not in text
    assert "runway" not in text
    assert "matting: {backend: stability, model: remove-background}" in text
    assert "10 s are for text alone" in catalogue("luma")


def test_the_command_as_json() -> None:
    """One object a line; amounts are exact text, what is unknown is null."""
    lines = [json.loads(line) for line in catalogue("--json").splitlines()]
    assert len(lines) == len(SHIPPED)
    by_name = {(line["provider"], line["model"]): line for line in lines}
    assert by_name["runway", "gen4_turbo"]["clip_usd"] == "0.30"
    assert by_name["runway", "gen3a_turbo"]["retired"] is True
    assert by_name["fal", "fal-ai/birefnet/v2"]["clip_usd"] is None
    assert by_name["runway", "gen4.5"]["config"] == {"backend": "runway", "model": "gen4.5"}


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("runwy",), r"there is no provider 'runwy'; did you mean 'runway'\?"),
        (("--stage", "animte"), r"there is no stage 'animte'; did you mean 'animate'\?"),
    ],
)
def test_the_command_helps_with_names(arguments: tuple[str, ...], said: str) -> None:
    """The nearest name, as everywhere."""
    with pytest.raises(VpgenError, match=said):
        catalogue(*arguments)


def test_the_command_shows_what_an_own_folder_adds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """VPGEN_CATALOGUE counts here as in a run."""
    monkeypatch.setenv("VPGEN_CATALOGUE", str(own(tmp_path / "mine", "fal", {"models": {"me/mine": VIDEO}})))
    assert "me/mine" in catalogue("fal")
