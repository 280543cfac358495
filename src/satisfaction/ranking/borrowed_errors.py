"""Which error a rank rests on where an area's own is estimated from too little: one from the design
effect of a larger area.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from satisfaction.declarations.rules import RankingRules
from satisfaction.declarations.survey import Survey
from satisfaction.estimation.multiplicity import symmetric_root
from satisfaction.estimation.result import Estimates
from satisfaction.foundation.errors import shortened
from satisfaction.foundation.figures import Brief
from satisfaction.foundation.language import Text, _, ngettext
from satisfaction.ranking.pairs import Bools, Floats
from satisfaction.ranking.units import units_from_estimates

NOT_APPLIED = _("No estimates of larger areas: minimum_df and minimum_deff were not applied.")
LENT = _(
    "of some measures the own error is estimated from too little; as in the "
    "survey's ranking, a larger one stands here"
)
"""For scores of several measures that rest on raised errors."""


@dataclass(frozen=True, slots=True, repr=False)
class Floored(Brief):
    """The estimates of one measure with the errors that ranks rest on.

    Attributes
    ----------
    estimates : Estimates
        se, df and the diagonal of `cov` are those for the ranking; everything else is as estimated.
        A variance is only ever raised, so that `cov`, whose covariances stay, remains positive
        semidefinite.
    said : mapping of str
        By area: that and why its error is not its own.
    whole_lends : bool
        Whether an error comes from all areas together although they lie under the floor themselves.
    applied : bool
        False where areas lie under the floor and no larger area was estimated.
    """

    estimates: Estimates
    said: Mapping[str, str] = field(default_factory=dict)
    whole_lends: bool = False
    applied: bool = True


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Lent(Brief):
    """What the errors of K measures of p areas have, by the rules, beyond the areas' own.

    Attributes
    ----------
    rows : mapping of (p K, p), sparse
        By measure, independent of the sampling units' contributions D: the covariance that ranks
        rest on is D'D + rows'rows.
    df : mapping of (p,)
        Of the errors so raised.
    areas : (p,) bool
        Where one of the errors is raised.
    """

    rows: Mapping[str, Any]
    df: Mapping[str, Floats]
    areas: Bools


def floored(
    survey: Survey, estimates: Mapping[str, Estimates], level: str, *, measure: str = ""
) -> Floored:
    """Raise the errors of areas with too few degrees of freedom, or with a design effect that few
    PSUs explain.

    Parameters
    ----------
    survey : Survey
    estimates : mapping of Estimates
        By level of area, the whole among them.
    level : str
        Whose areas are ranked.
    measure : str
        The ranked one unless given.

    Notes
    -----
    An area under `minimum_df` or `minimum_deff` gets the variance of a simple random sample of its
    size times the design effect of the next larger area, at least 1, as shares of 0 and 1 do; and
    the df of that area, which is what the design effect was estimated with. A larger area under the
    floor itself hands on to the next; the whole lends whatever its df. Where the area's own se is
    the larger one, se and df stay its own. Where no design effect is defined (indices of level
    `area`) the larger area's variance is scaled by the answers instead. A se of 0 comes from the
    limits, in `ranking.units`, as without a floor.
    """
    rules = survey.rules.ranking
    measure = measure or survey.ranked
    own = estimates[level].of(measure)
    if own.conventions["selection"] != "probability" or measure in survey.composed:
        return Floored(own)  # a composed score has the raised errors of its parts
    few = own.table["df"] < rules.minimum_df
    too_even = own.table["deff"] < rules.minimum_deff
    below = (few | too_even) & (own.table["se"] > 0)
    if not below.any():
        return Floored(own)
    if survey.whole() not in estimates:
        return Floored(own, applied=False)
    table = own.table.copy()
    table[["se", "df"]] = table[["se", "df"]].astype(float)
    cov = own.cov.copy()
    psus = np.diff(own.contributions.members.inside.tocsc().indptr)
    said: dict[str, str] = {}
    whole_lends = False
    for row in np.flatnonzero(below):
        area = table.iloc[row]
        code = str(area[level])
        for lending, lender in _larger(survey, estimates, code, measure=measure):
            holds = lender["df"] >= rules.minimum_df and not lender["deff"] < rules.minimum_deff
            from_whole = lending == survey.whole()
            if holds:
                break
        lent = _lent_se(area, lender)
        if not (lent > area["se"] or (area["df"] < 1 and math.isfinite(lent))):
            continue
        se = max(lent, area["se"])
        whole_lends |= not holds
        said[code] = _words(area, lender, int(psus[row]), whole=from_whole)
        cov[row, row] = se**2
        table.loc[row, ["se", "df"]] = se, float(lender["df"])
    return Floored(replace(own, table=table, cov=cov), MappingProxyType(said), whole_lends)


def lent_errors(
    survey: Survey, estimates: Mapping[str, Estimates], level: str, *, measures: Sequence[str]
) -> Lent:
    """Return what must be added to the contributions to several measures, so that scores of them
    rest on the ranks' errors.

    Notes
    -----
    An area's own few PSUs say as little of how its measures go together as of their variances: of
    two PSUs all measures are correlated by 1 or -1. So the added errors are correlated as the
    measures of all areas together are.
    """
    root = symmetric_root(_correlation(estimates[survey.whole()], measures))
    rows: dict[str, sp.csr_array] = {}
    df: dict[str, Floats] = {}
    areas = np.zeros(len(estimates[level].of(measures[0]).table), dtype=bool)
    for column, measure in enumerate(measures):
        raised = floored(survey, estimates, level, measure=measure).estimates
        own = np.diag(estimates[level].of(measure).cov)
        limited = (raised.table["ci_high"] > raised.table["ci_low"]) & (raised.table["df"] > 0)
        units = units_from_estimates(raised, ranked=limited, selection="probability")
        added = np.sqrt(np.fmax(np.diag(units.cov) - own, 0))
        rows[measure] = sp.kron(sp.diags_array(added), root[:, [column]], format="csr")
        df[measure] = raised.table["df"].to_numpy(float)
        areas |= added.astype(bool)
    return Lent(rows, df, areas)


def _correlation(whole: Estimates, measures: Sequence[str]) -> Floats:
    """Return how the errors of measures of all areas together go together, (K, K); 0 where that is
    not known.
    """
    rows = [int(np.flatnonzero(whole.table["measure"] == measure)[0]) for measure in measures]
    cov = whole.cov[np.ix_(rows, rows)]
    se = np.sqrt(np.diag(cov))
    with np.errstate(divide="ignore", invalid="ignore"):
        correlation = np.nan_to_num(cov / (se[:, None] * se), posinf=0, neginf=0)
    np.fill_diagonal(correlation, 1.0)
    return np.asarray(correlation)


def _larger(
    survey: Survey, estimates: Mapping[str, Estimates], code: str, *, measure: str
) -> Iterator[tuple[str, pd.Series]]:
    """Yield the areas that an area lies in, level and estimates, the smallest first, the whole last."""
    level_of = survey.levels()
    parent_of = survey.parents()
    whole = survey.whole()
    parent = parent_of.get(code, "")
    while parent and level_of.get(parent, whole) != whole:
        level = level_of[parent]
        if level in estimates:
            rows = estimates[level].of(measure).table
            yield level, rows[rows[level].astype(str) == parent].iloc[0]
        parent = parent_of[parent]
    yield whole, estimates[whole].of(measure).table.iloc[0]


def _have_deff(area: pd.Series, lender: pd.Series) -> bool:
    return area["deff"] > 0 and math.isfinite(lender["deff"])


def _lent_se(area: pd.Series, lender: pd.Series) -> float:
    """Return the se of an area under the design effect of a larger one."""
    if _have_deff(area, lender):
        simple = area["se"] ** 2 / area["deff"]
        return math.sqrt(max(1.0, lender["deff"]) * simple)
    by_answers = lender["se"] ** 2 * lender["n"] / area["n"]
    return math.sqrt(by_answers)


def _words(area: pd.Series, lender: pd.Series, psus: int, *, whole: bool) -> str:
    own = _("df {df:.3g}", df=area["df"])
    if math.isfinite(area["deff"]):
        own = _("df {df:.3g}, design effect {deff:.2g}", df=area["df"], deff=area["deff"])
    lent = _("error")
    if _have_deff(area, lender):
        lent = _("design effect {deff:.2f}", deff=max(1.0, lender["deff"]))
    larger = _("all areas together") if whole else _("the larger area")
    text = ngettext(
        "its own error comes from {n} primary sampling unit ({own}), under the floor of the rules: "
        "how certain the rank is follows from the {lent} of {larger}",
        "its own error comes from {n} primary sampling units ({own}), under the floor of the "
        "rules: how certain the rank is follows from the {lent} of {larger}",
        psus,
        own=own,
        lent=lent,
        larger=larger,
    )
    return text.both


def floor_notes(floor: Floored, rules: RankingRules, *, under: Iterable[str]) -> list[Text]:
    """Say what must accompany a ranking whose units `under` rest on no error of their own."""
    if not floor.applied:
        return [NOT_APPLIED]
    named = shortened(under)
    if not named:
        return []
    df = rules.minimum_df
    deff = f"{rules.minimum_deff:g}"
    notes = [
        _(
            "df under {df} or design effect under {deff}: sets, tests, probabilities and "
            "reliability rest on an error from the design effect of a larger area, at "
            "least 1, unless the own one is larger; se and limits of the indices stay: "
            "{named}.",
            df=df,
            deff=deff,
            named=named,
        )
    ]
    if floor.whole_lends:
        notes.append(
            _(
                "All areas together lie under that floor too; they are used for want of "
                "better, with a design effect of at least 1."
            )
        )
    return notes
