"""People's eyes: which two clips a person sees next, and what they said of those before.

Shown are two completed trials of one pair: the same case and seed, two variants. A vote goes to SQL the moment it is
given, so rating stops and goes on at any point, on any machine that sees the same database.

A person's first look counts: a second vote on the same two clips is refused, `undo` takes back the last one instead.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations, groupby
from typing import get_args

import sqlalchemy as sa

from vpgen.errors import Conflict, InvalidInput, NotFound
from vpgen.store.database import Database
from vpgen.store.schema import Clip
from vpgen.store.schema_lab import Choice, Experiment, Trial, Vote

Key = tuple[int, str, str]
"""What a vote is about: the pair's number and the two variants in the order of the alphabet."""
MAX_LEAN = 2
"""How often more a person may see a variant on one side than on the other before the side is no longer drawn."""
_RATER = re.compile(r"\w[\w .'@+-]{0,63}")
_REFERENCE = re.compile(r"[a-z0-9][a-z0-9_.-]{0,79}")


@dataclass(frozen=True)
class Pairing:
    """Two clips that may be shown side by side. `clips` and `variants` are in the order of the variants' alphabet."""

    pair: int
    variants: tuple[str, str]
    clips: tuple[str, str]
    story: str

    @property
    def key(self) -> Key:
        """What a vote on it is kept under."""
        return (self.pair, *self.variants)


@dataclass(frozen=True)
class Showing:
    """A pairing with its sides drawn: `left` and `right` are variants."""

    pairing: Pairing
    left: str

    @property
    def right(self) -> str:
        """The other variant."""
        first, second = self.pairing.variants
        return second if self.left == first else first

    def clip(self, variant: str) -> str:
        """The id of a variant's clip."""
        return self.pairing.clips[self.pairing.variants.index(variant)]


def find_experiment(database: Database, reference: str) -> Experiment:
    """An experiment by its id, the start of it, or its name (the newest of that name).

    Raises InvalidInput for what is no such thing or fits several, NotFound.
    """
    if not _REFERENCE.fullmatch(reference):
        raise InvalidInput(
            f"{reference[:80]!r} is no experiment's name or id",
            remedy="A name has small letters, digits and . _ - in it, as in experiments/finishing.yaml",
        )
    newest = sa.select(Experiment).order_by(Experiment.created.desc(), Experiment.id)
    with database.read() as session:
        if (exact := session.get(Experiment, reference)) is not None:
            return exact
        if (named := session.scalars(newest.where(Experiment.name == reference)).first()) is not None:
            return named
        begins = Experiment.id.startswith(reference, autoescape=True)
        found = list(session.scalars(newest.where(begins).limit(3)))
    if len(found) > 1:
        raise InvalidInput(
            f"{reference!r} fits several experiments: {', '.join(each.id for each in found)}", remedy="Give more of it"
        )
    if not found:
        raise NotFound(f"there is no experiment {reference!r} here", remedy=f"vpgen experiment run {reference}")
    return found[0]


def rater_name(text: str) -> str:
    """A person's name as votes keep it. Raises InvalidInput."""
    name = " ".join(unicodedata.normalize("NFC", text).split())
    if not _RATER.fullmatch(name):
        raise InvalidInput(
            f"{text[:80]!r} cannot be a rater's name",
            remedy="Up to 64 letters, digits, spaces and . ' @ + - _, beginning with a letter or a digit",
        )
    return name


def pairings(database: Database, experiment_id: str) -> list[Pairing]:
    """Every two clips that can be compared by now, pair by pair.

    Two variants that came to the very same clip are not among them: there is nothing to see.
    """
    query = (
        sa.select(Trial, Clip.story)
        .join(Clip, Clip.id == Trial.clip_id)
        .where(Trial.experiment_id == experiment_id, Trial.state == "completed")
        .order_by(Trial.pair, Trial.variant)
    )
    with database.read() as session:
        rows = [(trial, story) for trial, story in session.execute(query)]
    return [
        Pairing(pair, (one.variant, other.variant), (str(one.clip_id), str(other.clip_id)), story)
        for (pair, _, _), trials in groupby(rows, key=lambda row: (row[0].pair, row[0].case, row[0].seed))
        for (one, story), (other, _) in combinations(trials, 2)
        if one.clip_id != other.clip_id
    ]


def votes(database: Database, experiment_id: str) -> list[Vote]:
    """Every vote of an experiment, oldest first."""
    with database.read() as session:
        return list(session.scalars(sa.select(Vote).where(Vote.experiment_id == experiment_id).order_by(Vote.id)))


def key_of(vote: Vote) -> Key:
    """What the vote is about."""
    return (vote.pair, vote.first, vote.second)


def preferred(vote: Vote) -> str | None:
    """The variant that the person found better; None for a tie and for both bad."""
    if vote.choice not in {"left", "right"}:
        return None
    if vote.choice == "left":
        return vote.left
    return vote.second if vote.left == vote.first else vote.first


def next_showing(experiment_id: str, found: Sequence[Pairing], cast: Sequence[Vote], rater: str) -> Showing | None:
    """What this person sees next; None when there is nothing left.

    First what the fewest people have rated, then the two variants that this person has seen least, then by lot. The
    lot is drawn from the experiment, the person and the pair: asked again, it is the same.
    """
    mine = [vote for vote in cast if vote.rater == rater]
    rated = {key_of(vote) for vote in mine}
    everybody = Counter(map(key_of, cast))
    seen = Counter((vote.first, vote.second) for vote in mine)
    waiting = [pairing for pairing in found if pairing.key not in rated]
    if not waiting:
        return None
    chosen = min(
        waiting,
        key=lambda pairing: (
            everybody[pairing.key],
            seen[pairing.variants],
            _lot(experiment_id, rater, pairing.key, "turn"),
        ),
    )
    return Showing(chosen, _left(experiment_id, chosen, cast, mine, rater))


def _left(experiment_id: str, chosen: Pairing, cast: Iterable[Vote], mine: Iterable[Vote], rater: str) -> str:
    """Which variant is on the left: not always the same, for this person and for these two clips; else by lot."""
    first, second = chosen.variants
    own = _lean(vote for vote in mine if (vote.first, vote.second) == chosen.variants)
    if abs(own) >= MAX_LEAN:
        return second if own > 0 else first
    if here := _lean(vote for vote in cast if key_of(vote) == chosen.key):
        return second if here > 0 else first
    return first if _lot(experiment_id, rater, chosen.key, "side") % 2 else second


def _lean(shown: Iterable[Vote]) -> int:
    """How often the first variant was on the left more than the second."""
    return sum(1 if vote.left == vote.first else -1 for vote in shown)


def _lot(experiment_id: str, rater: str, key: Key, what: str) -> int:
    drawn = hashlib.sha256("\0".join([experiment_id, rater, *map(str, key), what]).encode()).digest()
    return int.from_bytes(drawn[:8], "big")


def cast_vote(
    database: Database, experiment_id: str, showing: Showing, rater: str, choice: Choice, seconds: float | None = None
) -> Vote:
    """Keep what a person said, at once. The same said again is one vote; something else is refused.

    Raises InvalidInput, Conflict (voted already), NotFound (the experiment is gone), StoreError.
    """
    if choice not in get_args(Choice):
        raise InvalidInput(f"{choice!r} is no choice", remedy=f"One of {', '.join(get_args(Choice))}")
    rater = rater_name(rater)
    pair, first, second = showing.pairing.key
    with database.write() as session:
        if session.get(Experiment, experiment_id) is None:
            raise NotFound(f"the experiment {experiment_id} is not there any more")
        earlier = session.scalars(
            sa.select(Vote).filter_by(experiment_id=experiment_id, pair=pair, first=first, second=second, rater=rater)
        ).first()
        if earlier is not None:
            if (earlier.choice, earlier.left) == (choice, showing.left):
                return earlier
            raise Conflict(
                f"{rater} has rated these two clips already", remedy="Undo takes back the last vote; then vote again"
            )
        vote = Vote(
            experiment_id=experiment_id, pair=pair, first=first, second=second, left=showing.left,
            rater=rater, choice=choice, seconds=seconds,
        )  # fmt: skip
        session.add(vote)
        return vote


def undo(database: Database, experiment_id: str, rater: str) -> Vote:
    """Take back a person's last vote; returns it. Raises NotFound when there is none."""
    rater = rater_name(rater)
    last = sa.select(Vote).filter_by(experiment_id=experiment_id, rater=rater).order_by(Vote.id.desc()).limit(1)
    with database.write() as session:
        vote = session.scalars(last).first()
        if vote is None:
            raise NotFound(f"{rater} has no vote here to take back")
        session.delete(vote)
        return vote


def progress(found: Collection[Pairing], cast: Iterable[Vote], rater: str) -> tuple[int, int]:
    """How many of the pairings this person has rated, and how many there are."""
    keys = {pairing.key for pairing in found}
    return len({key_of(vote) for vote in cast if vote.rater == rater} & keys), len(keys)


def preferences(cast: Iterable[Vote], baseline: str) -> dict[tuple[int, str], float]:
    """For each pair and challenger that was compared with the baseline: how people preferred it, from -1 to 1.

    1: everybody preferred the challenger; -1: everybody the baseline; a tie and both bad are 0. Pairs that nobody has
    rated are missing, which is not 0. This is the metric `votes` of a decision rule: see docs/rating.md.
    """
    said: dict[tuple[int, str], list[float]] = {}
    for vote in cast:
        if baseline in {vote.first, vote.second}:
            challenger = vote.second if vote.first == baseline else vote.first
            better = preferred(vote)
            value = 0.0 if better is None else 1.0 if better == challenger else -1.0
            said.setdefault((vote.pair, challenger), []).append(value)
    return {place: sum(values) / len(values) for place, values in sorted(said.items())}


def share_preferred(cast: Iterable[Vote], variant: str, baseline: str) -> float | None:
    """The share of votes for the variant, of those that compare it with the baseline: 0 to 1, half for each tie.

    Both bad is left out. None when there is no such vote.
    """
    counted = [
        (vote.choice, preferred(vote))
        for vote in cast
        if {vote.first, vote.second} == {variant, baseline} and vote.choice != "both-bad"
    ]
    if not counted:
        return None
    return sum(0.5 if choice == "tie" else float(better == variant) for choice, better in counted) / len(counted)
