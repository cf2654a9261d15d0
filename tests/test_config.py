"""Configs: inheritance, and every error at once with its line and the nearest known key."""

from pathlib import Path

import pytest
from toy_config import write_toy_config

from vpgen.config import load_config
from vpgen.errors import ConfigError, NotFound
from vpgen.inheritance import shipped
from vpgen.settings import Settings, current


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
    """Six mistakes on five lines, each with the nearest known key or the reason."""
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
    assert "bad.yaml:3: preview.size: 4:2:0 video needs an even width and height, not 640x361" in text
    assert len(caught.value.problems) == 6


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


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("preview: {size: [64, 64], fps: 12}\n", r"has another shape than the preview's 64x64"),
        ("preview: {size: [3840, 2160], fps: 12}\n", r"the final is smaller than its preview"),
        ("finish: [interpolate]\n", r"finish: upscale is missing"),
        ("finish: []\n", r"finish: interpolate is missing"),
        ("seconds: 0.01\n", r"c.yaml:2: seconds: 0.01 s at 12 fps .preview. are no frame"),
    ],
)
def test_a_final_that_its_preview_cannot_become_is_refused_at_once(tmp_path: Path, text: str, said: str) -> None:
    """Before anything is drawn, not after the whole preview."""
    with pytest.raises(ConfigError, match=said):
        load_config(_write(tmp_path / "c.yaml", f"extends: animatic\n{text}"))


def test_a_file_that_a_config_names_lies_beside_the_config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Wherever the command is run; also when a child of that config is loaded."""
    (tmp_path / "cfg").mkdir()
    (tmp_path / "cfg" / "words.yaml").write_text("terms: {brand: [acme]}\n")
    _write(
        tmp_path / "cfg" / "a.yaml", "extends: animatic\nstages: {moderate: {backend: blocklist, extra: words.yaml}}\n"
    )
    child = _write(tmp_path / "b.yaml", "extends: cfg/a.yaml\n")
    monkeypatch.chdir("/")
    for config in (tmp_path / "cfg" / "a.yaml", child):
        choice = load_config(config).stages["moderate"]
        assert choice.params["extra"] == str(tmp_path / "cfg" / "words.yaml")
        assert choice.files["extra"]


def test_problems_are_in_the_order_of_their_lines(tmp_path: Path) -> None:
    """Line 12 after line 2."""
    lines = ["extends: animatic", *[f"wrong{number}: 1" for number in range(2, 13)]]
    with pytest.raises(ConfigError) as caught:
        load_config(_write(tmp_path / "c.yaml", "\n".join(lines)))
    places = [int(problem.split("c.yaml:")[1].split(":")[0]) for problem in caught.value.problems]
    assert places == sorted(places) == list(range(2, 13))


def test_a_wrong_setting_is_a_problem_with_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    """All of them at once, by the name the user wrote."""
    monkeypatch.setenv("VPGEN_WORKERS", "0")
    monkeypatch.setenv("VPGEN_TRACKING", "maybe")
    with pytest.raises(ConfigError) as caught:
        Settings()
    assert {problem.split(":")[0] for problem in caught.value.problems} == {"VPGEN_WORKERS", "VPGEN_TRACKING"}


def test_a_home_with_a_tilde_is_the_users(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a shell would have it."""
    monkeypatch.setenv("VPGEN_HOME", "~/somewhere")
    assert Settings().home == Path.home() / "somewhere"


def test_settings_are_read_again_when_they_change_and_not_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The same object as long as neither the environment nor the folder's .env says something else."""
    monkeypatch.chdir(tmp_path)
    first = current()
    assert current() is first
    monkeypatch.setenv("VPGEN_TERRITORY", "KR")
    assert current().territory == "KR"
    Path(".env").write_text("VPGEN_DAY_BUDGET=3")
    assert (current().day_budget, current() is current()) == (3, True)
