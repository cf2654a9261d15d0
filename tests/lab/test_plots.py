"""The pictures of an experiment hold what its tables hold: every mean, interval, label and count."""

from collections.abc import Iterator

import numpy as np
import pytest
from lab_results import HOSTILE, lab_result, lab_trial
from matplotlib.artist import Artist
from matplotlib.figure import Figure

from vpgen.config import load_config
from vpgen.lab import plots, views
from vpgen.lab.definition import Decision
from vpgen.lab.front import front, means, undominated
from vpgen.lab.result import Result
from vpgen.lab.style import COLOURS, GREY, png
from vpgen.money.prices import load_prices
from vpgen.resources import folder

SIX = ("lanczos", "neural", "span", "dis", "rife", "anime4k")
TARGET = load_prices(folder("configs") / "prices.yaml").target


def _held(figure: Figure, gid: str) -> list[Artist]:
    return figure.findobj(lambda artist: artist.get_gid() == gid)


def _one(figure: Figure, gid: str) -> Artist:
    found = _held(figure, gid)
    assert len(found) == 1, gid
    return found[0]


def _texts(figure: Figure) -> str:
    figure.canvas.draw()
    return "\n".join(text.get_text() for text in figure.findobj(lambda artist: hasattr(artist, "get_text")))


@pytest.fixture(scope="module")
def result() -> Result:
    """Two variants, ten pairs; one trial failed with an error that a careless plot chokes on."""
    return lab_result(pairs=10, failures={(2, "neural"): ("failed", f"StageFailed: {HOSTILE}")})


def test_differences_show_every_metric_with_its_interval(result: Result) -> None:
    """A mean and a bar for each, in standard deviations of the baseline, right better; the raw figures as text."""
    figure = plots.differences(result)
    sd = float(result.trials.loc[result.trials["variant"] == "lanczos", "ssim"].std())
    d = result.difference("neural", "ssim")
    assert d is not None
    assert d.low is not None
    assert d.high is not None
    assert _one(figure, "mean:ssim:neural").get_xdata() == pytest.approx([d.mean / sd])
    assert _one(figure, "interval:ssim:neural").get_xdata() == pytest.approx([d.low / sd, d.high / sd])
    seconds = _one(figure, "mean:seconds:neural")
    assert seconds.get_xdata()[0] < 0, "slower is worse, so it is on the left"
    text = _texts(figure)
    assert f"{d.mean:+.3g} [{d.low:+.3g}, {d.high:+.3g}]" in text
    assert "USD" in text
    assert "seconds  6.04 s" in text
    for metric in result.metrics:
        assert _held(figure, f"mean:{metric}:neural")


def test_a_difference_that_is_open_is_hollow(result: Result) -> None:
    """Filled means that the interval is clear of 0."""
    figure = plots.differences(result)
    for d in result.differences:
        face = _one(figure, f"mean:{d.metric}:neural").get_markerfacecolor()
        assert (face == "white") == (d.better is None), d.metric


def test_every_variant_keeps_its_colour() -> None:
    """The baseline is grey, challengers have colours and markers of their own, in every picture."""
    result = lab_result(pairs=9, variants=SIX)
    looks = plots.looks_of(result)
    assert looks["lanczos"] == (GREY, "o")
    assert len({colour for colour, _ in looks.values()}) == len({marker for _, marker in looks.values()}) == 6
    assert _one(plots.quality_cost(result), "variant:span").get_color() == COLOURS[1]
    assert _one(plots.sequential(result), "mean:span").get_color() == COLOURS[1]
    assert _one(plots.differences(result), "mean:ssim:span").get_color() == COLOURS[1]


def test_quality_cost_shows_means_intervals_and_the_front(result: Result) -> None:
    """Where each variant stands, what the resamples say of it, and the line of those that nothing beats."""
    figure, found = plots.quality_cost(result), front(result)
    for variant, row in found.table.iterrows():
        marker = _one(figure, f"variant:{variant}")
        assert (marker.get_xdata()[0], marker.get_ydata()[0]) == pytest.approx((row.usd, row.quality))
        assert f"on the front in {row.share:.0%} of resamples" in marker.get_label()
        assert row.quality_low <= row.quality <= row.quality_high
    assert _one(figure, "front").get_xdata() == pytest.approx(sorted(found.table.loc[found.table.on_front, "usd"]))


def test_the_front_is_what_nothing_beats() -> None:
    """As good for less money, or better for the same; equals are both on it; what is not measured is not."""
    quality = np.array([[0.5, 0.6, 0.6, 0.4, np.nan]])
    usd = np.array([[1.0, 2.0, 2.0, 1.5, 0.1]])
    assert undominated(quality, usd).tolist() == [[True, True, True, False, False]]
    assert undominated(quality, usd, higher_is_better=False).tolist() == [[True, False, False, True, False]]


def test_means_leave_out_what_was_not_measured() -> None:
    """Weighted by how often a pair was drawn; NaN when none of the drawn ones has a value."""
    values = np.array([[1.0, np.nan], [3.0, 5.0]])
    drawn = means(np.array([[1, 1], [2, 0], [0, 2]]), values)
    assert drawn == pytest.approx(np.array([[2.0, 5.0], [1.0, np.nan], [3.0, 5.0]]), nan_ok=True)


def test_the_front_is_less_sure_with_fewer_pairs() -> None:
    """A variant that is hardly better is on the front in some resamples only, and the same ones every time."""
    shares = front(lab_result(pairs=6, variants=("lanczos", "dis"))).table["share"]
    assert shares["lanczos"] == 1.0  # the cheapest is always on it
    assert shares.tolist() == front(lab_result(pairs=6, variants=("lanczos", "dis"))).table["share"].tolist()
    assert 0.0 <= shares["dis"] < 1.0


def test_the_waterfall_begins_each_stage_when_what_it_waits_for_is_done(result: Result) -> None:
    """Character and background side by side, the composite after both; the whole clip as a line."""
    figure, seconds = plots.latency(result), views.by_stage(result)

    def bar(stage: str, variant: str) -> tuple[float, float]:
        patch = _one(figure, f"stage:{stage}:{variant}")
        return patch.get_x(), patch.get_x() + patch.get_width()

    assert (
        bar("character", "neural")[0] == bar("background", "neural")[0] == pytest.approx(bar("moderate", "neural")[1])
    )
    assert bar("composite", "lanczos")[0] == pytest.approx(bar("matting", "lanczos")[1])
    assert bar("encode", "neural")[0] == pytest.approx(bar("upscale", "neural")[1]), (
        "a stage that is not there is no wait"
    )
    begin, end = bar("upscale", "neural")
    assert end - begin == pytest.approx(seconds.loc["upscale", "neural"])
    total = result.trials.loc[result.trials["variant"] == "neural", "seconds"].mean()
    assert _one(figure, "total:neural").get_xdata() == pytest.approx([total, total])


def test_cost_is_stacked_by_category_against_the_target(result: Result) -> None:
    """The parts of a variant add up to its mean; the target is there with its own parts and a line at 2.00."""
    figure, usd = plots.cost(result, TARGET), views.by_category(result)
    near, far = figure.axes
    parts = [patch.get_width() for patch in near.patches if patch.get_y() < 0.5 - 0.31 + 0.01]
    assert sum(parts) == pytest.approx(usd.loc["lanczos"].sum())
    assert _one(figure, "target").get_xdata()[0] == pytest.approx(2.0)
    whole = sum(_one(figure, f"target:{category}").get_width() for category in TARGET)
    assert whole == pytest.approx(2.0)
    assert far.get_xlim()[1] > 2.0
    assert "0.010 USD" in _texts(figure)


def test_the_looks_are_drawn_up_to_the_decision() -> None:
    """A mean for each pair, a bar wherever there is a bound, the margin, and a line where it stopped."""
    result = lab_result(pairs=12, decision=Decision(metric="ssim", min_pairs=3, margin=0.02))
    figure, standing = plots.sequential(result), result.verdict.standing("neural")
    line = _one(figure, "mean:neural")
    assert list(line.get_xdata()) == [look.n for look in standing.looks]
    assert list(line.get_ydata()) == pytest.approx([look.mean for look in standing.looks])
    bounded = [look for look in standing.looks if look.low is not None or look.high is not None]
    segments = _one(figure, "interval:neural").get_segments()
    assert [segment[0][0] for segment in segments] == [look.n for look in bounded]
    assert segments[-1][:, 1] == pytest.approx([bounded[-1].low, bounded[-1].high])
    assert standing.decision == "win"
    assert _one(figure, "stop:neural").get_xdata()[0] == standing.looks[-1].n
    assert _one(figure, "margin")
    assert "neural: better" in _texts(figure)


def test_failures_are_counted_by_state_and_said() -> None:
    """Nothing is dropped: counts add up to the trials, and each reason is below, dollars, Korean and all."""
    lost = {(0, "neural"): ("refused", "Refused: 바다 $5"), (1, "neural"): ("timeout", "not done within 30 s"),
            (2, "neural"): ("timeout", "not done within 30 s")}  # fmt: skip
    figure = plots.failures(lab_result(pairs=6, failures=lost))

    def widths(state: str) -> list[float]:
        return [patch.get_width() for patch in _held(figure, f"state:{state}")]

    assert widths("completed") == [6, 3]
    assert widths("refused") == [0, 1]
    assert widths("timeout") == [0, 2]
    text = _texts(figure)
    assert "3 of 12 trials ended without a clip" in text
    assert "neural: 2 × timeout: not done within 30 s" in text
    assert r"바다 \$5" in text


def _every(result: Result) -> Iterator[tuple[str, Figure]]:
    for draw in (plots.differences, plots.quality_cost, plots.latency, plots.sequential, plots.failures):
        yield draw.__name__, draw(result)
    yield "cost", plots.cost(result, TARGET)


@pytest.mark.parametrize("variants", [SIX[:2], SIX], ids=["two", "six"])
def test_every_picture_becomes_a_png_and_fits(variants: tuple[str, ...]) -> None:
    """Two to six variants, an error nobody would choose; no warning about a glyph, a formula or the layout."""
    result = lab_result(pairs=9, variants=variants, failures={(1, "neural"): ("failed", HOSTILE)})
    for name, figure in _every(result):
        assert png(figure, dpi=60).startswith(b"\x89PNG"), name
        assert figure.get_size_inches()[1] < 14, name
        assert all(name in _texts(figure) for name in variants[1:]), name


def test_an_experiment_that_has_just_begun_has_pictures_too() -> None:
    """Nothing measured yet: each says so, and none breaks."""
    only = lab_trial(0, "lanczos", state="failed", error="no luck", values={"numbers": {"accepted": 0.0}})
    for name, figure in _every(lab_result(pairs=4, state="running", trials=[only])):
        assert png(figure, dpi=40), name
    text = _texts(plots.differences(lab_result(pairs=4, trials=[only])))
    assert "No pair has two clips to compare yet" in text
    assert "no pair to look at yet" in _texts(plots.sequential(lab_result(pairs=4, trials=[only])))


@pytest.mark.parametrize(
    ("value", "metric", "said"),
    [(0.0102, "usd", "0.010 USD"), (1.234, "usd", "1.23 USD"), (0.0, "usd", "0.00 USD"), (0.0000123, "usd", "0.000012 USD"),
     (12.34, "seconds", "12.3 s"), (2345.6, "seconds", "2346 s"), (0.00002, "bytes", "0.00002"), (31.5, "psnr", "31.5 dB"), (0.71234, "quality", "0.712"), (float("nan"), "usd", "–")],
)  # fmt: skip
def test_figures_have_their_unit(value: float, metric: str, said: str) -> None:
    """Money has as many digits as say something, everything else three."""
    assert views.with_unit(value, metric) == said


def test_what_a_variant_changes_is_said_in_words(result: Result) -> None:
    """Backends of stages, not hashes."""
    assert views.changed(result.experiment, "neural") == ["upscale: lanczos → anime4k", "interpolate: flow → rife"]
    assert views.changed(result.experiment, "lanczos") == []


def test_the_waterfall_follows_a_config_that_finishes_the_other_way_round() -> None:
    """Interpolated first, then enlarged: enlarging begins when interpolating is done."""
    config = load_config("animatic").model_copy(update={"finish": ("interpolate", "upscale")})
    times = views.timeline({"animate": 1.0, "upscale": 4.0, "interpolate": 2.0, "encode": 0.5}, views.waits(config))
    assert times == {"animate": (0, 1), "interpolate": (1, 3), "upscale": (3, 7), "encode": (7, 7.5)}
