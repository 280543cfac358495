"""Whether answers are the respondents' own: signs of coaching, and the answers of a second, short interview.

Perfect scores, knowledge without participation, a gap between modes, a jump between waves: each compares a county with the
others, since a province whose residents are content is no sign.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from satisfaction.fieldwork.findings import (
    LIMITS,
    Fields,
    findings,
    in_one_table,
    numeric_columns,
    ratio,
    require,
)
from satisfaction.fieldwork.outliers import (
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
    answers = numeric_columns(rows, list(tops))
    highest = np.array(list(tops.values()), float)
    known = np.isfinite(answers)
    perfect = ((answers == highest) | ~known).all(axis=1)
    enough = known.sum(axis=1) >= max(1, len(tops) / 2)
    values = np.where(enough, perfect, np.nan)
    return in_one_table(
        at_interviewers("top_box", rows, values, fields=fields),
        at_counties("top_box", rows, values, fields=fields),
    )


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
        COLUMNS; check knowledge_ceiling, one row a county. Flagged where knowledge minus
        participation stands out and participation is not above the others' median.
    """
    known, active = numeric_columns(rows, [knowledge, participation]).T
    counties = at_counties("knowledge_ceiling", rows, known - active, fields=fields)
    by_county = rows[participation].groupby(fields.codes(rows, "county"))
    means = by_county.mean().reindex(counties["unit"]).to_numpy(float)
    active_too = ~(means <= others_known(means)[0])
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
        COLUMNS; check mode_gap, one row a county with two respondents in each mode; flagged where the gap is larger than the others'. A gap that all counties share is an effect
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
    counties = both.index.astype(str)
    return flagged_units("mode_gap", "county", compared, unit=counties, county=counties)


def jumps(changes: pd.DataFrame, *, county: str) -> pd.DataFrame:
    """Find counties whose change since the last wave stands out from the other counties' and from sampling error.

    Parameters
    ----------
    changes : DataFrame
        One row a county of one measure: the county's column, difference and se, as `comparisons.change(...).table` has them.

    Returns
    -------
    DataFrame
        COLUMNS; check jump, one row a county; rises and falls are both flagged. n is not known here and 0.

    Raises
    ------
    ResponsesError
        R401.
    """
    require(changes, [county, "difference", "se"])
    change = changes["difference"].to_numpy(float)
    se = changes["se"].to_numpy(float)
    compared = among(change, se=se, side="two")
    counties = changes[county].astype(str)
    return flagged_units("jump", "county", compared, unit=counties, county=counties)


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
        COLUMNS. Levels: item (figure Cohen's kappa, flagged when below that of
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

    agreements = list(map(cohen_kappa, before.T, after.T))
    table = pd.DataFrame(agreements, columns=["kappa", "se", "n"])
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

    both = np.isfinite(before) & np.isfinite(after)
    different = both & (before != after)
    share = ratio(different.sum(axis=1), both.sum(axis=1))
    by_interviewer = at_interviewers("back_check", pairs, share, fields=fields)

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
    return in_one_table(by_item, by_interviewer, by_respondent)


def cohen_kappa(first: Array, second: Array) -> tuple[float, float, int]:
    """Agreement of two codings beyond chance (Cohen 1960).

    Parameters
    ----------
    first, second : (n,) float
        nan: left out.

    Returns
    -------
    kappa, se : float
        nan without pairs, and where chance alone agrees always.
    n : int
        Pairs.
    """
    known = np.isfinite(first) & np.isfinite(second)
    n = int(known.sum())
    if not n:
        return np.nan, np.nan, 0
    first = first[known]
    second = second[known]
    agreement = float((first == second).mean())
    chance = 0.0
    for code in np.unique(first):
        by_both = (first == code).mean() * (second == code).mean()
        chance += float(by_both)
    if chance == 1:
        return np.nan, np.nan, n
    kappa = (agreement - chance) / (1 - chance)
    se_of_agreement = float(np.sqrt(agreement * (1 - agreement) / n))
    se = se_of_agreement / (1 - chance)
    return kappa, se, n
