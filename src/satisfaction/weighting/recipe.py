"""The recipe of a design: cells of respondents whose weights change alike, grown as steps need more columns.

Weighting steps bound to cells of respondents: pure functions of counts and weights, so that replicates replay them.

C cells, R replicates. A cell holds `count` respondents (a replicate's count need not be whole) of equal `weight`.

What a set of weights looks like.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from satisfaction.foundation.engines import fetch, matched, ordered
from satisfaction.sampling.design import SurveyDesign, Weighting, WeightingStep
from satisfaction.sampling.tally import totals
from satisfaction.sampling.variance import Sparse
from satisfaction.weighting.solving import Distance, replay

Array = np.ndarray[Any, Any]
MOST_ROUNDS = 500
UNSOLVED = 1e-6  # a miss this large is no rounding
FAR_FROM_SAMPLED = 0.25  # of the sampled weight: inverse propensities that add up to another sum belong to a model that fits nothing


@dataclass(frozen=True, slots=True)
class Classes:
    """Nonresponse adjustment by classes: respondents carry the weight of the whole class.

    Attributes
    ----------
    group : (C,) int
        Class of each cell.
    responded : (C,) bool
    places : tuple of str
        Names of the classes.
    """

    group: Array
    responded: Array
    places: tuple[str, ...]

    def reweight(self, count: Array, weight: Array) -> Array:
        """Return new weights: 0 for nonrespondents, the class's ratio for respondents; (C, R)."""
        size = count * weight
        classes = _summing(self.group)
        sampled, answered = classes @ size, classes @ (size * self.responded[:, None])
        ratio = np.divide(sampled, answered, out=np.zeros_like(sampled), where=answered > 0)
        shared = np.where(answered > 0, sampled, 0.0).sum(axis=0)
        rest = np.divide(sampled.sum(axis=0), shared, out=np.ones_like(shared), where=shared > 0)
        return np.asarray(weight * ratio[self.group] * self.responded[:, None] * rest)

    def unsolved(self, count: Array, before: Array, after: Array) -> Array:
        """Tell which class has no respondents, so that its weight went to those of all classes: (classes, R) bool."""
        classes, size = _summing(self.group), count * before
        return np.asarray((classes @ size > 0) & (classes @ (size * self.responded[:, None]) <= 0))

    def on(self, index: Array) -> Classes:
        """Return the step on finer cells."""
        return replace(self, group=self.group[index], responded=self.responded[index])


@dataclass(frozen=True, slots=True)
class Propensity:
    """Nonresponse adjustment by inverse response propensities from a logistic regression, weighted by base weights.

    Attributes
    ----------
    covariates : (C, L) sparse
    responded : (C,) bool
    distance, tolerance, start, inverse
        Of `replay`; the propensity is the curve.
    places : tuple of str
        Names of the L covariates and levels, and of the model.
    """

    covariates: Sparse
    responded: Array
    places: tuple[str, ...]
    distance: Distance
    tolerance: float
    start: Array
    inverse: Sparse

    def reweight(self, count: Array, weight: Array) -> Array:
        """Return new weights: 0 for nonrespondents, weight / propensity for respondents; (C, R)."""
        size = count * weight
        targets = self.covariates.T @ (size * self.responded[:, None])
        propensity = replay(
            self.covariates, size, targets,
            distance=self.distance, tolerance=self.tolerance, start=self.start, inverse=self.inverse,
        )  # fmt: skip
        return np.asarray(
            np.divide(
                weight, propensity, out=np.zeros_like(propensity), where=self.responded[:, None]
            )
        )

    def unsolved(self, count: Array, before: Array, after: Array) -> Array:
        """Tell of which level nobody responded, and where the propensities do not make up for the silent: (L + 1, R) bool."""
        size = count * before
        sampled, answered = (
            abs(self.covariates).T @ part for part in (size, size * self.responded[:, None])
        )
        far = np.abs((count * after).sum(axis=0) / size.sum(axis=0) - 1) > FAR_FROM_SAMPLED
        return np.vstack([(sampled > 0) & (answered <= 0), far])

    def on(self, index: Array) -> Propensity:
        """Return the step on finer cells."""
        return replace(self, covariates=self.covariates[index], responded=self.responded[index])


@dataclass(frozen=True, slots=True)
class Calibration:
    """Calibration to margins.

    Attributes
    ----------
    margins : (C, L) sparse
    targets : (L,) float
    distance, tolerance, start, inverse
        Of `replay`.
    places : tuple of str
        Names of the L levels.
    """

    margins: Sparse
    targets: Array
    places: tuple[str, ...]
    distance: Distance
    tolerance: float
    start: Array
    inverse: Sparse

    def reweight(self, count: Array, weight: Array) -> Array:
        """Return weights that meet the margins in every replicate; (C, R)."""
        factor = replay(
            self.margins, count * weight, np.repeat(self.targets[:, None], count.shape[1], axis=1),
            distance=self.distance, tolerance=self.tolerance, start=self.start, inverse=self.inverse,
        )  # fmt: skip
        return np.asarray(weight * factor)

    def unsolved(self, count: Array, before: Array, after: Array) -> Array:
        """Tell which level a replicate misses, because no weights meet all of them: (L, R) bool."""
        targets = self.targets[:, None]
        scale = np.where(targets != 0, np.abs(targets), 1.0)
        return np.asarray(np.abs(self.margins.T @ (count * after) - targets) / scale > UNSOLVED)

    def on(self, index: Array) -> Calibration:
        """Return the step on finer cells."""
        return replace(self, margins=self.margins[index])


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

    group: Array
    low: float
    high: float
    equal: bool

    def reweight(self, count: Array, weight: Array) -> Array:
        """Return weights within the bounds, with the same sum where that is possible; zero weights stay zero; (C, R)."""
        kept = weight > 0
        spread = self._equally if self.equal else self._in_proportion
        for _ in range(MOST_ROUNDS):
            outside = kept & (
                (weight < self.low * (1 - 1e-12)) | (weight > self.high * (1 + 1e-12))
            )
            if not outside.any():
                break
            cut = np.where(kept, np.clip(weight, self.low, self.high), weight)
            weight = spread(count, weight, cut, outside, kept)
        return np.where(kept, np.clip(weight, self.low, self.high), weight)

    def unsolved(self, count: Array, before: Array, after: Array) -> Array:
        """Tell where the bounds cannot hold all the weight: (1, R) bool."""
        return np.asarray(
            np.abs((count * after).sum(axis=0) / (count * before).sum(axis=0) - 1) > UNSOLVED
        )[None]

    @property
    def places(self) -> tuple[str, ...]:
        """Return the bounds."""
        return (f"trimming [{self.low:g}, {self.high:g}]",)

    def on(self, index: Array) -> Trimming:
        """Return the step on finer cells."""
        return replace(self, group=self.group[index])

    def _equally(
        self, count: Array, weight: Array, cut: Array, outside: Array, kept: Array
    ) -> Array:
        free = kept & ~outside
        excess, takers = (count * (weight - cut)).sum(axis=0), (count * free).sum(axis=0)
        return np.asarray(
            cut + free * np.divide(excess, takers, out=np.zeros_like(excess), where=takers > 0)
        )

    def _in_proportion(
        self, count: Array, weight: Array, cut: Array, outside: Array, kept: Array
    ) -> Array:
        """Scale the free weights of each group; a group without free weights hands its excess to all free weights."""
        free = kept & (cut > self.low * (1 + 1e-12)) & (cut < self.high * (1 - 1e-12))
        groups = _summing(self.group)
        excess, takers = groups @ (count * (weight - cut)), groups @ (count * cut * free)
        able = takers > 0
        own = np.divide(excess, takers, out=np.zeros_like(excess), where=able)
        cut = np.where(free, cut * (1 + own[self.group]), cut)
        rest, all_free = np.where(able, 0.0, excess).sum(axis=0), (count * cut * free).sum(axis=0)
        more = np.divide(rest, all_free, out=np.zeros_like(rest), where=all_free > 0)
        return np.asarray(np.where(free, cut * (1 + more), cut))


def _summing(group: Array) -> Sparse:
    """Return the (G, C) matrix that sums cells by group."""
    return sp.csr_array(
        (np.ones(len(group)), (group, np.arange(len(group)))),
        shape=(int(group.max()) + 1, len(group)),
    )


def weight_diagnostics(weight: Array, n: Array) -> dict[str, float]:
    """Describe weights that n respondents each share: range, cv, Kish's deff and the effective sample size.

    Parameters
    ----------
    weight, n : (T,) float and int
    """
    count, total, square = float(n.sum()), float((n * weight).sum()), float((n * weight**2).sum())
    kish = count * square / total**2
    return {
        "respondents": count,
        "sum": total,
        "low": float(weight.min()),
        "high": float(weight.max()),
        "cv": float(np.sqrt(max(kish - 1, 0.0))),
        "kish_deff": kish,
        "effective_n": count / kish,
    }


def median_weight(weight: Array, n: Array) -> float:
    """Return the median of weights that n respondents each share: the smallest that half of them do not exceed."""
    order = np.argsort(weight)
    cumulated = np.cumsum(n[order])
    return float(weight[order][np.searchsorted(cumulated, cumulated[-1] / 2)])


@dataclass(frozen=True, slots=True)
class Cells:
    """Cells of a design's respondents, before a further step. C cells, K rows of equal cell and base weight.

    Attributes
    ----------
    columns : tuple of str
    table : DataFrame (C, columns)
    count, start : (C,) float
        See Weighting.
    entering : (C,) float
        Weight before the step, of each of the `count`.
    steps : tuple of WeightingStep
        The earlier steps, on these cells.
    index : (C,) int
        Cell of the design's recipe so far.
    people : (K,) int
        Respondents of equal cell and base weight.
    base : (K,) float
        Their base weight.
    cell : (K,) int
    """

    columns: tuple[str, ...]
    table: pd.DataFrame
    count: Array
    start: Array
    entering: Array
    steps: tuple[WeightingStep, ...]
    index: Array
    people: Array
    base: Array
    cell: Array

    @property
    def size(self) -> Array:
        """Return the sum of entering weights: (C,)."""
        return np.asarray(self.count * self.entering)


def cells_for(design: SurveyDesign, columns: Sequence[str], *, by_weight: bool = False) -> Cells:
    """Count the respondents by the recipe's columns so far and those a further step needs.

    Parameters
    ----------
    by_weight : bool
        The step looks at single weights, so the base weight is a key of the cells.
    """
    before, weight = design.weighting, design.weight_column
    known = before.columns if before else ()
    wanted = dict.fromkeys([*known, *columns, *([weight] if by_weight else [])])
    keys = list(dict.fromkeys([*wanted, weight]))
    rows = ordered(fetch(totals(design.rows().select(*keys), keys)), keys)
    table = rows[list(wanted)].drop_duplicates(ignore_index=True) if wanted else rows.iloc[:1][[]]
    cell = matched(rows, table, list(wanted))
    people, base = rows["_n"].to_numpy(np.int64), rows[weight].to_numpy(float)
    if weight in wanted:
        count, start = np.bincount(cell, people).astype(float), table[weight].to_numpy(float)
    else:
        count, start = np.bincount(cell, people * base), np.ones(len(table))
    index = design.cell_index(table) if before else np.zeros(len(table), dtype=int)
    factor = before.factor[index] if before else np.ones(len(table))
    steps = tuple(step.on(index) for step in before.steps) if before else ()
    return Cells(
        tuple(wanted), table, count, start, start * factor, steps, index, people, base, cell
    )


def extended(
    design: SurveyDesign,
    cells: Cells,
    step: WeightingStep,
    *,
    weight: Array,
    record: dict[str, Any],
    margins: tuple[Sparse, Array] | None = None,
) -> SurveyDesign:
    """Return the design with one more step in its recipe.

    Parameters
    ----------
    weight : (C,) float
        Weights after the step.
    margins : (Sparse, Array), optional
        Of a calibration: its matrix and the margin of each column.
    """
    before, factor = design.weighting, weight / cells.start
    came = cells.entering / cells.start
    if margins is not None:
        entering, (matrix, margin_of) = came, margins
    elif before is not None and before.margins is not None:
        entering, matrix, margin_of = (
            before.entering[cells.index],
            before.margins[cells.index],
            before.margin_of,
        )
    else:
        entering, matrix, margin_of = came, None, np.array([], dtype=int)
    log = (before.log if before else ()) + (record | described(cells, came, factor),)
    steps = (*cells.steps, step)
    return design.weighted(
        Weighting(
            cells.columns,
            cells.table,
            cells.count,
            cells.start,
            factor,
            entering,
            matrix,
            margin_of,
            steps,
            log,
        )
    )


def described(cells: Cells, came: Array, factor: Array) -> dict[str, Any]:
    """Return what a step did to the weights: range of its factor, weights before and after."""
    with np.errstate(divide="ignore", invalid="ignore"):
        change = (factor / came)[(came > 0) & (factor > 0)]
    held = {"before": cells.base * came[cells.cell], "after": cells.base * factor[cells.cell]}
    parts = {
        name: weight_diagnostics(one[one > 0], cells.people[one > 0]) for name, one in held.items()
    }
    return {"factor_low": float(change.min()), "factor_high": float(change.max()), **parts}


def calibrated_columns(design: SurveyDesign) -> tuple[str, ...]:
    """Return the columns of the last calibration, none without one."""
    if design.weighting is None:
        return ()
    records = [record for record in design.weighting.log if record["step"] == "calibration"]
    return tuple(records[-1]["columns"]) if records else ()
