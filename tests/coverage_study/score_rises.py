"""P(rise) of ranked scores between two waves: does it come true? Everything is simulated.

usage: python -m tests.coverage_study.score_rises [--provinces 3] [--first 1] [--judging] [--out ...]

Provinces of 4 to 88 areas; true scores spread half to three times as wide as their standard error; those of the second wave
move by a normal change of all areas, by a larger one of some, by one with heavy tails, spread wider, or move all alike. Errors
are known, or estimated with 5 to 14 degrees of freedom. Of the areas with a stated probability of 0-0.1, 0.1-0.2 ... how many
truly rose by 5 places (2 of up to 9 areas), of those whose probability does not depend on the model and of all. Fifteen truths
chose the model and the range beside it; twenty-seven others judge it. The bar: over the judging truths together within 5 points
in every bin of those not flagged, with 20 and with 88 areas. Fewer areas stand beside it, for information.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from satisfaction.ranking.rise_probability import score_rises
from satisfaction.ranking.waves import Waves, waves_from_arrays

from .rate_priors import Array
from .rises import Counts, counted, rank, run, sampled_cases, together, written

DRAWS = 2_000
AREAS = (88, 20, 9, 4)
JUDGED = 20  # areas from which the bar holds
ERRORS = ("known", "few PSUs")


@dataclass(frozen=True)
class Change:
    """How true scores change: its sd in standard errors, the share of the areas that change, and its shape."""

    sd: float
    share: float = 1.0
    shape: str = "normal"


@dataclass(frozen=True)
class Case:
    """A number of areas, the spread of their true scores in standard errors, a change, and the kind of errors."""

    areas: int
    spread: float
    change: Change
    errors: str

    def __str__(self) -> str:
        change = self.change
        moved = f"{change.shape} change {change.sd:g} of {change.share:.0%}"
        return f"spread {self.spread:g}, {moved}, errors {self.errors}"


CHOOSING = (
    Change(0.2),
    Change(0.5),
    Change(1.0),
    Change(2.0, share=1 / 7),
    Change(1.0, shape="alike"),
)
JUDGING = (
    Change(0.35),
    Change(0.8),
    Change(1.6),
    Change(1.5, share=1 / 4),
    Change(0.4, shape="heavy tails"),
    Change(1.0, shape="alike"),
    Change(3.0, share=1 / 10),
    Change(0.6, share=1 / 2),
    Change(0.3, shape="wider"),
)
SPREADS = {CHOOSING: (0.5, 1.0, 2.0), JUDGING: (0.7, 1.4, 3.0)}


def cases(areas: int, changes: tuple[Change, ...]) -> Iterator[Case]:
    """Yield every case of some changes."""
    for spread in SPREADS[changes]:
        for change in changes:
            for errors in ERRORS:
                yield Case(areas, spread, change, errors)


def true_scores(case: Case, random: np.random.Generator) -> Array:
    """Draw the true scores of two waves, (areas, 2)."""
    change = case.change
    before = random.normal(0, case.spread, case.areas)
    if change.shape == "alike":
        return np.column_stack([before, before + change.sd])
    move = random.normal(0, change.sd, case.areas)
    if change.shape == "heavy tails":
        move = change.sd * random.standard_t(3, case.areas)
    elif change.shape == "wider":
        move += before / 2
    move *= random.random(case.areas) < change.share
    return np.column_stack([before, before + move])


def two_waves(case: Case, true: Array, random: np.random.Generator) -> Waves:
    """Sample both waves; errors of about 1."""
    variance = np.ones((2, case.areas))
    estimated = variance
    df = None
    if case.errors != "known":
        df = random.integers(5, 15, (2, case.areas)).astype(float)
        variance = np.exp(random.normal(0, 0.25, (2, case.areas)))
        estimated = variance * random.chisquare(df) / df
    earlier, later = true.T + np.sqrt(variance) * random.standard_normal((2, case.areas))
    return waves_from_arrays(
        later,
        earlier,
        se=np.sqrt(estimated[::-1]),
        cov=None,
        df=None if df is None else df[::-1],
        names=None,
        ranked=None,
        selection="probability",
    )


def province(case: Case, seed: int) -> Counts:
    """Sample one province twice: predictions, their sum and how many came true, by bin, not flagged and all."""
    changes = CHOOSING if case.change in CHOOSING else JUDGING
    place = [case.areas, round(10 * case.spread), changes.index(case.change)]
    random = np.random.default_rng([seed, *place, ERRORS.index(case.errors), 12])
    true = true_scores(case, random)
    places = 5 if case.areas > 9 else 2
    rose = rank(true[:, 0]) - rank(true[:, 1]) >= places
    drawn = score_rises(two_waves(case, true, random), 1.0, draws=DRAWS, seed=seed)
    return counted(drawn, rose, places)


def report(*, first: int, provinces: int, out: Path, choosing: bool = True) -> int:
    """Run the study, print and write its tables, return how many bars were missed."""
    began = time.process_time()
    truths = {"judging": JUDGING}
    if choosing:
        truths["choosing"] = CHOOSING
    tables = {}
    for name, changes in truths.items():
        for areas in AREAS:
            repeated = provinces
            if (
                areas >= JUDGED
            ):  # of every size at least as many predictions as of one large province
                repeated *= -(-AREAS[0] // areas)
            seeds = range(first, first + repeated)
            total = sampled_cases(cases(areas, changes), province, seeds=seeds)
            judged = name == "judging" and areas >= JUDGED
            tables[f"{areas} areas, {name} truths"] = together(total, judged=judged)
    heading = f"P(rise) of scores; simulated; seeds from {first}"
    return written(heading, tables, out=out, began=began)


if __name__ == "__main__":
    assert __doc__
    sys.exit(run(report, "score_rises", __doc__, provinces=3))
