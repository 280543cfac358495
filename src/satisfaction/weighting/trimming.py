"""Trimming: weights beyond bounds are cut to them, and the excess goes to the other weights of the cell, or of all."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, get_args

import numpy as np

from satisfaction.foundation.errors import WeightsError, one_of
from satisfaction.foundation.language import _
from satisfaction.sampling.design import SampleDesign, named, require_columns
from satisfaction.weighting.recipe import (
    UNSOLVED,
    Cells,
    calibrated_columns,
    cells_for,
    extended,
    ratio_or,
    summing,
)

Array = np.ndarray[Any, Any]
Relative = Literal["median", "mean", "none"]
Spread = Literal["cell", "equal"]
MOST_ROUNDS = 500
NEAR = 1e-12  # a weight as near to a bound as this stands at it


def trim(
    design: SampleDesign,
    *,
    lower: float | None = None,
    upper: float | None = None,
    relative_to: Relative = "none",
    within: str | Sequence[str] | None = None,
    spread: Spread = "cell",
) -> SampleDesign:
    """Cut weights beyond bounds and give the excess to the others.

    Parameters
    ----------
    design : SampleDesign
    lower, upper : float, optional
        Bounds of a weight, or multiples of the respondents' median or mean weight.
    relative_to : {"none", "median", "mean"}
    within : sequence of str, optional
        Columns whose combinations keep their sum of weights; default: the columns of the recipe so far, without
        nonresponse's. An empty list: all respondents together.
    spread : {"cell", "equal"}
        cell: untrimmed weights of the cell grow in proportion (what a wholly trimmed cell cannot hold goes to all untrimmed
        weights). equal: every untrimmed weight of all grows by the same amount (R's `trimWeights`, strict).

    Raises
    ------
    WeightsError
        W100, W101, W130 bounds that are none, or that the mean weight does not meet.

    Notes
    -----
    A replicate changes counts and leaves weights, so the bounds meet the same weights in it; textbook replicates trim
    w n / (n - 1). Mean jackknife se over the true one under heavy trimming, 1,200-1,500 simulated samples: here 0.997 with
    fixed bounds, 0.977 and 0.987 with bounds relative to the median; the textbook's 1.53, 1.48 and 1.27. A bound relative to
    the median is not redone in replicates: single se move by up to 4 %, the median se by 0.5 %.

    Examples
    --------
    >>> people = pd.DataFrame({"weight": [10, 10, 10, 10, 60]})
    >>> design = sat.SurveyDesign(people, base_weight="weight")
    >>> sat.trim(design, upper=3, relative_to="median").weights
    array([17.5, 17.5, 17.5, 17.5, 30. ])
    """
    one_of(relative_to, get_args(Relative), argument="relative_to", error=WeightsError, code="W100")
    one_of(spread, get_args(Spread), argument="spread", error=WeightsError, code="W100")
    groups = named(within)
    if within is None:
        groups = calibrated_columns(design)
    require_columns(design, groups, argument="within", error=WeightsError, code="W101")
    cells = cells_for(design, groups, by_weight=True)
    low, high = _absolute(cells, lower, upper, relative_to)
    group = cells.groups(groups if spread == "cell" else ())
    step = Trimming(group, low, high, spread == "equal")
    weight = cells.after(step)
    entering = cells.entering
    outside = (entering > 0) & ((entering < low) | (entering > high))
    cut = np.where(outside, np.abs(entering - np.clip(entering, low, high)), 0.0)
    share_trimmed = (cells.count * cut).sum() / cells.size.sum()
    sum_lost = 1 - (cells.count * weight).sum() / cells.size.sum()
    record = {
        "step": "trimming",
        "method": f"trimming ({spread})",
        "lower": low if low > 0 else None,
        "upper": high if np.isfinite(high) else None,
        "within": list(groups),
        "trimmed": float(cells.count[outside].sum()),
        "share_trimmed": float(share_trimmed),
        "sum_lost": float(sum_lost),
    }
    return extended(design, cells, step, weight=weight, record=record)


@dataclass(frozen=True, slots=True)
class Trimming:
    """Weights cut to bounds; the excess goes to the untrimmed weights.

    Attributes
    ----------
    group : (C,) int
        Within which cells the excess stays.
    low, high : float
        Bounds of a weight.
    equal : bool
        True: the same amount is added to every untrimmed weight of all (R's `trimWeights`, strict); False: untrimmed
        weights of the group grow in proportion, and what a wholly trimmed group cannot take goes to all untrimmed weights.
    """

    group: Array = field(repr=False)
    low: float
    high: float
    equal: bool

    def reweight(self, count: Array, weight: Array) -> Array:
        """Return weights within the bounds, with the same sum where that is possible; zero weights stay zero; (C, R)."""
        weighted = weight > 0
        for _unused in range(MOST_ROUNDS):
            below = weight < self.low * (1 - NEAR)
            above = weight > self.high * (1 + NEAR)
            outside = weighted & (below | above)
            if not outside.any():
                break
            cut = np.where(weighted, np.clip(weight, self.low, self.high), weight)
            excess = count * (weight - cut)
            if self.equal:
                weight = self._equally(count, cut, excess, weighted & ~outside)
            else:
                weight = self._in_proportion(count, cut, excess, weighted)
        return np.where(weighted, np.clip(weight, self.low, self.high), weight)

    def unsolved(self, count: Array, before: Array, after: Array) -> Array:
        """Tell where the bounds cannot hold all the weight: (1, R) bool."""
        entered = (count * before).sum(axis=0)
        left = (count * after).sum(axis=0)
        return np.asarray(np.abs(left / entered - 1) > UNSOLVED)[None]

    @property
    def places(self) -> tuple[str, ...]:
        """Return the bounds."""
        return (f"trimming [{self.low:g}, {self.high:g}]",)

    def on(self, index: Array) -> Trimming:
        """Return the step on finer cells."""
        return replace(self, group=self.group[index])

    def _equally(self, count: Array, cut: Array, excess: Array, free: Array) -> Array:
        takers = (count * free).sum(axis=0)
        return np.asarray(cut + free * ratio_or(excess.sum(axis=0), takers, 0.0))

    def _in_proportion(self, count: Array, cut: Array, excess: Array, weighted: Array) -> Array:
        """Scale the free weights of each group; a group without free weights hands its excess to all free weights."""
        free = weighted & (cut > self.low * (1 + NEAR)) & (cut < self.high * (1 - NEAR))
        groups = summing(self.group)
        excess_of_group = groups @ excess
        takers = groups @ (count * cut * free)
        growth = ratio_or(excess_of_group, takers, 0.0)
        cut = np.where(free, cut * (1 + growth[self.group]), cut)
        left_over = np.where(takers > 0, 0.0, excess_of_group).sum(axis=0)
        growth_of_all = ratio_or(left_over, (count * cut * free).sum(axis=0), 0.0)
        return np.asarray(np.where(free, cut * (1 + growth_of_all), cut))


def _absolute(
    cells: Cells, lower: float | None, upper: float | None, relative_to: Relative
) -> tuple[float, float]:
    """Return the bounds as weights."""
    kept = cells.entering > 0
    weight = cells.entering[kept]
    count = cells.count[kept]
    mean = float((weight * count).sum() / count.sum())
    unit = {"none": 1.0, "median": median_weight(weight, count), "mean": mean}[relative_to]
    low = (lower or 0.0) * unit
    high = np.inf
    if upper is not None:
        high = upper * unit
    none_given = lower is None and upper is None
    if none_given or not 0 <= low < high or not low <= mean <= high:
        raise WeightsError(
            "W130",
            _(
                "Bounds [{low:g}, {high:g}] cannot be: they must hold the mean weight {mean:g}.",
                low=low,
                high=high,
                mean=mean,
            ),
            where="trim",
            hint=_('Write upper=4, relative_to="median", for instance.'),
        )
    return low, high


def median_weight(weight: Array, n: Array) -> float:
    """Return the median of weights that n respondents each share: the smallest that half of them do not exceed."""
    order = np.argsort(weight)
    cumulated = np.cumsum(n[order])
    return float(weight[order][np.searchsorted(cumulated, cumulated[-1] / 2)])
