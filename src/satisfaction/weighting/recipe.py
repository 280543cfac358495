"""The recipe of a design: cells of respondents whose weights change alike, grown as steps need more columns.

A step (`nonresponse`, `calibration`, `trimming`) is a pure function of the cells' counts and weights: its cost does not
depend on the number of respondents, and replicates replay it.

C cells, R replicates. A cell holds `count` respondents (a replicate's count need not be whole) of equal `weight`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from satisfaction.foundation.engines import fetch, matched, ordered
from satisfaction.foundation.errors import WeightsError
from satisfaction.foundation.language import _
from satisfaction.sampling.design import (
    SampleDesign,
    Weighting,
    WeightingStep,
    refuse_subpopulation,
)
from satisfaction.sampling.tally import totals
from satisfaction.sampling.variance import Array, Sparse
from satisfaction.weighting.final_weights import weight_diagnostics
from satisfaction.weighting.solving import Bounds

UNSOLVED = 1e-6  # a miss this large is no rounding


@dataclass(frozen=True, slots=True, repr=False)
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
        return self.count * self.entering

    def groups(self, columns: Sequence[str]) -> Array:
        """Number the combinations of some columns: (C,) int, all 0 without columns."""
        if not columns:
            return np.zeros(len(self.table), dtype=int)
        grouped = self.table.groupby(list(columns), dropna=False)
        return np.asarray(grouped.ngroup())

    def after(self, step: WeightingStep) -> Array:
        """Return the weights after a step: (C,)."""
        count = self.count[:, None]
        weight = step.reweight(count, self.entering[:, None])
        return weight[:, 0]


def cells_for(design: SampleDesign, columns: Sequence[str], *, by_weight: bool = False) -> Cells:
    """Count the respondents by the recipe's columns so far and those a further step needs.

    Parameters
    ----------
    by_weight : bool
        The step looks at single weights, so the base weight is a key of the cells.

    Raises
    ------
    WeightsError
        W520 for a subpopulation.
    """
    refuse_subpopulation(design, _("Weighting"), error=WeightsError, code="W520")
    before = design.weighting
    weight = design.weight_column
    wanted = list(columns)
    if before:
        wanted = [*before.columns, *columns]
    if by_weight:
        wanted.append(weight)
    wanted = list(dict.fromkeys(wanted))
    if before and weight in before.columns and len(wanted) == len(before.columns):
        every_cell = np.arange(len(before.cells))
        return Cells(
            columns=before.columns,
            table=before.cells,
            count=before.count,
            start=before.start,
            entering=before.start * before.factor,
            steps=before.steps,
            index=every_cell,
            people=before.count.astype(np.int64),
            base=before.start,
            cell=every_cell,
        )
    keys = list(dict.fromkeys([*wanted, weight]))
    rows = ordered(fetch(totals(design.rows().select(*keys), keys)), keys)
    table = rows.iloc[:1][[]]
    if wanted:
        table = rows[wanted].drop_duplicates(ignore_index=True)
    cell = matched(rows, table, wanted)
    people = rows["_n"].to_numpy(np.int64)
    base = rows[weight].to_numpy(float)
    if weight in wanted:
        count = np.bincount(cell, people).astype(float)
        start = table[weight].to_numpy(float)
    else:
        count = np.bincount(cell, people * base)
        start = np.ones(len(table))
    index = np.zeros(len(table), dtype=int)
    factor = np.ones(len(table))
    steps: tuple[WeightingStep, ...] = ()
    if before:
        index = design.cell_index(table)
        factor = before.factor[index]
        steps = tuple(step.on(index) for step in before.steps)
    return Cells(
        columns=tuple(wanted),
        table=table,
        count=count,
        start=start,
        entering=start * factor,
        steps=steps,
        index=index,
        people=people,
        base=base,
        cell=cell,
    )


def cells_alone(design: SampleDesign, columns: Sequence[str]) -> SampleDesign:
    """Return a design before any step whose table are the cells of some columns and base weight, in place of respondents.

    For steps that need no other columns, and for estimates from a tally that was counted before: trials cost no pass then.
    """
    cells = cells_for(design, columns, by_weight=True)
    unchanged = np.ones(len(cells.table))
    weighting = Weighting(
        columns=cells.columns,
        cells=cells.table,
        count=cells.count,
        start=cells.start,
        factor=unchanged,
        entering=unchanged,
        margins=None,
        margin_of=np.array([], dtype=int),
        steps=(),
        log=(),
    )
    return design.over(cells.table).weighted(weighting)


def extended(
    design: SampleDesign,
    cells: Cells,
    step: WeightingStep,
    *,
    weight: Array,
    record: dict[str, Any],
    margins: tuple[Sparse, Array] | None = None,
) -> SampleDesign:
    """Return the design with one more step in its recipe.

    Parameters
    ----------
    weight : (C,) float
        Weights after the step.
    margins : (Sparse, Array), optional
        Of a calibration: its matrix and the margin of each column.
    """
    before = design.weighting
    factor = weight / cells.start
    entering_factor = cells.entering / cells.start
    entering = entering_factor
    matrix: Sparse | None = None
    margin_of = np.array([], dtype=int)
    if margins is not None:
        matrix, margin_of = margins
    elif before is not None and before.margins is not None:
        entering = before.entering[cells.index]
        matrix = before.margins[cells.index]
        margin_of = before.margin_of
    log = before.log if before else ()
    with np.errstate(divide="ignore", invalid="ignore"):
        change = (factor / entering_factor)[(entering_factor > 0) & (factor > 0)]
    description: dict[str, Any] = {
        "factor_low": float(change.min()),
        "factor_high": float(change.max()),
    }
    for name, of_base in (("before", entering_factor), ("after", factor)):
        of_people = cells.base * of_base[cells.cell]
        held = of_people > 0
        description[name] = weight_diagnostics(of_people[held], cells.people[held])
    log = (*log, record | description)
    weighting = Weighting(
        columns=cells.columns,
        cells=cells.table,
        count=cells.count,
        start=cells.start,
        factor=factor,
        entering=entering,
        margins=matrix,
        margin_of=margin_of,
        steps=(*cells.steps, step),
        log=log,
    )
    return design.weighted(weighting)


def calibrated_columns(design: SampleDesign) -> tuple[str, ...]:
    """Return the columns of the last calibration, none without one."""
    columns: tuple[str, ...] = ()
    for record in design.weighting.log if design.weighting else ():
        if record["step"] == "calibration":
            columns = tuple(record["columns"])
    return columns


def renumbered(group: Array) -> Array:
    """Number groups 0..G-1 in the same order."""
    return np.unique(group, return_inverse=True)[1]


def ratio_or(numerator: Array, denominator: Array, otherwise: float) -> Array:
    """Divide where the denominator is above zero; elsewhere return another value."""
    out = np.full_like(numerator, otherwise)
    return np.divide(numerator, denominator, out=out, where=denominator > 0)


def place(margin: str, level: Any, bounds: Bounds | None = None) -> str:
    """Name a level of a margin or class, and the bounds that weights keep there."""
    values = level if isinstance(level, tuple) else (level,)
    name = f"{margin} = {' x '.join(map(str, values))}"
    if bounds is None:
        return name
    low, high = bounds
    return f"{name} (bounds {low:g}, {high:g})"
