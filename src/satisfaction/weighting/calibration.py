"""Calibration: weights that meet population margins, each margin laid over the cells, every mismatch refused by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from numbers import Real
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import scipy.sparse as sp

from satisfaction.foundation.engines import matched, one_blas_thread
from satisfaction.foundation.errors import WeightsError, one_of, shortened
from satisfaction.foundation.language import _
from satisfaction.foundation.tables import Kept
from satisfaction.sampling.conditions import require_columns
from satisfaction.sampling.design import SampleDesign, level_tuple, level_tuples, named
from satisfaction.sampling.variance import Array, Sparse
from satisfaction.weighting.recipe import UNSOLVED, cells_for, extended, place
from satisfaction.weighting.solving import (
    Bounds,
    EquationStep,
    Method,
    Solution,
    SolvedEquation,
    calibration_distance,
    feasible_bounds,
    newton,
)

_LAST_LEVELS = Kept(6)  # of cells, by margin: recipes that are tried lay the same ones over them

Levels: TypeAlias = Mapping[Any, float]
Margins: TypeAlias = Mapping[str | tuple[str, ...], Levels | float]


@one_blas_thread
def calibrate(
    design: SampleDesign,
    margins: Margins,
    *,
    method: Method = "raking",
    bounds: Bounds | None = None,
    tolerance: float = 1e-10,
) -> SampleDesign:
    """Calibrate the weights of a design to population margins.

    Parameters
    ----------
    design : SampleDesign
    margins : mapping
        {"age": {level: population, ...}, ("county", "sex"): {(level, level): population, ...}, "income": total}; a number
        is the total of a numeric column. A pandas Series is a margin too: its index holds the levels (of a crossed margin a
        MultiIndex, in the order of the names). `margin_targets` makes a margin of a table.
    method : {"poststratify", "raking", "linear", "logit"}
        poststratify takes exactly one (possibly crossed) categorical margin.
    bounds : (low, high), optional
        Range of the factor final / entering weight, around 1. Needed by logit; range-restricts raking and linear.
    tolerance : float
        On max |achieved / target - 1|.

    Raises
    ------
    WeightsError
        W100 an unknown method, W101 unknown column, W102 levels of the sample that the margin does not know, W103 levels
        without respondents, W104 margins that disagree on the total, W105 no convergence, W106 no margins, W107 several
        margins for post-stratification, W108 negative weights, W109 populations not above zero, W110 infeasible bounds,
        W113 missing or infinite values of a numeric column, W114 a total of no number, W115 bounds that are none,
        W381 margins in another form.

    Notes
    -----
    Distances: Deville and Särndal (1992). Linear is the generalised regression estimator.

    Examples
    --------
    >>> people = pd.DataFrame({"sex": [1, 1, 1, 2], "age": [1, 2, 2, 2]})
    >>> margins = {"sex": {1: 60, 2: 40}, "age": {1: 30, 2: 70}}
    >>> design = sat.calibrate(sat.SurveyDesign(people), margins)
    >>> design.weights.round(6)
    array([30., 15., 15., 40.])
    """
    one_of(method, Method, argument="method", error=WeightsError, code="W100")
    margins = as_margins(margins)
    if not margins:
        raise WeightsError(
            "W106",
            _("No margins are given."),
            where="calibrate",
            hint=_("Give at least one margin."),
        )
    one_margin = len(margins) == 1
    categorical = isinstance(next(iter(margins.values())), Mapping)
    if method == "poststratify" and not (one_margin and categorical):
        raise WeightsError(
            "W107",
            _("Post-stratification takes exactly one (possibly crossed) categorical margin."),
            where="margins",
            hint=_('Write {("county", "sex"): {...}}, or use raking.'),
        )
    if not _usable(bounds, method):
        raise WeightsError(
            "W115",
            _(
                "bounds={bounds} cannot be: 0 <= low < 1 < high is needed (logit must have "
                "them, both finite).",
                bounds=bounds,
            ),
            where="bounds",
            hint=_("Write (0.3, 3), for instance."),
        )
    columns = margin_columns(margins)
    require_columns(design.table, columns, argument="margins", error=WeightsError, code="W101")
    cells = cells_for(design, columns)
    size = cells.size
    laid = lay_margins(cells.table, size, margins)
    distance = calibration_distance(method, bounds)
    solution = newton(laid.matrix, size, laid.targets, distance=distance, tolerance=tolerance)
    if not solution.discrepancy <= tolerance:
        raise _unsolved(laid, size, solution, bounds)
    if solution.factor[size > 0].min() < 0:
        raise WeightsError(
            "W108",
            _(
                "Calibration ({method}) gives negative weights (smallest factor {min:.3g}).",
                method=method,
                min=solution.factor.min(),
            ),
            where="method",
            available=("raking", "logit", "bounds"),
            hint=_("Use raking, give bounds, or merge levels."),
        )
    equation = SolvedEquation.of(
        laid.matrix, size, solution, distance=distance, tolerance=tolerance
    )
    places = tuple(place(margin, level, bounds) for margin, level in laid.names)
    step = Calibration(equation, laid.targets, places)
    levels_of = {}
    for names, levels in margins.items():
        levels_of["+".join(named(names))] = len(levels) if isinstance(levels, Mapping) else 1
    at_bounds = 0
    if bounds is not None:
        low, high = bounds
        at_low = solution.factor <= low * (1 + 1e-6)
        at_high = solution.factor >= high * (1 - 1e-6)
        near = (at_low | at_high) & (cells.size > 0)
        at_bounds = int(near.sum())
    record = {
        "step": "calibration",
        "method": method,
        "bounds": list(bounds) if bounds else None,
        "tolerance": tolerance,
        "iterations": solution.iterations,
        "discrepancy": solution.discrepancy,
        "margins": levels_of,
        "columns": list(columns),
        "at_bounds": at_bounds,
    }
    weight = cells.entering * solution.factor
    indicators = (laid.matrix, laid.margin_of)
    return extended(design, cells, step, weight=weight, record=record, margins=indicators)


def _unsolved(
    laid: LaidMargins, size: Array, solution: Solution, bounds: Bounds | None
) -> WeightsError:
    """Say at which level a calibration without solution is farthest off, and which bounds would be feasible."""
    scale = np.where(laid.targets, np.abs(laid.targets), 1.0)
    worst = int(np.nanargmax(np.abs(solution.achieved - laid.targets) / scale))
    margin, level = laid.names[worst]
    if bounds is None:
        return WeightsError(
            "W105",
            _(
                "Calibration did not converge in {iterations} iterations; worst: {margin} = "
                "{level}, off by {discrepancy:.3g}.",
                iterations=solution.iterations,
                margin=margin,
                level=level,
                discrepancy=solution.discrepancy,
            ),
            where=f"margins: {margin}",
            hint=_("Check this level's population, or merge it with a neighbour."),
        )
    inside = size > 0
    feasible = feasible_bounds(laid.matrix[inside], size[inside], laid.targets, bounds=bounds)
    listed = " | ".join(f"[{low:g}, {high:g}]" for low, high in feasible) or "-"
    return WeightsError(
        "W110",
        _(
            "No weights within bounds {bounds} meet the margins; worst: {margin} = "
            "{level}. Tightest feasible bounds: {listed}.",
            bounds=list(bounds),
            margin=margin,
            level=level,
            listed=listed,
        ),
        where="bounds",
        hint=_("Widen the bounds, or merge this level."),
    )


def margins_table(design: SampleDesign, margins: Margins) -> pd.DataFrame:
    """Compare margins with the sums of base and final weights: margin, level, target, base, final and their ratios.

    Raises
    ------
    WeightsError
        As `calibrate`.

    Examples
    --------
    >>> people = pd.DataFrame({"sex": [1, 1, 1, 2]})
    >>> margins = {"sex": {1: 60, 2: 40}}
    >>> design = sat.calibrate(sat.SurveyDesign(people), margins)
    >>> sat.margins_table(design, margins)[["margin", "level", "target", "base", "final"]]
      margin  level  target  base  final
    0    sex      1    60.0   3.0   60.0
    1    sex      2    40.0   1.0   40.0
    """
    margins = as_margins(margins)
    columns = margin_columns(margins)
    require_columns(design.table, columns, argument="margins", error=WeightsError, code="W101")
    cells = cells_for(design, columns)
    laid = lay_margins(cells.table, cells.size, margins)
    base = laid.matrix.T @ (cells.count * cells.recipe.start)
    final = laid.matrix.T @ cells.size
    table = pd.DataFrame(laid.names, columns=["margin", "level"]).assign(
        target=laid.targets, base=base, final=final
    )
    return table.assign(base_to_target=base / laid.targets, final_to_target=final / laid.targets)


def margin_targets(table: pd.DataFrame, columns: Sequence[str]) -> dict[Any, float]:
    """Turn a margin table into the mapping `calibrate` takes; levels without population are left out.

    Parameters
    ----------
    table : DataFrame
        The columns and `population`, one row a level (or combination of levels).
    columns : sequence of str

    Examples
    --------
    >>> margin = pd.DataFrame({"sex": [1, 2], "population": [60, 40]})
    >>> sat.margin_targets(margin, ["sex"])
    {(1,): 60.0, (2,): 40.0}
    """
    populated = table[table["population"] > 0]
    population = populated["population"].astype(float)
    return dict(zip(level_tuples(populated, columns), population, strict=True))


@dataclass(frozen=True, slots=True, repr=False)
class Calibration(EquationStep):
    """Calibration to margins.

    Attributes
    ----------
    targets : (L,) float
    places : tuple of str
        Names of the L levels.
    """

    targets: Array
    places: tuple[str, ...]

    def reweight(self, count: Array, weight: Array) -> Array:
        """Return weights that meet the margins in every replicate; (C, R)."""
        replicates = count.shape[1]
        targets = np.repeat(self.targets[:, None], replicates, axis=1)
        factor = self.equation.replay(count * weight, targets)
        return weight * factor

    def unsolved(self, count: Array, before: Array, after: Array) -> Array:
        """Tell which level a replicate misses, because no weights meet all of them: (L, R) bool."""
        targets = self.targets[:, None]
        scale = np.where(targets != 0, np.abs(targets), 1.0)
        achieved = self.equation.matrix.T @ (count * after)
        miss = np.abs(achieved - targets) / scale
        return np.asarray(miss > UNSOLVED)

    def on(self, index: Array) -> Calibration:
        """Return the step on finer cells."""
        return replace(self, equation=self.equation.on(index))

    def part(self, cells: Array) -> Calibration:
        """Return the step on some of the cells, none of which shares a margin with another one."""
        levels = self.equation.levels_of(cells)
        places = tuple(self.places[level] for level in levels)
        return Calibration(self.equation.part(cells), self.targets[levels], places)


@dataclass(frozen=True, slots=True, repr=False)
class LaidMargins:
    """Margins laid over C cells. L levels and numeric totals.

    Attributes
    ----------
    matrix : (C, L) sparse
    targets : (L,) float
    margin_of : (L,) int
    names : tuple of (margin, level)
        A numeric total's level is 'total'.
    """

    matrix: Sparse
    targets: Array
    margin_of: Array
    names: tuple[tuple[str, Any], ...]


def as_margins(margins: Any) -> Margins:
    """Return margins as mappings and numbers, whatever way they are written; see `calibrate`.

    Raises
    ------
    WeightsError
        W381.
    """
    if not isinstance(margins, Mapping):
        raise _other_form("margins", margins)
    return {margin: _levels(margin, levels) for margin, levels in margins.items()}


def _levels(margin: str | tuple[str, ...], levels: Any) -> Levels | float:
    if isinstance(levels, pd.Series) and len(named(margin)) == levels.index.nlevels:
        return {level: float(population) for level, population in levels.items()}
    if isinstance(levels, Mapping):
        return levels
    if isinstance(levels, Real) and not isinstance(levels, bool):
        return float(levels)
    raise _other_form(" x ".join(named(margin)), levels)


def _other_form(where: str, levels: Any) -> WeightsError:
    return WeightsError(
        "W381",
        _(
            "The margin '{where}' is written in a form that is not known: {name}.",
            where=where,
            name=type(levels).__name__,
        ),
        where=f"margins: {where}",
        available=("{level: population}", "Series", "total"),
        hint=_(
            'Write {"age": {level: population}} or {"age": '
            'df.groupby("age")["w"].sum()}; the columns of a crossed margin are a tuple.'
        ),
    )


def margin_columns(margins: Margins) -> tuple[str, ...]:
    """Return the columns that margins name, each once."""
    columns: dict[str, None] = {}
    for margin in margins:
        columns |= dict.fromkeys(named(margin))
    return tuple(columns)


def lay_margins(cells: pd.DataFrame, size: Array, margins: Margins) -> LaidMargins:
    """Lay margins over cells; `size` (C,) is the entering weight, cells of weight 0 belong to no level.

    Raises
    ------
    WeightsError
        W102 unknown levels, W103 levels without respondents, W104 totals that disagree, W109 populations not above zero,
        W113 a numeric column with missing values, W114 a total of a column that is no number.
    """
    _check_populations(margins)
    weighted = size > 0
    blocks = []
    targets = []
    names: list[tuple[str, Any]] = []
    for margin, levels in margins.items():
        if isinstance(levels, Mapping):
            columns = named(margin)
            blocks.append(_indicators(cells, columns, levels, weighted=weighted))
            targets.append(np.fromiter(levels.values(), float))
            names += [(" x ".join(columns), level) for level in levels]
        else:
            (name,) = named(margin)
            values = _numbers(cells[name], name, weighted=weighted)
            blocks.append(sp.csr_array(values[:, None]))
            targets.append(np.array([float(levels)]))
            names.append((name, "total"))
    matrix = sp.csr_array(sp.hstack(blocks))
    empty = np.flatnonzero(abs(matrix).sum(axis=0) == 0)
    if len(empty):
        lacking = []
        for at in empty:
            margin, level = names[at]
            lacking.append(f"{margin} {' x '.join(map(str, level_tuple(level)))}")
        first, _level = names[empty[0]]
        raise WeightsError(
            "W103",
            _("Levels of a margin have no respondents: {names}.", names=shortened(lacking)),
            where=f"margins: {first}",
            hint=_(
                "Merge them with a neighbouring level; take an area that was not surveyed out "
                "of the margin."
            ),
        )
    sizes = [len(of_margin) for of_margin in targets]
    margin_of = np.repeat(np.arange(len(sizes)), sizes)
    return LaidMargins(matrix, np.concatenate(targets), margin_of, tuple(names))


def _check_populations(margins: Margins) -> None:
    """Refuse populations that are not above zero (W109), and margins of different populations (W104)."""
    wrong = []
    totals = {}
    for margin, levels in margins.items():
        if not isinstance(levels, Mapping):
            continue
        name = " x ".join(named(margin))
        for level, population in levels.items():
            if not isinstance(population, Real) or not 0 < population < np.inf:
                wrong.append(f"{name} = {level}: {population}")
        totals[name] = levels.values()
    if wrong:
        raise WeightsError(
            "W109",
            _(
                "A margin holds a population that is not a number above zero: {wrong}.",
                wrong=shortened(wrong),
            ),
            where="margins",
            hint=_("Remove levels without population."),
        )
    populations = {name: float(sum(of_margin)) for name, of_margin in totals.items()}
    if populations and max(populations.values()) > min(populations.values()) * (1 + 1e-6):
        listed = [f"{name}: {total:,.0f}" for name, total in populations.items()]
        raise WeightsError(
            "W104",
            _("The margins disagree on the population: {listed}.", listed=shortened(listed)),
            where="margins",
            hint=_("Use margins of one source and one universe."),
        )


def _indicators(
    cells: pd.DataFrame, columns: tuple[str, ...], levels: Levels, *, weighted: Array
) -> Sparse:
    """Return the level of every cell with weight: (C, levels); refuse a level that the margin does not know (W102)."""
    position = {level_tuple(level): i for i, level in enumerate(levels)}
    numbered = partial(_levels_of, cells, columns, position)
    level_of = _LAST_LEVELS.of(cells, (columns, position), numbered)
    strange = (level_of < 0) & weighted
    if strange.any():
        unknown = cells.loc[strange, list(columns)].drop_duplicates().itertuples(index=False)
        written = [" ".join(map(str, level)) for level in unknown]
        declared = [" ".join(map(str, level)) for level in position]
        hint = _("Complete the margin, or merge these levels.")
        if set(written) <= set(declared):
            hint = _("Write the levels as the column has them: numbers as numbers, text as text.")
        raise WeightsError(
            "W102",
            _("Levels of the sample are not in the margin: {unknown}.", unknown=shortened(written)),
            where="margins: " + " x ".join(columns),
            available=declared,
            hint=hint,
        )
    inside = np.flatnonzero(weighted)
    places = (inside, level_of[inside])
    return sp.csr_array((np.ones(len(inside)), places), shape=(len(cells), len(levels)))


def _numbers(column: pd.Series, name: str, *, weighted: Array) -> Array:
    """Return a numeric column, 0 in cells without weight: (C,); W113 and W114."""
    values = pd.to_numeric(column, errors="coerce").to_numpy(float)
    if not pd.api.types.is_numeric_dtype(column):
        raise WeightsError(
            "W114",
            _("'{name}' is no number; it cannot be calibrated to a total.", name=name),
            where=f"margins: {name}",
            hint=_("Write a categorical margin as {level: population}."),
        )
    if not np.isfinite(values[weighted]).all():
        raise WeightsError(
            "W113",
            _("The numeric column '{name}' has missing or infinite values.", name=name),
            where=f"margins: {name}",
            hint=_("Fill in or impute the column first."),
        )
    return np.where(weighted, np.nan_to_num(values), 0.0)


def _levels_of(cells: pd.DataFrame, columns: tuple[str, ...], position: Mapping[Any, int]) -> Array:
    """Return the number of every cell's level, -1 of a level that the margin does not know: (C,) int."""
    different = cells[list(columns)].drop_duplicates(ignore_index=True)
    of_different = [position.get(key, -1) for key in level_tuples(different, columns)]
    of_different.append(-1)  # of a cell that matches none
    return np.asarray(np.array(of_different)[matched(cells, different, columns)])


def _usable(bounds: Any, method: Method) -> bool:
    if bounds is None:
        return method != "logit"
    if not isinstance(bounds, list | tuple) or len(bounds) != 2:
        return False
    if not all(isinstance(bound, Real) for bound in bounds):
        return False
    low, high = bounds
    return 0 <= low < 1 < high and (method != "logit" or bool(np.isfinite(high)))
