"""Interviewer effects: the intraclass correlation of answers taken by the same interviewer, and the variance it costs.

One-way random effects: answer = mean of the place + interviewer + error. The estimator is the analysis of variance's for
groups of unequal size (Searle, Casella and McCulloch 1992, ch. 3); the limits are Wald's (1940), exact for normal errors
whatever the sizes, and those of Searle (1971) where sizes are equal.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import special
from scipy.optimize import brentq

from satisfaction.estimation.intervals import check_level
from satisfaction.foundation.errors import EstimatesError
from satisfaction.sampling.design import SurveyDesign, named
from satisfaction.sampling.measures import Measure
from satisfaction.sampling.tally import Tally, resolve, tally

Array = np.ndarray[Any, Any]
CONVENTIONS = {
    "null": "组间方差为 0：同一访问员的回答不比其他人的更相似 no variance between groups: answers to one interviewer are no more alike than others",
    "method": "one-way random effects, ANOVA estimator; F test on df_between and df_within",
    "interval": "Wald (1940): exact for normal errors and groups of any size; an approximation for rates",
    "weights": "not used: this describes the fieldwork, not the population",
    "design_effect": "1 + (mean_workload - 1) rho; deff_workloads: mean workload of a respondent, sum n^2 / sum n, in its place",
}
CONFOUNDED = {
    False: "地区差异也算在访问员头上，除非受访者随机分给访问员 differences between places count as interviewers' unless respondents were assigned to interviewers at random (interpenetrated)",
    True: "已减去 {places} 的均值；同一处内分派不随机时仍有混淆 means of {places} removed; confounding remains where assignment inside them was not random",
}


@dataclass(frozen=True, slots=True)
class Anova:
    """Analysis of variance of groups within places.

    Attributes
    ----------
    between, within : float
        Mean squares.
    df_between, df_within : int
        Groups minus places that have respondents; respondents minus groups.
    n0 : float
        The group size that enters the expected mean square between: within + n0 x variance of the groups.
    """

    between: float
    within: float
    df_between: int
    df_within: int
    n0: float

    @property
    def rho(self) -> float:
        """Return the intraclass correlation; below 0 where groups differ less than chance would have it; nan without variance."""
        spread = self.between + (self.n0 - 1) * self.within
        return (self.between - self.within) / spread if spread > 0 else float("nan")

    @property
    def f(self) -> float:
        """Return the F statistic; nan without variance within."""
        return self.between / self.within if self.within > 0 else float("nan")


@dataclass(frozen=True, slots=True)
class IntraclassCorrelation:
    """How alike the answers of one group (interviewer) are.

    Attributes
    ----------
    measure, by : str
    within : tuple of str
        Columns of places whose means were removed; empty: none.
    rho, ci_low, ci_high : float
        Intraclass correlation and limits.
    f, df_between, df_within, p : float
        Test of rho = 0.
    between, error : float
        Variance components, in the measure's squared unit; `between` may be negative.
    n0 : float
    groups, respondents, left_out : int
        Groups (an interviewer in two places counts as two); respondents with a valid value; those of them without a group or
        place.
    mean_workload, deff, deff_workloads : float
        Respondents a group, and the design effects of interviewing that rho implies (see conventions).
    table : DataFrame (groups, ...)
        Places, group, n, mean, deviation (from the mean of the place), in the measure's unit.
    conventions : dict
        null, method, interval, weights, design_effect, confounding, groups_in_several_places, level.
    """

    measure: str
    by: str
    within: tuple[str, ...]
    rho: float
    ci_low: float
    ci_high: float
    f: float
    df_between: int
    df_within: int
    p: float
    between: float
    error: float
    n0: float
    groups: int
    respondents: int
    left_out: int
    mean_workload: float
    deff: float
    deff_workloads: float
    table: pd.DataFrame
    conventions: dict[str, Any]

    @property
    def summary(self) -> pd.Series[Any]:
        """Return all but the table, conventions included."""
        figures = [
            name for name in self.__slots__ if name not in ("table", "conventions", "within")
        ]
        head = {name: getattr(self, name) for name in figures} | {"within": ", ".join(self.within)}
        return pd.Series(head | self.conventions, name="intraclass correlation")


def intraclass_correlation(
    design: SurveyDesign,
    measure: str | Measure,
    *,
    by: str,
    within: str | Sequence[str] | None = None,
    level: float = 0.95,
) -> IntraclassCorrelation:
    """Estimate the intraclass correlation of interviewers (or any groups), and the design effect it implies.

    Interviewers mostly work in one place each, so their differences are also those of places. `within` removes the means of
    places first (PSUs, strata, counties): only interviewers of the same place are then compared with each other.

    Parameters
    ----------
    design : SurveyDesign
        Its weights are not used.
    measure : str or Measure
        One value per respondent.
    by : str
        The column of interviewers.
    within : column or list of columns, optional
        Places. A PSU whose codes are nested is taken together with its strata. An interviewer in several places is a group of
        its own in each: the estimate stays unbiased, its limits are then too narrow.
    level : float

    Raises
    ------
    EstimatesError
        E101, E102 for unknown or non-numeric columns, E104 for a level that is none, E135 when no place has two groups, E136
        when no group has two respondents.
    """
    chosen, places = resolve(design, measure), _places(design, named(within))
    check_level(level)
    counted = tally(design, [chosen], by=[*places, by])
    table, place, squares, left_out = _groups(counted, list(places), by)
    n, total = table["n"].to_numpy(float), table["total"].to_numpy(float)
    _require_spread(n, place, by, places)
    found = anova(n, total, squares, place=place)
    low, high = wald_limits(n, total / n, place=place, found=found, level=level)
    centre = (np.bincount(place, total) / np.bincount(place, n))[place]
    shown = table.drop(columns="total").assign(mean=total / n, deviation=total / n - centre)
    several = int((table.groupby(by).size() > 1).sum())
    confounded = CONFOUNDED[bool(places)].format(places=" x ".join(places))
    declared = CONVENTIONS | {
        "confounding": confounded,
        "groups_in_several_places": several,
        "level": level,
    }
    return IntraclassCorrelation(
        measure=chosen.name, by=by, within=places, rho=found.rho, ci_low=low, ci_high=high, f=found.f,
        df_between=found.df_between, df_within=found.df_within,
        p=float(special.fdtrc(found.df_between, found.df_within, found.f)),
        between=(found.between - found.within) / found.n0, error=found.within, n0=found.n0,
        groups=len(n), respondents=int(n.sum()), left_out=left_out, mean_workload=float(n.mean()),
        deff=design_effect(found.rho, float(n.mean())), deff_workloads=design_effect(found.rho, float(n @ n / n.sum())),
        table=shown, conventions=declared,
    )  # fmt: skip


def anova(n: Array, total: Array, squares: Array, *, place: Array) -> Anova:
    """Analyse the variance of groups within places.

    Parameters
    ----------
    n, total, squares : (G,) float
        Values of each group, their sum and sum of squares.
    place : (G,) int
        Place of each group, 0..; all 0 for the one-way analysis.
    """
    mean, size = total / n, np.bincount(place, n)
    centre = (np.bincount(place, total) / size)[place]
    df_between, df_within = len(n) - len(size), int(n.sum()) - len(n)
    error = max(float((squares - total * mean).sum()), 0.0) / df_within
    n0 = float(n.sum() - (np.bincount(place, n**2) / size).sum()) / df_between
    return Anova(float(n @ (mean - centre) ** 2) / df_between, error, df_between, df_within, n0)


def wald_limits(
    n: Array, mean: Array, *, place: Array, found: Anova, level: float
) -> tuple[float, float]:
    """Limits of the intraclass correlation: the ratios of variances at which the weighted F statistic is at its quantiles.

    Parameters
    ----------
    n, mean : (G,) float
    place : (G,) int
    found : Anova
        Of the same groups.
    level : float

    Returns
    -------
    low, high : float
        Not below -1 / (largest n - 1), where answers of one group would exclude each other; nan without variance within.
    """
    if not found.within > 0:
        return float("nan"), float("nan")

    def statistic(ratio: float) -> float:
        weight = 1 / (ratio + 1 / n)
        centre = (np.bincount(place, weight * mean) / np.bincount(place, weight))[place]
        return float(weight @ (mean - centre) ** 2) / (found.df_between * found.within)

    quantiles = special.fdtri(
        found.df_between, found.df_within, np.array([(1 + level) / 2, (1 - level) / 2])
    )
    low, high = (
        _ratio_at(statistic, float(quantile), least=-1 / float(n.max())) for quantile in quantiles
    )
    return low / (1 + low), high / (1 + high)


def design_effect(rho: float, workload: float) -> float:
    """Factor by which interviewers inflate the variance of a mean: 1 + (workload - 1) rho (Kish 1962)."""
    return 1 + (workload - 1) * rho


def _ratio_at(statistic: Any, quantile: float, *, least: float) -> float:
    """Find the ratio of variances where a falling statistic meets a quantile; the least one where it is never that large."""
    start = least * (1 - 1e-9)
    if statistic(start) <= quantile:
        return least
    end = 1.0
    while statistic(end) > quantile:
        end *= 4
    return float(
        brentq(lambda ratio: statistic(ratio) - quantile, start, end, xtol=1e-13, rtol=1e-13)
    )


def _places(design: SurveyDesign, within: tuple[str, ...]) -> tuple[str, ...]:
    """Name the units above a PSU too where its codes are used again in other strata."""
    nested = (
        []
        if design.psu_codes == "unique"
        else [s for s, column in enumerate(design.stages) if column in within]
    )
    above = (*design.strata, *design.stages[: max(nested)]) if nested else ()
    return tuple(dict.fromkeys((*above, *within)))


def _groups(counted: Tally, places: list[str], by: str) -> tuple[pd.DataFrame, Array, Array, int]:
    """Add the tally up to groups: their table (places, by, n, total), place (G,), sums of squares (G,), values left out."""
    keys = list(dict.fromkeys([*places, by]))
    parts = counted.keys[keys].assign(
        n=counted.valid[:, 0], total=counted.sums()[:, 0], squares=counted.sums_of_squares()[:, 0]
    )
    known = parts.dropna(subset=keys)
    table = (
        known.groupby(keys, sort=True, observed=True)[["n", "total", "squares"]].sum().reset_index()
    )
    table = table[table["n"] > 0].reset_index(drop=True)
    place = (
        table.groupby(places, sort=True).ngroup().to_numpy()
        if places
        else np.zeros(len(table), dtype=int)
    )
    return (
        table.drop(columns="squares"),
        place,
        table["squares"].to_numpy(float),
        int(parts["n"].sum() - table["n"].sum()),
    )


def _require_spread(n: Array, place: Array, by: str, places: tuple[str, ...]) -> None:
    if len(n) == len(np.unique(place)):
        raise EstimatesError(
            "E135",
            f"没有一处有两个以上的 '{by}'，组间差异无从比较。",
            f"No place has two values of '{by}': groups cannot be told from places.",
            where="by" if not places else "within",
            available=(by, *places),
            hint=(
                "改用更大的 within（例如县），或不写。",
                "Use larger places (counties, for instance), or none.",
            ),
        )
    if n.sum() == len(n):
        raise EstimatesError(
            "E136",
            f"每个 '{by}' 只有一份有效答案。",
            f"Every '{by}' has one valid answer only.",
            where="by",
            hint=("选用每组有多份答案的列。", "Choose a column whose groups hold several answers."),
        )
