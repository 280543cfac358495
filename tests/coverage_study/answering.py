"""Open links whose satisfied are likelier to answer: how far off is every method, and does the output say so? All simulated.

usage: python -m tests.coverage_study.answering [--repetitions 300] [--first 1] [--out ...]

One county of 20,000 residents with sex and age, whose overall answer (satisfied or not) and score depend on them little
(correlation of the proxy about .2) or much (about .6). About 500 answer: the chance depends on sex and age, and the odds of
the satisfied are 1, 1.5, 2 or 3 times those of all others. Per odds: bias and coverage of what was answered, of calibration,
inverse propensity and doubly robust against the margins, how often sensitivity gives a range and how often that range holds
the truth, and the score that follows from the true odds (`answering_odds`).

Bars: with odds 1 the models' 95 % limits hold the truth in 93-97 % of the samples (within two Monte-Carlo errors); with odds
1.5 and more they do so in less than 90 %, so that no one takes a model's error for the error. Told the true odds, with a weak
proxy, the share is right within a point and the score within half a point; with a strong proxy the weights have taken part of
the odds already and the told odds correct too much: shown, without a bar.
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy.special import expit

import satisfaction as sat
from satisfaction.ranking.answering_odds import sums_by_area

ROOT = Path(__file__).parents[2]
RESIDENTS, ANSWERED = 20_000, 500
ODDS = (1.0, 1.5, 2.0, 3.0)
PROXIES = {"weak": 0.25, "strong": 1.6}
"""How much sex and age move the logit of being satisfied."""
MEASURES = ("satisfied", "score")
HOLDS = (0.93, 0.97)
MOST_BIASED = 0.90
TOLD = {"satisfied": 0.01, "score": 0.5}
"""Bias left when the true odds are told: a point of the share, half a point of the score."""
Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class County:
    """A finite population: one row a resident, and its margins."""

    table: pd.DataFrame
    margins: dict[str, dict[int, float]]

    @classmethod
    def drawn(cls, random: np.random.Generator, strength: float) -> County:
        """Draw residents whose answers depend on sex and age by `strength`."""
        sex = random.integers(1, 3, RESIDENTS)
        age = random.integers(1, 7, RESIDENTS)
        level = strength * ((age - 3.5) / 1.7 + 0.5 * (sex - 1.5))
        satisfied = (random.random(RESIDENTS) < expit(0.8 + level)).astype(float)
        spread = random.normal(0, 12, RESIDENTS)
        score = np.clip(55 + 6 * level + 15 * satisfied + spread, 0, 100)
        table = pd.DataFrame({"sex": sex, "age": age, "satisfied": satisfied, "score": score})
        margins = {}
        for item in ("sex", "age"):
            margins[item] = table[item].value_counts().sort_index().astype(float).to_dict()
        return cls(table, margins)

    def answers(self, random: np.random.Generator, odds: float) -> pd.DataFrame:
        """Return who answers: the odds of the satisfied are `odds` times those of all others of the same sex and age."""
        table = self.table
        eta = 0.5 * (table["sex"] - 1.5) - 0.3 * (table["age"] - 3.5)
        eta = eta + np.log(odds) * table["satisfied"]
        low, high = -20.0, 5.0
        for _halving in range(60):
            middle = (low + high) / 2
            if expit(middle + eta).sum() > ANSWERED:
                high = middle
            else:
                low = middle
        return table[random.random(RESIDENTS) < expit(low + eta)].reset_index(drop=True)


def by_odds(people: pd.DataFrame, county: County, odds: float) -> dict[str, float]:
    """Return the scores that follow from the odds and weights that meet the margins, as a wave's do."""
    weight = sat.calibrate(sat.SurveyDesign(people), county.margins).weights
    group = people["satisfied"].to_numpy(int)
    one_area = np.zeros(len(people), dtype=int)
    values = people[list(MEASURES)].to_numpy(float)
    scores = {}
    for position, measure in enumerate(MEASURES):
        only = np.eye(len(MEASURES))[position]
        sums = sums_by_area(one_area, group, weight, values=values, coefficients=only, areas=1)
        sums = replace(sums, fraction=np.array([len(people) / RESIDENTS]))
        scores[measure] = float(sums.score(odds)[0])
    return scores


def repetition(seed: int, proxy: str) -> list[dict[str, Any]]:
    """Draw a county and who answers at every odds; one record a measure and way of estimating."""
    random = np.random.default_rng([seed, len(proxy)])
    county = County.drawn(random, PROXIES[proxy])
    truth = county.table[list(MEASURES)].mean()
    records = []
    for odds in ODDS:
        people = county.answers(random, odds)
        models = sat.selection_estimates(people, MEASURES, county.margins)
        told = by_odds(people, county, odds)
        ranges = sat.sensitivity(people, MEASURES, county.margins).set_index("measure")
        for measure in MEASURES:
            about = {"proxy": proxy, "odds": odds, "measure": measure}
            true = truth[measure]
            answered = people[measure].mean()
            records.append(about | {"way": "as answered", "error": answered - true})
            for row in models[models["measure"] == measure].itertuples():
                holds = row.ci_model_low <= true <= row.ci_model_high
                error = row.estimate_model - true
                records.append(about | {"way": row.model, "error": error, "holds": holds})
            found = ranges.loc[measure]
            ends = found[["phi_0", "phi_1"]].to_numpy(float)
            bounded = bool(np.isfinite(ends).all())
            holds = bounded and ends.min() <= true <= ends.max()
            middle = {"way": "sensitivity, phi 0.5", "error": found["phi_05"] - true}
            records.append(about | middle | {"bounded": bounded, "holds": holds})
            records.append(about | {"way": "by the true odds", "error": told[measure] - true})
    return records


def summary(records: pd.DataFrame) -> pd.DataFrame:
    """Return bias, and the share of samples whose limits or range hold the truth."""
    keys = ["proxy", "measure", "odds", "way"]
    grouped = records.groupby(keys, sort=False)
    table = grouped["error"].agg(["mean", "std", "size"])
    table["holds"] = grouped["holds"].apply(lambda part: part.astype(float).mean())
    table["bounded"] = grouped["bounded"].apply(lambda part: part.astype(float).mean())
    table["monte_carlo"] = table["std"] / np.sqrt(table["size"])
    return table.rename(columns={"mean": "bias", "size": "samples"}).reset_index()


MODELS = ("calibration", "inverse_propensity", "doubly_robust")


def missed(table: pd.DataFrame) -> list[str]:
    """Name the bars that the table misses."""
    wrong = []
    told = (table["way"] == "by the true odds") & (table["proxy"] == "weak")
    for row in table[told].itertuples():
        if abs(row.bias) > TOLD[row.measure] + 2 * row.monte_carlo:
            wrong.append(
                f"{row.proxy} proxy, {row.measure}, odds {row.odds:g}, {row.way}: {row.bias:+.3f}"
            )
    for row in table[table["way"].isin(MODELS)].itertuples():
        error = 2 * np.sqrt(0.05 * 0.95 / row.samples)
        place = f"{row.proxy} proxy, {row.measure}, odds {row.odds:g}, {row.way}: {row.holds:.3f}"
        if row.odds == 1 and not HOLDS[0] - error <= row.holds <= HOLDS[1] + error:
            wrong.append(place)
        if row.odds > 1 and row.holds > MOST_BIASED:
            wrong.append(f"{place} (not seen to be biased)")
    return wrong


def study(repetitions: int, first: int) -> pd.DataFrame:
    """Return the summary of all repetitions."""
    records = []
    for seed in range(first, first + repetitions):
        for proxy in PROXIES:
            records += repetition(seed, proxy)
    return summary(pd.DataFrame(records))


def printed(table: pd.DataFrame) -> str:
    """Write the table: a row a proxy, measure and way, bias and share held at every odds."""
    shown = table.assign(
        cell=[
            f"{row.bias * (100 if row.measure == 'satisfied' else 1):+.1f}"
            + ("" if pd.isna(row.holds) else f" ({100 * row.holds:.0f} %)")
            for row in table.itertuples()
        ]
    )
    wide = shown.pivot_table(
        index=["proxy", "measure", "way"],
        columns="odds",
        values="cell",
        aggfunc="first",
        sort=False,
    )
    return wide.to_string()


def report(*, repetitions: int, first: int, out: Path) -> int:
    """Run the study, print and write its table, return how many bars were missed."""
    table = study(repetitions, first)
    out.parent.mkdir(parents=True, exist_ok=True)
    table.assign(simulated=True).to_csv(out, index=False, lineterminator="\n")
    print("\nOpen links whose satisfied are likelier to answer; all simulated")
    print("Bias (of the rate in percentage points), how often limits or range hold the truth:")
    print(printed(table))
    bounded = table[table["bounded"].notna()].groupby(["proxy", "measure"])["bounded"].mean()
    print("\nHow often sensitivity gives a range at all:")
    print(bounded.round(3).to_string())
    wrong = missed(table)
    for bar in wrong:
        print("MISSED:", bar)
    return len(wrong)


def main() -> int:
    """Run the study from the command line."""
    assert __doc__
    options = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    options.add_argument("--repetitions", type=int, default=300)
    options.add_argument("--first", type=int, default=1)
    options.add_argument("--out", type=Path, default=ROOT / "tests" / "out" / "answering.csv")
    return int(report(**vars(options.parse_args())) > 0)


if __name__ == "__main__":
    sys.exit(main())
