"""Interviewers: how alike the answers they take are, item by item, and whose mean stands apart in its county."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd

from satisfaction.estimation.multiplicity import benjamini_hochberg
from satisfaction.estimation.reliability import IntraclassCorrelation, intraclass_correlation
from satisfaction.fieldwork.checks import USUAL, Fields, Limits, findings, no_findings, require
from satisfaction.fieldwork.outliers import at_interviewers, others_quartiles
from satisfaction.foundation.errors import EstimatesError
from satisfaction.sampling.design import SampleDesign, SurveyDesign

Array = np.ndarray[Any, Any]


def interviewer_effects(
    rows: pd.DataFrame,
    items: Sequence[str],
    *,
    fields: Fields,
    limits: Limits = USUAL,
    level: float = 0.95,
) -> pd.DataFrame:
    """Estimate the intraclass correlation of interviewers within counties for each item, and its design effect.

    Parameters
    ----------
    rows : DataFrame
        Items as numbers, nan where there is no answer on the scale.
    items : sequence of str
    fields : Fields
        interviewer; county, whose means are removed where it is declared.
    limits : Limits
        Flagged: the adjusted test of 0 and the lower limit beyond `tolerated_rho`.
    level : float

    Returns
    -------
    DataFrame
        COLUMNS, check interviewer_effect, one row an item: figure is rho, the reference that of the other items; then
        ci_low, ci_high, deff, interviewers. An item without enough interviewers or answers keeps its row, nan.

    Raises
    ------
    ResponsesError
        R401.
    """
    require(rows, items)
    fields.column(rows, "interviewer")
    kept = [name for name in (fields.county, fields.interviewer) if name]
    design = SurveyDesign(rows[[*kept, *items]].reset_index(drop=True))
    found = [_effect(design, item, fields, level) for item in items]
    table = pd.DataFrame(
        [(np.nan,) * 5 + (0, 0) if one is None else _figures(one) for one in found],
        columns=["rho", "p", "ci_low", "ci_high", "deff", "interviewers", "n"],
    )
    reference, known = np.full((3, len(table)), np.nan), table["rho"].notna().to_numpy()
    reference[:, known] = others_quartiles(table["rho"].to_numpy()[known])
    p_bh = benjamini_hochberg(table["p"].to_numpy())
    flag = (p_bh <= limits.false_discovery) & (table["ci_low"] > limits.tolerated_rho)
    shared = {
        "unit": list(items),
        "county": "",
        "n": table["n"],
        "figure": table["rho"],
        "p_bh": p_bh,
    }
    effects = findings("interviewer_effect", "item", **shared, reference=reference, flag=flag)
    return effects.join(table[["ci_low", "ci_high", "deff", "interviewers"]])


def interviewer_means(
    rows: pd.DataFrame, items: Sequence[str], *, fields: Fields, limits: Limits = USUAL
) -> pd.DataFrame:
    """Find interviewers whose respondents score higher or lower on average than all others of the county.

    A respondent's value is the mean of the valid items. Interviewers of one county may still have worked in different
    communities: a reason to look, not a finding.

    Returns
    -------
    DataFrame
        COLUMNS, check interviewer_mean, one row an interviewer and county; empty where no interviewer is declared.
    """
    require(rows, items)
    if fields.interviewer is None:
        return no_findings()
    values = rows[list(items)].astype(float).mean(axis=1).to_numpy(float)
    return at_interviewers(
        "interviewer_mean", rows, values, fields=fields, limits=limits, side="two"
    )


def _effect(
    design: SampleDesign, item: str, fields: Fields, level: float
) -> IntraclassCorrelation | None:
    """Estimate one item; None where interviewers cannot be told from places, or none has two answers."""
    try:
        return intraclass_correlation(
            design, item, by=str(fields.interviewer), within=fields.county, level=level
        )
    except EstimatesError as fault:
        if fault.code in ("E135", "E136"):
            return None
        raise


def _figures(found: IntraclassCorrelation) -> tuple[float, float, float, float, float, int, int]:
    return (
        found.rho,
        found.p,
        found.ci_low,
        found.ci_high,
        found.deff,
        found.groups,
        found.respondents,
    )
