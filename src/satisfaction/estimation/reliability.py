"""How far answers can be relied on: internal consistency of items, and likeness of answers to one interviewer.

Cronbach's alpha with equal weights beside the sample design, and item-total correlations: on complete scores, and on the
weighted sums of a tally.

Interviewer effects are one-way random effects: answer = mean of the place + interviewer + error. The estimator is the
analysis of variance's for groups of unequal size (Searle, Casella and McCulloch 1992, ch. 3); the limits are Wald's (1940),
exact for normal errors whatever the sizes, and those of Searle (1971) where sizes are equal.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from operator import add, mul
from typing import Any

import narwhals as nw
import numpy as np
import pandas as pd
import scipy.sparse as sp
from scipy import special
from scipy.optimize import brentq

from satisfaction.declarations.questionnaire import Questionnaire
from satisfaction.estimation.hypothesis_tests import declared, used_df
from satisfaction.estimation.intervals import check_level, quotient, t_quantile
from satisfaction.estimation.sample import lay_out
from satisfaction.foundation.errors import EstimatesError
from satisfaction.foundation.figures import Brief
from satisfaction.foundation.language import N_, Text, _
from satisfaction.sampling.design import SampleDesign, named
from satisfaction.sampling.measures import Measure, Stage
from satisfaction.sampling.tally import LIMB, Tally, resolve, tally
from satisfaction.sampling.variance import Array

ROUNDING = 1e-13  # of the mean square: a smaller variance is none
NEAR = {"xtol": 1e-13, "rtol": 1e-13}
LARGEST = 2.0**62  # half of what a 64-bit sum holds
ALL_VALID = "_complete_flag"
SUM = "_complete_sum"
CONVENTIONS = {
    "null": _("none: estimated, not tested").both,
    "method": _("Cronbach (1951); corrected item-total correlations").both,
    "items": N_("declared scores, each counting alike in alpha whatever its weight in the index"),
    "cases": N_("complete cases: valid answers to all items; the others stay in the design"),
    "weights": N_(
        "final weights for weighted_alpha, se, ci and the columns weighted_*; not used for alpha, mean, sd, item_total, alpha_without: these describe the respondents, not the population"
    ),
    "interval": N_(
        "ci: t on log(1 - alpha), linearized under the whole sample design; alpha_low, alpha_high: Feldt (1965), as if a simple random sample with normal scores"
    ),
    "df_rule": N_("PSUs with complete cases - their strata"),
}


@dataclass(frozen=True, slots=True, repr=False)
class Reliability(Brief):
    """Internal consistency of K items, of the respondents (equal weights) and of the population (design-weighted).

    Attributes
    ----------
    index : str
    alpha, alpha_low, alpha_high : float
        Cronbach's alpha (1951) with equal weights, and Feldt's limits, which ignore strata, PSUs and weights.
    weighted_alpha, se, df, ci_low, ci_high : float
        Alpha of weighted variances (R's svycralpha), its linearized standard error and limits under the design.
    complete, respondents : int
        Respondents with valid answers to all items; respondents.
    table : DataFrame (K, ...)
        One row an item: item, zh, en, mean and sd (the items' own unit), item_total (correlation with the sum of the other
        items), alpha_without (alpha of the other items), and the same four weighted.
    conventions : dict
        null, method, items, cases, weights, interval, df_rule, level, lonely_psu, fpc, selection, calibration,
        variance.
    """

    index: str
    alpha: float
    alpha_low: float
    alpha_high: float
    weighted_alpha: float
    se: float
    df: float
    ci_low: float
    ci_high: float
    complete: int
    respondents: int
    table: pd.DataFrame
    conventions: dict[str, Any]

    def __post_init__(self) -> None:
        if self.conventions["selection"] != "probability":
            for name in ("alpha_low", "alpha_high", "se", "df", "ci_low", "ci_high"):
                object.__setattr__(self, name, np.nan)

    @property
    def summary(self) -> pd.Series:
        """Return what holds for the items as a whole, conventions included."""
        return pd.Series(_figures(self) | self.conventions, name="reliability")


def _figures(record: Reliability | IntraclassCorrelation) -> dict[str, Any]:
    """Return the fields of a record but for its table and conventions."""
    fields = [name for name in record.__slots__ if name not in ("table", "conventions")]
    return {name: getattr(record, name) for name in fields}


def reliability(
    design: SampleDesign, questionnaire: Questionnaire, index: str, *, level: float = 0.95
) -> Reliability:
    """Assess the items of a person-level index on the respondents who answered all of them.

    Parameters
    ----------
    design : SampleDesign
        With the questionnaire's measures.
    questionnaire : Questionnaire
    index : str
    level : float
        Confidence level of both intervals.

    Raises
    ------
    EstimatesError
        E131 when there is no such index of level person, E132 when one of its items is no topic; those of `assess_items`.

    Examples
    --------
    >>> results = sat.run(sat.read_survey("surveys/wave"))
    >>> found = sat.reliability(results.design, results.survey.questionnaire, "topic_index")
    >>> found.complete, found.respondents
    (87, 120)
    """
    person = {
        name: declared_index
        for name, declared_index in questionnaire.indices.items()
        if declared_index.level == "person"
    }
    if index not in person:
        raise EstimatesError(
            "E131",
            _("There is no index '{index}' of level person.", index=index),
            where="reliability",
            available=person,
            got=index,
            hint=_("Choose an index of level person."),
        )
    for item in person[index].weights:
        if item not in design.measures:
            raise EstimatesError(
                "E132",
                _("Item '{item}' of '{index}' has no score of its own.", item=item, index=index),
                where=f"indices.{index}.weights",
                available=design.measures,
                hint=_("List the item under `topics`."),
            )
    items = [design.measures[item] for item in person[index].weights]
    return assess_items(design, items, name=index, level=level)


def assess_items(
    design: SampleDesign,
    items: Sequence[str | Measure],
    *,
    name: str = "items",
    level: float = 0.95,
) -> Reliability:
    """Assess items on the respondents with valid values of all of them.

    Parameters
    ----------
    design : SampleDesign
        Respondents without a valid value of every item make the domain smaller, never the design.
    items : sequence of str or Measure
        Measures of the design, or numeric columns; two or more.
    name : str
        What the result is called.
    level : float

    Raises
    ------
    EstimatesError
        E101, E102 for an unknown or non-numeric item, E104 for a level that is none, E133 for fewer than two items or two
        complete cases, E134 for whole numbers whose sums would overflow.

    Notes
    -----
    Alpha is a smooth function of the variances of the items and of their sum; these, and the item-total correlations (from
    the variances of each item, of the rest and of the sum), need only sums and sums of squares, which the tally counts.

    Examples
    --------
    >>> people = pd.DataFrame({"psu": [1, 1, 2, 2, 3, 3], "streets": [1, 2, 4, 5, 3, 2]})
    >>> people["parks"] = [2, 2, 3, 5, 4, 1]
    >>> people["safety"] = [1, 3, 4, 4, 3, 3]
    >>> design = sat.SurveyDesign(people, psu="psu")
    >>> found = sat.assess_items(design, ["streets", "parks", "safety"])
    >>> round(found.alpha, 4), round(found.weighted_alpha, 4)
    (0.8837, 0.8837)
    >>> found.table[["item", "item_total", "alpha_without"]].round(3)
          item  item_total  alpha_without
    0  streets       0.965          0.644
    1    parks       0.702          0.908
    2   safety       0.716          0.898
    """
    chosen = [resolve(design, item) for item in items]
    check_level(level)
    k = len(chosen)
    if len({item.name for item in chosen}) < max(2, k):
        raise _too_few(name)
    counted = tally(design, [*chosen, *complete_cases(chosen)])
    _refuse_overflow(counted, k)
    sample = lay_out(design, counted)
    counted = counted.only(sample.weight > 0)
    complete = counted.valid[:, k]
    n = int(complete.sum())
    if n < 2:
        raise _too_few(name)
    sums = {"count": complete.astype(float), "total": counted.sums()[:, k:]}
    sums["squares"] = counted.sums_of_squares()[:, k:]
    labels = [item.label or Text(item.name) for item in chosen]
    table = pd.DataFrame({"item": [item.name for item in chosen]})
    table["zh"] = [label.zh for label in labels]
    table["en"] = [label.en for label in labels]
    of_respondents = weighted_variances(np.ones(len(complete)), **sums)
    of_population = weighted_variances(sample.weight, **sums)
    table = table.assign(**_item_columns(of_respondents, k, n=n))
    weighted_columns = _item_columns(of_population, k, n=n)
    table = table.assign(
        **{f"weighted_{key}": of_items for key, of_items in weighted_columns.items()}
    )
    alpha = _alpha(of_respondents, k)
    weighted = _alpha(of_population, k)
    alpha_low, alpha_high = feldt_interval(alpha, n=n, items=k, level=level)
    df = float(used_df(complete, sample))
    se = ci_low = ci_high = float("nan")
    if np.isfinite(weighted):
        z = sp.csr_array(_linearized_alpha(of_population, k)[:, None])
        se = float(np.sqrt(max(sample.covariance(z)[0, 0], 0.0)))
        ci_low, ci_high = log_interval(weighted, se, df=df, level=level)
    with_weight = counted.inside & (sample.weight > 0)
    respondents = int(counted.n[with_weight].sum())
    conventions = CONVENTIONS | {"level": level} | declared(design, {})
    return Reliability(
        index=name,
        alpha=alpha,
        alpha_low=alpha_low,
        alpha_high=alpha_high,
        weighted_alpha=weighted,
        se=se,
        df=df,
        ci_low=ci_low,
        ci_high=ci_high,
        complete=n,
        respondents=respondents,
        table=table,
        conventions=conventions,
    )


def _refuse_overflow(counted: Tally, k: int) -> None:
    """Refuse (E134) whole numbers of the first K measures whose sum has squares that 64 bits do not hold."""
    unit = float(counted.units[k])
    most = k * unit**2 * counted.sums_of_squares()[:, :k].sum(axis=1).max()
    limb = 1.0 if unit == 1 else float(LIMB) ** 2
    if counted.exact and most / limb >= LARGEST:
        raise EstimatesError(
            "E134",
            _("The items' whole numbers are too large: the squares of their sum would overflow."),
            where="items",
            available=counted.measures[:k],
            hint=_("Use floating-point columns, or a larger unit."),
        )


def _item_columns(of: Variances, k: int, *, n: int) -> dict[str, Any]:
    """Describe K items by the variances of `complete_cases`: mean, sd, correlation with the others' sum, alpha without each."""
    of_items = of.variance[:k]
    of_rest = of.variance[k + 1 :]
    covariance = (of.variance[k] - of_items - of_rest) / 2
    spread = np.sqrt(of_items * of_rest)
    without = [
        weighted_alpha(np.delete(of_items, item), float(rest)) for item, rest in enumerate(of_rest)
    ]
    return {
        "mean": of.mean[:k],
        "sd": np.sqrt(of_items * n / (n - 1)),
        "item_total": quotient(covariance, spread, where=spread > 0),
        "alpha_without": without,
    }


def _alpha(of: Variances, k: int) -> float:
    return weighted_alpha(of.variance[:k], float(of.variance[k]))


def _linearized_alpha(of: Variances, k: int) -> Array:
    """Linearize alpha in the variances of the items and of their sum: (T,)."""
    of_sum = float(of.variance[k])
    z_items = of.z[:, :k].sum(axis=1)
    of_total = of.variance[:k].sum() / of_sum**2 * of.z[:, k]
    return np.asarray(-k / (k - 1) * (z_items / of_sum - of_total))


def cronbach_alpha(scores: Array) -> float:
    """Cronbach's alpha of complete scores with equal weights, (n, K); nan for a single item or scores without variance.

    Examples
    --------
    >>> scores = np.array([[1, 2, 1], [2, 2, 3], [4, 3, 4], [5, 5, 4]])
    >>> round(sat.cronbach_alpha(scores), 4)
    0.931
    """
    total = scores.sum(axis=1)
    if np.ptp(total) == 0:
        return float("nan")
    of_items = scores.var(axis=0, ddof=1)
    return weighted_alpha(of_items, float(total.var(ddof=1)))


def feldt_interval(alpha: float, *, n: int, items: int, level: float) -> tuple[float, float]:
    """Feldt's (1965) interval of alpha: n persons drawn at random, normal scores, equal weights.

    As in pingouin, which rounds its limits to three decimals.
    """
    tails = np.array([(1 + level) / 2, (1 - level) / 2])
    f = special.fdtri(n - 1, (n - 1) * (items - 1), tails)
    low, high = 1 - (1 - alpha) * f
    return float(low), float(high)


@dataclass(frozen=True, slots=True, repr=False)
class Variances:
    """Weighted variances of M quantities, linearized over T tally rows.

    Attributes
    ----------
    mean, variance : (M,) float
        sum w x / sum w and sum w (x - mean)^2 / sum w.
    z : (T, M) float
        Derivative of each variance by the weight of a respondent, summed over a row's respondents.
    """

    mean: Array
    variance: Array
    z: Array


def weighted_variances(weight: Array, *, count: Array, total: Array, squares: Array) -> Variances:
    """Weighted variances and their linearized variables, from sums over the respondents of each row.

    Parameters
    ----------
    weight : (T,) float
        Of each respondent of a row.
    count : (T,) float
        Respondents of a row that count.
    total, squares : (T, M) float
        Sums of their values and of the squares.
    """
    size = weight @ count
    mean = weight @ total / size
    square = weight @ squares / size
    variance = square - mean**2
    variance = np.where(variance <= ROUNDING * square, 0.0, variance)
    constant = (mean**2 - variance) * count[:, None]
    derivative = squares - 2 * mean * total + constant
    z = derivative / size
    return Variances(mean, variance, z)


def weighted_alpha(items: Array, total: float) -> float:
    """Cronbach's alpha from the variances of K items, (K,), and of their sum; nan where that is 0."""
    k = len(items)
    if k < 2 or not total > 0:
        return float("nan")
    share_of_items = items.sum() / total
    return float(k / (k - 1) * (1 - share_of_items))


def log_interval(alpha: float, se: float, *, df: float, level: float) -> tuple[float, float]:
    """Return the t interval of log(1 - alpha), turned back: never above 1; nan where alpha is 1, infinite where df < 1."""
    if not alpha < 1:
        return float("nan"), float("nan")
    half = np.inf
    if df >= 1:
        t = float(t_quantile(df, level))
        half = t * se / (1 - alpha)
    with np.errstate(over="ignore"):
        low = 1 - (1 - alpha) * np.exp(half)
        high = 1 - (1 - alpha) * np.exp(-half)
    return float(low), float(high)


def complete_cases(items: Sequence[Measure]) -> list[Measure]:
    """Return the items, their sum and the sum without each, all valid only where every item is: 2K + 1 measures."""
    most_stages = max(len(item.stages) for item in items)
    shared: list[Stage] = [{} for _stage in range(most_stages)]
    for item in items:
        for depth, stage in enumerate(item.stages):
            shared[depth] = shared[depth] | stage
    unit = math.lcm(*(item.unit for item in items))
    points = {item.name: nw.col(item.score_column) * (unit // item.unit) for item in items}
    together: Stage = {
        ALL_VALID: reduce(mul, [nw.col(item.valid_column) for item in items]),
        SUM: reduce(add, points.values()),
    }
    values = {f"_own__{name}": score for name, score in points.items()}
    values["_sum"] = nw.col(SUM)
    values |= {f"_rest__{name}": nw.col(SUM) - score for name, score in points.items()}
    measures = []
    for name, value in values.items():
        all_valid = nw.col(ALL_VALID)
        last: Stage = {f"_valid__{name}": all_valid, f"_score__{name}": value * all_valid}
        measures.append(Measure(name, "score", unit, (*shared, together, last)))
    return measures


def _too_few(name: str) -> EstimatesError:
    return EstimatesError(
        "E133",
        _("'{name}' needs at least two different items and two complete cases.", name=name),
        where="reliability",
        hint=_("Choose an index of more items."),
    )


INTERVIEWER_CONVENTIONS = {
    "null": _(
        "no variance between groups: answers to one interviewer are no more alike than others"
    ).both,
    "method": _("one-way random effects, ANOVA estimator; F test on df_between and df_within").both,
    "interval": N_(
        "Wald (1940): exact for normal errors and groups of any size; an approximation for rates"
    ),
    "weights": N_("not used: this describes the fieldwork, not the population"),
    "design_effect": N_(
        "1 + (mean_workload - 1) rho; deff_workloads: mean workload of a respondent, sum n^2 / sum n, in its place"
    ),
}
NOT_ASSIGNED = _(
    "differences between places count as interviewers' unless respondents were "
    "assigned to interviewers at random (interpenetrated)"
).both


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
        if not spread > 0:
            return float("nan")
        return (self.between - self.within) / spread

    @property
    def f(self) -> float:
        """Return the F statistic; nan without variance within."""
        if not self.within > 0:
            return float("nan")
        return self.between / self.within


@dataclass(frozen=True, slots=True, repr=False)
class IntraclassCorrelation(Brief):
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
        Places, group, n, mean, deviation (from the mean of the place), in the measure's unit; rho_without, the correlation
        without this group.
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
    def summary(self) -> pd.Series:
        """Return all but the table, conventions included."""
        figures = _figures(self)
        del figures["within"]
        figures["within"] = ", ".join(self.within)
        return pd.Series(figures | self.conventions, name="intraclass correlation")


def intraclass_correlation(
    design: SampleDesign,
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
    design : SampleDesign
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

    Examples
    --------
    >>> people = pd.DataFrame({"interviewer": ["I1"] * 3 + ["I2"] * 3 + ["I3"] * 3})
    >>> people["score"] = [70, 75, 80, 50, 55, 60, 65, 60, 70]
    >>> design = sat.SurveyDesign(people)
    >>> alike = sat.intraclass_correlation(design, "score", by="interviewer")
    >>> round(alike.rho, 4), alike.groups
    (0.7857, 3)
    """
    chosen = resolve(design, measure)
    places = _places(design, named(within))
    check_level(level)
    counted = tally(design, [chosen], by=[*places, by])
    groups = _sums_of_groups(counted, list(dict.fromkeys([*places, by])))
    left_out = int(counted.valid[:, 0].sum() - groups["n"].sum())
    n = groups["n"].to_numpy(float)
    total = groups["total"].to_numpy(float)
    squares = groups["squares"].to_numpy(float)
    place = np.zeros(len(groups), dtype=int)
    if places:
        place = groups.groupby(list(places), sort=True).ngroup().to_numpy()
    if len(n) == len(np.unique(place)):
        raise EstimatesError(
            "E135",
            _("No place has two values of '{by}': groups cannot be told from places.", by=by),
            where="by" if not places else "within",
            available=(by, *places),
            hint=_("Use larger places (counties, for instance), or none."),
        )
    if n.sum() == len(n):
        raise EstimatesError(
            "E136",
            _("Every '{by}' has one valid answer only.", by=by),
            where="by",
            hint=_("Choose a column whose groups hold several answers."),
        )
    analysis = anova(n, total, squares, place=place)
    mean = total / n
    low, high = wald_limits(n, mean, place=place, analysis=analysis, level=level)
    centre = (np.bincount(place, total) / np.bincount(place, n))[place]
    in_several_places = groups.groupby(by).size() > 1
    conventions: dict[str, Any] = dict(INTERVIEWER_CONVENTIONS)
    conventions["confounding"] = NOT_ASSIGNED
    if places:
        conventions["confounding"] = _(
            "means of {places} removed; confounding remains where assignment inside them was not random",
            places=" x ".join(places),
        ).both
    conventions["groups_in_several_places"] = int(in_several_places.sum())
    conventions["level"] = level
    table = groups.drop(columns=["total", "squares"])
    table["mean"] = mean
    table["deviation"] = mean - centre
    table["rho_without"] = rho_without(n, total, squares, place=place)
    rho = analysis.rho
    p = float(special.fdtrc(analysis.df_between, analysis.df_within, analysis.f))
    between = (analysis.between - analysis.within) / analysis.n0
    respondents = int(n.sum())
    mean_workload = float(n.mean())
    workload_of_a_respondent = float(n @ n / respondents)
    return IntraclassCorrelation(
        measure=chosen.name,
        by=by,
        within=places,
        rho=rho,
        ci_low=low,
        ci_high=high,
        f=analysis.f,
        df_between=analysis.df_between,
        df_within=analysis.df_within,
        p=p,
        between=between,
        error=analysis.within,
        n0=analysis.n0,
        groups=len(n),
        respondents=respondents,
        left_out=left_out,
        mean_workload=mean_workload,
        deff=design_effect(rho, mean_workload),
        deff_workloads=design_effect(rho, workload_of_a_respondent),
        table=table,
        conventions=conventions,
    )


def _places(design: SampleDesign, within: tuple[str, ...]) -> tuple[str, ...]:
    """Return the columns that tell places apart: those named, with what makes the codes of a stage among them unique."""
    stages = [stage for stage, column in enumerate(design.stages) if column in within]
    columns = list(within)
    if stages and design.psu_codes != "unique":
        columns = [*design.strata, *design.stages[: max(stages)], *within]
    return tuple(dict.fromkeys(columns))


def _sums_of_groups(counted: Tally, keys: list[str]) -> pd.DataFrame:
    """Return n, total and squares of the answers of every group with any, in the order of its keys."""
    rows = counted.keys[keys].copy()
    rows["n"] = counted.valid[:, 0]
    rows["total"] = counted.sums()[:, 0]
    rows["squares"] = counted.sums_of_squares()[:, 0]
    grouped = rows.dropna(subset=keys).groupby(keys, sort=True, observed=True)
    groups = grouped[["n", "total", "squares"]].sum().reset_index()
    return groups[groups["n"] > 0].reset_index(drop=True)


def anova(n: Array, total: Array, squares: Array, *, place: Array) -> Anova:
    """Analyse the variance of groups within places.

    Parameters
    ----------
    n, total, squares : (G,) float
        Values of each group, their sum and sum of squares.
    place : (G,) int
        Place of each group, 0..; all 0 for the one-way analysis.
    """
    mean = total / n
    size = np.bincount(place, n)
    centre = (np.bincount(place, total) / size)[place]
    df_between = len(n) - len(size)
    df_within = int(n.sum()) - len(n)
    between = float(n @ (mean - centre) ** 2) / df_between
    sum_within = float((squares - total * mean).sum())
    within = max(sum_within, 0.0) / df_within
    crowding = np.bincount(place, n**2) / size
    n0 = float(n.sum() - crowding.sum()) / df_between
    return Anova(between, within, df_between, df_within, n0)


def rho_without(n: Array, total: Array, squares: Array, *, place: Array) -> Array:
    """Return the intraclass correlation without each of the groups in turn: (G,), nan where it is not estimable then.

    Parameters
    ----------
    n, total, squares : (G,) float
    place : (G,) int
        As `anova` takes them.
    """
    groups = len(n)
    size = np.bincount(place, n)
    sum_of_place = np.bincount(place, total)
    alone = np.bincount(place)[place] == 1
    # between groups: groups' totals squared over n, less the same of places; only one place changes
    of_groups = total**2 / n
    of_places = sum_of_place**2 / size
    left = np.where(alone, 1.0, size[place] - n)
    of_place_left = np.where(alone, 0.0, (sum_of_place[place] - total) ** 2 / left)
    between = of_groups.sum() - of_groups - (of_places.sum() - of_places[place] + of_place_left)
    within = (squares - of_groups).sum() - (squares - of_groups)
    df_between = groups - 1 - (len(size) - alone)
    df_within = n.sum() - n - (groups - 1)
    crowding = np.bincount(place, n**2)
    crowding_left = np.where(alone, 0.0, (crowding[place] - n**2) / left)
    shares = (crowding / size).sum() - (crowding / size)[place] + crowding_left
    with np.errstate(divide="ignore", invalid="ignore"):
        n0 = (n.sum() - n - shares) / df_between
        mean_square = np.maximum(within, 0.0) / df_within
        component = (between / df_between - mean_square) / n0
        rho = component / (component + mean_square)
    return np.where((df_between > 0) & (df_within > 0), rho, np.nan)


def wald_limits(
    n: Array, mean: Array, *, place: Array, analysis: Anova, level: float
) -> tuple[float, float]:
    """Limits of the intraclass correlation: the ratios of variances at which the weighted F statistic is at its quantiles.

    Parameters
    ----------
    n, mean : (G,) float
    place : (G,) int
    analysis : Anova
        Of the same groups.
    level : float

    Returns
    -------
    low, high : float
        Not below -1 / (largest n - 1), where answers of one group would exclude each other; nan without variance within.
    """
    if not analysis.within > 0:
        return float("nan"), float("nan")

    def statistic(ratio: float) -> float:
        """Return F at a ratio of the variance between groups to that within; it falls with the ratio."""
        weight = 1 / (ratio + 1 / n)
        sums = np.bincount(place, weight * mean)
        centre = (sums / np.bincount(place, weight))[place]
        between = float(weight @ (mean - centre) ** 2)
        return between / (analysis.df_between * analysis.within)

    least = -1 / float(n.max())
    start = least * (1 - 1e-9)
    limits = []
    for tail in ((1 + level) / 2, (1 - level) / 2):
        quantile = float(special.fdtri(analysis.df_between, analysis.df_within, tail))
        ratio = least  # where the statistic is never as large
        if statistic(start) > quantile:
            end = 1.0
            while statistic(end) > quantile:
                end *= 4
            ratio = float(brentq(lambda x, at=quantile: statistic(x) - at, start, end, **NEAR))
        limits.append(ratio / (1 + ratio))
    return limits[0], limits[1]


def design_effect(rho: float, workload: float) -> float:
    """Factor by which interviewers inflate the variance of a mean: 1 + (workload - 1) rho (Kish 1962)."""
    return 1 + (workload - 1) * rho
