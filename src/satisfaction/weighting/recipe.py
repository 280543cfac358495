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
import scipy.sparse as sp

from satisfaction.foundation.engines import fetch, matched, ordered
from satisfaction.sampling.design import SampleDesign, Weighting, WeightingStep
from satisfaction.sampling.tally import totals
from satisfaction.sampling.variance import Sparse
from satisfaction.weighting.final_weights import weight_diagnostics
from satisfaction.weighting.solving import Bounds

Array = np.ndarray[Any, Any]
UNSOLVED = 1e-6  # a miss this large is no rounding


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


def cells_for(design: SampleDesign, columns: Sequence[str], *, by_weight: bool = False) -> Cells:
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


def calibrated_columns(design: SampleDesign) -> tuple[str, ...]:
    """Return the columns of the last calibration, none without one."""
    if design.weighting is None:
        return ()
    records = [record for record in design.weighting.log if record["step"] == "calibration"]
    return tuple(records[-1]["columns"]) if records else ()


def summing(group: Array) -> Sparse:
    """Return the (G, C) matrix that sums cells by group."""
    return sp.csr_array(
        (np.ones(len(group)), (group, np.arange(len(group)))),
        shape=(int(group.max()) + 1, len(group)),
    )


def place(margin: str, level: Any, bounds: Bounds | None = None) -> str:
    """Name a level of a margin or class, and the bounds that weights keep there."""
    values = level if isinstance(level, tuple) else (level,)
    within = f" (bounds {bounds[0]:g}, {bounds[1]:g})" if bounds else ""
    return f"{margin} = {' x '.join(map(str, values))}{within}"
