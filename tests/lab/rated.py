"""An experiment whose trials are done, written straight into the tables; with real clips where they are looked at."""

from pathlib import Path
from typing import Any

from toy_config import write_toy_config

from vpgen import studio
from vpgen.config import load_config
from vpgen.lab import votes
from vpgen.lab.votes import Pairing, Showing
from vpgen.runtime import Runtime
from vpgen.store.database import Database
from vpgen.store.schema import Clip
from vpgen.store.schema_lab import Experiment, Trial, Vote

EXPERIMENT = "opening-0a1b2c3d"


def write_experiment(
    database: Database,
    pairs: int = 4,
    variants: tuple[str, ...] = ("plain", "warm"),
    name: str = "opening",
    **more: Any,
) -> str:
    """Completed trials with rows of clips that were never made; returns the experiment's id."""
    experiment_id = f"{name}-0a1b2c3d"
    with database.write() as session:
        session.add(Experiment(id=experiment_id, name=name, definition={}, **more))
        for pair in range(pairs):
            for variant in variants:
                clip_id = f"{name}-{variant}-{pair}"
                session.add(
                    Clip(
                        id=clip_id, kind="preview", story=f"story {pair}", config_name=variant, config_hash="0",
                        seed=pair, state="completed",
                    )
                )  # fmt: skip
                session.flush()
                session.add(trial(experiment_id, pair, variant, clip_id))
    return experiment_id


def trial(experiment_id: str, pair: int, variant: str, clip_id: str | None, **more: Any) -> Trial:
    """One row, completed unless said otherwise."""
    values = {"state": "completed", "case": f"case-{pair}", "seed": pair, **more}
    return Trial(experiment_id=experiment_id, pair=pair, variant=variant, clip_id=clip_id, **values)


def film_experiment(runtime: Runtime, folder: Path, pairs: int = 2) -> str:
    """Real tiny clips of two toy variants, `dark` and `light`; returns the experiment's id."""
    configs = {
        variant: load_config(write_toy_config(folder / f"{variant}.yaml", None, character=f"shade: {shade}", score=f"shade: {shade}"))
        for variant, shade in (("dark", 20), ("light", 200))
    }  # fmt: skip
    with runtime.database.write() as session:
        session.add(Experiment(id=EXPERIMENT, name="opening", definition={}))
    for pair in range(pairs):
        for variant, config in configs.items():
            made = studio.preview(f"a woman by the sea {pair}", config=config, seed=pair, runtime=runtime)
            clip = studio.run(made)
            values = {score.name: score.value for score in clip.scores.scores if score.value is not None}
            with runtime.database.write() as session:
                session.add(trial(EXPERIMENT, pair, variant, clip.id, values={"numbers": values}))
    return EXPERIMENT


def rate(database: Database, experiment_id: str, rater: str, choice: str = "left") -> Showing | None:
    """The person rates what is next; returns what that was, None at the end."""
    cast = votes.votes(database, experiment_id)
    showing = votes.next_showing(experiment_id, votes.pairings(database, experiment_id), cast, rater)
    if showing is not None:
        votes.cast_vote(database, experiment_id, showing, rater, choice)  # type: ignore[arg-type]
    return showing


def prefer(better: str, other: str, pair: int = 0, rater: str = "mina", choice: str | None = None) -> Vote:
    """A vote for one of two variants; `choice` says tie or both-bad instead."""
    first, second = sorted((better, other))
    return Vote(pair=pair, first=first, second=second, left=better, rater=rater, choice=choice or "left")


def pairing(pair: int = 0, variants: tuple[str, str] = ("plain", "warm")) -> Pairing:
    """Two clips that exist in name only."""
    return Pairing(pair, variants, (f"{variants[0]}-{pair}", f"{variants[1]}-{pair}"), "a story")
