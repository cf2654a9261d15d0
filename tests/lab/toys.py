"""Experiments of toy clips: a variant's `shade` is its score, and a trial takes a few hundredths of a second."""

from pathlib import Path

from toy_config import write_toy_config

from vpgen.lab.definition import Experiment, load_experiment

STORIES = tuple(f"a woman by the sea, number {number}" for number in range(12))


def write_experiment(
    folder: Path,
    *,
    log: Path | None = None,
    variants: str = "  dark:\n  light: {stages: {score: {backend: toy, shade: 180}}}",
    stories: tuple[str, ...] = STORIES,
    more: str = "",
    metrics: str = "  bright: {weight: 1}",
    decision: str = "{min_pairs: 6}",
) -> Path:
    """The file of one; `more` are lines of its own."""
    write_toy_config(folder / "base.yaml", log)
    cases = "\n".join(f'  - "{story}"' for story in stories)
    path = folder / "experiment.yaml"
    path.write_text(
        f"name: toys\nkind: preview\nbase: base.yaml\nbaseline: dark\nvariants:\n{variants}\ncases:\n{cases}\n"
        f"metrics:\n{metrics}\ndecision: {decision}\n{more}"
    )
    return path


def toys(folder: Path, **more: object) -> Experiment:
    """A toy experiment, loaded."""
    return load_experiment(write_experiment(folder, **more))  # type: ignore[arg-type]
