"""P(rise by 5 places or more) of ranked rates between two waves: does it come true? Everything is simulated.

usage: python -m tests.coverage_study.rate_rises [--provinces 2] [--first 1] [--judging] [--out ...]

Truths of rate_priors whose rates lie about 90-98 %, 88 counties each. The second wave's rates move on the logit scale: all
counties by a normal change, hardly (sd 0.1), some (0.4), much (0.8), or one county in seven alone by sd 1. Both waves are sampled
anew, with few PSUs a county and with many. Of the counties with a stated probability of 0-0.1, 0.1-0.2 ... how many truly rose by
5 places, of those whose probability does not depend on the model and of all. Eight truths chose the model and the range beside
it; the others judge them, with other changes; five of these came later. The bar: over the judging truths together within 5 points
in every bin of those not flagged. Single truths stand beside it, for information.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from scipy import special

from satisfaction.ranking.rise_probability import rate_rises
from satisfaction.ranking.waves import Waves, waves_from_arrays

from .rate_priors import COUNTIES, REGIMES, TRUTHS, Sample, sampled, true_rates
from .rises import Counts, counted, rank, run, sampled_cases, together, written

PLACES = 5
DRAWS = 4_000
CHOOSING = (
    "logit-normal 95 %",
    "logit-normal 98 %",
    "normal 97 %",
    "long lower tail 95 %",
    "logit-normal 90 %",
    "heavy tails 96 %",
    "two groups 92, 96 %",
    "normal 92 %",
)
JUDGING = (
    "normal 95 %",
    "all equal 95 %",
    "outliers 90 %",
    "logit-normal 97.5 %",
    "three groups 85, 93, 98 %",
)
JUDGING_LATER = (
    "all equal 90 %",
    "all equal 98 %",
    "beta 94 %",
    "uniform 88-99 %",
    "two groups by chance 90, 97 %",
)
# sd of the change, share of the counties that change
CHANGES = {
    CHOOSING: ((0.1, 1.0), (0.4, 1.0), (0.8, 1.0)),
    JUDGING: ((0.2, 1.0), (0.6, 1.0)),
    JUDGING_LATER: ((0.3, 1.0), (1.0, 0.15)),
}


@dataclass(frozen=True)
class Case:
    """A truth, the sd of its change on the logit scale, how many PSUs a county has, and the share of counties that change."""

    truth: str
    change: float
    regime: str
    share: float = 1.0

    def __str__(self) -> str:
        return f"{self.truth}, change {self.change} of {self.share:.0%}, {self.regime}"


def cases(truths: tuple[str, ...]) -> list[Case]:
    """Every case of some truths."""
    made = []
    for truth in truths:
        for change, share in CHANGES[truths]:
            made += [Case(truth, change, regime, share) for regime in REGIMES]
    return made


def two_waves(before: Sample, after: Sample) -> Waves:
    """Two independent samples of the same counties."""
    return waves_from_arrays(
        after.rate,
        before.rate,
        se=np.stack([after.se, before.se]),
        cov=None,
        df=np.stack([after.df, before.df]),
        names=None,
        ranked=None,
        selection="probability",
    )


def province(case: Case, seed: int) -> Counts:
    """Sample one province twice: predictions, their sum and how many came true, by bin, not flagged and all."""
    place = [
        list(TRUTHS).index(case.truth),
        round(10 * case.change),
        list(REGIMES).index(case.regime),
    ]
    random = np.random.default_rng([seed, *place, 11])
    rate = true_rates(case.truth, random)
    change = random.normal(0, case.change, COUNTIES)
    if case.share < 1:
        change *= random.random(COUNTIES) < case.share
    later = special.expit(special.logit(rate) + change)
    rose = rank(rate) - rank(later) >= PLACES
    waves = two_waves(sampled(rate, case.regime, random), sampled(later, case.regime, random))
    drawn = rate_rises(waves, 1.0, draws=DRAWS, seed=seed)
    return counted(drawn, rose, PLACES)


def report(*, first: int, provinces: int, out: Path, choosing: bool = True) -> int:
    """Run the study, print and write its tables, return how many bars were missed."""
    began = time.process_time()
    seeds = range(first, first + provinces)
    judging = [*cases(JUDGING), *cases(JUDGING_LATER)]
    tables = {"Judging truths": together(sampled_cases(judging, province, seeds=seeds))}
    if choosing:
        chosen = sampled_cases(cases(CHOOSING), province, seeds=seeds)
        tables["Choosing truths"] = together(chosen, judged=False)
    heading = f"P(rise >= {PLACES}) of rates; simulated; provinces {first}-{first + provinces - 1}"
    return written(heading, tables, out=out, began=began)


if __name__ == "__main__":
    assert __doc__
    sys.exit(run(report, "rate_rises", __doc__, provinces=2))
