"""Signs of coached answers: perfect scores, knowledge without participation, a gap between modes, a jump between waves.

Each sign compares a county with the others: a province whose residents are content is no sign.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from satisfaction.fieldwork.findings import Fields, numbers, ratio, require
from satisfaction.fieldwork.outliers import (
    ComparedUnits,
    among,
    at_counties,
    at_interviewers,
    flagged_units,
    others_known,
)
from satisfaction.sampling.variance import Array


def top_box(rows: pd.DataFrame, tops: Mapping[str, float], *, fields: Fields) -> pd.DataFrame:
    """Find interviewers and counties where too many respondents give the highest answer to every item.

    Parameters
    ----------
    rows : DataFrame
        Items as numbers, nan where there is no answer on the scale.
    tops : mapping
        Item -> its highest answer. Respondents with half of the items count.

    Returns
    -------
    DataFrame
        COLUMNS; check top_box at the levels interviewer, county.
    """
    answers = numbers(rows, list(tops))
    highest = np.array(list(tops.values()), float)
    known = np.isfinite(answers)
    perfect = ((answers == highest) | ~known).all(axis=1)
    enough = known.sum(axis=1) >= max(1, len(tops) / 2)
    values = np.where(enough, perfect, np.nan)
    by_interviewer = at_interviewers("top_box", rows, values, fields=fields)
    by_county = at_counties("top_box", rows, values, fields=fields)
    return pd.concat([by_interviewer, by_county], ignore_index=True)


def knowledge_ceiling(
    rows: pd.DataFrame,
    *,
    knowledge: str,
    participation: str,
    fields: Fields,
) -> pd.DataFrame:
    """Find counties that know more than the others without taking part more.

    Parameters
    ----------
    rows : DataFrame
    knowledge, participation : str
        Columns of shares (0-1) a respondent; nan where not valid.

    Returns
    -------
    DataFrame
        COLUMNS and knowledge, participation (means); check knowledge_ceiling, one row a county. Flagged where knowledge minus
        participation stands out and participation is not above the others' median.
    """
    rates = [knowledge, participation]
    known, active = numbers(rows, rates).T
    counties = at_counties("knowledge_ceiling", rows, known - active, fields=fields)
    by_county = rows.groupby(fields.codes(rows, "county"))
    means = by_county[rates].mean().reindex(counties["unit"])
    counties["knowledge"] = means[knowledge].to_numpy(float)
    counties["participation"] = means[participation].to_numpy(float)
    median = others_known(counties["participation"].to_numpy())[0]
    active_too = ~(counties["participation"] <= median)
    counties["flag"] &= ~active_too
    counties.loc[active_too, ["zh", "en"]] = ""
    return counties


def mode_gap(
    rows: pd.DataFrame,
    measure: str,
    *,
    modes: tuple[str, str],
    fields: Fields,
) -> pd.DataFrame:
    """Compare the gap between two modes in each county with the other counties' gaps, without a sample design.

    Parameters
    ----------
    rows : DataFrame
    measure : str
        A numeric column, nan where not valid.
    modes : (str, str)
        Codes of the mode under suspicion (face to face) and of the other (telephone): figure = first minus second.

    Returns
    -------
    DataFrame
        COLUMNS, se and p (of the gap itself against 0, two-sided normal); check mode_gap, one row a county with two
        respondents in each mode; flagged where the gap is larger than the others'. A gap that all counties share is an effect
        of the modes.

    Raises
    ------
    ResponsesError
        R401.
    """
    require(rows, [measure])
    county = fields.codes(rows, "county").rename("county")
    mode = fields.codes(rows, "mode", needed=True).rename("mode")
    values = rows[measure].astype(float).groupby([mode, county])
    cells = values.agg(["mean", "var", "count"]).reset_index("mode")
    of_first = cells[cells["mode"] == modes[0]]
    of_second = cells[cells["mode"] == modes[1]].add_suffix("_2")
    both = of_first.join(of_second, how="inner").dropna()
    variance = both["var"] / both["count"] + both["var_2"] / both["count_2"]
    gap = (both["mean"] - both["mean_2"]).to_numpy(float)
    se = np.sqrt(variance.to_numpy(float))
    n = (both["count"] + both["count_2"]).to_numpy()
    compared = among(gap, se=se, n=n, side="high")
    return _differing("mode_gap", both.index, compared, se)


def jumps(changes: pd.DataFrame, *, county: str) -> pd.DataFrame:
    """Find counties whose change since the last wave stands out from the other counties' and from sampling error.

    Parameters
    ----------
    changes : DataFrame
        One row a county of one measure: the county's column, difference and se, as `comparisons.change(...).table` has them.

    Returns
    -------
    DataFrame
        COLUMNS, se and p (of the change itself against 0); check jump, one row a county; rises and falls are both flagged.
        n is not known here and 0.

    Raises
    ------
    ResponsesError
        R401.
    """
    require(changes, [county, "difference", "se"])
    change = changes["difference"].to_numpy(float)
    se = changes["se"].to_numpy(float)
    compared = among(change, se=se, side="two")
    return _differing("jump", changes[county], compared, se)


def _differing(check: str, county: Any, compared: ComparedUnits, se: Array) -> pd.DataFrame:
    """Arrange compared differences, each with its own test of 0 (two-sided normal)."""
    units = county.astype(str)
    z = ratio(np.abs(compared.figure), se)
    table = flagged_units(check, "county", compared, unit=units, county=units)
    return table.assign(se=se, p=2 * special.ndtr(-z))
