"""How far the fieldwork is: the sample table by area, quotas by cell, interviews by day, what became of the cases.

Final dispositions and outcome rates follow AAPOR's Standard Definitions (9th ed.); formulas as in R's outcomerate.
I complete, P partial interview, R refusal, NC non-contact, O other eligible, UH and UO of unknown eligibility (household,
other), NE not eligible. Rates marked "e" count the unknown by e, the share eligible among the resolved cases.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pandas as pd

from satisfaction.collection.responses import Responses
from satisfaction.declarations.facts import DISPOSITIONS
from satisfaction.declarations.survey import Survey
from satisfaction.fieldwork.findings import LIMITS, Fields, findings, ratio, require
from satisfaction.fieldwork.outliers import among, flagged_units, others_known, share_error
from satisfaction.foundation.errors import ResponsesError, SurveyError, shortened
from satisfaction.foundation.language import _, ngettext
from satisfaction.sampling.variance import Array


def progress(responses: Responses, survey: Survey) -> pd.DataFrame:
    """Compare accepted interviews and reached PSUs with the sample table, or interviews with the quota, by area.

    Returns
    -------
    DataFrame
        One row a ranked area, also where nobody was reached: code, name_zh, name_en, planned and accepted interviews,
        share (accepted / planned, 0-1), psus_planned, psus_reached. Without a sample table or a quota (or PSUs) these are missing.
    """
    roles = survey.questionnaire.roles
    names = survey.area_names()
    codes = survey.ranked_areas()
    area = responses.accepted[roles.area].astype(str)
    accepted = responses.accepted.groupby(area)
    planned = psus_planned = psus_reached = pd.Series(dtype="Int64")
    if survey.sample is not None and roles.psu and roles.area in survey.sample:
        interviews = pd.to_numeric(survey.sample["planned"])
        sample = survey.sample.assign(planned=interviews).groupby(roles.area)
        planned = sample["planned"].sum()
        psus_planned = sample[roles.psu].nunique()
    elif survey.quota is not None:
        planned = survey.quota.groupby(roles.area)["planned"].sum()
    if roles.psu:
        psus_reached = accepted[roles.psu].nunique()
    areas = pd.DataFrame([names[code] for code in codes], columns=["name_zh", "name_en"])
    areas.insert(0, "code", codes)
    due = _by_area(planned, codes)
    had = _by_area(accepted.size(), codes)
    return areas.assign(
        planned=due,
        accepted=had,
        share=had / due,
        psus_planned=_by_area(psus_planned, codes),
        psus_reached=_by_area(psus_reached, codes),
    )


def quota_progress(
    rows: pd.DataFrame,
    quota: pd.DataFrame,
    *,
    by: Sequence[str],
    elapsed: float = 1.0,
) -> pd.DataFrame:
    """Compare accepted interviews with a quota table, cell by cell; cells the table does not have are findings too.

    Parameters
    ----------
    rows : DataFrame
        Accepted respondents.
    quota : DataFrame
        The columns of `by` and `planned` (interviews).
    by : sequence of str
        Columns of a cell, the area first; compared as text.
    elapsed : float
        Share of the fielding period that has passed (0-1): planned x elapsed interviews are due.

    Returns
    -------
    DataFrame
        COLUMNS, one row a cell, flagged below the `progress` of LIMITS: unit is the cell's codes joined by " x ", figure
        accepted / due, median and quartiles those
        of the other cells; then planned and accepted. Checks: quota, outside_quota.

    Raises
    ------
    ResponsesError
        R401 a column is missing; R402 a cell stands twice, or planned is no count.
    """
    require(rows, by)
    require(quota, [*by, "planned"])
    cells = quota[[*by]].astype(str)
    cells["planned"] = pd.to_numeric(quota["planned"], errors="coerce")
    by = list(by)
    wrong = cells.duplicated(by) | ~(cells["planned"] >= 0)
    if wrong.any():
        raise ResponsesError(
            "R402",
            _(
                "The quota table is not right: cell '{cell}' stands twice, or `planned` is "
                "no count.",
                cell=" x ".join(cells.loc[wrong, by].iloc[0]),
            ),
            where="quota",
            hint=_("Write each cell once, with the interviews planned."),
        )
    accepted = rows[by].astype(str).value_counts(sort=False).rename("accepted")
    table = cells.merge(accepted.reset_index(), how="outer", on=by, sort=True)
    in_quota = table["planned"].notna().to_numpy()
    counts = table[["planned", "accepted"]].fillna(0).astype(int)
    figure = ratio(counts["accepted"], counts["planned"] * elapsed)
    reference = others_known(figure)
    behind = figure < LIMITS.progress
    unit = table[by].agg(" x ".join, axis=1)
    tables = []
    for check, chosen in (("quota", in_quota), ("outside_quota", ~in_quota)):
        if chosen.any():
            of_check = counts[chosen].reset_index(drop=True)
            cells_of_check = findings(
                check,
                "cell",
                unit=unit[chosen],
                county=table.loc[chosen, by[0]],
                n=of_check["accepted"],
                figure=figure[chosen],
                reference=reference[:, chosen],
                flag=~in_quota[chosen] | behind[chosen],
            )
            tables.append(cells_of_check.join(of_check))
    return pd.concat(tables, ignore_index=True)


def by_day(rows: pd.DataFrame, *, fields: Fields) -> pd.DataFrame:
    """Count interviews by day.

    Returns
    -------
    DataFrame
        day, interviews, cumulative, and, where declared, interviewers and counties at work that day; days in order, "" for
        interviews without a day.
    """
    day = fields.codes(rows, "day").rename("day")
    table = day.groupby(day).size().rename("interviews").reset_index()
    table["cumulative"] = table["interviews"].cumsum()
    for name, plural in (("interviewer", "interviewers"), ("county", "counties")):
        if getattr(fields, name):
            codes = fields.codes(rows, name)
            table[plural] = codes.groupby(day).nunique().to_numpy()
    return table


def _by_area(counts: pd.Series, codes: list[str]) -> pd.Series:
    """Arrange counts in the order of the areas: 0 where an area has none, missing where nothing was counted."""
    if counts.empty:
        return pd.Series(pd.NA, index=range(len(codes)), dtype="Int64")
    return counts.reindex(codes, fill_value=0).astype("Int64").reset_index(drop=True)


E_FORMULA = "eligible / (eligible + not eligible)"
# rate -> numerator, eligible cases of the denominator, and how much of the unknown (UH + UO) it counts
ELIGIBLE = ("I", "P", "R", "NC", "O")
RATES: dict[str, tuple[tuple[str, ...], tuple[str, ...], str]] = {
    "RR1": (("I",), ELIGIBLE, "all"),
    "RR2": (("I", "P"), ELIGIBLE, "all"),
    "RR3": (("I",), ELIGIBLE, "e"),
    "RR4": (("I", "P"), ELIGIBLE, "e"),
    "RR5": (("I",), ELIGIBLE, "none"),
    "RR6": (("I", "P"), ELIGIBLE, "none"),
    "COOP1": (("I",), ("I", "P", "R", "O"), "none"),
    "COOP2": (("I", "P"), ("I", "P", "R", "O"), "none"),
    "COOP3": (("I",), ("I", "P", "R"), "none"),
    "COOP4": (("I", "P"), ("I", "P", "R"), "none"),
    "REF1": (("R",), ELIGIBLE, "all"),
    "REF2": (("R",), ELIGIBLE, "e"),
    "REF3": (("R",), ELIGIBLE, "none"),
    "CON1": (("I", "P", "R", "O"), ELIGIBLE, "all"),
    "CON2": (("I", "P", "R", "O"), ELIGIBLE, "e"),
    "CON3": (("I", "P", "R", "O"), ELIGIBLE, "none"),
}


@dataclass(frozen=True, slots=True)
class Dispositions:
    """Cases by disposition and the rates that follow.

    Attributes
    ----------
    counts : DataFrame
        disposition, zh, en, cases; one row each of DISPOSITIONS.
    rates : DataFrame
        rate, value (0-1; nan without cases), numerator, denominator, formula.
    e : float
        Share eligible that RR3, RR4, REF2 and CON2 use (`E_FORMULA`).
    """

    counts: pd.DataFrame = field(repr=False)
    rates: pd.DataFrame = field(repr=False)
    e: float


def dispositions(outcomes: pd.Series[Any], mapping: Mapping[str, str]) -> Dispositions:
    """Count dispositions and form the response, cooperation, refusal and contact rates.

    Parameters
    ----------
    outcomes : Series
        Final outcome code of every sampled case, the interviewed ones included.
    mapping : mapping
        Code -> one of DISPOSITIONS (see `read_outcomes`).

    Raises
    ------
    ResponsesError
        R403 codes that the map does not have.
    SurveyError
        S192 an unknown disposition in the map.
    """
    counted = case_counts(outcomes, mapping)
    share = eligible_share(counted[None])
    values, numerators, denominators = outcome_rates(counted[None], e=share)
    figures = {"value": values[0], "numerator": numerators[0], "denominator": denominators[0]}
    formulas = [_formula(rate) for rate in RATES]
    rates = pd.DataFrame({"rate": list(RATES), **figures, "formula": formulas})
    counts = pd.DataFrame(list(DISPOSITIONS.values()), columns=["zh", "en"])
    counts.insert(0, "disposition", list(DISPOSITIONS))
    return Dispositions(counts.assign(cases=counted), rates, float(share[0]))


def response_rates(
    cases: pd.DataFrame,
    mapping: Mapping[str, str],
    *,
    outcome: str,
    by: str,
) -> pd.DataFrame:
    """Find counties whose RR1 is lower than that of the others.

    Parameters
    ----------
    cases : DataFrame
        One row a sampled case.
    outcome, by : str
        Columns of the outcome code and of the county.

    Returns
    -------
    DataFrame
        COLUMNS, check response_rate; n is the number of cases that RR1 counts.

    Raises
    ------
    ResponsesError
        R401, R403.
    """
    require(cases, [outcome, by])
    known = cases[cases[by].notna()]
    units: list[str] = []
    counts = np.empty((known[by].astype(str).nunique(), len(DISPOSITIONS)), int)
    for unit, outcomes in known[outcome].groupby(known[by].astype(str)):
        counts[len(units)] = case_counts(outcomes, mapping)
        units.append(unit)
    values, _unused, bases = outcome_rates(counts, e=eligible_share(counts))
    rr1 = values[:, 0]
    n = bases[:, 0]
    se = share_error(rr1, n)
    compared = among(rr1, se=se, n=n.astype(int), side="low")
    return flagged_units("response_rate", "county", compared, unit=units, county=units)


def case_counts(outcomes: pd.Series[Any], mapping: Mapping[str, str]) -> Array:
    """Count cases in the order of DISPOSITIONS: (8,) int."""
    if strange := sorted(set(mapping.values()) - set(DISPOSITIONS)):
        raise SurveyError(
            "S192",
            _("`disposition` is none of AAPOR's: {strange}.", strange=shortened(strange)),
            where="outcomes",
            available=DISPOSITIONS,
            got=strange[0],
            hint=_("Use one of the categories listed."),
        )
    texts = outcomes.astype(object).where(outcomes.notna(), "").map(str)
    codes = texts.str.strip()
    if unmapped := sorted(set(codes) - set(mapping)):
        rows = int(codes.isin(unmapped).sum())
        raise ResponsesError(
            "R403",
            _(
                "Outcome codes {quoted} are not in the map ({rows}).",
                quoted=shortened(f"'{code}'" for code in unmapped),
                rows=ngettext("{n:,} case", "{n:,} cases", rows),
            ),
            where="outcomes",
            available=mapping,
            got=unmapped[0],
            hint=_("Add them to the survey folder's table of outcome codes."),
        )
    counts = codes.map(mapping).value_counts().reindex(list(DISPOSITIONS), fill_value=0)
    return np.asarray(counts.to_numpy(int))


def eligible_share(counts: Array) -> Array:
    """Share eligible among the resolved cases, (U, 8) -> (U,); nan without resolved cases."""
    eligible = counts[:, :5].sum(axis=1)
    resolved = eligible + counts[:, 7]
    return ratio(eligible, resolved)


def outcome_rates(counts: Array, *, e: Array) -> tuple[Array, Array, Array]:
    """Form the RATES of units.

    Parameters
    ----------
    counts : (U, 8) int
        In the order of DISPOSITIONS.
    e : (U,) float
        nan: no case is resolved; only the rates with e are then nan.

    Returns
    -------
    value, numerator, denominator : (U, 16) float
        In the order of RATES.
    """
    of = dict(zip(DISPOSITIONS, counts.T.astype(float), strict=True))
    unknown = of["UH"] + of["UO"]
    eligible_of_unknown = np.where(unknown > 0, e * unknown, 0.0)
    counted = {"all": unknown, "e": eligible_of_unknown, "none": 0 * unknown}
    tops = []
    bases = []
    for numerator, known, part in RATES.values():
        tops.append(sum(of[name] for name in numerator))
        known_eligible = sum(of[name] for name in known)
        bases.append(known_eligible + counted[part])
    top = np.stack(tops, axis=1)
    base = np.stack(bases, axis=1)
    return ratio(top, base), top, base


def _formula(rate: str) -> str:
    numerator, known, part = RATES[rate]
    unknown = {"all": " + UH + UO", "e": " + e (UH + UO)", "none": ""}[part]
    return f"({' + '.join(numerator)}) / ({' + '.join(known)}{unknown})"
