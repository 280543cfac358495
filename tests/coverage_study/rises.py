"""What the studies of rises of scores and of rates share: counts of what was stated and came true, tables, the command line."""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd
from tqdm import tqdm

from satisfaction.ranking.rise_probability import DrawnRises

from .rank_scoring import SHOWN, WRONG, write_tables
from .rate_priors import BINS, ENOUGH, Array, bin_row, binned, verdict_of

OUT = Path(__file__).parents[1] / "out"
UNFLAGGED, EVERYONE = "not flagged", "all"
Counts = dict[str, Array]
Case = TypeVar("Case")


def rank(value: Array) -> Array:
    """Ranks from 0 on of (p,) values, the largest first."""
    return np.asarray((-value).argsort().argsort())


def counted(drawn: DrawnRises, rose: Array, places: int) -> Counts:
    """Predictions, their sum and how many came true, by bin, of the areas that are not flagged and of all."""
    happened = drawn.ranks[:, :, 0] - drawn.ranks[:, :, 1] >= places
    chance = happened.mean(axis=0)
    unflagged = ~drawn.compared(happened).depends
    return {UNFLAGGED: binned(chance[unflagged], rose[unflagged]), EVERYONE: binned(chance, rose)}


def sampled_cases(
    cases: Iterable[Case], province: Callable[[Case, int], Counts], *, seeds: range
) -> dict[Case, Counts]:
    """Sample provinces of every case."""
    total = {}
    for case in tqdm(list(cases), desc="rises", disable=None):
        counts = [province(case, seed) for seed in seeds]
        total[case] = {which: np.sum([one[which] for one in counts], axis=0) for which in counts[0]}
    return total


def together(total: Mapping[Any, Counts], *, judged: bool = True) -> pd.DataFrame:
    """By bin over all cases: stated and true share, those not flagged first, and the case that is farthest off."""
    rows = []
    for which in (UNFLAGGED, EVERYONE):
        for k in range(BINS):
            summed = np.sum([counts[which][k] for counts in total.values()], axis=0)
            everyone = sum(counts[EVERYONE][k, 0] for counts in total.values())
            unflagged = sum(counts[UNFLAGGED][k, 0] for counts in total.values())
            for row in bin_row(("all", ""), summed):
                verdict = verdict_of(row) if judged and which == UNFLAGGED else SHOWN
                del row["worst truth"], row["PSUs"]
                about = {"areas": which, "P(rise)": f"{k / BINS:.1f}-{(k + 1) / BINS:.1f}"}
                flagged = {"flagged %": 100 * (1 - unflagged / everyone)}
                rows.append(
                    about | row | flagged | {"verdict": verdict} | _farthest(total, which, k)
                )
    return pd.DataFrame(rows)


def _farthest(total: Mapping[Any, Counts], which: str, k: int) -> dict[str, Any]:
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
            worst = {"farthest case": str(case), "off there": off}
    return worst


def written(heading: str, tables: Mapping[str, pd.DataFrame], *, out: Path, began: float) -> int:
    """Print and write the tables, return how many bars were missed; `began` in seconds of the process."""
    missed = 0
    for table in tables.values():
        if len(table):
            missed += int((table["verdict"] == WRONG).sum())
    seconds = time.process_time() - began
    closing = [f"{missed} bars missed; {seconds:.0f} s CPU; all simulated"]
    write_tables(out, heading, tables, closing=closing)
    return missed


def run(report: Callable[..., int], name: str, doc: str, *, provinces: int) -> int:
    """Run a study from the command line; 1 where a bar was missed."""
    options = argparse.ArgumentParser(
        prog=f"python -m tests.coverage_study.{name}", description=doc.split("\n\n")[0]
    )
    options.add_argument("--provinces", type=int, default=provinces)
    options.add_argument("--first", type=int, default=1)
    options.add_argument(
        "--judging", action="store_false", dest="choosing", help="the judging truths alone"
    )
    options.add_argument("--out", type=Path, default=OUT / f"{name}.md")
    return int(report(**vars(options.parse_args())) > 0)
