"""Margins laid over cells: indicators and targets, with every mismatch refused by name."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from numbers import Real
from typing import Any, TypeAlias

import numpy as np
import pandas as pd
import scipy.sparse as sp

from satisfaction.foundation.errors import WeightsError, shortened
from satisfaction.sampling.design import named
from satisfaction.sampling.variance import Sparse
from satisfaction.weighting.solving import Bounds, Method, Solution, feasible_bounds

Array = np.ndarray[Any, Any]
Levels: TypeAlias = Mapping[Any, float]
Margins: TypeAlias = Mapping[str | tuple[str, ...], Levels | float]


@dataclass(frozen=True, slots=True)
class Laid:
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
    if isinstance(levels, pd.DataFrame):
        levels = _one_column(margin, levels)
    if isinstance(levels, pd.Series) and len(named(margin)) == levels.index.nlevels:
        return {level: float(population) for level, population in levels.items()}
    if isinstance(levels, Mapping):
        return levels
    if isinstance(levels, Real) and not isinstance(levels, bool):
        return float(levels)
    raise _other_form(" x ".join(named(margin)), levels)


def _one_column(margin: str | tuple[str, ...], table: pd.DataFrame) -> Any:
    """Return the populations of a table whose levels stand in its index, or in columns of the margin's names."""
    if set(named(margin)) <= set(table):
        table = table.set_index(list(named(margin)))
    return table.iloc[:, 0] if table.shape[1] == 1 else table


def _other_form(where: str, given: Any) -> WeightsError:
    return WeightsError(
        "W381",
        f"边际 '{where}' 的写法无法识别: {type(given).__name__}。",
        f"The margin '{where}' is written in a form that is not known: {type(given).__name__}.",
        where=f"margins: {where}",
        available=("{level: population}", "Series", "DataFrame with one column", "total"),
        hint=(
            '写成 {"age": {水平: 人数}}，或 {"age": df.groupby("age")["w"].sum()}；交叉边际的列名写成元组。',
            'Write {"age": {level: population}} or {"age": df.groupby("age")["w"].sum()}; the columns of a crossed margin are a tuple.',
        ),
    )


def margin_columns(margins: Margins) -> tuple[str, ...]:
    """Return the columns that margins name, each once."""
    return tuple(dict.fromkeys(column for margin in margins for column in named(margin)))


def lay_margins(cells: pd.DataFrame, size: Array, margins: Margins) -> Laid:
    """Lay margins over cells; `size` (C,) is the entering weight, cells of weight 0 belong to no level.

    Raises
    ------
    WeightsError
        W102 unknown levels, W103 levels without respondents, W104 totals that disagree, W109 populations not above zero,
        W113 a numeric column with missing values, W114 a total of a column that is no number.
    """
    _check_totals(margins)
    blocks, targets = [], []
    for margin, levels in margins.items():
        if isinstance(levels, Mapping):
            blocks.append(_indicators(cells, named(margin), levels, size > 0))
            targets.append(np.fromiter(levels.values(), float))
        else:
            blocks.append(_values(cells, named(margin), size > 0))
            targets.append(np.array([float(levels)]))
    names = tuple(_level_names(margins))
    matrix = sp.csr_array(sp.hstack(blocks))
    _check_empty(matrix, names)
    margin_of = np.repeat(np.arange(len(targets)), [len(one) for one in targets])
    return Laid(matrix, np.concatenate(targets), margin_of, names)


def margin_targets(table: pd.DataFrame, columns: Sequence[str]) -> dict[Any, float]:
    """Turn a margin table into the mapping `calibrate` takes; levels without population are left out."""
    kept = table[table["population"] > 0]
    keys = kept[list(columns)].itertuples(index=False, name=None)
    return dict(zip(keys, kept["population"].astype(float), strict=True))


def _indicators(
    cells: pd.DataFrame, columns: tuple[str, ...], levels: Levels, weighted: Array
) -> Sparse:
    """(C, levels) indicators of one margin; levels of the sample that it does not know are refused."""
    position = {
        level if isinstance(level, tuple) else (level,): i for i, level in enumerate(levels)
    }
    found = np.array(
        [position.get(key, -1) for key in cells[list(columns)].itertuples(index=False, name=None)]
    )
    if (strange := (found < 0) & weighted).any():
        unknown = cells.loc[strange, list(columns)].drop_duplicates().to_numpy().tolist()
        raise WeightsError(
            "W102",
            f"样本中的水平不在边际中: {shortened(unknown)}。",
            f"Levels of the sample are not in the margin: {shortened(unknown)}.",
            where="margins: " + " x ".join(columns),
            available=levels,
            hint=("补全边际表，或合并这些水平。", "Complete the margin, or merge these levels."),
        )
    inside = np.flatnonzero(weighted)
    return sp.csr_array(
        (np.ones(len(inside)), (inside, found[inside])), shape=(len(cells), len(levels))
    )


def _values(cells: pd.DataFrame, columns: tuple[str, ...], weighted: Array) -> Sparse:
    """(C, 1) values of a numeric column."""
    (name,) = columns
    values = pd.to_numeric(cells[name], errors="coerce").to_numpy(float)
    if not (pd.api.types.is_numeric_dtype(cells[name]) or pd.api.types.is_bool_dtype(cells[name])):
        raise WeightsError(
            "W114",
            f"'{name}' 不是数值列，不能用总量校准。",
            f"'{name}' is no number; it cannot be calibrated to a total.",
            where=f"margins: {name}",
            hint=(
                "分类变量请写成 {水平: 人数}。",
                "Write a categorical margin as {level: population}.",
            ),
        )
    if not np.isfinite(values[weighted]).all():
        raise WeightsError(
            "W113",
            f"数值列 '{name}' 有缺失或无穷大的值。",
            f"The numeric column '{name}' has missing or infinite values.",
            where=f"margins: {name}",
            hint=("先补全或插补该列。", "Fill in or impute the column first."),
        )
    return sp.csr_array(np.where(weighted, np.nan_to_num(values), 0.0)[:, None])


def _level_names(margins: Margins) -> list[tuple[str, Any]]:
    named_levels = {" x ".join(named(margin)): levels for margin, levels in margins.items()}
    return [
        (name, level)
        for name, levels in named_levels.items()
        for level in (levels if isinstance(levels, Mapping) else ["total"])
    ]


def _check_empty(matrix: Sparse, level_names: tuple[tuple[str, Any], ...]) -> None:
    empty = np.flatnonzero(abs(matrix).sum(axis=0) == 0)
    if len(empty):
        names = [level_names[i] for i in empty]
        raise WeightsError(
            "W103",
            f"边际中的水平没有受访者: {shortened(names)}。",
            f"Levels of a margin have no respondents: {shortened(names)}.",
            where="margins: " + names[0][0],
            hint=("把它们与相邻水平合并。", "Merge them with a neighbouring level."),
        )


def _check_totals(margins: Margins) -> None:
    counts = {
        " x ".join(named(margin)): levels
        for margin, levels in margins.items()
        if isinstance(levels, Mapping)
    }
    totals = {name: float(sum(levels.values())) for name, levels in counts.items()}
    if counts and max(totals.values()) > min(totals.values()) * (1 + 1e-6):
        listed = [f"{name}: {total:,.0f}" for name, total in totals.items()]
        raise WeightsError(
            "W104",
            f"各边际的总人数不一致: {shortened(listed)}。",
            f"The margins disagree on the population: {shortened(listed)}.",
            where="margins",
            hint=("使用同一来源、同一口径的边际。", "Use margins of one source and one universe."),
        )
    if any(not population > 0 for levels in counts.values() for population in levels.values()):
        raise WeightsError(
            "W109",
            "边际中有不大于零的人数。",
            "A margin holds a population that is not above zero.",
            where="margins",
            hint=("去掉没有人口的水平。", "Remove levels without population."),
        )


def check_solution(
    solution: Solution,
    laid: Laid,
    size: Array,
    *,
    method: Method,
    bounds: Bounds | None,
    tolerance: float,
) -> None:
    """Refuse weights that miss a margin or are negative.

    Raises
    ------
    WeightsError
        W105 no convergence, W108 negative weights, W110 bounds that no weights can keep.
    """
    if not solution.discrepancy <= tolerance:
        worst = int(
            np.nanargmax(
                np.abs(solution.achieved - laid.targets)
                / np.where(laid.targets, np.abs(laid.targets), 1.0)
            )
        )
        where = f"margins: {laid.names[worst][0]}"
        if bounds is not None:
            raise _infeasible(laid, size, bounds, worst)
        margin, level = laid.names[worst]
        raise WeightsError(
            "W105",
            f"校准在 {solution.iterations} 次迭代后未收敛；差距最大: {margin} = {level}，相差 {solution.discrepancy:.3g}。",
            f"Calibration did not converge in {solution.iterations} iterations; worst: {margin} = {level}, off by {solution.discrepancy:.3g}.",
            where=where,
            hint=(
                "检查该水平的人数，或与相邻水平合并。",
                "Check this level's population, or merge it with a neighbour.",
            ),
        )
    if solution.factor[size > 0].min() < 0:
        raise WeightsError(
            "W108",
            f"{method} 校准产生了负权数（最小因子 {solution.factor.min():.3g}）。",
            f"Calibration ({method}) gives negative weights (smallest factor {solution.factor.min():.3g}).",
            where="method",
            available=("raking", "logit", "bounds"),
            hint=(
                "改用 raking，给出 bounds，或合并水平。",
                "Use raking, give bounds, or merge levels.",
            ),
        )


def _infeasible(laid: Laid, size: Array, bounds: Bounds, worst: int) -> WeightsError:
    margin, level = laid.names[worst]
    inside = size > 0
    feasible = feasible_bounds(laid.matrix[inside], size[inside], laid.targets, bounds)
    listed = " | ".join(f"[{low:g}, {high:g}]" for low, high in feasible) or "-"
    return WeightsError(
        "W110",
        f"在界限 {list(bounds)} 内无法满足边际；差距最大: {margin} = {level}。最紧的可行界限: {listed}。",
        f"No weights within bounds {list(bounds)} meet the margins; worst: {margin} = {level}. "
        f"Tightest feasible bounds: {listed}.",
        where="bounds",
        hint=("放宽界限，或合并该水平。", "Widen the bounds, or merge this level."),
    )
