"""What a person is shown next is blind, balanced and the same when asked again; what they say is kept once."""

from collections import Counter
from itertools import pairwise

import pytest
from rated import pairing, prefer, rate, trial, write_experiment

from vpgen.errors import Conflict, InvalidInput, NotFound
from vpgen.lab import votes
from vpgen.lab.votes import Showing
from vpgen.runtime import Runtime
from vpgen.store.database import open_database
from vpgen.store.schema_lab import Vote


def test_what_can_be_compared_are_two_completed_clips_of_one_pair(runtime: Runtime) -> None:
    """A failed trial, a missing clip, another case and the very same clip are no comparison."""
    database = runtime.database
    experiment = write_experiment(database, pairs=2, variants=("a", "b", "c"))
    with database.write() as session:
        for pair in range(2, 7):
            session.add(trial(experiment, pair, "a", "opening-a-0"))
        session.add(trial(experiment, 2, "b", None, state="failed"))
        session.add(trial(experiment, 3, "b", "opening-a-0"))
        session.add(trial(experiment, 4, "b", "opening-b-0", case="another"))
        session.add(trial(experiment, 5, "b", "opening-b-0", seed=99))
        session.add(trial(experiment, 6, "b", "opening-b-0", state="timeout"))
    found = votes.pairings(database, experiment)
    expected = [(pair, *two) for pair in range(2) for two in (("a", "b"), ("a", "c"), ("b", "c"))]
    assert [each.key for each in found] == expected
    assert found[0].clips == ("opening-a-0", "opening-b-0")
    assert found[0].story == "story 0"


def test_everything_is_shown_once_and_then_nothing(runtime: Runtime) -> None:
    """One person sees each pairing exactly once, in an order that is not the experiment's."""
    experiment = write_experiment(runtime.database, pairs=20)
    seen = [rate(runtime.database, experiment, "mina") for _ in range(20)]
    pairs = [showing.pairing.pair for showing in seen if showing]
    assert sorted(pairs) == list(range(20))
    assert pairs != sorted(pairs)
    assert rate(runtime.database, experiment, "mina") is None
    cast = votes.votes(runtime.database, experiment)
    assert votes.progress(votes.pairings(runtime.database, experiment), cast, "mina") == (20, 20)
    assert votes.progress(votes.pairings(runtime.database, experiment), cast, "jun") == (0, 20)


def test_asked_again_the_same_is_shown_and_another_person_sees_another_order(runtime: Runtime) -> None:
    """Order and sides are drawn from the experiment and the person, so that a reload changes nothing."""
    experiment = write_experiment(runtime.database, pairs=20)
    found = votes.pairings(runtime.database, experiment)
    first = votes.next_showing(experiment, found, [], "mina")
    assert first == votes.next_showing(experiment, found, [], "mina")
    others = {votes.next_showing(experiment, found, [], name) for name in ("jun", "sora", "tae")}
    assert len({first, *others}) > 1


def test_sides_are_balanced_and_cannot_be_told_in_advance(runtime: Runtime) -> None:
    """Nobody sees a variant much more often on one side; the sides do not just alternate."""
    experiment = write_experiment(runtime.database, pairs=40)
    lefts = [showing.left for _ in range(40) if (showing := rate(runtime.database, experiment, "mina"))]
    count = Counter(lefts)
    assert abs(count["plain"] - count["warm"]) <= votes.MAX_LEAN
    assert sum(one == other for one, other in pairwise(lefts)) > 5


def test_two_people_see_the_same_clips_on_other_sides(runtime: Runtime) -> None:
    """Over the people who rate it, each pairing has each variant on the left as often as it can be."""
    experiment = write_experiment(runtime.database, pairs=30)
    for rater in ("mina", "jun"):
        while rate(runtime.database, experiment, rater):
            pass
    lefts: dict[int, set[str]] = {}
    for vote in votes.votes(runtime.database, experiment):
        lefts.setdefault(vote.pair, set()).add(vote.left)
    assert sum(len(sides) == 2 for sides in lefts.values()) >= 20


def test_votes_are_spread_over_pairings_and_over_variants(runtime: Runtime) -> None:
    """Three people who each rate a third have rated everything once; each saw each two variants equally often."""
    experiment = write_experiment(runtime.database, pairs=6, variants=("a", "b", "c"))
    for _ in range(6):
        for rater in ("mina", "jun", "sora"):
            rate(runtime.database, experiment, rater)
    cast = votes.votes(runtime.database, experiment)
    assert set(Counter(map(votes.key_of, cast)).values()) == {1}
    for rater in ("mina", "jun", "sora"):
        twos = Counter((vote.first, vote.second) for vote in cast if vote.rater == rater)
        assert max(twos.values()) - min(twos.values()) <= 1


def test_a_vote_is_kept_at_once_and_rating_goes_on_after_a_restart(address: str) -> None:
    """Another process sees the vote, and shows the next pairing to the same person."""
    first = open_database(address)
    experiment = write_experiment(first, pairs=2)
    shown = rate(first, experiment, "mina", "both-bad")
    first.close()
    again = open_database(address)
    (vote,) = votes.votes(again, experiment)
    assert shown is not None
    assert (votes.key_of(vote), vote.choice, vote.left) == (shown.pairing.key, "both-bad", shown.left)
    other = rate(again, experiment, "mina")
    assert other is not None
    assert other.pairing != shown.pairing
    again.close()


def test_the_first_look_counts(runtime: Runtime) -> None:
    """The same said twice is one vote; something else is refused until the first is taken back."""
    experiment = write_experiment(runtime.database, pairs=1)
    showing = Showing(votes.pairings(runtime.database, experiment)[0], left="warm")
    kept = votes.cast_vote(runtime.database, experiment, showing, "mina", "left", 3.5)
    assert votes.cast_vote(runtime.database, experiment, showing, "mina", "left").id == kept.id
    with pytest.raises(Conflict, match="rated these two clips already"):
        votes.cast_vote(runtime.database, experiment, showing, "mina", "right")
    votes.cast_vote(runtime.database, experiment, showing, "jun", "right")
    assert votes.undo(runtime.database, experiment, "mina").choice == "left"
    votes.cast_vote(runtime.database, experiment, showing, "mina", "right")
    said = {vote.rater: (vote.choice, vote.seconds) for vote in votes.votes(runtime.database, experiment)}
    assert said == {"mina": ("right", None), "jun": ("right", None)}


def test_undo_takes_back_only_ones_own_last_vote(runtime: Runtime) -> None:
    """Votes of others stay; without a vote of one's own there is nothing to take back."""
    experiment = write_experiment(runtime.database, pairs=3)
    shown = [rate(runtime.database, experiment, "mina") for _ in range(2)]
    rate(runtime.database, experiment, "jun")
    assert shown[1] is not None
    assert votes.key_of(votes.undo(runtime.database, experiment, "mina")) == shown[1].pairing.key
    assert [vote.rater for vote in votes.votes(runtime.database, experiment)] == ["mina", "jun"]
    with pytest.raises(NotFound, match="sora has no vote"):
        votes.undo(runtime.database, experiment, "sora")


def test_a_vote_needs_a_choice_a_name_and_an_experiment(runtime: Runtime) -> None:
    """Nothing is written otherwise."""
    experiment = write_experiment(runtime.database, pairs=1)
    showing = Showing(pairing(), left="plain")
    with pytest.raises(InvalidInput, match="'best' is no choice"):
        votes.cast_vote(runtime.database, experiment, showing, "mina", "best")  # type: ignore[arg-type]
    with pytest.raises(InvalidInput, match="rater's name"):
        votes.cast_vote(runtime.database, experiment, showing, "<b>", "left")
    with pytest.raises(NotFound):
        votes.cast_vote(runtime.database, "gone-00000000", showing, "mina", "left")
    assert votes.votes(runtime.database, experiment) == []


@pytest.mark.parametrize(("given", "kept"), [("  Mina   Kim ", "Mina Kim"), ("민아", "민아"), ("a.b-c@d", "a.b-c@d")])
def test_a_raters_name_is_tidied(given: str, kept: str) -> None:
    """White space is folded; names of any script are fine."""
    assert votes.rater_name(given) == kept


@pytest.mark.parametrize("given", ["", "  ", "../etc", "<script>", "a\0b", "-x", "a" * 65, "a/b"])
def test_a_name_that_is_none_is_refused(given: str) -> None:
    """Also what looks like a path or like markup."""
    with pytest.raises(InvalidInput, match="rater's name"):
        votes.rater_name(given)


def test_an_experiment_is_found_by_its_id_its_start_and_its_name(runtime: Runtime) -> None:
    """A name means the newest of that name; what could be two is refused, and so is what is no id."""
    opening = write_experiment(runtime.database, pairs=0)
    write_experiment(runtime.database, pairs=0, name="opera")
    for reference in (opening, "opening", "opening-0a"):
        assert votes.find_experiment(runtime.database, reference).id == opening
    with pytest.raises(InvalidInput, match="fits several"):
        votes.find_experiment(runtime.database, "ope")
    with pytest.raises(NotFound, match="no experiment 'closing'"):
        votes.find_experiment(runtime.database, "closing")
    for reference in ("../x", "", "A B", "%"):
        with pytest.raises(InvalidInput, match="no experiment's name"):
            votes.find_experiment(runtime.database, reference)


def test_preferences_are_a_metric_of_each_pair_against_the_baseline() -> None:
    """The mean over people, from -1 to 1; ties and both bad are 0, pairs without a vote are missing."""
    cast = [
        prefer("warm", "plain", 0, "mina"),
        prefer("warm", "plain", 0, "jun"),
        prefer("plain", "warm", 1, "mina"),
        prefer("warm", "plain", 1, "jun"),
        prefer("plain", "warm", 2, "mina", choice="both-bad"),
        prefer("cold", "plain", 2, "mina", choice="tie"),
        prefer("cold", "warm", 3, "mina"),
        prefer("plain", "cold", 4, "mina"),
    ]
    assert votes.preferences(cast, "plain") == {
        (0, "warm"): 1.0,
        (1, "warm"): 0.0,
        (2, "cold"): 0.0,
        (2, "warm"): 0.0,
        (4, "cold"): -1.0,
    }


def test_the_share_that_prefers_a_variant() -> None:
    """A tie is half, both bad is left out, and without a vote there is no share."""
    cast = [
        prefer("warm", "plain"),
        prefer("warm", "plain", 1),
        prefer("plain", "warm", 2),
        prefer("plain", "warm", 3, choice="tie"),
        prefer("plain", "warm", 4, choice="both-bad"),
    ]
    assert votes.share_preferred(cast, "warm", "plain") == pytest.approx(2.5 / 4)
    assert votes.share_preferred(cast, "plain", "warm") == pytest.approx(1.5 / 4)
    assert votes.share_preferred(cast, "cold", "plain") is None


def test_the_side_does_not_matter_to_who_is_preferred() -> None:
    """Left and right are turned back into variants."""
    for left, choice, better in (("a", "left", "a"), ("a", "right", "b"), ("b", "left", "b"), ("b", "right", "a")):
        assert votes.preferred(Vote(first="a", second="b", left=left, choice=choice)) == better
    assert votes.preferred(Vote(first="a", second="b", left="a", choice="tie")) is None
