"""Run the coverage study; everything in it is simulated.

usage: python -m tests.coverage_study [--seeds 20] [--first 1] [--processes 2] [--survey surveys/guizhou-2026q3]

Of N seeds, the array province is sampled N times for scenarios 1-3, 5, 6 and N times (every fourth county) for the recipe,
10 N samples of a few PSUs are drawn for scenario 7, N/4 times for the propensity variant, N/50 times for the shipped wave,
which is the slow one. Then the ranks' study runs with the same N (by itself: python -m tests.coverage_study.ranks), and that
of ranked rates with N/2 provinces a truth (by itself: python -m tests.coverage_study.rate_priors), those of rises of rates and
of scores with N/100 (python -m tests.coverage_study.rate_rises, score_rises), that of grades of scores with N surveys a truth
(python -m tests.coverage_study.score_grades), and that of open links with 15 N samples (by itself: python -m tests.coverage_study.answering).
Exit status 1 when a required scenario with 200 samples or more (the shipped wave: 20) leaves 93.5-96.5 % by more than two
Monte-Carlo standard errors, a calibrated total has an error, or a bar of the ranks is missed.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
from collections.abc import Iterator
from multiprocessing import Pool
from pathlib import Path
from typing import Any

import pandas as pd
from tqdm import tqdm

from . import answering, ranks, rate_priors, rate_rises, score_grades, score_rises
from .few_psus import few_psus
from .province import Province, described, read_allocation, simulate_province
from .scenarios import plain, recipe, zero_errors
from .scoring import HIGH, LOW, MOST_RELATIVE_SE, printed, summary, width_ratios
from .shipped import shipped

ROOT = Path(__file__).parents[2]
RECIPE_COUNTIES = 4  # every fourth: the jackknife's cost grows with the square of the counties
TOTALS_EVERY, PROPENSITY_EVERY, SHIPPED_EVERY = 50, 4, 50
SAMPLES_A_SEED = 15  # of the study of open links
PROVINCES_EVERY = 2  # seeds a province of the study of rates, which has 64 of them
RISES_EVERY = 100  # seeds
Task = tuple[str, int]
_held: dict[str, Any] = {}


def prepare(survey: Path) -> None:
    """Make the provinces of a worker process; its own progress bars stay silent."""
    sys.stderr = open(os.devnull, "w")  # noqa: SIM115 - for the life of the process
    _held["survey"] = survey
    _held["province"] = simulate_province(read_allocation(survey))
    _held["part"] = simulate_province(read_allocation(survey, every=RECIPE_COUNTIES))


def work(task: Task) -> tuple[Task, list[dict[str, Any]]]:
    """Run one scenario at one seed."""
    kind, seed = task
    if kind == "shipped":
        return task, shipped(_held["survey"], seed)
    if kind == "few PSUs":
        return task, few_psus(seed)
    if kind == "plain":
        return task, plain(_held["province"], seed)
    part: Province = _held["part"]
    return task, zero_errors(part, seed) if kind == "totals" else recipe(part, seed, method=kind)


def tasks(first: int, seeds: int) -> Iterator[Task]:
    """Yield what is to be run, the slow ones first."""
    for kind, every in (
        ("shipped", SHIPPED_EVERY),
        ("totals", TOTALS_EVERY),
        ("propensity", PROPENSITY_EVERY),
    ):
        yield from ((kind, first + k) for k in range(-(-seeds // every)))
    for seed in range(first, first + seeds):
        yield from (("classes", seed), ("plain", seed), ("few PSUs", seed))


def study(chosen: argparse.Namespace) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Return all samples' records and those of the calibrated totals."""
    listed = list(tasks(chosen.first, chosen.seeds))
    records, totals = [], []
    with Pool(chosen.processes, prepare, (chosen.survey,)) as pool:
        for (kind, seed), found in tqdm(
            pool.imap_unordered(work, listed), total=len(listed), desc="samples", disable=None
        ):
            (totals if kind == "totals" else records).extend(one | {"seed": seed} for one in found)
    return pd.DataFrame(records).sort_values(["scenario", "seed"], kind="stable"), pd.DataFrame(
        totals
    )


def main() -> int:
    """Run the study, print the tables, write tests/out/coverage.csv."""
    assert __doc__
    options = argparse.ArgumentParser(
        prog="python -m tests.coverage_study", description=__doc__.split("\n\n")[0]
    )
    options.add_argument("--seeds", type=int, default=20)
    options.add_argument("--first", type=int, default=1)
    options.add_argument("--processes", type=int, default=2)
    options.add_argument("--survey", type=Path, default=ROOT / "surveys" / "guizhou-2026q3")
    options.add_argument("--out", type=Path, default=ROOT / "tests" / "out" / "coverage.csv")
    chosen = options.parse_args()
    began = time.monotonic()
    records, totals = study(chosen)
    table = summary(records)
    chosen.out.parent.mkdir(parents=True, exist_ok=True)
    table.assign(simulated=True).to_csv(chosen.out, index=False, lineterminator="\n")
    print(
        "The simulated province (finite population; true county values, correlation within communities):"
    )
    print(described(simulate_province(read_allocation(chosen.survey))).round(4).to_string())
    print(
        f"\nCoverage of 95 % intervals in %, samples of simulated provinces, seeds {chosen.first}-{chosen.first + chosen.seeds - 1}:"
    )
    print(printed(table))
    print("\nWidth of the intervals for change, overlap credited / ignored:")
    print(width_ratios(table).round(3).to_string())
    print(f"\n7 calibrated totals, largest se / total (at most {MOST_RELATIVE_SE:g}):")
    print(totals.groupby(["weights", "total"], sort=False)["relative_se"].max().to_string())
    wrong = (
        table["verdict"].str.startswith("TOO").sum()
        + (totals["relative_se"] > MOST_RELATIVE_SE).sum()
    )
    print(
        f"\n{wrong} outside {LOW}-{HIGH} % or with an error of a calibrated total; {time.monotonic() - began:.0f} s; all simulated"
    )
    given = {
        "first": chosen.first,
        "seeds": chosen.seeds,
        "processes": chosen.processes,
        "survey": chosen.survey,
    }
    missed = ranks.report(**given, out=chosen.out.with_name("rank_validity.md"))
    missed += rate_priors.report(
        first=chosen.first,
        provinces=max(chosen.seeds // PROVINCES_EVERY, 1),
        processes=chosen.processes,
        out=chosen.out.with_name("rate_priors.md"),
    )
    for study_of_rises in (rate_rises, score_rises):
        name = study_of_rises.__name__.rpartition(".")[2]
        missed += study_of_rises.report(
            first=chosen.first,
            provinces=max(chosen.seeds // RISES_EVERY, 1),
            out=chosen.out.with_name(f"{name}.md"),
        )
    missed += score_grades.report(surveys=chosen.seeds, out=chosen.out.with_name("score_grades.md"))
    missed += answering.report(
        repetitions=SAMPLES_A_SEED * chosen.seeds,
        first=chosen.first,
        out=chosen.out.with_name("answering.csv"),
    )
    return int(wrong + missed > 0)


if __name__ == "__main__":
    sys.exit(main())
