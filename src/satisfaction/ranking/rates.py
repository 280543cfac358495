"""Probabilities of ranks for rates: near 0 and 1 the error depends on the rate, and the spread of
the true rates is not normal.

A rate and its se are read as a count: of `size` effective answers, rate x size say yes. The size
comes from the variance on the arcsine scale, which does not depend on the rate; variances from few
PSUs are moderated first, drawn towards what is common to all units the more, the fewer degrees of
freedom they have (Smyth 2004). The true rates are normal as they are, on the logit or the arcsine scale, or have
any distribution (nonparametric maximum likelihood: Kiefer and Wolfowitz 1956; Koenker and Mizera
2014). Which prior holds cannot be seen from a few dozen areas: where it matters, it is said.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray
from scipy import special
from scipy.optimize import brentq, minimize

from satisfaction.foundation.figures import Brief
from satisfaction.ranking.pairs import Floats
from satisfaction.ranking.probability import Ahead, mean_few

Prior: TypeAlias = Literal["identity", "logit", "arcsine", "nonparametric"]
RATES: tuple[Prior, ...] = ("identity", "logit", "arcsine", "nonparametric")
"""Priors that are compared for rates; scores have the normal model of `probability`."""
DEFAULT: Prior = "logit"
"""For rates, by the simulations of tests/coverage_study/rate_priors.py."""
DISAGREE = 0.1
"""Where priors give probabilities farther apart than this, the probability depends on the model."""
EQUAL_LEVEL = 0.001
"""Where a test of equal true rates does not reject at this level, that they are equal is compared too.
One in a thousand, since the provinces it wrongly takes for different all state too high probabilities."""
DISAGREE_WITH_EQUAL = 0.05
"""Then a probability this far above that of equal rates depends on the model."""
UNSURE = (0.6, 0.9)
"""Probabilities of the list from the first to under the second number came true less often in
simulations even where the priors agree: where the lowest are equals, and more than the list has
places, chance decides, which no smooth prior sees. They always depend on the model."""
TOO_HIGH = 0.15
"""By how much they were too high there, in the worst tenth (tests/coverage_study/rate_priors.py)."""
FEW = 60
"""Of fewer units two waves tell too little of how true values changed: probabilities of rises of 20, 30
and 44 units were up to twice too high in simulations, of 88 not (tests/coverage_study/score_rises.py)."""
RISING = 0.1
"""So every probability of a rise from here on depends on the model, and its range reaches down to half of it."""

RANGE = ("probability_low", "probability_high", "model_dependent")
"""Columns beside a probability where models are compared."""

BOUNDED = 8.0
"""Power of a prior that is about flat between two ends: exp(-|z|^8 / 2)."""

SCALES: dict[str, tuple[float, float]] = {
    "identity": (1e-5, 1 - 1e-5),
    "logit": (-12.0, 12.0),
    "arcsine": (1e-3, float(np.arcsin(1.0)) - 1e-3),
}
SEARCH_NODES = 201
FOUND_WITHIN = {"xatol": 1e-4, "fatol": 1e-5}  # a prior's mean and log sd; its log likelihood
WIDTH = 5.5  # standard deviations of the prior on either side
NODES_A_SD = 8  # of the narrowest posterior
FEWEST_NODES = 300
MOST_NODES = 4_000
ROUNDS = 300  # of the EM algorithm
FARTHEST = 1e4  # degrees of freedom that stand for "all variances are equal"


@dataclass(frozen=True, slots=True, repr=False)
class Counts(Brief):
    """Rates as counts: of `size` effective answers `yes` count, (p,) each."""

    yes: Floats
    size: Floats


@dataclass(frozen=True, slots=True, repr=False)
class RatePosterior(Brief):
    """Independent posteriors of p true rates (or scores) on one grid; a later node is better.

    Attributes
    ----------
    prior : str
        One of `RATES`.
    node : (g,)
        Rates 0-1; of scores, scores.
    mass : (p, g)
        Posterior mass, each row adds up to 1.
    """

    prior: str
    node: Floats
    mass: Floats

    def probability_top(self, places: int) -> Floats:
        """P(rank <= places), (p,)."""
        (probability,) = mean_few([self._worse()], places)
        return probability

    def probability_bottom(self, places: int) -> Floats:
        """P(rank > p - places), (p,)."""
        (probability,) = mean_few([self._better()], places)
        return probability

    def _worse(self) -> Ahead:
        """Who lies above a node."""
        turned = self.mass[:, ::-1]
        return Ahead(_below(turned), turned)

    def _better(self) -> Ahead:
        """Who lies below a node."""
        return Ahead(_below(self.mass), self.mass)

    def better(self) -> Floats:
        """P(row is truly better than column), (p, p); a tie counts half."""
        better: Floats = self.mass @ _below(self.mass).T
        np.fill_diagonal(better, 0.5)
        return better

    def expected_rank(self) -> Floats:
        """Posterior mean of each unit's rank, (p,)."""
        ahead: Floats = _below(self.mass) @ self.mass.sum(axis=0)
        return ahead + 0.5  # the unit itself has counted one half


def fit_rates(
    prior: Prior, rate: Floats, se: Floats, *, df: Floats, sign: float = 1.0
) -> RatePosterior:
    """Posterior of true rates.

    Parameters
    ----------
    prior : {"identity", "logit", "arcsine", "nonparametric"}
        The scale on which true rates are normal, or no shape at all.
    rate, se, df : (p,)
        Rates 0-1, their standard errors > 0, degrees of freedom (inf: se known).
    sign : {1, -1}
        -1 where a smaller rate is better.
    """
    return fit_counts(prior, effective_counts(rate, se, df), sign=sign)


def fit_counts(prior: Prior, counts: Counts, *, sign: float = 1.0) -> RatePosterior:
    """Posterior of true rates read as counts; the other arguments as of `fit`."""
    if prior == "nonparametric":
        node, mass = _any_shape(counts)
    else:
        node, mass = _normal_on(prior, counts)
    return _turned(prior, node, mass, sign=sign)


def fit_bounded(counts: Counts, *, sign: float = 1.0) -> RatePosterior:
    """Posterior of true rates that are about equally spread between two ends of the arcsine scale
    (ML); arguments as of `fit_counts`.

    Only for comparison: where nobody lies far from the others, the last ones are told apart less
    surely than under a normal prior, whose tails never end.
    """
    node, mass = _normal_on("arcsine", counts, power=BOUNDED)
    return _turned("bounded", node, mass, sign=sign)


def fit_every(counts: Counts, *, sign: float = 1.0) -> list[RatePosterior]:
    """Posteriors under all priors that are compared: `RATES`, then the bounded one."""
    models = [fit_counts(prior, counts, sign=sign) for prior in RATES]
    return [*models, fit_bounded(counts, sign=sign)]


def list_probabilities(
    models: Sequence[RatePosterior], places: int, *, first: bool
) -> list[Floats]:
    """Probability of the first, or the last, `places` under each of several models, (p,) each."""
    if first:
        return mean_few([model._worse() for model in models], places)
    return mean_few([model._better() for model in models], places)


def fit_scores(score: Floats, se: Floats, *, sign: float = 1.0) -> RatePosterior:
    """Posterior of true scores under the prior of greatest likelihood of any shape.

    Only for comparison: a normal prior sees no groups of equals and tells an order inside them.

    Parameters
    ----------
    score, se : (p,)
        Scores 0-100 and their standard errors > 0, taken as known.
    sign : {1, -1}
        -1 where a smaller score is better.
    """
    beyond = np.median(se) / 2
    node = _grid(np.array([score.min() - beyond, score.max() + beyond]), FEWEST_NODES)
    if se.min() < node[1] - node[0]:
        node = np.union1d(node, score)
    distance = (score[:, None] - node) / se[:, None]
    nearest = np.abs(distance).min(axis=1, keepdims=True)
    mass = _of_any_shape(np.exp((nearest**2 - distance**2) / 2))
    return _turned("nonparametric", node, mass, sign=sign)


def _turned(prior: str, node: Floats, mass: Floats, *, sign: float) -> RatePosterior:
    """Let a later node be a better one."""
    if sign < 0:
        node = node[::-1]
        mass = mass[:, ::-1]
    return RatePosterior(prior, node, mass)


def effective_counts(rate: Floats, se: Floats, df: Floats) -> Counts:
    """Read (p,) rates with their se and df as counts, of moderated effective sizes.

    On the arcsine scale a count's variance is 1 / (4 size) whatever its rate. The se is taken there
    as half the way from one se below the rate to one se above, so that a rate of 1 has one too.
    """
    low = np.arcsin(np.sqrt(np.clip(rate - se, 0, 1)))
    high = np.arcsin(np.sqrt(np.clip(rate + se, 0, 1)))
    variance = moderated(((high - low) / 2) ** 2, df)
    size = 1 / (4 * variance)
    return Counts(rate * size, size)


@dataclass(frozen=True, slots=True, repr=False)
class AcrossPriors(Brief):
    """Probabilities under several priors: the lowest and the highest, and whether they depend on
    the prior, (p,) each.
    """

    low: Floats
    high: Floats
    depends: NDArray[np.bool_]

    def columns(self, names: Sequence[str] = RANGE) -> dict[str, NDArray[Any]]:
        """Columns of a table, (p,) each: lowest, highest, whether it depends."""
        return dict(zip(names, (self.low, self.high, self.depends), strict=True))


def across_priors(chances: Sequence[Floats], *, equal: float | Floats | None) -> AcrossPriors:
    """Set (p,) probabilities under several priors side by side.

    Parameters
    ----------
    equal : float, (p,) or None
        The probability of every unit if all true rates are equal; None where they are not.
    """
    low = np.min(chances, axis=0)
    high = np.max(chances, axis=0)
    depends = high - low > DISAGREE
    if equal is not None:
        depends |= high - equal > DISAGREE_WITH_EQUAL
        low = np.minimum(low, equal)
        high = np.maximum(high, equal)
        depends |= high - low > DISAGREE
    return AcrossPriors(low, high, depends)


def compared_lists(
    stated: Floats, chances: Sequence[Floats], *, equal: float | Floats | None
) -> AcrossPriors:
    """As `across_priors`, for probabilities of the list; those (p,) stated that are `UNSURE` depend on the
    model, and their range reaches as far down as they may be too high.
    """
    over_priors = across_priors(chances, equal=equal)
    unsure = (stated >= UNSURE[0]) & (stated < UNSURE[1])
    lower = np.minimum(over_priors.low, stated - TOO_HIGH)
    low = np.where(unsure, lower, over_priors.low)
    return AcrossPriors(low, over_priors.high, over_priors.depends | unsure)


def compared_rises(chances: Sequence[Floats]) -> AcrossPriors:
    """As `across_priors`, for probabilities of a rise, (p,) each, the stated ones first; of fewer than `FEW`
    units those from `RISING` on depend on the model.
    """
    over_models = across_priors(chances, equal=None)
    stated = chances[0]
    if len(stated) >= FEW:
        return over_models
    unsure = stated >= RISING
    low = np.where(unsure, np.minimum(over_models.low, stated / 2), over_models.low)
    return AcrossPriors(low, over_models.high, over_models.depends | unsure)


def may_be_equal(counts: Counts) -> bool:
    """Say whether (p,) true rates are not shown to differ: Cochran's Q on the arcsine scale, where
    the error of a count does not depend on its rate.
    """
    precision = 4 * counts.size
    at = np.arcsin(np.sqrt(counts.yes / counts.size))
    centre = np.average(at, weights=precision)
    distance = float(precision @ (at - centre) ** 2)
    return bool(special.chdtrc(len(at) - 1, distance) > EQUAL_LEVEL)


def moderated(variance: Floats, df: Floats) -> Floats:
    """Draw (p,) estimated variances towards their common level, by their degrees of freedom.

    True variances are inverse chi-square with a number of degrees of freedom that the spread of
    the logarithms leaves over (Smyth 2004); a variance that is known (df inf) stays.
    """
    half = np.minimum(df, FARTHEST**2) / 2
    centred = np.log(variance) - special.digamma(half) + np.log(half)
    left_over = float(np.var(centred, ddof=1) - special.polygamma(1, half).mean())
    common_df = FARTHEST
    if left_over > special.polygamma(1, FARTHEST / 2):
        common_df = 2 * _inverse_trigamma(left_over)
    level = centred.mean() + special.digamma(common_df / 2) - np.log(common_df / 2)
    own = np.where(np.isinf(df), 1.0, 2 * half / (common_df + 2 * half))
    drawn: Floats = own * variance + (1 - own) * np.exp(level)
    return drawn


def _inverse_trigamma(value: float) -> float:
    """The number whose trigamma is `value`."""

    def excess(log: float) -> float:
        return float(special.polygamma(1, np.exp(log))) - value

    return float(np.exp(brentq(excess, np.log(1e-6), np.log(FARTHEST))))


# ---- priors


def _normal_on(scale: str, counts: Counts, power: float = 2.0) -> tuple[Floats, Floats]:
    """Nodes (rates) and posterior masses under a normal prior on a scale, its mean and sd by
    maximum likelihood; with another power than 2 see `_bell`.
    """
    point, error = _on_scale(scale, counts)
    beyond = 3 * float(np.median(error))
    low, high = SCALES[scale]
    searched = np.clip([point.min() - beyond, point.max() + beyond], low, high)
    node = _grid(searched, SEARCH_NODES)
    likelihood = _likelihood(counts, _rate(scale, node))
    narrowest = float(node[1] - node[0])  # units whose true rates differ less count as equal

    def deviance(at: Floats) -> float:
        spread = max(float(np.exp(at[1])), narrowest)
        chances = likelihood @ _bell(node, at[0], spread, power=power)
        return -float(np.log(chances + 1e-300).sum())

    start = np.array([np.median(point), np.log(0.7 * point.std() + narrowest)])
    found = minimize(deviance, start, method="Nelder-Mead", options=FOUND_WITHIN)
    mean, log_spread = found.x
    mean = float(np.clip(mean, searched[0], searched[1]))
    spread = max(float(np.exp(log_spread)), narrowest)
    ends = np.clip([mean - WIDTH * spread, mean + WIDTH * spread], low, high)
    posterior_sd = float((spread * error / np.hypot(spread, error)).min())
    number = int(np.clip(NODES_A_SD * np.ptp(ends) / posterior_sd, FEWEST_NODES, MOST_NODES))
    node = _grid(ends, number)
    mass = _likelihood(counts, _rate(scale, node)) * _bell(node, mean, spread, power=power)
    return _rate(scale, node), mass / mass.sum(axis=1, keepdims=True)


def _on_scale(scale: str, counts: Counts) -> tuple[Floats, Floats]:
    """Rates on a scale and their errors there, (p,) each; half an answer is added to either side."""
    rate = (counts.yes + 0.5) / (counts.size + 1)
    variance = rate * (1 - rate) / counts.size
    if scale == "identity":
        return rate, np.sqrt(variance)
    if scale == "arcsine":
        return np.arcsin(np.sqrt(rate)), np.sqrt(1 / (4 * counts.size))
    return special.logit(rate), np.sqrt(variance) / (rate * (1 - rate))


def _bell(node: Floats, mean: float, spread: float, *, power: float) -> Floats:
    """Prior exp(-|z|^power / 2) on (g,) nodes, normal where the power is 2; adds up to 1."""
    prior = np.exp(-(np.abs((node - mean) / spread) ** power) / 2)
    bell: Floats = prior / max(prior.sum(), 1e-300)
    return bell


def _any_shape(counts: Counts) -> tuple[Floats, Floats]:
    """Nodes (rates) and posterior masses under the prior of greatest likelihood of any shape, on a
    grid of the arcsine scale.
    """
    at = np.arcsin(np.sqrt(counts.yes / counts.size))
    beyond = 0.25 / np.sqrt(np.median(counts.size))
    low, high = SCALES["arcsine"]
    ends = np.clip([at.min() - beyond, at.max() + beyond], low, high)
    node = _rate("arcsine", _grid(ends, FEWEST_NODES))
    return node, _of_any_shape(_likelihood(counts, node))


def _of_any_shape(likelihood: Floats) -> Floats:
    """Posterior masses from a (p, g) likelihood by the EM algorithm, (p, g), each row adding up to 1."""
    prior = np.full(likelihood.shape[1], 1 / likelihood.shape[1])
    for _ in range(ROUNDS):
        prior *= (1 / (likelihood @ prior)) @ likelihood / len(likelihood)
    mass = likelihood * prior
    masses: Floats = mass / mass.sum(axis=1, keepdims=True)
    return masses


def _grid(ends: Floats, number: int) -> Floats:
    """Equally spaced points from one end to the other."""
    return np.linspace(float(ends[0]), float(ends[1]), number)


def _rate(scale: str, at: Floats) -> Floats:
    """Rates 0-1 at points of a scale."""
    if scale == "identity":
        return at
    rate: Floats = special.expit(at) if scale == "logit" else np.sin(at) ** 2
    return rate


def _likelihood(counts: Counts, rate: Floats) -> Floats:
    """Binomial likelihood of the counts at (g,) rates, (p, g), the highest of each row 1."""
    log = counts.yes[:, None] * np.log(rate)
    log += (counts.size - counts.yes)[:, None] * np.log1p(-rate)
    likelihood: Floats = np.exp(log - log.max(axis=1, keepdims=True))
    return likelihood


# ---- ranks


def _below(mass: Floats) -> Floats:
    """P(unit lies below a node), (p, g); at the node counts half."""
    return np.cumsum(mass, axis=1) - mass / 2
