"""How often 95% limits hold in two hard places: changes of rates near 1, and small areas. Everything is simulated.

usage: python -m tests.coverage_study.limits [--counties 3000] [--surveys 300]

Changes: counties of a few PSUs of ten persons, whose shares are beta about the true rate (intraclass correlation 0.1); a quarter
of the PSUs is asked in both waves. Small areas: normal areas about a line, errors of five sizes, one area without a direct
estimate; with `df` the errors are estimated, which the model takes as known.
"""

from __future__ import annotations

import argparse
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from satisfaction.estimation.change import change
from satisfaction.estimation.estimates import estimate
from satisfaction.estimation.result import Estimates
from satisfaction.estimation.small_areas import fay_herriot
from satisfaction.sampling.design import SurveyDesign

from .sampling import generator

Array = np.ndarray[Any, Any]
PERSONS = 10
CORRELATION = 0.1
SHARED = 0.25
CHANGES = [
    (before, after, psus)
    for before, after in ((0.6, 0.6), (0.9, 0.9), (0.97, 0.97), (0.8, 0.95), (0.9, 0.97), (0.95, 0.99), (0.97, 0.99))
    for psus in (6, 12, 25, 50)
]  # fmt: skip
VARIANCES = (0.3, 0.6, 1.0, 2.0, 4.0)
AREAS = ((10, 0.0, None), (10, 0.2, None), (10, 1.0, None), (20, 0.2, None), (20, 1.0, None), (44, 0.2, None), (20, 1.0, 6), (44, 1.0, 6))  # fmt: skip


def changes_of_rates(before: float, after: float, *, psus: int, counties: int) -> dict[str, float]:
    """Return how often limits of a single rate and of its change hold, and how often the test of no change rejects at 5%."""
    random = generator(int(1000 * before), int(1000 * after), psus)
    shared = round(psus * SHARED)
    first = random.normal(size=(counties, psus))
    second = random.normal(size=(counties, psus))
    second[:, :shared] = 0.9 * first[:, :shared] + np.sqrt(1 - 0.9**2) * second[:, :shared]
    earlier = _rates(_answers(first, before, random), first_new=0)
    later = _rates(_answers(second, after, random), first_new=shared)
    single = earlier.table
    found = change(later, earlier).table
    true = after - before
    known = found["se"] > 0
    inside = (found["ci_low"] <= true) & (true <= found["ci_high"])
    return {
        "single rate": single["ci_low"].le(before).mul(single["ci_high"].ge(before)).mean(),
        "change": inside[known].mean(),
        "rejected": (found["p"] < 0.05).mean(),
        "without error": 1 - known.mean(),
    }


def _answers(normal: Array, rate: float, random: np.random.Generator) -> Array:
    """Draw answers 0 or 1 of the persons of every PSU: (counties, PSUs, persons)."""
    size = 1 / CORRELATION - 1
    share = stats.beta.ppf(stats.norm.cdf(normal), rate * size, (1 - rate) * size)
    return random.binomial(1, np.repeat(share[:, :, None], PERSONS, axis=2))


def _rates(answers: Array, *, first_new: int) -> Estimates:
    """Estimate the rate of every county; PSUs from `first_new` on have numbers of their own."""
    counties, psus, persons = answers.shape
    number = np.arange(psus)
    number[first_new:] += 1000 * (first_new > 0)
    rows = pd.DataFrame({"county": np.repeat(np.arange(counties), psus * persons)})
    rows["psu"] = np.tile(np.repeat(number, persons), counties)
    rows["y"] = answers.ravel()
    design = SurveyDesign(rows, strata="county", psu="psu")
    return estimate(design, "y", by="county", statistic="proportion")


def small_areas(areas: int, between: float, *, df: int | None, surveys: int) -> dict[str, float]:
    """Return how often limits of areas with an estimate, of those with the largest errors, and of the one without hold."""
    random = generator(areas, int(10 * between), df or 0)
    variance = np.resize(VARIANCES, areas)
    held = np.empty((surveys, areas), dtype=bool)
    for survey in range(surveys):
        x = random.normal(size=areas)
        true = 50 + 2 * x + random.normal(size=areas) * np.sqrt(between)
        direct = true + random.normal(size=areas) * np.sqrt(variance)
        se = np.sqrt(variance)
        if df is not None:
            se = np.sqrt(variance * random.chisquare(df, areas) / df)
        direct[-1] = se[-1] = np.nan
        known = pd.DataFrame({"estimate": direct, "se": se})
        found = fay_herriot(known, pd.DataFrame({"x": x})).table
        held[survey] = (found["ci_low"] <= true) & (true <= found["ci_high"])
    return {
        "direct": held[:, :-1].mean(),
        "largest error": held[:, :-1][:, variance[:-1] == max(VARIANCES)].mean(),
        "without estimate": held[:, -1].mean(),
    }


def main() -> None:
    read = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    read.add_argument("--counties", type=int, default=3000)
    read.add_argument("--surveys", type=int, default=300)
    given = read.parse_args()
    found = []
    for before, after, psus in CHANGES:
        row = {"before": before, "after": after, "PSUs": psus}
        found.append(row | changes_of_rates(before, after, psus=psus, counties=given.counties))
    print(pd.DataFrame(found).round(3).to_string(index=False))
    found = []
    for areas, between, df in AREAS:
        row = {"areas": areas, "between": between, "df": df or "known"}
        found.append(row | small_areas(areas, between, df=df, surveys=given.surveys))
    print(pd.DataFrame(found).round(3).to_string(index=False))


if __name__ == "__main__":
    main()
