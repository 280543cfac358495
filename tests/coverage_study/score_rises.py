"""P(rise) of ranked scores between two waves: does it come true? Everything is simulated.

usage: python -m tests.coverage_study.score_rises [--provinces 20] [--first 1] [--out ...]

Provinces of 4 to 88 areas; true scores spread half, once or twice as wide as their standard error; the second wave's true scores
move by a normal change of all areas (sd 0.2, 0.5, 1 of a standard error), by sd 2 of one area in seven, or all together by the same.
Of the areas with a stated probability of 0-0.1, 0.1-0.2 ... how many truly rose by 5 places (2 of up to 9 areas): under the model
that averages over the covariance of the waves, and beside it under the one that plugs its estimate in, as was done before. The
bar: within 5 points in every bin of 20 and more areas under the model. Fewer areas stand beside it, for information.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from satisfaction.ranking.probability import fit_two_waves, rank_draws
from satisfaction.ranking.rises import score_rises
from satisfaction.ranking.waves import waves_from_arrays

from .rank_scoring import SHOWN, WRONG, write_tables
from .rate_priors import BINS, Array, bin_row, binned, verdict_of

ROOT = Path(__file__).parents[2]
DRAWS = 2_000
AREAS = (4, 9, 20, 88)
JUDGED = 20  # areas from which the bar holds
SPREADS = (0.5, 1.0, 2.0)
CHANGES = (("all", 0.2), ("all", 0.5), ("all", 1.0), ("one in seven", 2.0), ("alike", 1.0))
AVERAGED = "averaged over"
PLUGGED = "plugged in"


def true_scores(areas: int, spread: float, change: tuple[str, float], random: np.random.Generator):
    """Return the true scores of two waves, (areas, 2)."""
    before = random.normal(0, spread, areas)
    who, size = change
    if who == "alike":
        return np.column_stack([before, before + size])
    move = random.normal(0, size, areas)
    if who == "one in seven":
        move *= random.random(areas) < 1 / 7
    return np.column_stack([before, before + move])


def province(areas: int, spread: float, change: tuple[str, float], seed: int) -> dict[str, Array]:
    """Sample one province twice: predictions, their sum and how many came true, by bin, under both models."""
    place = [areas, round(10 * spread), CHANGES.index(change)]
    random = np.random.default_rng([seed, *place, 12])
    true = true_scores(areas, spread, change, random)
    places = 5 if areas > 9 else 2
    rose = _rank(true[:, 0]) - _rank(true[:, 1]) >= places
    seen = true + random.standard_normal(true.shape)
    waves = waves_from_arrays(
        seen[:, 1],
        seen[:, 0],
        se=np.ones((2, areas)),
        cov=None,
        df=None,
        names=None,
        ranked=None,
        selection="probability",
    )
    averaged = score_rises(waves, 1.0, draws=DRAWS, seed=seed).ranks
    known = fit_two_waves(*waves.ranked_scores(1.0))
    plugged = rank_draws(known.mean, known.cov, draws=DRAWS, seed=seed)
    counts = {}
    for which, ranks in ((AVERAGED, averaged), (PLUGGED, plugged)):
        chance = np.mean(ranks[:, :, 0] - ranks[:, :, 1] >= places, axis=0)
        counts[which] = binned(chance, rose)
    return counts


def _rank(score: Array) -> Array:
    return np.asarray((-score).argsort().argsort())


def study(areas: int, *, first: int, provinces: int) -> pd.DataFrame:
    """Sample provinces of one size; by model and bin, stated and true share."""
    summed = {which: np.zeros((BINS, 3)) for which in (AVERAGED, PLUGGED)}
    for spread in tqdm(SPREADS, desc=f"rises, {areas} areas", disable=None):
        for change in CHANGES:
            for seed in range(first, first + provinces):
                for which, counts in province(areas, spread, change, seed).items():
                    summed[which] += counts
    rows = []
    for which, counts in summed.items():
        for k in range(BINS):
            for row in bin_row(("all", ""), counts[k]):
                judged = which == AVERAGED and areas >= JUDGED
                verdict = verdict_of(row) if judged else SHOWN
                del row["worst truth"], row["PSUs"]
                about = {"covariance": which, "P(rise)": f"{k / BINS:.1f}-{(k + 1) / BINS:.1f}"}
                rows.append(about | row | {"verdict": verdict})
    return pd.DataFrame(rows)


def report(*, first: int, provinces: int, out: Path) -> int:
    """Run the study, print and write its tables, return how many bars were missed."""
    began = time.process_time()
    tables = {}
    for areas in AREAS:
        repeated = max(1, provinces * 20 // areas)  # about as many predictions of every size
        tables[f"{areas} areas"] = study(areas, first=first, provinces=repeated)
    missed = 0
    for table in tables.values():
        if len(table):
            missed += int((table["verdict"] == WRONG).sum())
    heading = f"P(rise) of scores; simulated; seeds from {first}"
    seconds = time.process_time() - began
    closing = [f"{missed} bars missed; {seconds:.0f} s CPU; all simulated"]
    write_tables(out, heading, tables, closing=closing)
    return missed


def main() -> int:
    """Run the study from the command line."""
    assert __doc__
    options = argparse.ArgumentParser(
        prog="python -m tests.coverage_study.score_rises", description=__doc__.split("\n\n")[0]
    )
    options.add_argument("--provinces", type=int, default=20)
    options.add_argument("--first", type=int, default=1)
    options.add_argument("--out", type=Path, default=ROOT / "tests" / "out" / "score_rises.md")
    return int(report(**vars(options.parse_args())) > 0)


if __name__ == "__main__":
    sys.exit(main())
