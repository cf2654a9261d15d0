"""The sequential rule against a fixed number of pairs: false positives, power, and pairs bought.

    python -m benchmarks.sequential [--experiments 20000] [--alpha 0.05] [--min-pairs 6] [--max-pairs 40]

The first table has no true effect, under many distributions of the differences: how often a win or a loss is declared (at
most alpha is asked for; one standard error in brackets), with futility and with it ignored, and how many pairs it took.
The second has normal differences with a true effect of d_z standard deviations: the power, the mean number of pairs, and
how many pairs a paired t-test buys every time: one planned for exactly that effect, at the rule's power, and one planned
for d_z = 0.5 and used whatever the effect turns out to be, which is what one does who does not know it yet.
The last rows of the first table show the limit of every test of a mean: what a sample has not shown, it cannot tell.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import stats

from vpgen.lab.sequential import Rule, trace

Floats = NDArray[np.float64]
Draw = Callable[[np.random.Generator, tuple[int, int]], Floats]

NULLS: dict[str, Draw] = {
    "normal": lambda rng, size: rng.normal(size=size),
    "uniform": lambda rng, size: rng.uniform(-1, 1, size),
    "laplace": lambda rng, size: rng.laplace(size=size),
    "student t, 3 df": lambda rng, size: rng.standard_t(3, size),
    "cauchy": lambda rng, size: rng.standard_cauchy(size),
    "better or worse": lambda rng, size: rng.choice([-1.0, 1.0], size),
    "80 % ties": lambda rng, size: rng.choice([-1.0, 0.0, 1.0], size, p=[0.1, 0.8, 0.1]),
    "gumbel": lambda rng, size: rng.gumbel(size=size) - np.euler_gamma,
    "exponential": lambda rng, size: rng.exponential(size=size) - 1,
    "chi-squared, 1 df": lambda rng, size: rng.chisquare(1, size) - 1,
    "lognormal, σ 0.5": lambda rng, size: rng.lognormal(0, 0.5, size) - math.exp(0.125),
}
"""Differences with a mean (of Cauchy's: a median) of zero."""

BEYOND: dict[str, Draw] = {
    "lognormal, σ 1": lambda rng, size: rng.lognormal(0, 1, size) - math.exp(0.5),
    "a rare catastrophe": lambda rng, size: rng.choice([1.0, -9.0], size, p=[0.9, 0.1]),
}
"""Nulls that no test of a mean over so few pairs holds its alpha for: shown, so that the limit is known."""
PLANNED = 0.5
EFFECTS = (0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 1.0, 1.5, 2.0)


@dataclass(frozen=True)
class Outcome:
    """What came of many experiments: shares of wins and of losses, of any crossing without futility, mean pairs."""

    wins: float
    losses: float
    crossed: float
    pairs: float

    @property
    def decided(self) -> float:
        """The share of wins and losses: of false positives where there is no true difference."""
        return self.wins + self.losses


def simulate(rule: Rule, differences: Floats) -> Outcome:
    """Run the rule over `differences`, one experiment a row."""
    seen = trace(rule, differences)
    first = seen.first()
    sign = seen.sign[np.arange(len(first)), first]
    return Outcome(
        wins=float((sign > 0).mean()),
        losses=float((sign < 0).mean()),
        crossed=float((seen.sign != 0).any(axis=1).mean()),
        pairs=float(seen.counts[first].mean()),
    )


def fixed_pairs(effect: float, power: float, alpha: float) -> int:
    """The least number of pairs with which a two-sided paired t-test finds `effect` (d_z) with `power`."""
    pairs = 2
    while stats.nct.sf(stats.t.isf(alpha / 2, pairs - 1), pairs - 1, effect * math.sqrt(pairs)) < power:
        pairs += 1
    return pairs


def main() -> None:
    """Simulate and print both tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--experiments", type=int, default=20000)
    parser.add_argument("--alpha", type=float, default=0.05)
    parser.add_argument("--min-pairs", type=int, default=6)
    parser.add_argument("--max-pairs", type=int, default=40)
    options, _ = parser.parse_known_args()
    rule = Rule(alpha=options.alpha, min_pairs=options.min_pairs, max_pairs=options.max_pairs)
    size = (options.experiments, rule.max_pairs)
    error = math.sqrt(rule.alpha * (1 - rule.alpha) / options.experiments)

    print(f"{'no true difference':<22}{'false positives':>16}{'':>9}{'no futility':>13}{'mean pairs':>12}")
    for index, (name, draw) in enumerate({**NULLS, **BEYOND}.items()):
        found = simulate(rule, draw(np.random.default_rng(index), size))
        print(f"{name:<22}{found.decided:>16.4f} ({error:.4f}){found.crossed:>13.4f}{found.pairs:>12.1f}")

    def with_effect(index: int, effect: float) -> Outcome:
        return simulate(rule, np.random.default_rng(100 + index).normal(effect, 1, size))

    planned = fixed_pairs(PLANNED, with_effect(99, PLANNED).wins, rule.alpha)
    print(
        f"\n{'true d_z':<10}{'power':>8}{'mean pairs':>12}{'fixed for it':>14}{'saved':>8}{'fixed for 0.5':>15}{'saved':>8}"
    )
    for index, effect in enumerate(EFFECTS):
        found = with_effect(index, effect)
        # Beyond what so many experiments can tell from certainty, the power compared at is a lower one.
        fixed = fixed_pairs(effect, min(found.wins, 0.995), rule.alpha)
        print(
            f"{effect:<10}{found.wins:>8.3f}{found.pairs:>12.1f}{fixed:>14}{1 - found.pairs / fixed:>8.0%}"
            f"{planned:>15}{1 - found.pairs / planned:>8.0%}"
        )


if __name__ == "__main__":
    main()
