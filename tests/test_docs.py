"""What the documents show is true: configs load, code runs, commands exist, links lead somewhere."""

import re
from pathlib import Path

import numpy as np
import pytest
from lab.rated import rate, write_experiment

from vpgen.cli.app import app
from vpgen.clip import Prompt
from vpgen.config import load_config
from vpgen.errors import ConfigError
from vpgen.runtime import Runtime
from vpgen.stages import BackgroundRequest, Work

ROOT = Path(__file__).parent.parent
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def _blocks(page: str, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (ROOT / page).read_text(), re.DOTALL)


@pytest.mark.parametrize("text", _blocks("docs/configs.md", "yaml"))
def test_the_configs_in_the_docs_are_valid(tmp_path: Path, text: str) -> None:
    """Each loads as it stands; the file they name is made first."""
    own = tmp_path / "our-words.yaml"
    own.write_text("terms: {brand: [acme]}\n")
    path = tmp_path / "config.yaml"
    path.write_text(text.replace("our-words.yaml", str(own)))
    assert load_config(path).final_spec.frames == 144


def test_the_backend_in_the_docs_works() -> None:
    """The example is short, runs, and draws a plain wall."""
    source = _blocks("docs/backends.md", "python")[0]
    assert len(source.splitlines()) < 50
    scope: dict[str, object] = {}
    exec(compile(source, "docs/backends.md", "exec"), scope)  # noqa: S102  # our own document
    backend = scope["Grey"](scope["GreyParams"](level=90))  # type: ignore[operator]
    prompt = Prompt(character="", background="", motion="")
    still = backend.background(BackgroundRequest(prompt, 0, (64, 48)), Work(dir=Path()))
    assert np.all(still.rgb == 90)
    with pytest.raises(ValueError, match="Extra inputs"):
        scope["GreyParams"](levle=90)  # type: ignore[operator]


def test_every_command_in_the_readme_exists() -> None:
    """`vpgen xyz` in the README is a command of the program."""
    names = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    names |= {group.name for group in app.registered_groups}
    for name in re.findall(r"^vpgen (\w+)", (ROOT / "README.md").read_text(), re.MULTILINE):
        assert name in names


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    """Relative links and pictures exist."""
    for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text()):
        assert (page.parent / target).exists(), target


def test_a_config_error_reads_as_the_docs_say(tmp_path: Path) -> None:
    """File, line, nearest known key."""
    path = tmp_path / "c.yaml"
    path.write_text("extends: animatic\nsecnds: 6\n")
    with pytest.raises(ConfigError, match=r"c.yaml:2: unknown key 'secnds'; did you mean 'seconds'"):
        load_config(path)


def test_votes_are_read_as_the_docs_say(runtime: Runtime) -> None:
    """The example runs, and gives a value for each pair that was rated."""
    experiment = write_experiment(runtime.database, pairs=2, variants=("lanczos-flow", "neural"), name="finishing")
    rate(runtime.database, experiment, "mina")
    scope: dict[str, object] = {}
    source = _blocks("docs/rating.md", "python")[0]
    source = re.sub(r"^(votes\.\w+)", r"said = \1", source, flags=re.MULTILINE)
    exec(compile(source, "docs/rating.md", "exec"), scope)  # noqa: S102  # our own document
    assert scope["said"] in {0.0, 1.0}
