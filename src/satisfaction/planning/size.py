"""How many interviews and PSUs: from a wave's variances, for an interval, a difference, a change, a reliability, a listing.

Model of an area's variance with m PSUs of b interviews: ``V = sigma^2 kish (1 + (b - 1) rho) / (m b)``: sigma^2 the
variance between persons, kish what unequal weights cost, rho how alike persons of a PSU are.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from scipy import special

from satisfaction.estimation.intervals import t_quantile
from satisfaction.estimation.result import Estimates
from satisfaction.ranking.membership import bottom_membership
from satisfaction.ranking.pairs import compare_units
from satisfaction.ranking.probability import Posterior, fit
from satisfaction.sampling.variance import Array

LARGEST = 4096  # PSUs an area that are looked at


@dataclass(frozen=True, slots=True, eq=False)
class VarianceModel:
    """What a wave says about the variance of one measure, A areas.

    Attributes
    ----------
    areas : tuple of str
    estimate : (A,)
    sigma2 : (A,)
        Variance between persons, shrunk to the areas' pooled one by its precision.
    rho : float
        Intraclass correlation, pooled: a single area's is too uncertain.
    kish : float
        Design effect of unequal weights, pooled.
    psus, per_psu : (A,)
        In the wave: PSUs (df + strata) and interviews in each.
    strata : (A,) int
        Strata an area: its df are PSUs minus these.
    known : Posterior
        Of the areas' true values (normal, REML).
    """

    areas: tuple[str, ...]
    estimate: Array = field(repr=False)
    sigma2: Array = field(repr=False)
    rho: float
    kish: float
    psus: Array = field(repr=False)
    per_psu: Array = field(repr=False)
    strata: Array = field(repr=False)
    known: Posterior

    def variance(self, psus: Array | float, per_psu: float) -> Array:
        """Return the planned variance of every area's estimate: (A,), or (..., A) for PSUs of that shape."""
        n = np.asarray(psus, float) * per_psu
        deff_of_psus = 1 + (per_psu - 1) * self.rho
        of_person = self.sigma2 * self.kish * deff_of_psus
        return of_person / n


def plannable(estimates: Estimates, measures: Sequence[str]) -> list[str]:
    """Areas with a design effect of every one of the measures: what a wave says nothing of cannot be planned with."""
    table = estimates.table[estimates.table["measure"].isin(measures)]
    with_deff = np.isfinite(table["deff"].astype(float))
    known = with_deff & (table["se"] > 0)
    area = table[estimates.by[0]].astype(str)
    every = known.groupby(area, sort=False).all()
    return list(every.index[every])


def variance_model(
    estimates: Estimates, *, strata: int, kish: float = 1.0, areas: Sequence[str] | None = None
) -> VarianceModel:
    """Learn the variance of a measure from a wave.

    Parameters
    ----------
    estimates : Estimates
        One measure by area; its deff against a simple random sample without replacement of the same size.
    strata : int
        Strata an area.
    kish : float
        Design effect of the wave's unequal weights.
    areas : sequence of str, optional
        Those to plan for; default all.
    """
    table = estimates.table
    if areas is not None:
        table = table[table[estimates.by[0]].astype(str).isin(areas)]
    n = table["n"].to_numpy(float)
    se = table["se"].to_numpy(float)
    df = table["df"].to_numpy(float)
    deff = table["deff"].to_numpy(float)
    psus = df + strata
    per_psu = n / psus
    single = n * se**2 / deff  # variance between persons
    pooled = float(np.average(single, weights=n))
    precision = n / (n + 50.0)  # an area's own variance counts in full from some hundred interviews
    sigma2 = precision * single + (1 - precision) * pooled
    excess = np.average(deff / kish - 1, weights=n) / np.average(per_psu - 1, weights=n)
    rho = float(max(excess, 0.0))
    estimate = table["estimate"].to_numpy(float)
    names = tuple(table[estimates.by[0]].astype(str))
    return VarianceModel(
        areas=names,
        estimate=estimate,
        sigma2=sigma2,
        rho=rho,
        kish=kish,
        psus=psus,
        per_psu=per_psu,
        strata=np.full(len(n), strata),
        known=fit(estimate, se),
    )


def psus_for_variance(model: VarianceModel, wanted: float, *, per_psu: float) -> Array:
    """PSUs an area so that the variance is at most `wanted`, (A,) int; LARGEST where none does (no differences between areas)."""
    if wanted <= 0:
        return np.full(len(model.areas), LARGEST)
    exact = model.variance(1.0, per_psu) / wanted
    psus = np.ceil(exact - 1e-9)
    return np.minimum(psus, LARGEST).astype(int)


def psus_for_interval(
    model: VarianceModel, half_width: float, *, per_psu: float, level: float = 0.95
) -> Array:
    """PSUs an area so that the interval's expected half width is at most `half_width`, (A,) int; t with the df that follow."""

    def fits(psus: Array) -> Array:
        """Tell where the expected half width is small enough."""
        t = t_quantile(psus - model.strata, level)
        half = t * np.sqrt(model.variance(psus, per_psu))
        return half <= half_width

    return _least(model, fits)


def psus_for_difference(
    model: VarianceModel,
    difference: float,
    *,
    per_psu: float,
    power: float = 0.8,
    level: float = 0.95,
) -> Array:
    """PSUs an area so that a true difference between two such areas is found with the power wanted, (A,) int."""
    return _psus_for_power(
        model, difference, per_psu=per_psu, power=power, level=level, differing=1.0, samples=2
    )


def psus_for_change(
    model: VarianceModel,
    change: float,
    *,
    per_psu: float,
    overlap: float = 0.0,
    correlation: float = 0.0,
    power: float = 0.8,
    level: float = 0.95,
) -> Array:
    """PSUs an area so that a true change between two waves is found, (A,) int.

    Parameters
    ----------
    overlap : float
        Share of PSUs that both waves have.
    correlation : float
        Of the PSUs' means in both waves: the variance of a change is 2 V (1 - overlap x correlation).
    """
    differing = 1 - overlap * correlation
    return _psus_for_power(
        model, change, per_psu=per_psu, power=power, level=level, differing=differing, samples=1
    )


def psus_for_reliability(model: VarianceModel, reliability: float, *, per_psu: float) -> Array:
    """PSUs an area so that tau^2 / (tau^2 + V) is at least `reliability`, (A,) int."""
    tau2 = model.known.tau2
    return psus_for_variance(model, tau2 * (1 - reliability) / reliability, per_psu=per_psu)


@dataclass(frozen=True, slots=True)
class Decided:
    """What a sample size decides about a list of last areas, expected over true values and samples.

    Attributes
    ----------
    psus : int
    established, excluded : float
        Share of the truly listed areas that are established; of the others, that are excluded.
    undecided : float
        Expected number of areas that stay possible.
    false : float
        Largest of: share of the others established, share of the listed excluded.
    """

    psus: int
    established: float
    excluded: float
    undecided: float
    false: float


@dataclass(frozen=True, slots=True)
class ListTerms:
    """What is asked of a sample that a list of last areas is made from, and how that is simulated.

    Attributes
    ----------
    per_psu : int
        Interviews a PSU.
    bottom : int
        Length of the list.
    level : float
    draws, seed : int
        Simulated fields and samples.
    """

    per_psu: int
    bottom: int
    level: float = 0.95
    draws: int = 200
    seed: int = 1


def listing_power(model: VarianceModel, psus: Array | int, terms: ListTerms) -> Decided:
    """Simulate what membership tests decide with a sample size; the same seed gives the same true values for every size.

    True values come from the posterior of the wave's estimates, so that the field is as spread as the areas are believed to
    be; estimates and their se are drawn with the df that follow.
    """
    rng = np.random.default_rng(terms.seed)
    bottom = terms.bottom
    known = model.known
    size = np.broadcast_to(np.asarray(psus), (len(model.areas),))
    variance = model.variance(size, terms.per_psu)
    df = np.maximum(size - model.strata, 1).astype(float)
    counts = np.zeros(5)
    for _draw in range(terms.draws):
        truth = rng.normal(known.mean, np.maximum(known.sd, 1e-12))
        listed = np.argsort(np.argsort(truth)) < bottom
        drawn = rng.normal(truth, np.sqrt(variance))
        spread = variance * rng.chisquare(df) / df
        tests = bottom_membership(compare_units(drawn, cov=np.diag(spread), df=df), bottom, "simes")
        inside = tests.p_in <= 1 - terms.level
        outside = tests.p_out <= 1 - terms.level
        decided = [
            inside[listed].mean(),
            outside[~listed].mean(),
            (~inside & ~outside).sum(),
            inside[~listed].mean(),
            outside[listed].mean(),
        ]
        counts += np.array(decided, dtype=float)
    established, excluded, undecided, *false = counts / terms.draws
    return Decided(
        psus=int(np.max(size)),
        established=float(established),
        excluded=float(excluded),
        undecided=float(undecided),
        false=float(max(false)),
    )


def psus_for_listing(model: VarianceModel, established: float, terms: ListTerms) -> Decided | None:
    """Smallest equal number of PSUs with which the wanted share of the truly listed is established; None: beyond `LARGEST`."""
    high = int(model.strata.max()) + 1
    while high < LARGEST and listing_power(model, high, terms).established < established:
        high *= 2
    if high >= LARGEST:
        return None
    low = high // 2
    while high - low > 1:
        middle = (low + high) // 2
        if listing_power(model, middle, terms).established >= established:
            high = middle
        else:
            low = middle
    return listing_power(model, high, terms)


def _psus_for_power(
    model: VarianceModel,
    effect: float,
    *,
    per_psu: float,
    power: float,
    level: float,
    differing: float,
    samples: int,
) -> Array:
    """PSUs an area so that the two-sided t test finds a true effect with the power wanted, (A,) int.

    Parameters
    ----------
    differing : float
        Share of the two estimates' variance that does not cancel in their difference.
    samples : int
        How many samples give degrees of freedom.
    """

    def finds(psus: Array) -> Array:
        """Tell where the power is large enough."""
        variance = 2 * model.variance(psus, per_psu) * differing
        df = samples * (psus - model.strata)
        return _power(effect, variance, df, level) >= power

    return _least(model, finds)


def _power(effect: float, variance: Array, df: Array, level: float) -> Array:
    """Power of the two-sided t test of a true effect (non-central t, the far tail left out)."""
    df = np.maximum(df, 1)
    critical = t_quantile(df, level)
    shift = effect / np.sqrt(variance)
    return np.asarray(1 - special.nctdtr(df, shift, critical))


def _least(model: VarianceModel, fits: Callable[[Array], Array]) -> Array:
    """Smallest number of PSUs, at least one more than the strata, that fits each area: (A,) int; LARGEST where none does."""
    numbers = np.arange(2, LARGEST + 1)
    sizes = numbers[:, None] * np.ones(len(model.areas))
    enough = fits(sizes) & (sizes > model.strata)
    smallest = numbers[enough.argmax(axis=0)]
    return np.where(enough.any(axis=0), smallest, LARGEST)
