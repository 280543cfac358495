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

import argparse
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import special
from tqdm import tqdm

from satisfaction.ranking.rises import rate_rises
from satisfaction.ranking.waves import Waves, waves_from_arrays

from .rank_scoring import SHOWN, WRONG, write_tables
from .rate_priors import (
    BINS,
    COUNTIES,
    ENOUGH,
    REGIMES,
    TRUTHS,
    Array,
    Sample,
    bin_row,
    binned,
    sampled,
    true_rates,
    verdict_of,
)

ROOT = Path(__file__).parents[2]
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
UNFLAGGED, RATES = "not flagged", "all"


@dataclass(frozen=True)
class Case:
    """A truth, the sd of its change on the logit scale, how many PSUs a county has, and the share of counties that change."""

    truth: str
    change: float
    regime: str
    share: float = 1.0


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


def province(case: Case, seed: int) -> dict[str, Array]:
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
    rose = _rank(rate) - _rank(later) >= PLACES
    waves = two_waves(sampled(rate, case.regime, random), sampled(later, case.regime, random))
    drawn = rate_rises(waves, 1.0, draws=DRAWS, seed=seed)
    happened = drawn.ranks[:, :, 0] - drawn.ranks[:, :, 1] >= PLACES
    chance = happened.mean(axis=0)
    unflagged = ~drawn.compared(happened).depends
    return {UNFLAGGED: binned(chance[unflagged], rose[unflagged]), RATES: binned(chance, rose)}


def _rank(rate: Array) -> Array:
    return np.asarray((-rate).argsort().argsort())


Total = dict[Case, dict[str, Array]]


def study(truths: tuple[str, ...], *, first: int, provinces: int) -> Total:
    """Sample provinces of every case."""
    total: Total = {}
    for case in tqdm(cases(truths), desc="rises", disable=None):
        counts = [province(case, seed) for seed in range(first, first + provinces)]
        total[case] = {which: np.sum([one[which] for one in counts], axis=0) for which in counts[0]}
    return total


def together(total: Total) -> pd.DataFrame:
    """By bin over all cases: stated and true share, those not flagged first, and the case that is farthest off."""
    rows = []
    for which in (UNFLAGGED, RATES):
        for k in range(BINS):
            summed = np.sum([counts[which][k] for counts in total.values()], axis=0)
            everyone = sum(counts[RATES][k, 0] for counts in total.values())
            unflagged = sum(counts[UNFLAGGED][k, 0] for counts in total.values())
            for row in bin_row(("all", ""), summed):
                verdict = verdict_of(row) if which == UNFLAGGED else SHOWN
                del row["worst truth"], row["PSUs"]
                about = {"counties": which, "P(rise)": f"{k / BINS:.1f}-{(k + 1) / BINS:.1f}"}
                flagged = {"flagged %": 100 * (1 - unflagged / everyone)}
                rows.append(
                    about | row | flagged | {"verdict": verdict} | _farthest(total, which, k)
                )
    return pd.DataFrame(rows)


def _farthest(total: Total, which: str, k: int) -> dict[str, Any]:
    """The case whose share is farthest from what was stated, among those with enough predictions."""
    worst: dict[str, Any] = {"farthest case": "", "off there": np.nan}
    largest = 0.0
    for case, counts in total.items():
        n, stated, true = counts[which][k]
        if n < ENOUGH / 5:
            continue
        off = 100 * (true - stated) / n
        if abs(off) > largest:
            largest = abs(off)
            worst = {
                "farthest case": f"{case.truth}, change {case.change} of {case.share:.0%}, {case.regime}",
                "off there": off,
            }
    return worst


def report(*, first: int, provinces: int, out: Path, choosing: bool = True) -> int:
    """Run the study, print and write its tables, return how many bars were missed."""
    began = time.process_time()
    judging: Total = {}
    for truths in (JUDGING, JUDGING_LATER):
        judging |= study(truths, first=first, provinces=provinces)
    tables = {"Judging truths": together(judging)}
    if choosing:
        chosen = study(CHOOSING, first=first, provinces=provinces)
        tables["Choosing truths"] = together(chosen)
    judged = tables["Judging truths"]
    missed = int((judged["verdict"] == WRONG).sum()) if len(judged) else 0
    heading = f"P(rise >= {PLACES}) of rates; simulated; provinces {first}-{first + provinces - 1}"
    seconds = time.process_time() - began
    closing = [f"{missed} bars missed; {seconds:.0f} s CPU; all simulated"]
    write_tables(out, heading, tables, closing=closing)
    return missed


def main() -> int:
    """Run the study from the command line."""
    assert __doc__
    options = argparse.ArgumentParser(
        prog="python -m tests.coverage_study.rate_rises", description=__doc__.split("\n\n")[0]
    )
    options.add_argument("--provinces", type=int, default=2)
    options.add_argument("--first", type=int, default=1)
    options.add_argument(
        "--judging", action="store_false", dest="choosing", help="the judging truths alone"
    )
    options.add_argument("--out", type=Path, default=ROOT / "tests" / "out" / "rate_rises.md")
    return int(report(**vars(options.parse_args())) > 0)


if __name__ == "__main__":
    sys.exit(main())
