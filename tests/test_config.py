"""Configs: inheritance, and every error at once with its line and the nearest known key."""

from pathlib import Path

import pytest
from toy_config import write_toy_config

from vpgen.config import load_config, shipped
from vpgen.errors import ConfigError, NotFound


@pytest.fixture
def base(tmp_path: Path) -> Path:
    return write_toy_config(tmp_path / "base.yaml", tmp_path / "log")


def _write(path: Path, text: str) -> Path:
    path.write_text(text)
    return path


def test_a_child_inherits_and_overrides(base: Path) -> None:
    """What the child says wins, parameter by parameter; the rest is the parent's."""
    child = load_config(
        _write(base.parent / "child.yaml", "extends: base\nname: child\nseconds: 2\nstages:\n  encode: {shade: 9}\n")
    )
    assert (child.name, child.seconds, child.preview.fps) == ("child", 2.0, 4)
    assert child.stages["encode"].params["shade"] == 9
    assert child.stages["encode"].params["log"] == load_config(base).stages["encode"].params["log"]
    assert child.stages["score"] == load_config(base).stages["score"]


def test_another_backend_does_not_inherit_the_parameters_of_the_old_one(base: Path) -> None:
    """Parameters belong to a backend: choosing another one starts from its defaults."""
    child = load_config(_write(base.parent / "child.yaml", "extends: base\nstages:\n  upscale: lanczos\n"))
    assert child.stages["upscale"].backend == "lanczos"
    assert "log" not in child.stages["upscale"].params


def test_every_problem_is_reported_at_once_with_its_line(base: Path) -> None:
    """Three mistakes, three lines, each with the nearest known key or the reason."""
    bad = _write(
        base.parent / "bad.yaml",
        "extends: base\nsecnds: 6\npreview: {size: [640, 361], fps: 0}\nstages:\n  encode: {shde: 3}\n  animte: toy\n"
        "  plan: toi\n",
    )
    with pytest.raises(ConfigError) as caught:
        load_config(bad)
    text = "\n".join(caught.value.problems)
    assert "bad.yaml:2: unknown key 'secnds'; did you mean 'seconds'? (in the file)" in text
    assert "bad.yaml:3: preview.fps: Input should be greater than or equal to 1 (got 0)" in text
    assert "bad.yaml:5: unknown key 'shde'; did you mean 'shade'? (in stages.encode)" in text
    assert "bad.yaml:6: unknown stage 'animte'; did you mean 'animate'?" in text
    assert "bad.yaml:7: no backend is called 'toi'; did you mean 'toy'?" in text
    assert len(caught.value.problems) == 5


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("seconds: .nan", "seconds"),
        ("seconds: -6", "greater than 0"),
        ("seconds: .inf", "seconds"),
        ("preview: {size: [641, 361], fps: 12}", "even width and height"),
        ("finish: [upscale, upscale]", "may be named once"),
        ("stages: [1, 2]", "no backend is chosen"),
        ("budget: {clip: -1}", "budget.clip"),
        ("a: !!python/object/apply:os.system ['true']", "could not determine a constructor"),
        ("name: x\nname: y", "there twice"),
        ("[1, 2", "expected"),
    ],
)
def test_hostile_values_are_clear_errors(base: Path, line: str, said: str) -> None:
    """NaN, negative, infinite, odd, repeated, tagged and broken YAML each end in a ConfigError that says why."""
    extends = "" if line.startswith("[") else "extends: base\n"
    with pytest.raises(ConfigError, match=said):
        load_config(_write(base.parent / "bad.yaml", extends + line + "\n"))


def test_a_config_that_extends_itself_is_an_error(tmp_path: Path) -> None:
    """A circle is named, not followed."""
    _write(tmp_path / "a.yaml", "extends: b\n")
    _write(tmp_path / "b.yaml", "extends: a\n")
    with pytest.raises(ConfigError, match="extends itself"):
        load_config(tmp_path / "a.yaml")


def test_a_missing_config_names_the_ones_that_ship() -> None:
    """The remedy lists what there is."""
    with pytest.raises(NotFound) as caught:
        load_config("nonesuch")
    assert "animatic" in str(caught.value.remedy)


def test_a_backend_that_does_not_do_the_stage_names_those_that_do(base: Path) -> None:
    """Lanczos cannot encode."""
    with pytest.raises(ConfigError, match="'lanczos' does not do encode; these do: .*toy"):
        load_config(_write(base.parent / "bad.yaml", "extends: base\nstages:\n  encode: lanczos\n"))


@pytest.mark.parametrize("name", shipped())
def test_shipped_configs_are_valid_and_say_how_to_run_them(name: str) -> None:
    """Each shipped config loads, delivers 1080p24 in six seconds, and has its command in the header."""
    config = load_config(name)
    assert config.final_spec.frames == 144
    text = (Path(__file__).parent.parent / "configs" / f"{name}.yaml").read_text()
    assert f"vpgen make --config configs/{name}.yaml" in text.split("name:")[0]


def test_a_final_follows_its_preview(base: Path) -> None:
    """Finishing with another config keeps every stage up to the animated clip."""
    preview = load_config(base)
    other = load_config(
        _write(
            base.parent / "o.yaml",
            "extends: base\nfinish: [interpolate, upscale]\nstages:\n  animate: {shade: 1}\n  upscale: {shade: 2}\n",
        )
    )
    final = preview.finishing(other)
    assert final.stages["animate"] == preview.stages["animate"]
    assert final.stages["upscale"] == other.stages["upscale"]
    assert final.finish == ("interpolate", "upscale")
    assert preview.fingerprint("preview") != other.fingerprint("preview")
