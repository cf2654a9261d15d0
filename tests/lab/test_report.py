"""The report of an experiment: what it says, what it refuses to run or load, how large it is."""

import base64
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from io import BytesIO
from pathlib import Path

import pytest
from lab_results import HOSTILE, lab_result, store_result
from PIL import Image
from toy_config import write_toy_config

from vpgen import studio
from vpgen.config import PipelineConfig, load_config
from vpgen.errors import InvalidInput, StoreError
from vpgen.lab import report, side_by_side
from vpgen.lab.definition import Decision
from vpgen.lab.result import Result, load
from vpgen.runtime import Runtime
from vpgen.settings import Settings

PICTURES = ["differences", "quality-cost", "sequential", "side-by-side", "latency", "cost", "failures"]
DECIDED = Decision(metric="ssim", min_pairs=2, margin=0.02)


class _Page(HTMLParser):
    """What a browser would see: tags with their attributes, and the text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


@pytest.fixture(scope="module")
def runtime(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Runtime]:
    """One installation for this file: pictures take their time."""
    home = tmp_path_factory.mktemp("report")
    with Runtime.open(Settings(home=home, out=home / "clips", tracking=False)) as opened:
        yield opened


@pytest.fixture(scope="module")
def toy(tmp_path_factory: pytest.TempPathFactory) -> PipelineConfig:
    """Clips in no time."""
    return load_config(write_toy_config(tmp_path_factory.mktemp("toy") / "toy.yaml", None))


@pytest.fixture(scope="module")
def result(runtime: Runtime, toy: PipelineConfig) -> Result:
    """Twelve pairs, the first two with real clips, one failed; story, question and error are hostile."""
    clips = {
        (pair, variant): studio.run(studio.preview(f"story {pair}", config=toy, seed=seed, runtime=runtime)).id
        for pair in range(2)
        for variant, seed in (("lanczos", pair), ("neural", 10 + pair))
    }
    return lab_result(
        pairs=12, clips=clips, decision=DECIDED, story=HOSTILE, question=f"Which?\n{HOSTILE}",
        failures={(5, "neural"): ("failed", f"StageFailed: {HOSTILE}")},
    )  # fmt: skip


@pytest.fixture(scope="module")
def path(runtime: Runtime, result: Result, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The report, written once."""
    return report.write_html(runtime, result, tmp_path_factory.mktemp("html") / "new" / "report.html")


def test_the_page_says_what_was_asked_and_what_came_of_it(path: Path, result: Result) -> None:
    """Question, verdict, money, variants, every metric, the failure, and the command that promotes."""
    page = _Page(path.read_text())
    assert result.verdict.winner == "neural"
    for said in (
        "Which?", "neural wins", "12 of at most 12", "0.231 USD", "upscale: lanczos → anime4k", "11 of 12", "clipped",
        "USD an accepted clip", "Trials without a clip", f"vpgen promote {result.id} neural", "baseline: lanczos",
    ):  # fmt: skip
        assert said in page.text, said
    assert page.text.count("neural wins") == 2, "in the title and once on the page"


def test_other_peoples_text_is_only_text(path: Path) -> None:
    """No tag, no attribute comes out of a story, a question or an error; nothing may run at all."""
    html = path.read_text()
    page = _Page(html)
    assert not {"script", "iframe", "object", "link", "form", "base"} & {tag for tag, _ in page.tags}
    assert not [name for _, attributes in page.tags for name in attributes if name.startswith("on")]
    assert "<script" not in html
    assert page.text.count("<script>alert(1)</script>") >= 14, "in the question, twelve cases and the error"
    policy = next(attributes["content"] for tag, attributes in page.tags if "http-equiv" in attributes)
    assert policy == "default-src 'none'; img-src data:; style-src 'unsafe-inline'"


def test_the_page_needs_nothing_else_and_is_small(path: Path) -> None:
    """Every picture is in it, and is one; no address leads anywhere."""
    html, page = path.read_text(), _Page(path.read_text())
    assert not re.search(r"https?:|src=[\"'](?!data:)|url\(|@import", html)
    images = [attributes for tag, attributes in page.tags if tag == "img"]
    assert len(images) == len(PICTURES)
    for attributes in images:
        assert len(attributes["alt"] or "") > 40, "who cannot see it is told what it shows"
        data = base64.b64decode((attributes["src"] or "").partition(",")[2])
        assert Image.open(BytesIO(data)).width <= report.SHEET_WIDTH
    assert path.stat().st_size < 3_000_000


def test_six_variants_are_still_below_three_megabytes(runtime: Runtime, toy: PipelineConfig) -> None:
    """The widest sheet is made smaller, not left out."""
    six = ("lanczos", "neural", "span", "dis", "rife", "anime4k")
    clip = studio.run(studio.preview("story", config=toy, runtime=runtime))
    result = lab_result(pairs=9, variants=six, clips={(pair, name): clip.id for pair in range(9) for name in six})
    made = list(report.pictures(runtime, result))
    assert sum(len(picture.data) for picture in made) * 4 / 3 < 2_900_000, "in base64, with room for the text"
    sheet = next(picture for picture in made if picture.kind == "sheet")
    assert Image.open(BytesIO(sheet.data)).width == report.SHEET_WIDTH


def test_markdown_has_its_pictures_beside_it(runtime: Runtime, result: Result, tmp_path: Path) -> None:
    """Tables, links that lead to pictures, and no sign of Markdown or HTML out of other people's text."""
    path = report.write_markdown(runtime, result, tmp_path / "docs")
    text = path.read_text()
    assert path.name == "finishing.md"
    linked = re.findall(r"!\[[^]]*\]\(([^)]+)\)", text)
    assert linked == [f"finishing-{name}.{'jpg' if name == 'side-by-side' else 'png'}" for name in PICTURES]
    for name in linked:
        assert path.with_name(name).read_bytes().startswith((b"\x89PNG", b"\xff\xd8"))
    assert re.search(r"^\| lanczos \| the baseline \|$", text, re.MULTILINE)
    assert re.search(r"^\| neural \| ssim \| \+0\.\d+ \|", text, re.MULTILINE)
    assert "<script" not in text.replace(r"\<script", "")
    assert str(tmp_path) not in text
    assert text.startswith("# Which? ")


def test_what_people_said_is_in_it(runtime: Runtime, tmp_path: Path) -> None:
    """Votes bring a ranking and how far each metric agrees; without votes there is no such chapter."""
    from vpgen.store.schema_lab import Vote

    result = lab_result(pairs=8, decision=DECIDED)
    store_result(runtime, result)
    assert "What people said" not in report.write_html(runtime, result, tmp_path / "before.html").read_text()
    with runtime.database.write() as session:
        for pair in range(4):
            session.add(Vote(experiment_id=result.id, pair=pair, first="lanczos", second="neural", left="lanczos",
                             rater="mina", choice="right"))  # fmt: skip
    text = _Page(report.write_html(runtime, load(runtime, result.id), tmp_path / "after.html").read_text()).text
    assert "What people said" in text
    assert "4 votes on 4" in text


def test_without_a_winner_nothing_is_promoted() -> None:
    """The report says that the baseline stays, and names no promoting command."""
    result = lab_result(pairs=8, variants=("lanczos", "dis"), decision=Decision(metric="seconds", min_pairs=2))
    assert result.verdict.winner is None
    assert "lanczos stays" in report.headline(result)
    assert report._next(result).startswith("Nothing is promoted: lanczos stays")
    assert "promote" not in report._commands(result)


def test_a_place_that_cannot_be_written_is_said(runtime: Runtime, result: Result, tmp_path: Path) -> None:
    """With what to do about it."""
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreError, match="cannot write"):
        report.write_html(runtime, result, tmp_path / "file" / "report.html")


# --- side by side --------------------------------------------------------------------------------


def test_pairs_worth_seeing_go_from_loss_to_win() -> None:
    """Spread over the differences in what decides; pairs without two clips are left out."""
    every = {(pair, name): "clip" for pair in range(12) for name in ("lanczos", "neural") if pair != 3}
    result = lab_result(pairs=12, clips=every, decision=DECIDED, failures={(4, "neural"): ("failed", "x")})
    chosen = side_by_side.worth_seeing(result, 4)
    wide = result.trials.pivot(index="pair", columns="variant", values="ssim")
    gain = (wide["neural"] - wide["lanczos"]).drop([3, 4])
    assert [gain[pair] for pair in chosen] == sorted(gain[pair] for pair in chosen)
    assert (chosen[0], chosen[-1]) == (gain.idxmin(), gain.idxmax())


def test_the_sheet_has_a_row_a_pair_and_a_column_a_variant(runtime: Runtime, result: Result, tmp_path: Path) -> None:
    """Two pairs with clips; toy frames are small, so there is no detail to show."""
    path = side_by_side.sheet(runtime, result, tmp_path / "sheet.png")
    assert path is not None
    with Image.open(path) as sheet:
        assert sheet.width == 2 * 40 + 2 * 480 + 14
        one = side_by_side.sheet(runtime, result, tmp_path / "one.png", pairs=[0])
        assert one is not None
        with Image.open(one) as shorter:
            assert sheet.height - shorter.height == 270 + 30 + 14
    assert side_by_side.sheet(runtime, lab_result(pairs=8), tmp_path / "none.png") is None


def test_the_detail_is_where_the_variants_differ() -> None:
    """The part with the largest difference lies inside what is shown."""
    import numpy as np

    one = np.zeros((540, 960, 3), np.uint8)
    other = one.copy()
    other[400:440, 700:760] = 255
    found = side_by_side._where_they_differ([one, other])
    assert found is not None
    left, top = found
    assert left <= 700
    assert left + side_by_side.DETAIL[0] >= 760
    assert top <= 400
    assert top + side_by_side.DETAIL[1] >= 440


def test_players_run_in_step_and_escape_their_captions(runtime: Runtime, result: Result) -> None:
    """One video a variant inside the page; a trial without a clip says how it ended."""
    html = side_by_side.players(runtime, result, 0)
    assert html.count('<video src="data:video/mp4;base64,') == 2
    assert "neural   case-0, seed 0" in html
    assert "<div class=none>failed</div>" in side_by_side.players(runtime, result, 5)
    with pytest.raises(InvalidInput, match="no pair 99"):
        side_by_side.players(runtime, result, 99)


def test_a_clip_that_was_cleared_away_leaves_a_blank(runtime: Runtime, result: Result, tmp_path: Path) -> None:
    """The sheet is made all the same."""
    trials = result.trials.assign(clip_id=result.trials["clip_id"].where(result.trials["variant"] != "neural", "gone"))
    changed = Result(result.id, "decided", result.experiment, trials, result.scales, result.spent_usd, result.waste_usd)
    assert side_by_side.sheet(runtime, changed, tmp_path / "sheet.png", pairs=[0]) is not None
    assert "no longer in the store" in side_by_side.players(runtime, changed, 0)
