"""Dividing a budget over areas: equally, by population, by Neyman, by Bethel for several measures, or for the cut of a list.

A plan's variance of measure j in area h is ``a_hj / n_h``: `a` is what one interview (or PSU) would leave.

Several limits at once: interval widths of several measures, for areas and for what they add up to, at least cost (Bethel).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import pandas as pd
from scipy import special

from satisfaction.foundation.errors import DesignError
from satisfaction.foundation.language import _
from satisfaction.pipeline import Results
from satisfaction.planning import size
from satisfaction.planning.size import (
    ListTerms,
    VarianceModel,
    listing_power,
    plannable,
    variance_model,
)
from satisfaction.sampling.variance import Array

STEPS = 20_000
CLOSE = 1e-10
GRID_DRAWS = 120  # simulated fields and samples for each share of a grid


@dataclass(frozen=True, slots=True, repr=False)
class Bethel:
    """An allocation that meets several constraints at least cost.

    Attributes
    ----------
    n : (H,) float
        Sizes, not rounded.
    used : (J,)
        Variance over its limit for every constraint: at most 1, and 1 where the constraint binds.
    """

    n: Array
    used: Array


def equal(total: float, areas: int) -> Array:
    """The same size everywhere, (A,)."""
    return np.full(areas, total / areas)


def proportional(total: float, population: Array) -> Array:
    """Sizes by population, (A,)."""
    return np.asarray(total * population / population.sum())


def neyman(total: float, population: Array, spread: Array) -> Array:
    """Least variance of the whole's mean: sizes by population x standard deviation, (A,)."""
    share = population * spread
    return np.asarray(total * share / share.sum())


def bethel(a: Array, limits: Array, *, cost: Array, least: Array | None = None) -> Bethel:
    """Least cost under limits on several variances: min sum c_h n_h with sum_h a_jh / n_h <= limit_j (Bethel 1989).

    Parameters
    ----------
    a : (J, H)
        >= 0; a_jh is 0 where constraint j does not concern area h.
    limits : (J,)
        > 0.
    cost : (H,)
        > 0.
    least : (H,), optional
        Smallest sizes.

    Returns
    -------
    Bethel
        The dual is a concave function of the multipliers; it is climbed by the multiplicative steps of Chromy (1987) to
        1e-10, with sizes at their least value where that binds.

    Raises
    ------
    DesignError
        D131 for an area that no constraint concerns, or limits that are not positive.
    """
    if least is None:
        floor = np.full(a.shape[1], 1e-9)
        unlimited = a.sum(axis=0) <= 0
    else:
        floor = np.asarray(least, float)
        unlimited = np.zeros(a.shape[1], dtype=bool)
    if unlimited.any() or (limits <= 0).any():
        raise DesignError(
            "D131",
            _("An area that no limit concerns, or a limit that is not positive."),
            where="bethel",
            hint=_("Give every area a limit or a least size; limits are positive."),
        )
    scaled = a / limits[:, None]
    weight = np.full(len(limits), 1.0 / len(limits))
    for _unused in range(STEPS):
        n = sizes(scaled, weight, cost=cost, floor=floor)
        used = (scaled / n).sum(axis=1)
        new = weight * used**2
        share = weight / weight.sum()
        moved = new / max(new.sum(), 1e-300) - share
        step = np.abs(moved).max()
        if step < CLOSE and used.max() <= 1 + 1e-9:
            weight = new
            break
        weight = np.maximum(new, 1e-300)
    n = sizes(scaled, weight, cost=cost, floor=floor)
    # every constraint is met, whatever the rounding
    most_used = float((scaled / n).sum(axis=1).max())
    n = np.maximum(n * max(most_used, 1.0), floor)
    used = (scaled / n).sum(axis=1)
    return Bethel(n, used)


def sizes(scaled: Array, weight: Array, *, cost: Array, floor: Array) -> Array:
    """Sizes that the multipliers ask for: sqrt(sum_j weight_j a_jh / c_h), at least the floor, (H,)."""
    optimal = np.sqrt(weight @ scaled / cost)
    return np.maximum(optimal, floor)


def for_the_cut(model: VarianceModel, total: int, terms: ListTerms, *, least: int) -> Array:
    """PSUs by area that leave few areas undecided at the cut of a list: more where the area may lie on either side, (A,) int.

    Sizes go with sqrt(V p (1 - p)), p the model's probability of the list, mixed with the equal allocation in the share that
    leaves the smallest expected number of undecided areas (simulated, a grid of eleven shares).
    """
    probability = model.known.probability_bottom(terms.bottom)
    variance = model.variance(1.0, terms.per_psu)
    undecided = variance * probability * (1 - probability)
    interest = np.sqrt(undecided) + 1e-12
    tried = replace(terms, draws=GRID_DRAWS)
    free = total - least * len(model.areas)
    best: tuple[float, Array] | None = None
    for share in np.linspace(0, 1, 11):
        equal_part = (1 - share) / len(interest)
        extra = free * (share * interest / interest.sum() + equal_part)
        psus = least + whole_sizes(extra, free)
        left = listing_power(model, psus, tried).undecided
        if best is None or left < best[0] - 1e-12:
            best = (left, psus)
    assert best is not None
    return best[1]


def whole_sizes(sizes: Array, total: int) -> Array:
    """Whole numbers near the sizes that add up to the total (largest remainders), (A,) int."""
    whole = np.floor(sizes + 1e-9).astype(int)
    missing = total - int(whole.sum())
    order = np.argsort(-(sizes - whole), kind="stable")
    whole[order[:missing]] += 1
    return whole


@dataclass(frozen=True, slots=True)
class Limit:
    """Half width of an interval that must not be exceeded.

    Attributes
    ----------
    measure : str
    level : str
        Of areas: "county", "province", ...
    half_width : float
        In the measure's unit: share 0-1, or points.
    """

    measure: str
    level: str
    half_width: float

    def __str__(self) -> str:
        return f"{self.measure}@{self.level}={self.half_width:g}"


@dataclass(frozen=True, slots=True, repr=False)
class Several:
    """PSUs by area that keep all limits.

    Attributes
    ----------
    psus : (A,) int
    binding : tuple of str
        The limits that decide, with the unit where they do.
    """

    psus: Array
    binding: tuple[str, ...]


def read_limit(text: str, results: Results) -> Limit:
    """Read "measure@level=half width".

    Raises
    ------
    DesignError
        D133 for anything else, or names that the wave does not have.
    """
    name, _unused, width = text.partition("=")
    measure, _unused, level = name.partition("@")
    table = results.estimates[results.area].table
    has_deff = np.isfinite(table["deff"].to_numpy(float))  # what areas combine has none
    measures = list(table.loc[has_deff, "measure"].unique())
    try:
        limit = Limit(measure.strip(), level.strip() or results.area, float(width))
    except ValueError:
        limit = Limit(measure, level, float("nan"))
    known = limit.measure in measures and limit.level in results.estimates
    if not known or not limit.half_width > 0:
        raise DesignError(
            "D133",
            _("The limit '{text}' cannot be read.", text=text),
            where="--within",
            available=[*measures, *(f"@{level}" for level in results.estimates)],
            got=limit.measure,
            hint=_("Write measure@level=half width, such as awareness@county=0.05."),
        )
    return limit


def psus_for_limits(
    results: Results,
    limits: Sequence[Limit],
    *,
    strata: int,
    kish: float,
    per_psu: float,
    level: float = 0.95,
    areas: Sequence[str] | None = None,
) -> Several:
    """PSUs by area that keep several limits at least cost, every interview costing the same.

    Limits for the areas themselves concern one area each and set its least size (t with the df that follow). Limits for what
    areas add up to share out: variance sum_h (W_h / W)^2 V_h, t with the df of the last wave.
    """
    estimates = results.estimates[results.area]
    if areas is None:
        areas = plannable(estimates, [limit.measure for limit in limits])
    models = {}
    for limit in limits:
        models[limit.measure] = variance_model(
            estimates.of(limit.measure), strata=strata, kish=kish, areas=areas
        )
    least = np.full(len(areas), strata + 1)
    deciding = np.full(len(areas), "", dtype=object)
    shared = []
    for limit in limits:
        model = models[limit.measure]
        if limit.level != results.area:
            shared += _shared(results, limit, model, per_psu, level)
            continue
        needed = size.psus_for_interval(model, limit.half_width, per_psu=per_psu, level=level)
        deciding[needed > least] = str(limit)
        least = np.maximum(least, needed)
    binding = dict.fromkeys(str(name) for name in deciding if name)
    if not shared:
        return Several(least, tuple(binding))
    left = np.array([constraint.left for constraint in shared])
    allowed = np.array([constraint.allowed for constraint in shared])
    optimum = bethel(left, allowed, cost=np.ones(len(areas)), least=least.astype(float))
    for constraint, used in zip(shared, optimum.used, strict=True):
        if used > 1 - 1e-6:
            binding[constraint.name] = None
    return Several(np.ceil(optimum.n - 1e-9).astype(int), tuple(binding))


@dataclass(frozen=True, slots=True)
class _Constraint:
    """One unit of a limit's level: its name, what a PSU of each area leaves, (A,), and the variance allowed."""

    name: str
    left: Array
    allowed: float


def _shared(
    results: Results, limit: Limit, model: size.VarianceModel, per_psu: float, level: float
) -> list[_Constraint]:
    """Return one constraint a unit of the limit's level."""
    population = _populations(results, model.areas)
    single = model.variance(1.0, per_psu)
    estimates = results.estimates[limit.level]
    of_level = estimates.of(limit.measure).table
    units = pd.Series([""])
    if estimates.by:
        units = of_level[estimates.by[0]].astype(str)
    parents = results.survey.parents()
    constraints = []
    for unit, df in zip(units, of_level["df"].to_numpy(float), strict=True):
        inside = np.ones(len(model.areas), dtype=bool)
        if unit and len(units) > 1:
            inside = np.array([parents.get(area, "") == unit for area in model.areas])
        if not inside.any() or not df > 0:
            continue
        share = np.where(inside, population, 0.0) / population[inside].sum()
        t = special.stdtrit(df, (1 + level) / 2)
        allowed = float((limit.half_width / t) ** 2)
        constraints.append(_Constraint(f"{limit} {unit}".strip(), share**2 * single, allowed))
    return constraints


def _populations(results: Results, areas: tuple[str, ...]) -> Array:
    """Residents of the areas as the final weights have them."""
    area = results.survey.questionnaire.roles.area
    area_of_respondent = results.responses.accepted[area].to_numpy()
    weights = pd.Series(results.design.weights[: len(area_of_respondent)])
    residents = weights.groupby(area_of_respondent).sum()
    return np.asarray(residents.reindex(list(areas)), dtype=float)
