"""The recipe of a design: cells of respondents whose weights change alike, grown as steps need more columns.

A step (`nonresponse`, `calibration`, `trimming`) is a pure function of the cells' counts and weights: its cost does not
depend on the number of respondents, and replicates replay it.

C cells, R replicates. A cell holds `count` respondents (a replicate's count need not be whole) of equal `weight`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from satisfaction.foundation.engines import DONE, fetch, matched, ordered, write_joined
from satisfaction.foundation.errors import WeightsError
from satisfaction.foundation.files import new_folder, refuse_existing
from satisfaction.foundation.language import _
from satisfaction.foundation.tables import write_text
from satisfaction.sampling.design import (
    SampleDesign,
    Weighting,
    WeightingStep,
    level_tuple,
    level_tuples,
    refuse_subpopulation,
)
from satisfaction.sampling.tally import totals
from satisfaction.sampling.variance import Array, Sparse
from satisfaction.weighting.solving import Bounds

FINAL = "final_weight"


def weight_diagnostics(weight: Array, n: Array) -> dict[str, float]:
    """Describe weights that n respondents each share: range, cv, Kish's deff and the effective sample size.

    Parameters
    ----------
    weight, n : (T,) float and int

    Examples
    --------
    >>> figures = sat.weight_diagnostics(np.array([1.0, 3.0]), np.array([2, 2]))
    >>> figures["kish_deff"], figures["effective_n"]
    (1.25, 3.2)
    """
    count = float(n.sum())
    total = float((n * weight).sum())
    square = float((n * weight**2).sum())
    kish = count * square / total**2
    figures = {"respondents": count, "sum": total}
    figures["low"] = float(weight.min())
    figures["high"] = float(weight.max())
    variation = max(kish - 1, 0.0)
    figures["cv"] = float(np.sqrt(variation))
    figures["kish_deff"] = kish
    figures["effective_n"] = count / kish
    return figures


def write_weights(design: SampleDesign, folder: str | Path) -> str:
    """Write the respondents with their final weight (column `final_weight`) as a folder of Parquet files; returns its name.

    Parameters
    ----------
    design : SampleDesign
    folder : path, or for Spark an address that its workers write to
        Must not exist. A mark of success, the file `_SUCCESS`, is written last; `finished_weights` requires it.

    Raises
    ------
    WeightsError
        W191 a folder that exists, W520 a subpopulation.

    Examples
    --------
    >>> people = pd.DataFrame({"sex": [1, 1, 1, 2]})
    >>> design = sat.calibrate(sat.SurveyDesign(people), {"sex": {1: 60, 2: 40}})
    >>> sat.write_weights(design, "weights")
    'weights'
    """
    refuse_subpopulation(design, _("Writing weights"), error=WeightsError, code="W520")
    lookup = pd.DataFrame({"factor": [1.0]})
    on: tuple[str, ...] = ()
    if design.weighting is not None:
        lookup = design.weighting.cells.assign(factor=design.weighting.factor)
        on = design.weighting.columns
    rows = design.rows()
    weight = design.weight_column
    if rows.implementation.is_pyspark():
        write_joined(rows, lookup, on=on, weight=weight, into=FINAL, folder=str(folder))
        return str(folder)
    target = Path(folder)
    refuse_existing(target, WeightsError, "W191")
    with new_folder(target) as scratch:
        write_joined(rows, lookup, on=on, weight=weight, into=FINAL, folder=scratch)
        write_text("", scratch / DONE)
    return str(target)


def finished_weights(folder: str | Path) -> str:
    """Return a folder that `write_weights` has written to its end, for `SurveyDesign(finished_weights(folder), base_weight="final_weight", ...)`.

    Raises
    ------
    WeightsError
        W192 for a folder without the mark of success.
    """
    if not (Path(folder) / DONE).is_file():
        raise WeightsError(
            "W192",
            _("The folder has no mark of success, _SUCCESS: it was not written to its end."),
            where=str(folder),
            hint=_("Write the weights again."),
        )
    return str(folder)


UNSOLVED = 1e-6  # a miss this large is no rounding


@dataclass(frozen=True, slots=True, repr=False)
class Cells:
    """Cells of a design's respondents, before a further step. C cells, K rows of equal cell and base weight.

    Attributes
    ----------
    recipe : Weighting
        The steps so far, on these cells.
    people : (K,) int
        Respondents of equal cell and base weight.
    base : (K,) float
        Their base weight.
    cell : (K,) int
    """

    recipe: Weighting
    people: Array
    base: Array
    cell: Array

    @property
    def table(self) -> pd.DataFrame:
        """Return the values of the columns, a row a cell."""
        return self.recipe.cells

    @property
    def count(self) -> Array:
        """Return the respondents of each cell, see Weighting: (C,)."""
        return self.recipe.count

    @property
    def entering(self) -> Array:
        """Return the weight before the step, of each of the `count`: (C,)."""
        return self.recipe.start * self.recipe.factor

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

    def names(self, group: Array, columns: Sequence[str]) -> list[str]:
        """Name groups of cells, which combinations of some columns are: (G,)."""
        first = np.unique(group, return_index=True)[1]
        levels = level_tuples(self.table.iloc[first], columns)
        return [place(" x ".join(columns), level) for level in levels]

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
    wanted = [*before.columns, *columns] if before else list(columns)
    if by_weight:
        wanted.append(weight)
    wanted = list(dict.fromkeys(wanted))
    if before and weight in before.columns and len(wanted) == len(before.columns):
        every_cell = np.arange(len(before.cells))
        return Cells(before, before.count.astype(np.int64), before.start, every_cell)
    keys = list(dict.fromkeys([*wanted, weight]))
    rows = ordered(fetch(totals(design.rows().select(*keys), keys)), keys)
    table = rows.iloc[:1][[]]
    if wanted:
        table = rows[wanted].drop_duplicates(ignore_index=True)
    cell = matched(rows, table, wanted)
    people = rows["_n"].to_numpy(np.int64)
    base = rows[weight].to_numpy(float)
    unchanged = np.ones(len(table))
    if weight in wanted:
        count = np.bincount(cell, people).astype(float)
        start = table[weight].to_numpy(float)
    else:
        count = np.bincount(cell, people * base)
        start = unchanged
    recipe = Weighting(
        columns=tuple(wanted),
        cells=table,
        count=count,
        start=start,
        factor=unchanged,
        entering=unchanged,
        margins=None,
        margin_of=np.array([], dtype=int),
        steps=(),
        log=(),
    )
    if before:
        index = design.cell_index(table)
        recipe = replace(
            recipe,
            factor=before.factor[index],
            entering=before.entering[index],
            margins=None if before.margins is None else before.margins[index],
            margin_of=before.margin_of,
            steps=tuple(step.on(index) for step in before.steps),
            log=before.log,
        )
    return Cells(recipe, people, base, cell)


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
    factor = weight / cells.recipe.start
    entering = cells.entering / cells.recipe.start
    with np.errstate(divide="ignore", invalid="ignore"):
        change = (factor / entering)[(entering > 0) & (factor > 0)]
    record = record | {"factor_low": float(change.min()), "factor_high": float(change.max())}
    for name, of_base in (("before", entering), ("after", factor)):
        of_people = cells.base * of_base[cells.cell]
        held = of_people > 0
        record[name] = weight_diagnostics(of_people[held], cells.people[held])
    recipe = replace(
        cells.recipe,
        factor=factor,
        steps=(*cells.recipe.steps, step),
        log=(*cells.recipe.log, record),
    )
    if margins is not None:
        matrix, margin_of = margins
        recipe = replace(recipe, entering=entering, margins=matrix, margin_of=margin_of)
    return design.weighted(recipe)


def renumbered(group: Array) -> Array:
    """Number groups 0..G-1 in the same order."""
    return np.unique(group, return_inverse=True)[1]


def ratio_or(numerator: Array, denominator: Array, otherwise: float) -> Array:
    """Divide where the denominator is above zero; elsewhere return another value."""
    out = np.full_like(numerator, otherwise)
    return np.divide(numerator, denominator, out=out, where=denominator > 0)


def place(margin: str, level: Any, bounds: Bounds | None = None) -> str:
    """Name a level of a margin or class, and the bounds that weights keep there."""
    name = f"{margin} = {' x '.join(map(str, level_tuple(level)))}"
    if bounds is None:
        return name
    low, high = bounds
    return f"{name} (bounds {low:g}, {high:g})"
