"""How far a mean or share from people who were not drawn may be off: proxy pattern-mixture models.

A *proxy* is the best prediction of the answer from covariates whose population is known. It shows how the respondents
differ from the population as far as covariates see it; `phi` says how much of the difference lies in the answer itself:
0 none beyond the covariates, 1 all of it. Nothing in the data tells which phi is true. Sources: SMUB for means (Little,
West, Boonstra and Hu 2020), MUBP for shares (Andridge, West, Little, Boonstra and Alvarado-Leiton 2019). numpy and scipy
alone.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import fdtrc, log_ndtr, ndtr, ndtri

from satisfaction.sampling.variance import Array

PHI = (0.0, 0.5, 1.0)
WEAK = 0.5
"""Correlations below it are called weak: Andridge and Little (2011) take .8 as strong, .5 as moderate, .2 as weak."""
CERTAIN = 0.05
"""Level of the F test that a proxy says anything; where it does not, phi = 1 has no bound."""
GRID = np.linspace(-0.99, 0.99, 67)


@dataclass(frozen=True, slots=True, repr=False)
class Moments:
    """What is known of the covariates (without the constant) among those who did not answer.

    Attributes
    ----------
    size : float
        Residents, respondents among them.
    mean : (K,)
    cov : (K, K)
        Divisor: their number.
    """

    size: float
    mean: Array
    cov: Array


@dataclass(frozen=True, slots=True, repr=False)
class Sensitivity:
    """A mean or share, and what it would be for phi of `PHI`.

    Attributes
    ----------
    mean : float
        Of the respondents, unweighted.
    correlation : float
        Of the proxy with the answer (biserial for a share), 0-1.
    adjusted : (3,)
        At phi 0, .5, 1; nan where there is no bound.
    p : float
        That the covariates say nothing of the answer (F test); above `CERTAIN` phi = 1 has no bound.
    """

    mean: float
    correlation: float
    adjusted: Array
    p: float

    @property
    def bounded(self) -> bool:
        """Tell whether phi = 1 has a bound."""
        return bool(np.isfinite(self.adjusted[-1]))


def smub_factor(phi: float, correlation: float) -> float:
    """Return the factor from a difference of the standardised proxy to one of the answer; infinite at phi 1 without correlation."""
    below = phi * correlation + 1 - phi
    if not below:
        return np.inf
    return (phi + (1 - phi) * correlation) / below


def sensitivity_of_mean(value: Array, z: Array, population_mean: Array) -> Sensitivity:
    """Return SMUB's adjustments of a mean.

    Parameters
    ----------
    value : (n,)
    z : (n, K)
        Covariates without the constant.
    population_mean : (K,)
        Of all residents.
    """
    x = np.column_stack([np.ones(len(z)), z])
    beta = _least_squares(x, value)
    proxy = x @ beta
    mean = float(value.mean())
    p = _proxy_says_nothing(value, proxy, x)
    if np.ptp(proxy) < 1e-12 * max(abs(mean), 1.0):
        return Sensitivity(mean, 0.0, np.array([mean, np.nan, np.nan]), 1.0)
    correlation = float(np.corrcoef(proxy, value)[0, 1])
    predicted = np.append(1.0, population_mean) @ beta
    gap = mean - float(predicted)
    shift = gap / proxy.std(ddof=1) * value.std(ddof=1)
    factors = [smub_factor(phi, correlation) for phi in PHI]
    adjusted = mean - np.array(factors) * shift
    return Sensitivity(mean, correlation, _bounded(adjusted, p), p)


def sensitivity_of_share(value: Array, z: Array, others: Moments) -> Sensitivity:
    """Return MUBP's adjustments of a share.

    Parameters
    ----------
    value : (n,)
        0 or 1.
    z : (n, K)
        Covariates without the constant.
    others : Moments
        Of those who did not answer.
    """
    share = float(value.mean())
    nothing = Sensitivity(share, np.nan, np.full(len(PHI), np.nan), np.nan)
    if share in (0.0, 1.0):
        return nothing
    x = np.column_stack([np.ones(len(z)), z])
    beta = _probit(value, x)
    if beta is None:
        return nothing
    proxy = x @ beta
    p = _proxy_says_nothing(value, x @ _least_squares(x, value), x)
    if np.ptp(proxy) < 1e-12:
        return Sensitivity(share, 0.0, np.array([share, np.nan, np.nan]), 1.0)
    correlation = biserial(value, proxy)
    fraction = len(value) / others.size
    center = proxy.mean()
    spread = proxy.std()
    gap = (beta[0] + others.mean @ beta[1:] - center) / spread
    widening = (beta[1:] @ others.cov @ beta[1:] - spread**2) / spread**2
    adjusted = []
    for phi in PHI:
        factor = smub_factor(phi, correlation)
        variance = max(float(1 + factor**2 * widening), float(np.finfo(float).eps))
        share_of_others = ndtr((ndtri(share) + factor * gap) / np.sqrt(variance))
        adjusted.append(fraction * share + (1 - fraction) * share_of_others)
    return Sensitivity(share, correlation, _bounded(np.array(adjusted), p), p)


def biserial(value: Array, proxy: Array) -> float:
    """Return the biserial correlation of a 0/1 answer with a proxy, in two steps: the threshold from the share, then the likelihood.

    The likelihood is searched on a grid and then around its highest point: a search over the whole range alone may stop at
    its end.
    """
    z = (proxy - proxy.mean()) / proxy.std()
    threshold = -ndtri(value.mean())
    side = np.where(value == 1, 1.0, -1.0)

    def loss(correlation: float) -> float:
        """Return minus the log likelihood of a correlation."""
        spread = np.sqrt(1 - correlation**2)
        above = (correlation * z - threshold) / spread
        return float(-log_ndtr(side * above).sum())

    at = int(np.argmin([loss(correlation) for correlation in GRID]))
    low = GRID[max(at - 1, 0)]
    high = GRID[min(at + 1, len(GRID) - 1)]
    around = minimize_scalar(loss, bounds=(low, high), method="bounded", options={"xatol": 1e-12})
    correlation = float(around.x)
    step = 1e-4
    # a parabola through three points finds the top beyond the search's own precision
    for _polish in range(10):
        left = loss(correlation - step)
        right = loss(correlation + step)
        bend = left - 2 * loss(correlation) + right
        if not bend > 0 or abs(correlation) > 1 - 3 * step:
            break
        correlation -= step * (right - left) / (2 * bend)
    return correlation


def _least_squares(x: Array, value: Array) -> Array:
    """Return the coefficients of a linear regression; without a unique solution the shortest ones."""
    q, r = np.linalg.qr(x)
    diagonal = np.abs(np.diag(r))
    if diagonal.min() < 1e-9 * diagonal.max():
        return np.linalg.lstsq(x, value, rcond=None)[0]
    return np.linalg.solve(r, q.T @ value)


def _probit(value: Array, x: Array) -> Array | None:
    """Fit a probit regression by Fisher scoring; None where it has no finite solution."""
    beta = np.zeros(x.shape[1])
    beta[0] = ndtri(value.mean())
    for _step in range(100):
        line = x @ beta
        density = np.exp(-(line**2) / 2) / np.sqrt(2 * np.pi)
        share = np.clip(ndtr(line), 1e-15, 1 - 1e-15)
        spread = share * (1 - share)
        information = (x.T * (density**2 / spread)) @ x
        score = x.T @ (density * (value - share) / spread)
        try:
            step = np.linalg.solve(information, score)
        except np.linalg.LinAlgError:
            return None
        beta = beta + step
        if np.max(np.abs(x @ beta)) > 30:
            return None
        if np.max(np.abs(step)) < 1e-13:
            return beta
    return beta if np.max(np.abs(step)) < 1e-8 else None


def _proxy_says_nothing(value: Array, fitted: Array, x: Array) -> float:
    """Return the p value of the F test of a linear regression against its mean."""
    df = x.shape[1] - 1
    rest = len(value) - x.shape[1]
    explained = float(((fitted - value.mean()) ** 2).sum())
    left = float(((value - fitted) ** 2).sum())
    if df < 1 or rest < 1 or left <= 0:
        return 0.0 if explained > 0 and rest > 0 else 1.0
    f = explained / df / (left / rest)
    return float(fdtrc(df, rest, f))


def _bounded(adjusted: Array, p: float) -> Array:
    """Blank phi = 1 where the proxy cannot be told from one that says nothing."""
    if p > CERTAIN:
        adjusted = adjusted.copy()
        adjusted[-1] = np.nan
    return adjusted
