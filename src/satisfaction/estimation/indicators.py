"""Strong and weak indicators of an area: how each topic stands against the whole, and how much it matters.

Importance-performance analysis (Martilla and James 1977) with errors: a topic is strong or weak only where the difference is
established, and where it is not, that is said.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from scipy import special

from satisfaction.declarations.questionnaire import Questionnaire
from satisfaction.estimation.multiplicity import holm
from satisfaction.estimation.regression import regression
from satisfaction.estimation.result import Estimates
from satisfaction.foundation.errors import EstimatesError
from satisfaction.foundation.language import N_, _
from satisfaction.sampling.design import SampleDesign

STEP = 25.0  # points of a topic that importance is stated for: one answer of a scale of five
VERDICTS = ("strong", "weak", "not decidable")
QUADRANTS = {
    ("strong", True): "keep",
    ("weak", True): "improve first",
    ("strong", False): "keep, minor",
    ("weak", False): "improve, minor",
}


@dataclass(frozen=True, slots=True, eq=False)
class Importance:
    """How much each topic goes with the overall judgement.

    Attributes
    ----------
    table : DataFrame
        One row a topic, in the questionnaire's order: topic, importance, se, ci_low, ci_high, p, high (bool: above the
        median of the topics).
    summary : mapping
        overall, unit, method, n, level.
    """

    table: pd.DataFrame = field(repr=False)
    summary: Mapping[str, Any]


@dataclass(frozen=True, slots=True, eq=False)
class Indicators:
    """Topics of areas against the whole.

    Attributes
    ----------
    table : DataFrame
        One row an area and topic: code, topic, score, whole (points 0-100), difference, se, df, ci_low, ci_high, p, p_holm
        (over the topics of the area), verdict ("strong", "weak", "not decidable"), importance, high, quadrant ("keep",
        "improve first", "keep, minor", "improve, minor"; empty where not decidable).
    importance : Importance
    summary : mapping
        What is compared, level, multiplicity, selection.
    """

    table: pd.DataFrame = field(repr=False)
    importance: Importance
    summary: Mapping[str, Any]


def importance(
    design: SampleDesign, questionnaire: Questionnaire, *, overall: str | None = None
) -> Importance:
    """Estimate what a topic goes with: percentage points of the overall rate for 25 points of the topic, the others equal.

    The overall rate is what is declared: `overall` here (of the survey), else the questionnaire's own.

    A weighted linear regression of the overall rate on all topics, errors by the sample design. It describes what goes
    together; it does not say what would follow from improving a topic.

    Raises
    ------
    EstimatesError
        E191 where the questionnaire has no topics or no overall rate.
    """
    overall = overall or questionnaire.overall
    if overall is None or not questionnaire.topics:
        raise EstimatesError(
            "E191",
            _(
                "The questionnaire has no topics or no overall rate; importance cannot be "
                "estimated."
            ),
            where=questionnaire.reference,
            available=questionnaire.overall_rates(),
            hint=_(
                "Declare topics, and write `overall: NAME` in survey.yaml or in a new "
                "version of the questionnaire."
            ),
        )
    topics = list(questionnaire.topics)
    fit = regression(design, overall, topics)
    slopes = fit.table.set_index("term").loc[topics]
    table = pd.DataFrame({"topic": topics})
    table["importance"] = slopes["estimate"].to_numpy() * STEP * 100
    for name in ("se", "ci_low", "ci_high"):
        table[name] = slopes[name].to_numpy() * STEP * 100
    table["p"] = slopes["p"].to_numpy()
    table["high"] = table["importance"] > table["importance"].median()
    summary = {
        "overall": overall,
        "unit": f"percentage points of {overall} for {STEP:g} points of the topic",
        "method": N_("weighted linear regression on all topics, se by the sample design"),
        "n": fit.conventions["n"],
        "level": fit.conventions["level"],
    }
    return Importance(table, MappingProxyType(summary))


def unknown_importance(topics: Sequence[str], why: EstimatesError) -> Importance:
    """Return the importance of topics where it cannot be estimated: missing, with the reason."""
    missing = np.full(len(topics), np.nan)
    table = pd.DataFrame({"topic": list(topics)})
    for name in ("importance", "se", "ci_low", "ci_high", "p"):
        table[name] = missing
    table["high"] = False
    summary = {"method": N_("not estimated"), "reason": f"{why.code} {why.text}"}
    return Importance(table, MappingProxyType(summary))


def strengths_and_weaknesses(areas: Estimates, whole: Estimates, matters: Importance) -> Indicators:
    """Compare the topics of every area with the whole.

    Parameters
    ----------
    areas, whole : Estimates
        Of the same design: by one column of areas, and of all together; both with the topics.
    matters : Importance

    Returns
    -------
    Indicators
        The area is a part of the whole; their covariance is in the error of the difference. df are the area's.
    """
    topics = list(matters.table["topic"])
    (by,) = areas.by
    at = np.flatnonzero(areas.table["measure"].isin(topics))
    part = areas.table.iloc[at].reset_index(drop=True)
    row_of_topic = whole.table.reset_index().set_index("measure")["index"]
    of_whole = row_of_topic.loc[part["measure"]].to_numpy()
    whole_score = whole.table["estimate"].to_numpy(float)[of_whole]
    difference = part["estimate"].to_numpy(float) - whole_score
    of_areas = areas.contributions.matrix[:, at]
    gap = sp.csr_array(of_areas) - sp.csr_array(whole.contributions.matrix[:, of_whole])
    variance = np.asarray(gap.multiply(gap).sum(axis=0))
    se = np.asarray(np.sqrt(variance.ravel()))
    df = part["df"].to_numpy(float)
    with np.errstate(divide="ignore", invalid="ignore"):
        p = 2 * special.stdtr(df, -np.abs(difference / se))
    half = special.stdtrit(df, (1 + areas.level) / 2) * se
    table = pd.DataFrame(
        {
            "code": part[by].astype(str),
            "topic": part["measure"],
            "score": part["estimate"],
            "whole": whole_score,
            "difference": difference,
            "se": se,
            "df": df,
            "ci_low": difference - half,
            "ci_high": difference + half,
            "p": p,
        }
    )
    by_area = table.groupby("code")["p"]
    table["p_holm"] = by_area.transform(lambda p: holm(p.to_numpy()))
    provable = areas.conventions["selection"] == "probability"
    established = (table["p_holm"] <= 1 - areas.level) & provable
    stronger = established & (difference > 0)
    weaker = established & (difference < 0)
    table["verdict"] = np.select([stronger, weaker], VERDICTS[:2], VERDICTS[2])
    table = table.merge(matters.table[["topic", "importance", "high"]], on="topic", how="left")
    quadrants = []
    for row in table.itertuples():
        quadrant = QUADRANTS.get((row.verdict, bool(row.high)), "")
        quadrants.append(quadrant if np.isfinite(row.importance) else "")
    table["quadrant"] = quadrants
    summary = {
        "compared": N_("topic of the area minus topic of the whole, of which the area is a part"),
        "level": areas.level,
        "multiplicity": N_("Holm over the topics of an area, for one area named beforehand"),
        "selection": areas.conventions["selection"],
        "importance": dict(matters.summary),
    }
    return Indicators(table, matters, MappingProxyType(summary))
