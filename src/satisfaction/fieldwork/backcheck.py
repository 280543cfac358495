"""Back-checks: the answers of a second, short interview beside the first."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from satisfaction.fieldwork.findings import (
    LIMITS,
    Fields,
    findings,
    numeric_columns,
    ratio,
    require,
)
from satisfaction.fieldwork.outliers import at_interviewers, others_known
from satisfaction.sampling.variance import Array

ONE_SIDED = 1.6448536269514722  # normal quantile of 0.95


def back_check(
    rows: pd.DataFrame,
    again: pd.DataFrame,
    items: Sequence[str],
    *,
    fields: Fields,
) -> pd.DataFrame:
    """Compare back-checked answers with the first ones, by item and by interviewer.

    Parameters
    ----------
    rows, again : DataFrame
        Accepted respondents and re-interviews, both with the respondent's number and the items as codes.
    items : sequence of str
        Items that do not change between two interviews.
    fields : Fields

    Returns
    -------
    DataFrame
        COLUMNS and agreement (share of equal answers, 0-1). Levels: item (figure Cohen's kappa, flagged when below that of
        LIMITS by more than its error, one-sided 95%), interviewer (figure: share of
        answers that differ, flagged when higher than the others' of the county), and, under the check back_check_lost,
        respondent for back-checks whose number no accepted interview has.

    Raises
    ------
    ResponsesError
        R401.
    """
    require(rows, items)
    require(again, items)
    respondent = pd.Index(fields.codes(rows, "respondent", needed=True))
    unique = ~respondent.duplicated()
    first = rows[unique].set_index(respondent[unique])
    checked = fields.codes(again, "respondent", needed=True)
    has_first = checked.isin(first.index).to_numpy()
    pairs = first.loc[checked[has_first]]
    before = numeric_columns(pairs, items)
    after = numeric_columns(again[has_first], items)

    by_item = _items(before, after, items=items)

    both = np.isfinite(before) & np.isfinite(after)
    different = both & (before != after)
    share = ratio(different.sum(axis=1), both.sum(axis=1))
    by_interviewer = at_interviewers("back_check", pairs, share, fields=fields)
    by_interviewer["agreement"] = 1 - by_interviewer["figure"]

    lost = checked[~has_first]
    nothing = np.full((3, 1), np.nan)
    by_respondent = findings(
        "back_check_lost",
        "respondent",
        unit=lost,
        county="",
        n=1,
        figure=np.nan,
        reference=nothing,
        flag=np.ones(len(lost), bool),
    )
    by_respondent["agreement"] = np.nan
    tables = [by_item, by_interviewer, by_respondent]
    return pd.concat([table for table in tables if len(table)], ignore_index=True)


def cohen_kappa(first: Array, second: Array) -> tuple[float, float, float, int]:
    """Agreement of two codings beyond chance (Cohen 1960).

    Parameters
    ----------
    first, second : (n,) float
        nan: left out.

    Returns
    -------
    kappa, se, agreement : float
        nan without pairs; kappa and se are nan where chance alone agrees always.
    n : int
        Pairs.
    """
    known = np.isfinite(first) & np.isfinite(second)
    n = int(known.sum())
    if not n:
        return np.nan, np.nan, np.nan, 0
    first = first[known]
    second = second[known]
    agreement = float((first == second).mean())
    chance = 0.0
    for code in np.unique(first):
        by_both = (first == code).mean() * (second == code).mean()
        chance += float(by_both)
    if chance == 1:
        return np.nan, np.nan, agreement, n
    kappa = (agreement - chance) / (1 - chance)
    se_of_agreement = float(np.sqrt(agreement * (1 - agreement) / n))
    se = se_of_agreement / (1 - chance)
    return kappa, se, agreement, n


def _items(before: Array, after: Array, *, items: Sequence[str]) -> pd.DataFrame:
    agreements = list(map(cohen_kappa, before.T, after.T))
    table = pd.DataFrame(agreements, columns=["kappa", "se", "agreement", "n"])
    kappa = table["kappa"].to_numpy(float)
    by_item = findings(
        "back_check",
        "item",
        unit=list(items),
        county="",
        n=table["n"],
        figure=kappa,
        reference=others_known(kappa),
        flag=kappa + ONE_SIDED * table["se"] < LIMITS.kappa,
    )
    return by_item.assign(agreement=table["agreement"])
