"""Estimates from people who were not drawn: what a model of who answers, or of the answers, makes of them.

The population is known through a reference: totals of covariates (margins), or a probability sample that asked for the
same covariates. Three ways lead from the respondents to it. *Calibration* predicts every answer by a linear (or logistic)
model of the covariates (the generalised regression estimator with weights of one). *Inverse propensity* weighs by 1 / the
fitted chance of having answered. *Doubly robust* adds the weighted residuals to the prediction: right if one of the two
models is. None of them is right where answering depends on the answer itself, and no standard error here measures that.

Sources: Chen, Li and Wu (2020); Kim, Park, Chen and Wu (2021); the linearized errors are those of golden/README.md. numpy
and scipy alone.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from scipy.optimize import minimize_scalar
from scipy.special import expit, fdtrc, log_ndtr, ndtr, ndtri

from satisfaction.sampling.variance import Array, Clusters, LonelyPsu, contributions, psu_totals

Propensity = Literal["calibrated", "likelihood"]
SelectionMethod = Literal["calibration", "inverse_propensity", "doubly_robust"]
STEPS = 100
MET = 1e-9
"""Largest |achieved / wanted - 1| of the propensities' equations that counts as solved."""


@dataclass(frozen=True, slots=True, repr=False)
class ReferenceSample:
    """A probability sample of the same population, R persons.

    Attributes
    ----------
    x : (R, K)
        Covariates as the respondents', the constant first.
    weight : (R,)
    clusters : Clusters
        Strata and sampling units of its persons.
    lonely_psu : str
    """

    x: Array
    weight: Array
    clusters: Clusters
    lonely_psu: LonelyPsu = "fail"

    @property
    def totals(self) -> Array:
        """Return the weighted totals of the covariates: (K,)."""
        return self.weight @ self.x

    def deviations(self, values: Array) -> Array:
        """Return what its sampling units contribute to weighted sums of values (R, Q): D, so that V = D'D."""
        totals = np.asarray(psu_totals(values, self.weight, self.clusters))
        return contributions(totals, self.clusters, self.lonely_psu)


@dataclass(frozen=True, slots=True, repr=False)
class Reference:
    """What is known of the population: totals of K covariates, the constant (so its size) first.

    Attributes
    ----------
    totals : (K,)
    sample : ReferenceSample or None
        Where the totals are estimated from one.
    """

    totals: Array
    sample: ReferenceSample | None = None

    @classmethod
    def of(cls, sample: ReferenceSample) -> Reference:
        """Return the reference that a probability sample is."""
        return cls(sample.totals, sample)


@dataclass(frozen=True, slots=True, repr=False)
class Propensities:
    """Fitted chances of having answered.

    Attributes
    ----------
    theta : (K,)
        Coefficients on the logit scale.
    chance : (n,)
        Of the respondents, each above 0 and below 1.
    method : {"calibrated", "likelihood"}
    """

    theta: Array
    chance: Array
    method: Propensity


@dataclass(frozen=True, slots=True, repr=False)
class ModelEstimates:
    """Means of M measures under a model.

    Attributes
    ----------
    mean : (M,)
    cov : (M, M)
        The model's variance: of who answers and of the reference sample, if the model is right.
    """

    mean: Array
    cov: Array

    @property
    def se(self) -> Array:
        """Return the model's standard errors: (M,)."""
        return np.asarray(np.sqrt(np.diag(self.cov)))


def propensities(
    x: Array, reference: Reference, *, method: Propensity = "calibrated"
) -> Propensities | None:
    """Fit a logistic model of answering.

    Parameters
    ----------
    x : (n, K)
        Covariates of the respondents, the constant first.
    reference : Reference
    method : {"calibrated", "likelihood"}
        calibrated: sums of x / chance meet the reference's totals (the distance of Deville and Särndal with factors above 1).
        likelihood: sums of x meet the weighted sums of chance x x over a reference sample, which it needs.

    Returns
    -------
    Propensities or None
        None where no chances between 0 and 1 solve the equations: a level without respondents, or with more of them than
        residents.
    """
    theta = np.zeros(x.shape[1])
    size = reference.totals[0]
    if len(x) >= size or not len(x):
        return None
    theta[0] = np.log(len(x) / (size - len(x)))
    sample = reference.sample
    if sample is not None:
        start = _solve(theta, x.sum(axis=0), lambda beta: _expected(beta, sample))
        if method == "likelihood":
            return None if start is None else Propensities(start, expit(x @ start), method)
        theta = theta if start is None else start
    solved = _solve(theta, reference.totals, lambda beta: _represented(beta, x))
    return None if solved is None else Propensities(solved, expit(x @ solved), method)


def _expected(theta: Array, sample: ReferenceSample) -> tuple[Array, Array]:
    """Return the weighted sums of chance x x over a reference sample, and their slope."""
    chance = expit(sample.x @ theta)
    expected = sample.weight * chance
    slope = (sample.x.T * (expected * (1 - chance))) @ sample.x
    return sample.x.T @ expected, slope


def _represented(theta: Array, x: Array) -> tuple[Array, Array]:
    """Return the sums of x / chance over the respondents, and their slope."""
    over = np.exp(np.clip(-(x @ theta), -700, 700))
    slope = -(x.T * over) @ x
    return x.T @ (1 + over), slope


def _solve(theta: Array, wanted: Array, equations: Any) -> Array | None:
    """Solve by Newton's method, halving steps that lead away; None where nothing solves them."""
    scale = np.where(wanted != 0, np.abs(wanted), 1.0)

    def distance(achieved: Array) -> float:
        gap = np.abs(achieved - wanted)
        return float(np.max(gap / scale))

    achieved, slope = equations(theta)
    for _step in range(STEPS):
        try:
            step = np.linalg.solve(slope, achieved - wanted)
        except np.linalg.LinAlgError:
            return None
        before = distance(achieved)
        share = 1.0
        while True:
            tried = theta - share * step
            achieved, slope = equations(tried)
            if distance(achieved) <= before or share < 1e-6:
                break
            share /= 2
        theta = tried
        if np.max(np.abs(step)) < 1e-13:
            break
    return theta if distance(achieved) < MET else None


def model_estimates(
    value: Array,
    valid: Array,
    x: Array,
    *,
    reference: Reference,
    method: SelectionMethod,
    fitted: Propensities | None = None,
) -> ModelEstimates:
    """Estimate the means of M measures over everybody with a valid answer, by linear models of the answers.

    Parameters
    ----------
    value, valid : (n, M)
        Values (0-1 or points), and whether they are valid.
    x : (n, K)
        Covariates of full column rank, the constant first.
    reference : Reference
    method : {"calibration", "inverse_propensity", "doubly_robust"}
    fitted : Propensities
        For the last two.

    Notes
    -----
    With propensities calibrated to the same covariates, doubly robust and inverse propensity are the same number.
    """
    # a mean over valid answers is a ratio of two totals, values over flags; both are predicted
    value = np.where(valid, value, 0.0)
    valid = valid.astype(float)
    inverse = np.linalg.inv(x.T @ x)

    def slopes(values: Array) -> Array:
        return np.asarray(inverse @ (x.T @ values))

    sample = reference.sample
    if method == "calibration":
        below = reference.totals @ slopes(valid)
        mean = reference.totals @ slopes(value) / below
        z = (value - mean * valid) / below
        beta = slopes(z)
        pull = x @ (inverse @ reference.totals)
        parts = [(z - x @ beta) * pull[:, None]]
        if sample is not None:
            parts.append(sample.deviations(sample.x @ beta))
        return _with_covariance(mean, parts)

    assert fitted is not None
    weight = 1 / fitted.chance
    top = weight @ value
    below = weight @ valid
    if method == "doubly_robust":
        missed = reference.totals - weight @ x
        top = top + missed @ slopes(value)
        below = below + missed @ slopes(valid)
    mean = top / below
    z = (value - mean * valid) / below
    if method == "inverse_propensity":
        return _with_covariance(mean, _weighting_parts(z, x, fitted, sample=sample))
    beta = slopes(z)
    parts = _weighting_parts(z - x @ beta, x, fitted, sample=sample, predicted=beta)
    return _with_covariance(mean, parts)


def _weighting_parts(
    z: Array,
    x: Array,
    fitted: Propensities,
    *,
    sample: ReferenceSample | None,
    predicted: Array | None = None,
) -> list[Array]:
    """Return what respondents, and the units of a reference sample, contribute to weighted sums of z (n, Q).

    Persons answer independently, with the fitted chances, whose estimation is credited. `predicted` (K, Q) are the
    coefficients of an outcome model that is summed over the reference sample.
    """
    chance = fitted.chance[:, None]
    pull_of_respondent: Array | float = 1 / chance
    if fitted.method == "calibrated":
        information = (x.T * ((1 - fitted.chance) / fitted.chance)) @ x
    else:
        assert sample is not None
        pull_of_respondent = 1.0
        information = _expected(fitted.theta, sample)[1]
    slopes = np.linalg.solve(information, x.T @ ((1 - chance) / chance * z))
    residual = z / chance - pull_of_respondent * (x @ slopes)
    parts = [np.sqrt(1 - chance) * residual]
    if sample is None:
        return parts
    values = sample.x @ slopes
    if fitted.method == "likelihood":
        values = expit(sample.x @ fitted.theta)[:, None] * values
    if predicted is not None:
        values = values + sample.x @ predicted
        values = values - sample.weight @ values / sample.weight.sum()
    parts.append(sample.deviations(values))
    return parts


def _with_covariance(mean: Array, parts: list[Array]) -> ModelEstimates:
    cov = sum(part.T @ part for part in parts)
    return ModelEstimates(mean, np.asarray(cov))


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
