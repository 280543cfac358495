"""Internal consistency of items: Cronbach's alpha, equal weights beside the sample design, and item-total correlations.

Array kernels of Cronbach's alpha: on complete scores with equal weights, and on the weighted sums of a tally.
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
import pingouin
import scipy.sparse as sp
from scipy import special

from satisfaction.declarations.questionnaire import Questionnaire
from satisfaction.estimation.intervals import check_level
from satisfaction.estimation.sample import lay_out
from satisfaction.foundation.engines import fetch
from satisfaction.foundation.errors import EstimatesError
from satisfaction.sampling.design import SurveyDesign
from satisfaction.sampling.measures import Measure, Stage, add_columns
from satisfaction.sampling.tally import LIMB, Tally, resolve, tally
from satisfaction.sampling.variance import domain_df

Array = np.ndarray[Any, Any]
ROUNDING = 1e-13  # of the mean square: a smaller variance is none


@dataclass(frozen=True, slots=True)
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


def cronbach_alpha(scores: Array) -> float:
    """Cronbach's alpha of complete scores with equal weights, (n, K); nan for a single item or scores without variance."""
    if scores.shape[1] < 2 or np.ptp(scores.sum(axis=1)) == 0:
        return float("nan")
    return float(pingouin.cronbach_alpha(data=pd.DataFrame(scores))[0])


def feldt_interval(alpha: float, *, n: int, items: int, level: float) -> tuple[float, float]:
    """Feldt's (1965) interval of alpha: n persons drawn at random, normal scores, equal weights.

    As in pingouin, which rounds its limits to three decimals.
    """
    tails = special.fdtri(
        n - 1, (n - 1) * (items - 1), np.array([(1 + level) / 2, (1 - level) / 2])
    )
    low, high = 1 - (1 - alpha) * tails
    return float(low), float(high)


def item_total(scores: Array) -> Array:
    """Correlation of each item with the sum of the others, (n, K) -> (K,); nan where one of them does not vary."""
    rest = scores.sum(axis=1, keepdims=True) - scores
    own, rest = scores - scores.mean(axis=0), rest - rest.mean(axis=0)
    spread = np.sqrt((own**2).sum(axis=0) * (rest**2).sum(axis=0))
    return np.asarray(
        np.divide(
            (own * rest).sum(axis=0), spread, out=np.full(scores.shape[1], np.nan), where=spread > 0
        )
    )


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
    mean, square = weight @ total / size, weight @ squares / size
    variance = square - mean**2
    variance = np.where(variance <= ROUNDING * square, 0.0, variance)
    z = (squares - 2 * mean * total + (mean**2 - variance) * count[:, None]) / size
    return Variances(mean, variance, z)


def weighted_alpha(items: Array, total: float) -> float:
    """Cronbach's alpha from the variances of K items, (K,), and of their sum; nan where that is 0."""
    return (
        float(len(items) / (len(items) - 1) * (1 - items.sum() / total))
        if total > 0 and len(items) > 1
        else float("nan")
    )


def weighted_item_total(items: Array, rest: Array, total: float) -> Array:
    """Correlation of each item with the sum of the others, from the variances of both, (K,), and of the sum of all."""
    spread = np.sqrt(items * rest)
    return np.asarray(
        np.divide(
            (total - items - rest) / 2, spread, out=np.full(len(items), np.nan), where=spread > 0
        )
    )


def alpha_influence(found: Variances, items: int) -> Array:
    """Linearize alpha, a smooth function of the variances of K items (first) and of their sum (next): (T,)."""
    own, total = found.variance[:items].sum(), found.variance[items]
    slope = found.z[:, :items].sum(axis=1) / total - own / total**2 * found.z[:, items]
    return np.asarray(-items / (items - 1) * slope)


def log_interval(alpha: float, se: float, *, df: float, level: float) -> tuple[float, float]:
    """Return the t interval of log(1 - alpha), turned back: never above 1; nan where alpha is 1, infinite where df < 1."""
    if not alpha < 1:
        return float("nan"), float("nan")
    half = float(special.stdtrit(df, (1 + level) / 2)) * se / (1 - alpha) if df >= 1 else np.inf
    with np.errstate(over="ignore"):
        return float(1 - (1 - alpha) * np.exp(half)), float(1 - (1 - alpha) * np.exp(-half))


LARGEST = 2.0**62  # half of what a 64-bit sum holds
ALL_VALID, SUM = "_complete.flag", "_complete.sum"
CONVENTIONS = {
    "null": "无检验，只有区间 none: estimated, not tested",
    "method": "Cronbach (1951); corrected item-total correlations",
    "items": "declared scores, each counting alike in alpha whatever its weight in the index",
    "cases": "complete cases: valid answers to all items; the others stay in the design",
    "weights": "final weights for weighted_alpha, se, ci and the columns weighted_*; not used for alpha, mean, sd, item_total, alpha_without: these describe the respondents, not the population",
    "interval": "ci: t on log(1 - alpha), linearized under the whole sample design; alpha_low, alpha_high: Feldt (1965), as if a simple random sample with normal scores",
    "df_rule": "PSUs with complete cases - their strata",
}


@dataclass(frozen=True, slots=True)
class Reliability:
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
    complete: int
    respondents: int
    table: pd.DataFrame
    conventions: dict[str, Any]
    alpha_low: float
    alpha_high: float
    weighted_alpha: float
    se: float
    df: float
    ci_low: float
    ci_high: float

    def __post_init__(self) -> None:
        if self.conventions["selection"] != "probability":
            for name in ("alpha_low", "alpha_high", "se", "df", "ci_low", "ci_high"):
                object.__setattr__(self, name, np.nan)

    @property
    def summary(self) -> pd.Series[Any]:
        """Return what holds for the items as a whole, conventions included."""
        figures = (
            "index",
            "alpha",
            "alpha_low",
            "alpha_high",
            "weighted_alpha",
            "se",
            "df",
            "ci_low",
            "ci_high",
        )
        head = {name: getattr(self, name) for name in (*figures, "complete", "respondents")}
        return pd.Series(head | self.conventions, name="reliability")


def reliability(
    design: SurveyDesign, questionnaire: Questionnaire, index: str, *, level: float = 0.95
) -> Reliability:
    """Assess the items of a person-level index on the respondents who answered all of them.

    Parameters
    ----------
    design : SurveyDesign
        With the questionnaire's measures.
    questionnaire : Questionnaire
    index : str
    level : float
        Confidence level of both intervals.

    Raises
    ------
    EstimatesError
        E131 when there is no such index of level person, E132 when one of its items is no topic; those of `assess_items`.
    """
    return assess_items(design, _items(design, questionnaire, index), name=index, level=level)


def assess_items(
    design: SurveyDesign,
    items: Sequence[str | Measure],
    *,
    name: str = "items",
    level: float = 0.95,
) -> Reliability:
    """Assess items on the respondents with valid values of all of them.

    Parameters
    ----------
    design : SurveyDesign
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
    """
    chosen = [resolve(design, item) for item in items]
    check_level(level)
    if len({one.name for one in chosen}) < max(2, len(chosen)):
        raise _too_few(name)
    counted = tally(design, [*chosen, *complete_cases(chosen)])
    _refuse_overflow(counted, len(chosen))
    scores = _scores(design, chosen)
    if len(scores) < 2:
        raise _too_few(name)
    weighted, columns = _weighted(design, counted, len(chosen), level)
    alpha = cronbach_alpha(scores)
    low, high = feldt_interval(alpha, n=len(scores), items=len(chosen), level=level)
    kept = {
        "level": level,
        "lonely_psu": design.lonely_psu,
        "fpc": " + ".join(design.fpc) or "none",
    }
    kept |= {
        "selection": design.selection,
        "calibration": design.weighting.name if design.weighting else "none",
    }
    several = design.weighting is not None and design.weighting.several
    kept["variance"] = "linearized" + (
        "; of several weighting steps only the last calibration is credited" if several else ""
    )
    return Reliability(
        index=name, alpha=alpha, complete=len(scores), respondents=int(counted.n[lay_out(design, counted).weight > 0].sum()), table=_described(chosen, scores).assign(**columns),
        conventions=CONVENTIONS | kept, alpha_low=low, alpha_high=high, **weighted,
    )  # fmt: skip


def complete_cases(items: Sequence[Measure]) -> list[Measure]:
    """Return the items, their sum and the sum without each, all valid only where every item is: 2K + 1 measures."""
    depth = max(len(one.stages) for one in items)
    shared = [
        reduce(lambda a, b: a | b, (m.stages[d] for m in items if d < len(m.stages)))
        for d in range(depth)
    ]
    unit = math.lcm(*(one.unit for one in items))
    points = [nw.col(one.score_column) * (unit // one.unit) for one in items]
    together: Stage = {
        ALL_VALID: reduce(mul, [nw.col(one.valid_column) for one in items]),
        SUM: reduce(add, points),
    }
    values = {f"_own__{one.name}": score for one, score in zip(items, points, strict=True)} | {
        "_sum": nw.col(SUM)
    }
    values |= {
        f"_rest__{one.name}": nw.col(SUM) - score for one, score in zip(items, points, strict=True)
    }
    return [
        Measure(name, "score", unit, (*shared, together, _where_complete(name, value)))
        for name, value in values.items()
    ]


def _where_complete(name: str, value: nw.Expr) -> Stage:
    return {f"_valid__{name}": nw.col(ALL_VALID), f"_score__{name}": value * nw.col(ALL_VALID)}


def _weighted(
    design: SurveyDesign, counted: Tally, items: int, level: float
) -> tuple[dict[str, float], dict[str, Array]]:
    """Return the fields and the columns of the design-weighted assessment."""
    sample = lay_out(design, counted)
    complete, n = counted.valid[:, items], int(counted.valid[:, items].sum())
    total, squares = counted.sums()[:, items:], counted.sums_of_squares()[:, items:]
    found = weighted_variances(
        sample.weight, count=complete.astype(float), total=total, squares=squares
    )
    own, whole, rest = (
        found.variance[:items],
        float(found.variance[items]),
        found.variance[items + 1 :],
    )
    alpha, se, limits = weighted_alpha(own, whole), float("nan"), (float("nan"), float("nan"))
    none = np.zeros(len(complete), dtype=int)
    df = float(domain_df(none, complete[:, None], sample.clusters, domains=1)[0, 0])
    if np.isfinite(alpha):
        z = sp.csr_array(alpha_influence(found, items)[:, None])
        se = float(np.sqrt(max(sample.covariance(z)[0, 0], 0.0)))
        limits = log_interval(alpha, se, df=df, level=level)
    without = [weighted_alpha(np.delete(own, k), float(rest[k])) for k in range(items)]
    columns = {
        "weighted_mean": found.mean[:items],
        "weighted_sd": np.sqrt(own * n / (n - 1)),
        "weighted_item_total": weighted_item_total(own, rest, whole),
        "weighted_alpha_without": np.array(without),
    }
    return {
        "weighted_alpha": alpha,
        "se": se,
        "df": df,
        "ci_low": limits[0],
        "ci_high": limits[1],
    }, columns


def _scores(design: SurveyDesign, items: list[Measure]) -> Array:
    """Fetch the values of the complete cases, (n, K), for the figures with equal weights."""
    names = [column for one in items for column in (one.valid_column, one.score_column)]
    rows = fetch(add_columns(design.rows(), items).select(*(nw.col(name) for name in names)))
    valid = rows[[one.valid_column for one in items]].to_numpy(bool).all(axis=1)
    values = rows.loc[valid, [one.score_column for one in items]].to_numpy(float)
    return np.asarray(values / np.array([one.unit for one in items]))


def _described(items: list[Measure], scores: Array) -> pd.DataFrame:
    table = pd.DataFrame({"item": [one.name for one in items]})
    labels = {
        lang: [getattr(one.label, lang) if one.label else one.name for one in items]
        for lang in ("zh", "en")
    }
    others = [cronbach_alpha(np.delete(scores, k, axis=1)) for k in range(len(items))]
    return table.assign(
        **labels,
        mean=scores.mean(axis=0),
        sd=scores.std(axis=0, ddof=1),
        item_total=item_total(scores),
        alpha_without=others,
    )


def _refuse_overflow(counted: Tally, items: int) -> None:
    """Refuse sums of squares of the items' sum that 64 bits may not hold: at most K times those of the items."""
    unit = float(counted.units[items])
    most = items * unit**2 * counted.sums_of_squares()[:, :items].sum(axis=1).max()
    if counted.exact and most / (1.0 if unit == 1 else float(LIMB) ** 2) >= LARGEST:
        raise EstimatesError(
            "E134",
            "题目的整数过大，其和的平方会溢出。",
            "The items' whole numbers are too large: the squares of their sum would overflow.",
            where="items",
            available=counted.measures[:items],
            hint=("改用浮点列，或换更大的单位。", "Use floating-point columns, or a larger unit."),
        )


def _too_few(name: str) -> EstimatesError:
    return EstimatesError(
        "E133",
        f"'{name}' 至少要有两个不同的题目和两份完整答案。",
        f"'{name}' needs at least two different items and two complete cases.",
        where="reliability",
        hint=("选用题目更多的指数。", "Choose an index of more items."),
    )


def _items(design: SurveyDesign, questionnaire: Questionnaire, index: str) -> list[Measure]:
    person = {name: one for name, one in questionnaire.indices.items() if one.level == "person"}
    if index not in person:
        raise EstimatesError(
            "E131",
            f"没有按人计算的指数 '{index}'。",
            f"There is no index '{index}' of level person.",
            where="reliability",
            available=person,
            got=index,
            hint=("选用 level 为 person 的指数。", "Choose an index of level person."),
        )
    if lacking := [item for item in person[index].weights if item not in design.measures]:
        raise EstimatesError(
            "E132",
            f"指数 '{index}' 的题目 '{lacking[0]}' 没有单独计分。",
            f"Item '{lacking[0]}' of '{index}' has no score of its own.",
            where=f"indices.{index}.weights",
            available=design.measures,
            hint=("把该题目列入 topics。", "List the item under `topics`."),
        )
    return [design.measures[item] for item in person[index].weights]
