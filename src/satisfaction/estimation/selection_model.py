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
from scipy.special import expit

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


@dataclass(frozen=True, slots=True)
class _Outcomes:
    """Values of M measures and which of them are valid, with a linear model of each.

    A mean over valid answers is a ratio of two totals, values over flags; both are predicted.
    """

    value: Array
    valid: Array
    x: Array
    inverse: Array

    @classmethod
    def of(cls, value: Array, valid: Array, x: Array) -> _Outcomes:
        inverse = np.linalg.inv(x.T @ x)
        return cls(np.where(valid, value, 0.0), valid.astype(float), x, inverse)

    def coefficients(self, values: Array) -> Array:
        return np.asarray(self.inverse @ (self.x.T @ values))

    def predicted(self, values: Array, totals: Array) -> Array:
        return totals @ self.coefficients(values)


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
    outcomes = _Outcomes.of(value, valid, x)
    sample = reference.sample
    if method == "calibration":
        top = outcomes.predicted(outcomes.value, reference.totals)
        below = outcomes.predicted(outcomes.valid, reference.totals)
        mean = top / below
        z = (outcomes.value - mean * outcomes.valid) / below
        beta = outcomes.coefficients(z)
        pull = x @ (outcomes.inverse @ reference.totals)
        parts = [(z - x @ beta) * pull[:, None]]
        if sample is not None:
            parts.append(sample.deviations(sample.x @ beta))
        return _with_covariance(mean, parts)

    assert fitted is not None
    weight = 1 / fitted.chance
    top = weight @ outcomes.value
    below = weight @ outcomes.valid
    if method == "doubly_robust":
        missed = reference.totals - weight @ x
        top = top + outcomes.predicted(outcomes.value, missed)
        below = below + outcomes.predicted(outcomes.valid, missed)
    mean = top / below
    z = (outcomes.value - mean * outcomes.valid) / below
    if method == "inverse_propensity":
        return _with_covariance(mean, _weighting_parts(z, x, fitted, sample))
    beta = outcomes.coefficients(z)
    parts = _weighting_parts(z - x @ beta, x, fitted, sample, predicted=beta)
    return _with_covariance(mean, parts)


def _weighting_parts(
    z: Array,
    x: Array,
    fitted: Propensities,
    sample: ReferenceSample | None,
    *,
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
