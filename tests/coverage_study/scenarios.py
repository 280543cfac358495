"""The scenarios: each draws one sample by its seed and returns how every interval fared (see `scoring.scored`)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from satisfaction.estimation.change import change
from satisfaction.estimation.estimates import estimate
from satisfaction.estimation.result import Estimates
from satisfaction.sampling.design import SampleDesign, SurveyDesign
from satisfaction.sampling.measures import column_measure
from satisfaction.sampling.tally import tally
from satisfaction.weighting.calibration import calibrate
from satisfaction.weighting.nonresponse import adjust_nonresponse
from satisfaction.weighting.trimming import trim

from .province import Province
from .sampling import (
    PER_PSU_WITH_NONRESPONSE,
    draw_communities,
    generator,
    interview,
    next_communities,
    with_nonresponse,
)
from .scoring import scored

Record = dict[str, Any]
SCORE, RATES = "score", ("rate90", "rate60")
TRIMMED_ABOVE = 3.0  # x the median weight


def designed(respondents: pd.DataFrame) -> SampleDesign:
    """Declare the design of a drawn sample; the rates are declared as such, so that `mean` gives them logit limits."""
    rates = [replace(column_measure(name), kind="rate") for name in RATES]
    return SurveyDesign(
        respondents,
        strata=["county", "residence"],
        psu="psu",
        base_weight="base_weight",
        measures=rates,
    )


def plain(province: Province, seed: int) -> list[Record]:
    """County means, proportions and medians with base weights, and the change to a second wave, from one sample."""
    drawn = draw_communities(province, generator(seed, 1))
    design = designed(interview(province, drawn, generator(seed, 2)))
    return [
        *_county_means(province, design, "1 county means, base weights"),
        *_proportions(province, design),
        *_raked(province, design),
        *_change(province, drawn, design, seed),
        *_medians(province, design),
    ]


def recipe(province: Province, seed: int, *, method: str = "classes") -> list[Record]:
    """Nonresponse adjustment, raking, trimming, raking; default variance (jackknife that replays the whole recipe)."""
    drawn = draw_communities(province, generator(seed, 3))
    sampled = interview(province, drawn, generator(seed, 4), take=PER_PSU_WITH_NONRESPONSE)
    design = adjusted(province, designed(with_nonresponse(sampled, generator(seed, 5))), method)
    name = f"4 recipe ({method}, raking, trimming, raking)"
    records = []
    for by, where in (("county", "counties"), (None, "province")):
        found = estimate(design, [SCORE, *RATES], by=by or ())
        for measure in (SCORE, *RATES):
            truth = province.means(measure) if by else np.array([province.mean(measure)])
            interval = "t" if measure == SCORE else "logit"
            records.append(
                scored(
                    f"{name}: {where}",
                    measure,
                    f"jkn, {interval}",
                    found.of(measure).table,
                    truth,
                    required=True,
                )
            )
    return records


def adjusted(province: Province, design: SampleDesign, method: str) -> SampleDesign:
    """Run the recipe."""
    by = ["county", "age", "sex"]
    answering = adjust_nonresponse(design, "responded", by=by, method=method)  # type: ignore[arg-type]
    raked = calibrate(answering, province.margins())
    return calibrate(trim(raked, upper=TRIMMED_ABOVE, relative_to="median"), province.margins())


def zero_errors(province: Province, seed: int) -> list[Record]:
    """Return the largest se / total over calibrated totals: county x sex, county x age, county, province; both variances."""
    drawn = draw_communities(province, generator(seed, 3))
    sampled = interview(province, drawn, generator(seed, 4), take=PER_PSU_WITH_NONRESPONSE)
    design = designed(with_nonresponse(sampled, generator(seed, 5)))
    weighted = {
        "raking, linearized": calibrate(design, province.margins()),
        "recipe, jkn": adjusted(province, design, "classes"),
    }
    records = []
    for name, one in weighted.items():
        for by in (["county", "sex"], ["county", "age"], ["county"], []):
            table = estimate(one, "one", statistic="total", by=by).table
            records.append(
                {
                    "weights": name,
                    "total": " x ".join(by) or "province",
                    "relative_se": _relative(table, province, by),
                }
            )
    return records


def _relative(table: pd.DataFrame, province: Province, by: list[str]) -> float:
    """Return the largest se / total; inf where a total is not the population's."""
    if not np.isclose(table["estimate"].sum(), len(province.age), rtol=1e-8):
        return np.inf
    kept = table[table["estimate"] > 0]
    return float((kept["se"] / kept["estimate"]).max())


def _county_means(province: Province, design: SampleDesign, scenario: str) -> list[Record]:
    found = estimate(design, SCORE, by="county").table
    return [scored(scenario, SCORE, "t", found, province.means(SCORE), required=True)]


def _proportions(province: Province, design: SampleDesign) -> list[Record]:
    counted = tally(design, RATES, by=["county"])
    records = []
    for interval, required in (("default", True), ("beta", False), ("t", False)):
        found = estimate(
            design, RATES, statistic="proportion", by="county", interval=interval, counted=counted
        )  # type: ignore[arg-type]
        method = {"default": "logit (default)", "beta": "beta (Korn-Graubard)", "t": "t (Wald)"}[
            interval
        ]
        for rate in RATES:
            truth = province.means(rate)
            records.append(
                scored(
                    "2 county proportions",
                    rate,
                    method,
                    found.of(rate).table,
                    truth,
                    required=required,
                )
            )
    return records


def _raked(province: Province, design: SampleDesign) -> list[Record]:
    found = estimate(calibrate(design, province.margins()), [SCORE, *RATES], by="county")
    methods = {SCORE: "linearized, t"} | dict.fromkeys(RATES, "linearized, logit")
    return [
        scored(
            "3 county means, raked", m, method, found.of(m).table, province.means(m), required=True
        )
        for m, method in methods.items()
    ]


def _change(
    province: Province, drawn: pd.DataFrame, earlier: SampleDesign, seed: int
) -> list[Record]:
    """Score the change between two raked waves that share a quarter of the PSUs, with the overlap and as if without."""
    fresh = interview(
        province, next_communities(province, drawn, generator(seed, 6)), generator(seed, 7), wave=2
    )
    parts = [
        estimate(calibrate(one, province.margins()), [SCORE, *RATES], by="county")
        for one in (designed(fresh), earlier)
    ]
    found = change(*parts).table
    records = []
    for measure in (SCORE, *RATES):
        truth = province.means(measure, 2) - province.means(measure, 1)
        own = found[found["measure"] == measure].rename(columns={"difference": "estimate"})
        apart = _as_if_apart(own, *(part.of(measure) for part in parts))
        name = "5 change between waves, raked"
        records.append(scored(name, measure, "overlap credited", own, truth, required=True))
        records.append(scored(name, measure, "overlap ignored", apart, truth, required=False))
    return records


def _as_if_apart(found: pd.DataFrame, later: Estimates, earlier: Estimates) -> pd.DataFrame:
    """Return the limits with the two variances added up, at the same t."""
    se = np.sqrt(later.table["se"].to_numpy() ** 2 + earlier.table["se"].to_numpy() ** 2)
    half = (found["ci_high"] - found["ci_low"]).to_numpy() / 2 * se / found["se"].to_numpy()
    return found.assign(se=se, ci_low=found["estimate"] - half, ci_high=found["estimate"] + half)


def _medians(province: Province, design: SampleDesign) -> list[Record]:
    found = estimate(design, SCORE, statistic="median", by="county").table
    return [
        scored(
            "6 county medians, base weights",
            SCORE,
            "Woodruff",
            found,
            province.medians(SCORE),
            required=False,
        )
    ]
