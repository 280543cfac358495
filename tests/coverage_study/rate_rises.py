"""P(rise by 5 places or more) of ranked rates between two waves: does it come true? Everything is simulated.

usage: python -m tests.coverage_study.rate_rises [--provinces 2] [--first 1] [--out ...]

All truths of rate_priors whose rates lie about 90-98 %, 88 counties each. The second wave's rates move on the logit scale by a
normal change: hardly (sd 0.1), some (0.4), much (0.8). Both waves are sampled anew, with few PSUs a county and with many. Of the
counties with a stated probability of 0-0.1, 0.1-0.2 ... how many truly rose by 5 places. Beside the model of rates: the normal
one with the covariance plugged in, which rates had before. Eight truths chose the model; five, with changes of sd 0.2 and 0.6,
judge it. The bar: over the judging truths together within 5 points in every bin. Single truths stand beside it, for information:
how far rates changed is hardly known from two waves, so no model can be right in each.
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

from satisfaction.ranking.probability import rank_draws
from satisfaction.ranking.rate_rises import rate_rises
from satisfaction.ranking.waves import Waves, waves_from_arrays

from .rank_scoring import WRONG, write_tables
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
DRAWS = 2_000
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
CHANGES = {CHOOSING: (0.1, 0.4, 0.8), JUDGING: (0.2, 0.6)}
RATES, PLUGGED_IN = "model of rates", "normal, plugged in (as before)"


@dataclass(frozen=True)
class Case:
    """A truth, the sd of its change on the logit scale, and how many PSUs a county has."""

    truth: str
    change: float
    regime: str


def cases(truths: tuple[str, ...]) -> list[Case]:
    """Every case of some truths."""
    made = []
    for truth in truths:
        for change in CHANGES[truths]:
            made += [Case(truth, change, regime) for regime in REGIMES]
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
    """Sample one province twice: predictions, their sum and how many came true, by model and bin."""
    place = [
        list(TRUTHS).index(case.truth),
        round(10 * case.change),
        list(REGIMES).index(case.regime),
    ]
    random = np.random.default_rng([seed, *place, 11])
    rate = true_rates(case.truth, random)
    moved = special.logit(rate) + random.normal(0, case.change, COUNTIES)
    later = special.expit(moved)
    rose = _rank(rate) - _rank(later) >= PLACES
    waves = two_waves(sampled(rate, case.regime, random), sampled(later, case.regime, random))
    plugged_in = waves.posterior(1.0)
    ranks = {
        RATES: rate_rises(waves, 1.0, draws=DRAWS, seed=seed).ranks,
        PLUGGED_IN: rank_draws(plugged_in.mean, plugged_in.cov, draws=DRAWS, seed=seed),
    }
    counts = {}
    for model, drawn in ranks.items():
        chance = np.mean(drawn[:, :, 0] - drawn[:, :, 1] >= PLACES, axis=0)
        counts[model] = binned(chance, rose)
    return counts


def _rank(rate: Array) -> Array:
    return np.asarray((-rate).argsort().argsort())


Total = dict[Case, dict[str, Array]]


def study(truths: tuple[str, ...], *, first: int, provinces: int) -> Total:
    """Sample provinces of every case."""
    total: Total = {}
    for case in tqdm(cases(truths), desc="rises", disable=None):
        counts = [province(case, seed) for seed in range(first, first + provinces)]
        total[case] = {model: np.sum([one[model] for one in counts], axis=0) for model in counts[0]}
    return total


def together(total: Total) -> pd.DataFrame:
    """By model and bin over all cases: stated and true share, and the case that is farthest off."""
    rows = []
    for model in (RATES, PLUGGED_IN):
        for k in range(BINS):
            summed = np.sum([counts[model][k] for counts in total.values()], axis=0)
            for row in bin_row(("all", ""), summed):
                verdict = verdict_of(row) if model == RATES else ""
                farthest = _farthest(total, model, k)
                del row["worst truth"], row["PSUs"]
                stated = f"{k / BINS:.1f}-{(k + 1) / BINS:.1f}"
                rows.append(
                    {"model": model, "P(rise)": stated} | row | {"verdict": verdict} | farthest
                )
    return pd.DataFrame(rows)


def _farthest(total: Total, model: str, k: int) -> dict[str, Any]:
    """The case whose share is farthest from what was stated, among those with enough predictions."""
    worst: dict[str, Any] = {"farthest case": "", "off there": np.nan}
    largest = 0.0
    for case, counts in total.items():
        n, stated, true = counts[model][k]
        if n < ENOUGH / 5:
            continue
        off = 100 * (true - stated) / n
        if abs(off) > largest:
            largest = abs(off)
            worst = {
                "farthest case": f"{case.truth}, change {case.change}, {case.regime}",
                "off there": off,
            }
    return worst


def report(*, first: int, provinces: int, out: Path) -> int:
    """Run the study, print and write its tables, return how many bars were missed."""
    began = time.process_time()
    tables = {}
    missed = 0
    for title, truths in (("Judging truths", JUDGING), ("Choosing truths", CHOOSING)):
        table = together(study(truths, first=first, provinces=provinces))
        tables[title] = table
        if truths == JUDGING and len(table):
            missed = int((table["verdict"] == WRONG).sum())
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
    options.add_argument("--out", type=Path, default=ROOT / "tests" / "out" / "rate_rises.md")
    return int(report(**vars(options.parse_args())) > 0)


if __name__ == "__main__":
    sys.exit(main())
