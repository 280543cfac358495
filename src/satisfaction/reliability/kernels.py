"""Array kernels of Cronbach's alpha: on complete scores with equal weights, and on the weighted sums of a tally."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
import pingouin
from scipy import special

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
    tails = special.fdtri(n - 1, (n - 1) * (items - 1), np.array([(1 + level) / 2, (1 - level) / 2]))
    low, high = 1 - (1 - alpha) * tails
    return float(low), float(high)


def item_total(scores: Array) -> Array:
    """Correlation of each item with the sum of the others, (n, K) -> (K,); nan where one of them does not vary."""
    rest = scores.sum(axis=1, keepdims=True) - scores
    own, rest = scores - scores.mean(axis=0), rest - rest.mean(axis=0)
    spread = np.sqrt((own**2).sum(axis=0) * (rest**2).sum(axis=0))
    return np.asarray(np.divide((own * rest).sum(axis=0), spread, out=np.full(scores.shape[1], np.nan), where=spread > 0))


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
    return float(len(items) / (len(items) - 1) * (1 - items.sum() / total)) if total > 0 and len(items) > 1 else float("nan")


def weighted_item_total(items: Array, rest: Array, total: float) -> Array:
    """Correlation of each item with the sum of the others, from the variances of both, (K,), and of the sum of all."""
    spread = np.sqrt(items * rest)
    return np.asarray(np.divide((total - items - rest) / 2, spread, out=np.full(len(items), np.nan), where=spread > 0))


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
