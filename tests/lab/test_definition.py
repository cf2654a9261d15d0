"""An experiment's file: what it may say, and every mistake in it at once, with its line."""

from decimal import Decimal
from pathlib import Path

import pytest
from lab.toys import toys, write_experiment

from vpgen.errors import ConfigError, InvalidInput, NotFound
from vpgen.lab.definition import load_experiment, shipped
from vpgen.resources import folder


@pytest.mark.parametrize("name", shipped())
def test_the_experiments_that_ship_are_valid(name: str) -> None:
    """Each has a baseline, challengers and enough pairs to decide."""
    experiment = load_experiment(name)
    assert experiment.baseline in experiment.variants
    assert experiment.challengers
    assert experiment.most_pairs >= experiment.decision.min_pairs


def test_every_shipped_experiment_says_how_to_run_it() -> None:
    """The header is the command."""
    for path in folder("experiments").glob("*.yaml"):
        assert f"vpgen experiment run {path.stem}" in path.read_text()


def test_a_variant_is_the_base_with_what_it_changes(tmp_path: Path) -> None:
    """It inherits everything else, and is called by its name."""
    experiment = toys(tmp_path)
    dark, light = experiment.variants["dark"], experiment.variants["light"]
    assert light.stages["score"].params["shade"] == 180
    assert light.stages["encode"] == dark.stages["encode"]
    assert (dark.name, light.name) == ("dark", "light")


def test_a_variant_may_be_another_config_whole(tmp_path: Path) -> None:
    """A name instead of changes."""
    experiment = toys(tmp_path, variants="  dark:\n  other: animatic")
    assert experiment.variants["other"].stages["animate"].backend == "parallax"


def test_a_base_may_be_written_out(tmp_path: Path) -> None:
    """What it says holds for every variant and for the reference, unless they say otherwise."""
    path = write_experiment(
        tmp_path, more="reference: {preview: {size: [128, 128], fps: 8}, final: {size: [128, 128], fps: 8}}\n"
    )
    path.write_text(path.read_text().replace("base: base.yaml", "base: {extends: base.yaml, seconds: 2}"))
    experiment = load_experiment(path)
    assert {config.seconds for config in experiment.variants.values()} == {2}
    assert experiment.reference is not None
    assert (experiment.reference.seconds, experiment.reference.preview.size) == (2, (128, 128))


def test_all_mistakes_are_said_at_once_with_their_lines(tmp_path: Path) -> None:
    """Unknown keys with the nearest known one, missing files, names that are not there."""
    path = tmp_path / "wrong.yaml"
    path.write_text(
        "name: wrong\nbase: animatic\nbaseline: nobody\nvariants:\n  one: {stages: {encode: {backend: x264, crff: 3}}}\n"
        "  two: {extends: missing}\ncases:\n  - {story: a woman, character: no.jpg}\n  - {story: ''}\n  - 7\n"
        "metrics: {ssim: {weight: 1}}\ndecision: {metric: quality}\n"
    )
    with pytest.raises(ConfigError) as caught:
        load_experiment(path)
    said = "\n".join(caught.value.problems)
    for words in (
        ":3: baseline: 'nobody' is none of one, two", ":5: unknown key 'crff'", "'crf'", ":6: there is no config 'missing'",
        ":8: cases.0.character: there is no file no.jpg", ":9: cases.1.story:", ":10: cases.2: a case is a story",
        ":11: metrics.ssim: compares with a `reference`",
    ):  # fmt: skip
        assert words in said
    assert caught.value.remedy


def test_an_unknown_key_names_the_nearest(tmp_path: Path) -> None:
    """A slip of the finger is not ignored."""
    path = write_experiment(tmp_path, more="sedes: [1]\n")
    with pytest.raises(ConfigError, match="unknown key 'sedes'; did you mean 'seeds'"):
        load_experiment(path)


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"metrics": "  bright: {}"}, "none has a weight"),
        ({"decision": "{metric: sharpness}"}, "'sharpness' is not measured; known: quality, votes, bright"),
        ({"decision": "{min_pairs: 13}"}, "13 pairs are wanted, and 12 case"),
        ({"decision": "{min_pairs: 3, max_pairs: 4}"}, "4 pairs can decide nothing"),
        ({"decision": "{min_pairs: 6, max_pairs: 5}"}, "max_pairs 5 is less than min_pairs 6"),
        ({"metrics": "  bright: {weight: 1, range: [2, 1]}"}, "is no range"),
        ({"more": "seeds: [1, 1]\n"}, "seeds: '1' is there twice"),
        ({"variants": "  dark:"}, "variants: Dictionary should have at least 2 items"),
        ({"variants": "  dark:\n  '../up': {}"}, "pattern"),
        ({"metrics": "  bright: {weight: 1}\n  state: {}"}, "metrics.state: that is a column of the trials"),
        ({"metrics": "  bright: {weight: 1}\n  votes: {weight: 1}"}, "votes have no weight in `quality`"),
        ({"variants": "  dark:\n  reference: {}"}, "the truth has that name"),
        ({"more": "budget: -1\n"}, "budget: Input should be greater than or equal to 0"),
    ],
)  # fmt: skip
def test_what_cannot_decide_is_refused_before_it_runs(tmp_path: Path, change: dict[str, str], said: str) -> None:
    """Nothing is spent on a question that cannot be answered."""
    with pytest.raises(ConfigError) as caught:
        toys(tmp_path, **change)
    assert said in str(caught.value)


def test_cases_may_lie_in_a_table_beside_the_file(tmp_path: Path) -> None:
    """A picture's path is taken from where the table lies."""
    (tmp_path / "tables").mkdir()
    (tmp_path / "tables" / "me.png").write_bytes(b"looked at later")
    (tmp_path / "tables" / "cases.csv").write_text(
        "name,story,character\n" + "\n".join(f"c{n},a woman {n},me.png" for n in range(6)) + "\n"
    )
    path = write_experiment(tmp_path)
    text = path.read_text()
    path.write_text(text[: text.index("cases:")] + "cases: tables/cases.csv\n" + text[text.index("metrics:") :])
    experiment = load_experiment(path)
    assert [case.name for case in experiment.cases] == [f"c{n}" for n in range(6)]
    assert {case.character for case in experiment.cases} == {tmp_path / "tables" / "me.png"}


def test_the_id_follows_what_decides_the_outcome(tmp_path: Path) -> None:
    """More budget is the same experiment, another seed or another picture behind the same name is not."""
    one = toys(tmp_path)
    assert one.model_copy(update={"budget": Decimal(9), "parallel": 4}).id == one.id
    assert one.model_copy(update={"seeds": (0, 1)}).id != one.id
    picture = tmp_path / "me.png"
    ids = set()
    for pixels in (b"one", b"two"):
        picture.write_bytes(pixels)
        path = write_experiment(tmp_path)
        path.write_text(
            path.read_text().replace(
                '  - "a woman by the sea, number 0"', f"  - {{story: a woman, character: {picture}}}"
            )
        )
        ids.add(load_experiment(path).id)
    assert len(ids) == 2


def test_a_definition_comes_back_from_json_the_same(tmp_path: Path) -> None:
    """What the database keeps is the whole of it."""
    experiment = toys(tmp_path, more="budget: 2.50\nseeds: [3, 4]\n")
    again = type(experiment).model_validate_json(experiment.model_dump_json())
    assert again == experiment
    assert again.id == experiment.id


def test_no_file_names_those_that_ship() -> None:
    """And a path that climbs out of the folder is only a file that is not there."""
    with pytest.raises(NotFound) as caught:
        load_experiment("../../nothing")
    assert "finishing" in str(caught.value.remedy)


def test_a_bomb_and_a_list_are_refused(tmp_path: Path) -> None:
    """As in every YAML file that vpgen reads."""
    bomb = tmp_path / "bomb.yaml"
    bomb.write_text("a: &a [x, x, x, x, x, x, x, x, x]\n" + "".join(
        f"{chr(98 + n)}: &{chr(98 + n)} [{', '.join(['*' + chr(97 + n)] * 9)}]\n" for n in range(8)
    ))  # fmt: skip
    with pytest.raises((ConfigError, InvalidInput), match="nodes"):
        load_experiment(bomb)
    (tmp_path / "list.yaml").write_text("- 1\n")
    with pytest.raises(ConfigError, match="a mapping of keys"):
        load_experiment(tmp_path / "list.yaml")
