"""P(last ten) of ranked rates: which prior comes true, and do grades keep their promise? Everything is simulated.

usage: python -m tests.coverage_study.rate_priors [--provinces 20] [--first 1] [--truth NAME] [--alone] [--processes 2] [--out ...]

Provinces of 88 counties whose true rates are drawn from 32 truths, each with few PSUs a county (6-10, ten answers each)
and with many (18-32). Twelve truths chose the default of `ranking.rates`, six judge it, and fourteen that came later. For every
prior: of the counties with a stated probability of 0-0.1, 0.1-0.2 ... how many are truly among the last ten. The bar: within 5 points in every bin, for
the counties whose probability is not flagged as depending on the model (where a test does not reject equal rates, that all
are equal is one of the models compared); the twelve are shown. Tried beside the priors that are offered: the normal
model of scores, which took the se as known ("scores"), and a prior whose mean and spread depend on the se ("CLOSE", Chen
2024). Grades from the less sure of the default prior and one of any shape: of the pairs they order, how many are truly in the wrong order.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from multiprocessing import Pool
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import special
from scipy.optimize import minimize
from tqdm import tqdm

from satisfaction.estimation.intervals import korn_graubard_interval
from satisfaction.ranking import probability, rates
from satisfaction.ranking.grades import PROMISED, grade_units, less_sure

from .rank_scoring import FEW, NOISE, OK, SHOWN, WRONG, write_tables

ROOT = Path(__file__).parents[2]
Array = np.ndarray[Any, Any]
COUNTIES, BOTTOM, BINS = 88, 10, 10
PSU_SIZE, ICC = 10, 0.05
REGIMES = {"few PSUs": (6, 11), "many PSUs": (18, 33)}
BAR, ENOUGH, ERRORS = 0.05, 300, 3  # points of a share; predictions in a bin; Monte-Carlo errors
GRADES_BAR = 0.01  # above what is promised, on average over the truths
SCORES, CLOSE, BOUNDED = "scores (as before)", "CLOSE", "bounded"
Draw = Callable[[np.random.Generator], Array]


def normal(centre: float, sd: float) -> Draw:
    """True rates that are normal as they are."""
    return lambda random: random.normal(centre, sd, COUNTIES)


def logit_normal(centre: float, sd: float) -> Draw:
    """True rates that are normal on the logit scale."""
    return lambda random: special.expit(special.logit(centre) + random.normal(0, sd, COUNTIES))


def two_groups(random: np.random.Generator) -> Array:
    """Ten counties apart from the others, who hardly differ."""
    level = np.where(np.arange(COUNTIES) < COUNTIES - BOTTOM, 0.96, 0.92)
    return level + random.normal(0, 0.003, COUNTIES)


def three_groups(random: np.random.Generator) -> Array:
    """Three levels, a county at one of them by chance."""
    level = random.choice([0.85, 0.93, 0.98], COUNTIES, p=[0.15, 0.45, 0.4])
    return level + random.normal(0, 0.002, COUNTIES)


def outliers(random: np.random.Generator) -> Array:
    """Three counties far below."""
    level = np.where(np.arange(COUNTIES) < 3, 0.75, 0.9)
    return level + random.normal(0, 0.015, COUNTIES)


def by_chance(random: np.random.Generator) -> Array:
    """Two levels, one county in five on the lower one."""
    level = np.where(random.random(COUNTIES) < 0.2, 0.9, 0.97)
    return level + random.normal(0, 0.006, COUNTIES)


def mixed(random: np.random.Generator, levels: list[float], shares: list[float]) -> Array:
    """Some levels, a county at one of them by chance."""
    return random.choice(levels, COUNTIES, p=shares) + random.normal(0, 0.004, COUNTIES)


def heavy_tails(random: np.random.Generator) -> Array:
    """Logits with tails of a t distribution with 3 df."""
    return special.expit(special.logit(0.96) + 0.35 * random.standard_t(3, COUNTIES))


ALL_JUDGING, ALL_LAST = "judging", "last"
CHOOSING: dict[str, Draw] = {
    "normal 60 %": normal(0.6, 0.05),
    "normal 80 %": normal(0.8, 0.04),
    "normal 95 %": normal(0.95, 0.015),
    "normal 97 %": normal(0.97, 0.008),
    "logit-normal 50 %": logit_normal(0.5, 0.3),
    "logit-normal 80 %": logit_normal(0.8, 0.4),
    "logit-normal 95 %": logit_normal(0.95, 0.5),
    "logit-normal 98 %": logit_normal(0.98, 0.6),
    "long lower tail 95 %": lambda random: 0.98 - random.exponential(0.03, COUNTIES),
    "two groups 92, 96 %": two_groups,
    "all equal 95 %": normal(0.95, 1e-7),
    "outliers 90 %": outliers,
}
JUDGING: dict[str, Draw] = {
    "logit-normal 97.5 %": logit_normal(0.975, 0.4),
    "normal 92 %": normal(0.92, 0.02),
    "logit-normal 90 %": logit_normal(0.9, 0.6),
    "long upper tail 70 %": lambda random: 0.62 + random.gamma(2.0, 0.04, COUNTIES),
    "three groups 85, 93, 98 %": three_groups,
    "heavy tails 96 %": heavy_tails,
}
LATER: dict[str, Draw] = {
    "all equal 90 %": normal(0.9, 1e-7),
    "all equal 98 %": normal(0.98, 1e-7),
    "beta 94 %": lambda random: random.beta(47, 3, COUNTIES),
    "uniform 88-99 %": lambda random: random.uniform(0.88, 0.99, COUNTIES),
    "two groups by chance 90, 97 %": by_chance,
    "long upper tail 80 %": lambda random: 0.74 + random.exponential(0.05, COUNTIES),
}
"""Judging truths that came later, when what the first six had shown was known."""
LAST: dict[str, Draw] = {
    "triangle 86-97 %": lambda random: random.triangular(0.86, 0.93, 0.97, COUNTIES),
    "long upper tail 88 %": lambda random: 0.84 + random.gamma(1.5, 0.025, COUNTIES),
    "two levels 94, 97 %": lambda random: mixed(random, [0.94, 0.97], [0.35, 0.65]),
    "four levels 80-95 %": lambda random: mixed(
        random, [0.8, 0.85, 0.9, 0.95], [0.2, 0.3, 0.3, 0.2]
    ),
    "uniform 60-80 %": lambda random: random.uniform(0.6, 0.8, COUNTIES),
    "logit-normal 93 %": logit_normal(0.93, 0.45),
    "outliers 96 %": lambda random: (
        np.where(np.arange(COUNTIES) < 5, 0.86, 0.96) + random.normal(0, 0.006, COUNTIES)
    ),
    "all equal 93 %": normal(0.93, 1e-7),
}
"""Judging truths that came last, after a prior with two ends was compared because of what `LATER` had shown."""
ALL_THAT_JUDGE = JUDGING | LATER | LAST
TRUTHS = CHOOSING | ALL_THAT_JUDGE


@dataclass(frozen=True)
class Sample:
    """Estimated rates of the counties, their linearized se and df, (c,) each."""

    rate: Array
    se: Array
    df: Array


def true_rates(truth: str, random: np.random.Generator) -> Array:
    """Draw true rates, (c,), all different, between 2 % and 99.95 %."""
    rate = np.clip(TRUTHS[truth](random), 0.02, 0.9995)
    return rate + 1e-9 * random.standard_normal(COUNTIES)


def sampled(rate: Array, regime: str, random: np.random.Generator) -> Sample:
    """Sample PSUs in two strata a county; where all answers agree the se comes from the limits, as in a survey."""
    psus = random.integers(*REGIMES[regime], COUNTIES)
    county = np.repeat(np.arange(COUNTIES), psus)
    number = np.concatenate([np.arange(n) for n in psus])
    stratum = 2 * county + (number >= psus[county] // 2)
    spread = 1 / ICC - 1
    level = random.beta(rate[county] * spread, (1 - rate[county]) * spread)
    share = random.binomial(PSU_SIZE, level) / PSU_SIZE
    estimate = np.bincount(county, share) / psus
    size = np.bincount(stratum)
    deviation = share - (np.bincount(stratum, share) / size)[stratum]
    inflated = (size / (size - 1))[stratum] * deviation**2
    variance = np.bincount(county, inflated) / psus**2
    df = psus - 2.0
    persons = psus * float(PSU_SIZE)
    deff = variance.sum() / (estimate * (1 - estimate) / persons).sum()
    none = variance < 1e-14
    low, high = korn_graubard_interval(estimate, persons / deff, n=persons, df=df, level=0.95)
    from_limits = (high - low) / (2 * special.stdtrit(df, 0.975))
    return Sample(estimate, np.where(none, from_limits, np.sqrt(variance)), df)


# ---- the models


def of_priors(sample: Sample) -> dict[str, Array]:
    """P(last ten), (c,), by prior."""
    by_prior: dict[str, Array] = {}
    for prior in rates.RATES:
        model = rates.fit_rates(prior, sample.rate, sample.se, df=sample.df)
        by_prior[prior] = model.probability_bottom(BOTTOM)
    counts = rates.effective_counts(sample.rate, sample.se, sample.df)
    bounded = rates.fit_bounded(counts)
    by_prior[BOUNDED] = bounded.probability_bottom(BOTTOM)
    return by_prior


def of_peers(sample: Sample) -> dict[str, Array]:
    """P(last ten), (c,), by the models tried beside."""
    scores = probability.fit(sample.rate, sample.se)
    return {
        SCORES: on_one_grid(scores.mean, scores.sd),
        CLOSE: on_one_grid(*close(sample)),
    }


def on_one_grid(mean: Array, sd: Array) -> Array:
    """P(last ten) of normal posteriors, good to 0.001, faster than the product."""
    sd = np.maximum(sd, 1e-3 * sd.max() + 1e-9)
    node = np.linspace((mean - 6 * sd).min(), (mean + 6 * sd).max(), 400)
    mass = np.exp(-(((node - mean[:, None]) / sd[:, None]) ** 2) / 2) + 1e-300
    mass /= mass.sum(axis=1, keepdims=True)
    return rates.RatePosterior("", node, mass).probability_bottom(BOTTOM)


def close(sample: Sample) -> tuple[Array, Array]:
    """Posterior mean and sd where mean and log sd of the true rates are linear in log se (Chen 2024)."""
    distance = np.log(sample.se) - np.log(sample.se).mean()
    x = np.column_stack([np.ones(COUNTIES), distance])

    def fitted(at: Array) -> tuple[Array, Array, float]:
        between = np.exp(at[0] + 2 * at[1] * distance)
        total = between + sample.se**2
        weighted = x / total[:, None]
        centre = x @ np.linalg.solve(weighted.T @ x, weighted.T @ sample.rate)
        deviance = np.log(total).sum() + ((sample.rate - centre) ** 2 / total).sum()
        return centre, between, float(deviance) / 2 + (at[1] / 0.5) ** 2 / 2

    start = [np.log(sample.rate.var()), 0.0]
    at = minimize(lambda at: fitted(at)[2], start, method="Nelder-Mead").x
    centre, between, _ = fitted(at)
    pull = between / (between + sample.se**2)
    return centre + pull * (sample.rate - centre), np.sqrt(pull) * sample.se


# ---- one province


def province(task: tuple[str, str, int]) -> tuple[tuple[str, str], dict[str, Array], Array]:
    """Sample one province: counts by model (2, BINS, 3) and of its grades, (3,).

    Counts are of all counties and of those that are not flagged: predictions, their sum, how many came true. Of grades: pairs
    ordered, expected to be wrong, truly wrong.
    """
    rate, sample = drawn(task)
    counts = counted(sample, rate, of_priors(sample) | of_peers(sample))
    return task[:2], counts, of_grades(sample, rate)


def probabilities(task: tuple[str, str, int]) -> tuple[tuple[str, str], dict[str, Array], Array]:
    """As `province`, without the models tried beside and without grades: a quarter of the time."""
    rate, sample = drawn(task)
    return task[:2], counted(sample, rate, of_priors(sample)), np.zeros(3)


def drawn(task: tuple[str, str, int]) -> tuple[Array, Sample]:
    """True rates and a sample of them."""
    truth, regime, seed = task
    place = [list(TRUTHS).index(truth), list(REGIMES).index(regime)]
    random = np.random.default_rng([seed, *place, 7])
    rate = true_rates(truth, random)
    return rate, sampled(rate, regime, random)


def counted(sample: Sample, rate: Array, by_model: dict[str, Array]) -> dict[str, Array]:
    """Counts (2, BINS, 3) by model: of all counties and of those that are not flagged."""
    last = np.zeros(COUNTIES, dtype=bool)
    last[np.argsort(rate)[:BOTTOM]] = True
    equal = None
    counts_of_sample = rates.effective_counts(sample.rate, sample.se, sample.df)
    if rates.may_be_equal(counts_of_sample):
        equal = BOTTOM / COUNTIES
    compared = [by_model[prior] for prior in (*rates.RATES, BOUNDED)]
    flagged = rates.compared_lists(by_model[rates.DEFAULT], compared, equal=equal).depends
    counts = {}
    for model, chance in by_model.items():
        counts[model] = np.stack([binned(chance, last), binned(chance[~flagged], last[~flagged])])
    return counts


def binned(chance: Array, last: Array) -> Array:
    """Predictions, their sum and how many came true, by bin: (BINS, 3)."""
    at = np.minimum((chance * BINS).astype(int), BINS - 1)
    parts = [np.bincount(at, part, BINS) for part in (np.ones(len(at)), chance, last)]
    return np.stack(parts, axis=1)


def of_grades(sample: Sample, rate: Array) -> Array:
    """Pairs that grades order, those expected to be wrong, those that are: (3,)."""
    better = []
    for prior in (rates.DEFAULT, "nonparametric"):
        better.append(rates.fit_rates(prior, sample.rate, sample.se, df=sample.df).better())
    grading = grade_units(less_sure(*better))
    above = grading.grade[:, None] < grading.grade
    wrong = int(np.count_nonzero(above & (rate[:, None] < rate)))
    return np.array([grading.ordered, grading.ordered * grading.wrong, wrong])


# ---- tables


@dataclass
class Counted:
    """Sums over provinces of one truth and regime; of grades also the sums of products, (3, 3)."""

    provinces: int
    counts: dict[str, Array]
    grades: Array
    products: Array


def study(
    *, truths: list[str], first: int, provinces: int, processes: int, alone: bool = False
) -> dict[tuple[str, str], Counted]:
    """Sample provinces of the named truths in every regime."""
    tasks = []
    for seed in range(first, first + provinces):
        for truth in truths:
            tasks += [(truth, regime, seed) for regime in REGIMES]
    total: dict[tuple[str, str], Counted] = {}
    with Pool(processes) as pool:
        done = pool.imap_unordered(probabilities if alone else province, tasks, chunksize=4)
        for key, counts, grades in tqdm(done, total=len(tasks), desc="rates", disable=None):
            products = np.outer(grades, grades)
            before = total.get(key)
            if before is None:
                total[key] = Counted(1, counts, grades, products)
                continue
            summed = {model: before.counts[model] + counts[model] for model in counts}
            grades = before.grades + grades
            products = before.products + products
            total[key] = Counted(before.provinces + 1, summed, grades, products)
    return total


def worst_bins(total: dict[tuple[str, str], Counted], truths: dict[str, Draw]) -> pd.DataFrame:
    """For the default prior, by bin of stated probability: the truth that is farthest off beyond its Monte-Carlo error.

    Counties that are not flagged are held to the bar; all counties stand beside them, for information.
    """
    rows = []
    for of, title in ((1, "not flagged"), (0, "all")):
        for k in range(BINS):
            found = [
                row for key, one in total.items() if key[0] in truths
                for row in bin_row(key, one.counts[rates.DEFAULT][of, k])
            ]  # fmt: skip
            if not found:
                continue
            row = max(found, key=lambda row: abs(row["off"]) - ERRORS * row["mc_se"])
            verdict = verdict_of(row) if of else SHOWN
            stated = f"{k / BINS:.1f}-{(k + 1) / BINS:.1f}"
            rows.append({"counties": title, "P(last ten)": stated} | row | {"verdict": verdict})
    return pd.DataFrame(rows)


def bin_row(key: tuple[str, str], counts: Array) -> Iterator[dict[str, Any]]:
    """One bin of one truth: how far the share that came true is from what was stated, in points; nothing where few."""
    n, stated, true = counts
    if n < ENOUGH:
        return
    share = true / n
    # a share of 0 or 1 has an error too
    error = np.sqrt(max(share * (1 - share), 1 / n) / n)
    row = {"worst truth": key[0], "PSUs": key[1], "predictions": int(n)}
    yield row | {
        "stated %": 100 * stated / n,
        "came true %": 100 * share,
        "off": 100 * (share - stated / n),
        "mc_se": 100 * error,
    }


def verdict_of(row: dict[str, Any]) -> str:
    """Say whether a bin keeps to the bar."""
    off = abs(row["off"])
    if off <= 100 * BAR:
        return OK
    return NOISE if off - ERRORS * row["mc_se"] <= 100 * BAR else WRONG


def by_model(total: dict[tuple[str, str], Counted], truths: dict[str, Draw]) -> pd.DataFrame:
    """For every model: the bin farthest off beyond its error, the mean deviation, and the same of counties not flagged."""
    rows = []
    for model in next(iter(total.values())).counts:
        row: dict[str, Any] = {"model": model}
        for of, title in ((0, "all"), (1, "not flagged")):
            bins = [
                row for key, one in total.items() if key[0] in truths
                for k in range(BINS) for row in bin_row(key, one.counts[model][of, k])
            ]  # fmt: skip
            if not bins:
                continue
            beyond = [max(abs(row["off"]) - 2 * row["mc_se"], 0.0) for row in bins]
            at = int(np.argmax(beyond))
            row[f"worst, {title}"] = abs(bins[at]["off"])
            row[f"mc_se, {title}"] = bins[at]["mc_se"]
            row[f"truth, {title}"] = f"{bins[at]['worst truth']}, {bins[at]['PSUs']}"
            row[f"mean, {title}"] = float(np.mean([abs(row["off"]) for row in bins]))
        rows.append(row)
    return pd.DataFrame(rows)


def flagged_share(total: dict[tuple[str, str], Counted]) -> pd.DataFrame:
    """Share of the counties with a stated probability of 0.1 to 0.9 whose probability is flagged."""
    rows = []
    for (truth, regime), one in total.items():
        everyone, unflagged = one.counts[rates.DEFAULT][:, 1 : BINS - 1, 0].sum(axis=1)
        share = 100 * (1 - unflagged / max(everyone, 1))
        rows.append({"truth": truth, "PSUs": regime, "flagged %": share})
    return pd.DataFrame(rows).pivot_table("flagged %", "truth", "PSUs", sort=False).reset_index()


def promise_kept(total: dict[tuple[str, str], Counted]) -> pd.DataFrame:
    """By truth: pairs that grades order, and the expected and true share of them in the wrong order, in %."""
    rows = []
    pairs = COUNTIES * (COUNTIES - 1) / 2
    for (truth, regime), one in total.items():
        ordered, expected, wrong = one.grades
        row = {"truth": truth, "PSUs": regime, "ordered %": 100 * ordered / pairs / one.provinces}
        shares = {"expected wrong %": expected, "truly wrong %": wrong}
        for name, number in shares.items():
            row[name] = 100 * number / ordered if ordered else 0.0
        # of a ratio of sums over provinces: pairs of one province go wrong together
        share = wrong / max(ordered, 1)
        residual = np.array([-share, 0.0, 1.0])
        row["mc_se"] = 100 * float(np.sqrt(residual @ one.products @ residual)) / max(ordered, 1)
        rows.append(row)
    return pd.DataFrame(rows)


def every_bin(total: dict[tuple[str, str], Counted]) -> pd.DataFrame:
    """For the default prior, every bin that holds a county, however few: counties not flagged, then all."""
    rows = []
    for of, title in ((1, "not flagged"), (0, "all")):
        for (truth, regime), summed in total.items():
            for k, (n, stated, true) in enumerate(summed.counts[rates.DEFAULT][of]):
                if n == 0:
                    continue
                row = {"counties": title, "truth": truth, "PSUs": regime}
                row["P(last ten)"] = f"{k / BINS:.1f}-{(k + 1) / BINS:.1f}"
                row["predictions"] = int(n)
                row["stated %"] = 100 * stated / n
                row["came true %"] = 100 * true / n
                rows.append(row)
    return pd.DataFrame(rows)


def together(total: dict[tuple[str, str], Counted], truths: dict[str, Draw]) -> pd.DataFrame:
    """For the default prior, the bins of counties not flagged over these truths and regimes, and how many are flagged."""
    counts = [one.counts[rates.DEFAULT] for key, one in total.items() if key[0] in truths]
    rows = []
    for k in range(BINS if counts else 0):
        everyone, unflagged = np.sum(counts, axis=0)[:, k]
        for row in bin_row(("all", "both"), unflagged):
            del row["worst truth"], row["PSUs"]
            stated = f"{k / BINS:.1f}-{(k + 1) / BINS:.1f}"
            flagged = {"flagged %": 100 * (1 - unflagged[0] / everyone[0])}
            rows.append({"P(last ten)": stated} | row | flagged | {"verdict": verdict_of(row)})
    return pd.DataFrame(rows)


def report(
    *,
    first: int,
    provinces: int,
    processes: int,
    out: Path,
    truth: str | None = None,
    alone: bool = False,
) -> int:
    """Run the study, print and write its tables, return how many bars were missed."""
    began = time.monotonic()
    truths = list(TRUTHS)
    if truth == ALL_JUDGING:
        truths = list(ALL_THAT_JUDGE)
    elif truth == ALL_LAST:
        truths = list(LAST)
    elif truth:
        truths = [truth]
    total = study(truths=truths, first=first, provinces=provinces, processes=processes, alone=alone)
    judged = worst_bins(total, ALL_THAT_JUDGE)
    chosen = worst_bins(total, CHOOSING)
    grades = promise_kept(total)
    overall = float(grades["truly wrong %"].mean())
    bar = 100 * (PROMISED + GRADES_BAR)
    tables = {
        f"Judging truths, prior {rates.DEFAULT}: the worst truth by bin (within {100 * BAR:g} points)": judged,
        f"Choosing truths, prior {rates.DEFAULT}: the worst truth by bin": chosen,
        "Choosing truths: every model's worst bin": by_model(total, CHOOSING),
        "Judging truths: every model's worst bin": by_model(total, ALL_THAT_JUDGE),
        "Counties near the cut whose probability is flagged": flagged_share(total),
    }
    if truth:
        tables["Every bin"] = every_bin(total)
    tables["Six judging truths together"] = together(total, JUDGING)
    tables["Later judging truths together"] = together(total, LATER)
    tables["Last judging truths together"] = together(total, LAST)
    tables["All judging truths together"] = together(total, ALL_THAT_JUDGE)
    missed = int((judged["verdict"] == WRONG).sum()) if len(judged) else 0
    closing = []
    if not alone:
        tables["Grades: pairs in the wrong order, of those in different grades"] = grades
        missed += int(overall > bar)
        kept = FEW if provinces < 2 else OK if overall <= bar else WRONG
        closing.append(
            f"Grades, mean over truths: {overall:.2f} % truly wrong, bar {bar:g} %: {kept}"
        )
    closing.append(f"{missed} bars missed; {time.monotonic() - began:.0f} s; all simulated")
    heading = f"P(last ten) of rates; simulated; provinces {first}-{first + provinces - 1} a truth"
    write_tables(out, heading, tables, closing=closing)
    return missed


def main() -> int:
    """Run the study from the command line."""
    assert __doc__
    options = argparse.ArgumentParser(
        prog="python -m tests.coverage_study.rate_priors", description=__doc__.split("\n\n")[0]
    )
    options.add_argument("--provinces", type=int, default=20)
    options.add_argument("--first", type=int, default=1)
    options.add_argument(
        "--truth",
        choices=[*TRUTHS, ALL_JUDGING, ALL_LAST],
        metavar="NAME",
        help=f"this truth alone, all that judge ({ALL_JUDGING}) or those that came last ({ALL_LAST})",
    )
    options.add_argument(
        "--alone",
        action="store_true",
        help="probabilities alone: no grades, no models tried beside",
    )
    options.add_argument("--processes", type=int, default=2)
    options.add_argument("--out", type=Path, default=ROOT / "tests" / "out" / "rate_priors.md")
    return int(report(**vars(options.parse_args())) > 0)


if __name__ == "__main__":
    sys.exit(main())
