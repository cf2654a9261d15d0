"""Who is rating, and what each of them is being shown. Addresses and names given to the page are drawn by lot."""

from __future__ import annotations

import secrets
import threading
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from vpgen.clip import Video
from vpgen.errors import Conflict, Corrupted, NotFound
from vpgen.lab import votes
from vpgen.lab.votes import Key, Pairing, Showing
from vpgen.results import find
from vpgen.runtime import Runtime
from vpgen.store.records import load, read_record
from vpgen.store.schema_lab import Choice, Experiment

LONGEST = 3600.0
"""Seconds; who takes longer over two clips was away, and how long it took is not known."""


@dataclass
class _Screen:
    """Two clips before a person's eyes. `ticket` names this showing, `addresses` the two files."""

    showing: Showing
    files: dict[str, Path]
    page: dict[str, Any]
    ticket: str = field(default_factory=lambda: secrets.token_urlsafe(12))
    since: float = field(default_factory=time.monotonic)


@dataclass
class _Visit:
    """One open page."""

    rater: str
    screen: _Screen | None = None
    before: tuple[str, str] | None = None
    """The last ticket and what was said of it: an answer that got lost is asked for again."""


class Booth:
    """The rating of one experiment: what each person sees, and where what they say goes.

    Its methods may be called from several threads. What they return is JSON for the page, with no variant's name in it.
    """

    def __init__(self, runtime: Runtime, experiment: Experiment) -> None:
        self.runtime, self.experiment = runtime, experiment
        self._visits: dict[str, _Visit] = {}
        self._lost: set[Key] = set()
        self._lock = threading.RLock()

    def enter(self, rater: str) -> str:
        """A person begins, or goes on; returns the secret word of this visit. Raises InvalidInput."""
        visit, word = _Visit(votes.rater_name(rater)), secrets.token_urlsafe(18)
        with self._lock:
            self._visits[word] = visit
        return word

    def show(self, word: str) -> dict[str, Any]:
        """What this person sees now; the same until it is rated. Raises Unknown, StoreError."""
        with self._lock:
            visit = self._visit(word)
            if visit.screen is None:
                visit.screen = self._next(visit)
            return self._page(visit)

    def vote(self, word: str, ticket: str, choice: Choice) -> dict[str, Any]:
        """Keep what was said of the two clips on the screen; returns what comes next.

        Raises Unknown, Conflict (another pair is on the screen, or it was rated on another page), StoreError.
        """
        with self._lock:
            visit = self._visit(word)
            if visit.before == (ticket, choice):
                return self.show(word)
            if visit.screen is None or visit.screen.ticket != ticket:
                raise Conflict("these two clips are no longer on the screen", remedy="Rate what is shown now")
            took = time.monotonic() - visit.screen.since
            seconds = round(took, 2) if took <= LONGEST else None
            try:
                votes.cast_vote(
                    self.runtime.database, self.experiment.id, visit.screen.showing, visit.rater, choice, seconds
                )
            except Conflict:
                visit.screen = None
                raise
            visit.screen, visit.before = None, (ticket, choice)
            return self.show(word)

    def undo(self, word: str) -> dict[str, Any]:
        """Take back the last vote and show its clips again. Raises Unknown, NotFound, StoreError."""
        with self._lock:
            visit = self._visit(word)
            last = votes.undo(self.runtime.database, self.experiment.id, visit.rater)
            visit.before, visit.screen = None, None
            for pairing in self._pairings():
                if pairing.key == votes.key_of(last):
                    visit.screen = self._screen(Showing(pairing, last.left))
            return self.show(word)

    def ranking(self, word: str) -> dict[str, Any]:
        """What everybody's votes come to, for a person who has rated everything. Raises Unknown, Conflict."""
        from vpgen.lab.ranking import ranking

        with self._lock:
            if self.show(word)["state"] == "show":
                raise Conflict("the ranking is shown at the end: it would give away what is what")
        return ranking(self.runtime, self.experiment).model_dump(mode="json")

    def file(self, address: str) -> Path:
        """The video at an address given to a page that shows it now. Raises NotFound."""
        with self._lock:
            for visit in self._visits.values():
                if visit.screen and address in visit.screen.files:
                    return visit.screen.files[address]
        raise NotFound("there is no such clip on any screen")

    def _visit(self, word: str) -> _Visit:
        try:
            return self._visits[word]
        except KeyError:
            raise Unknown("this page was opened before the server was started", remedy="Say who you are") from None

    def _pairings(self) -> list[Pairing]:
        found = votes.pairings(self.runtime.database, self.experiment.id)
        return [pairing for pairing in found if pairing.key not in self._lost]

    def _next(self, visit: _Visit) -> _Screen | None:
        """The next two clips whose files are still there."""
        while True:
            found, cast = self._pairings(), votes.votes(self.runtime.database, self.experiment.id)
            showing = votes.next_showing(self.experiment.id, found, cast, visit.rater)
            if showing is None or (screen := self._screen(showing)) is not None:
                return screen if showing else None

    def _screen(self, showing: Showing) -> _Screen | None:
        """Both files under new addresses; None, and never tried again, when one is no longer in the store."""
        try:
            left, right = (self._video(showing.clip(variant)) for variant in (showing.left, showing.right))
        except (Corrupted, NotFound):
            self._lost.add(showing.pairing.key)
            return None
        addresses = [secrets.token_urlsafe(12) for _ in range(2)]
        page = {
            "left": f"clip/{addresses[0]}",
            "right": f"clip/{addresses[1]}",
            "story": showing.pairing.story,
            "step": float(1 / max(left.fps, right.fps)),
            "seconds": float(max(left.seconds, right.seconds)),
            "size": list(left.size if left.size[0] >= right.size[0] else right.size),
        }
        return _Screen(showing, dict(zip(addresses, (left.path, right.path), strict=True)), page)

    def _video(self, clip_id: str) -> Video:
        record = read_record(self.runtime.store, find(self.runtime, clip_id).video)
        video = load(self.runtime.store, record.result) if record else None
        if not isinstance(video, Video):
            raise NotFound(f"the video of {clip_id} is no longer in the store")
        return video

    def _page(self, visit: _Visit) -> dict[str, Any]:
        found, cast = self._pairings(), votes.votes(self.runtime.database, self.experiment.id)
        done, total = votes.progress(found, cast, visit.rater)
        said = {
            "rater": visit.rater,
            "done": done,
            "total": total,
            "lost": len(self._lost),
            "undo": any(vote.rater == visit.rater for vote in cast),
        }
        if visit.screen is None:
            return {**said, "state": "done" if total else "waiting"}
        return {**said, "state": "show", "ticket": visit.screen.ticket, **visit.screen.page}


class Unknown(NotFound):
    """A page whose visit this server does not know: it was started anew since."""
