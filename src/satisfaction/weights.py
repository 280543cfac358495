"""Weighting steps: base weights from inclusion probabilities, calibration to margins. Each step returns a new design.

A categorical calibration changes every respondent of a cell by the same factor, so it is solved on the cells' summed
weights. One Newton iteration serves all distances (Deville and Särndal 1992): find b with sum w F(x'b) x = totals.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, get_args

import numpy as np
import pandas as pd
import scipy.sparse as sp

from .design import SurveyDesign, Weighting, named, require_columns
from .errors import WeightsError, one_of, shortened
from .tally import tally
from .variance import regression_on_margins

Array = np.ndarray[Any, Any]
Method = Literal["poststratify", "raking", "linear"]
Margins = Mapping[str | tuple[str, ...], Mapping[Any, float]]
DISTANCES: dict[str, tuple[Callable[[Array], Array], Callable[[Array], Array]]] = {
    "linear": (lambda u: 1 + u, np.ones_like),
    "raking": (np.exp, np.exp),
    "poststratify": (lambda u: 1 + u, np.ones_like),  # on one crossed margin every distance gives target / weight
}
MOST_ITERATIONS = 100
LARGEST_STEP = 5.0  # keeps exp() within range while the start is far from the solution


@dataclass(frozen=True, slots=True)
class Solution:
    """Calibration factors of C cells for L margin levels.

    Attributes
    ----------
    factor : (C,) float
    achieved : (L,) float
    iterations : int
    discrepancy : float
        max |achieved / target - 1|.
    """

    factor: Array
    achieved: Array
    iterations: int
    discrepancy: float


def calibration_factors(margins: sp.csr_array, size: Array, targets: Array, *, method: Method, tolerance: float) -> Solution:
    """Solve for the factors that meet the margins.

    Parameters
    ----------
    margins : (C, L) sparse
        1 where a cell belongs to a level.
    size : (C,) float
        Sum of entering weights.
    targets : (L,) float
        Population of each level, > 0.
    tolerance : float
        On max |achieved / target - 1|.
    """
    curve, slope = DISTANCES[method]
    coefficients = np.zeros(len(targets))
    for iteration in range(MOST_ITERATIONS + 1):
        u = margins @ coefficients
        achieved = margins.T @ (size * curve(u))
        discrepancy = float(np.abs(achieved / targets - 1).max())
        if discrepancy <= tolerance or iteration == MOST_ITERATIONS:
            break
        gap = sp.csr_array((targets - achieved)[:, None])
        step = regression_on_margins(margins, size * slope(u), gap).toarray()[:, 0]
        largest = float(np.abs(margins @ step).max())
        coefficients += step * min(1.0, LARGEST_STEP / largest) if largest > 0 and method == "raking" else step
    return Solution(curve(u), achieved, iteration, discrepancy)


def calibrate(
    design: SurveyDesign, margins: Margins, *, method: Method = "raking", bounds: None = None, tolerance: float = 1e-10
) -> SurveyDesign:
    """Calibrate the weights of a design to population margins.

    Parameters
    ----------
    design : SurveyDesign
    margins : mapping
        {"age": {level: population, ...}, ("county", "sex"): {(level, level): population, ...}}
    method : {"poststratify", "raking", "linear"}
        poststratify takes exactly one (possibly crossed) margin.
    tolerance : float
        On max |achieved / target - 1|.

    Raises
    ------
    WeightsError
        W101 unknown column, W102 levels of the sample that the margin does not know, W103 levels without respondents,
        W104 margins that disagree on the total, W105 no convergence, W106 a numeric total, bounds or a second
        calibration, W107 several margins for post-stratification, W108 negative weights.
    """
    one_of(method, get_args(Method), argument="method", error=WeightsError, code="W100")
    _refuse_later_work(design, margins, bounds, method)
    columns = tuple(dict.fromkeys(column for margin in margins for column in named(margin)))
    require_columns(design, columns, argument="margins", error=WeightsError, code="W101")
    counted = tally(design, [], by=columns)
    weight = counted.keys[design.weight_column].to_numpy(float) * counted.n
    cells = counted.keys[list(columns)].drop_duplicates().sort_values(list(columns), ignore_index=True)
    cell = counted.keys[list(columns)].merge(cells.assign(_cell=cells.index), how="left")["_cell"].to_numpy()
    size = np.bincount(cell, weight, len(cells))
    blocks = [_indicators(cells, named(margin), levels) for margin, levels in margins.items()]
    targets = np.concatenate([np.fromiter(levels.values(), float) for levels in margins.values()])
    indicators = sp.csr_array(sp.hstack(blocks))
    _check_totals(margins)
    _check_empty(indicators, margins)
    solution = calibration_factors(indicators, size, targets, method=method, tolerance=tolerance)
    _check_solution(solution, margins, targets, tolerance)
    base = counted.keys[design.weight_column].to_numpy(float)
    record = {
        "step": "calibration",
        "method": method,
        "tolerance": tolerance,
        "iterations": solution.iterations,
        "discrepancy": solution.discrepancy,
        "margins": {"+".join(named(m)): len(levels) for m, levels in margins.items()},
        "factor_low": float(solution.factor.min()),
        "factor_high": float(solution.factor.max()),
        "before": weight_diagnostics(base, counted.n),
        "after": weight_diagnostics(base * solution.factor[cell], counted.n),
    }
    one = np.ones(len(cells))
    margin_of = np.repeat(np.arange(len(margins)), [len(levels) for levels in margins.values()])
    return design.weighted(
        Weighting(columns, cells, size, one, solution.factor, one, indicators, margin_of, (None,), (record,))  # type: ignore[arg-type]
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


def base_weights(respondents: pd.DataFrame, sample: pd.DataFrame, psu: str) -> pd.DataFrame:
    """Add base_weight = 1 / (psu_probability x person_probability) to respondents.

    Parameters
    ----------
    respondents : DataFrame
        With the PSU column.
    sample : DataFrame
        One row a sampled PSU: psu, psu_probability, person_probability (text or numbers, in (0, 1]).

    Raises
    ------
    WeightsError
        W111 a probability outside (0, 1]; W112 a PSU that stands twice in the sample.
    """
    probability = sample[["psu_probability", "person_probability"]].apply(pd.to_numeric, errors="coerce")
    wrong = ~((probability > 0) & (probability <= 1)).all(axis=1)
    if wrong.any():
        raise WeightsError(
            "W111",
            f"抽样概率不在 (0, 1] 内: {shortened(sample.loc[wrong, psu])}。",
            f"Inclusion probabilities outside (0, 1]: {shortened(sample.loc[wrong, psu])}.",
            where="sample",
            hint=("改正 sample 表中的概率。", "Correct the probabilities in the sample table."),
        )
    if (twice := sample[psu].duplicated()).any():
        raise WeightsError(
            "W112",
            f"sample 表中初级单元重复: {shortened(sample.loc[twice, psu])}。",
            f"PSUs stand twice in the sample table: {shortened(sample.loc[twice, psu])}.",
            where="sample",
            hint=("每个初级单元只保留一行。", "Keep one row a PSU."),
        )
    weight = pd.Series(1 / probability.prod(axis=1).to_numpy(), index=sample[psu])
    return respondents.assign(base_weight=respondents[psu].map(weight).astype(float))


def _indicators(cells: pd.DataFrame, columns: tuple[str, ...], levels: Mapping[Any, float]) -> sp.csr_array:
    """(C, levels) indicators of one margin; levels of the sample that it does not know are refused."""
    position = {level if isinstance(level, tuple) else (level,): i for i, level in enumerate(levels)}
    found = [position.get(key, -1) for key in cells[list(columns)].itertuples(index=False, name=None)]
    if -1 in found:
        unknown = cells.loc[[i < 0 for i in found], list(columns)].drop_duplicates().to_numpy().tolist()
        raise WeightsError(
            "W102",
            f"样本中的水平不在边际中: {shortened(unknown)}。",
            f"Levels of the sample are not in the margin: {shortened(unknown)}.",
            where="margins: " + " x ".join(columns),
            available=levels,
            hint=("补全边际表，或合并这些水平。", "Complete the margin, or merge these levels."),
        )
    return sp.csr_array((np.ones(len(cells)), (np.arange(len(cells)), found)), shape=(len(cells), len(levels)))


def _level_names(margins: Margins) -> list[tuple[str, Any]]:
    return [(" x ".join(named(margin)), level) for margin, levels in margins.items() for level in levels]


def _check_empty(indicators: sp.csr_array, margins: Margins) -> None:
    empty = np.flatnonzero(indicators.sum(axis=0) == 0)
    if len(empty):
        names = [_level_names(margins)[i] for i in empty]
        raise WeightsError(
            "W103",
            f"边际中的水平没有受访者: {shortened(names)}。",
            f"Levels of a margin have no respondents: {shortened(names)}.",
            where="margins: " + names[0][0],
            hint=("把它们与相邻水平合并。", "Merge them with a neighbouring level."),
        )


def _check_totals(margins: Margins) -> None:
    totals = {" x ".join(named(margin)): float(sum(levels.values())) for margin, levels in margins.items()}
    if max(totals.values()) > min(totals.values()) * (1 + 1e-6):
        listed = [f"{name}: {total:,.0f}" for name, total in totals.items()]
        raise WeightsError(
            "W104",
            f"各边际的总人数不一致: {shortened(listed)}。",
            f"The margins disagree on the population: {shortened(listed)}.",
            where="margins",
            hint=("使用同一来源、同一口径的边际。", "Use margins of one source and one universe."),
        )
    if min(min(levels.values()) for levels in margins.values()) <= 0:
        raise WeightsError(
            "W109",
            "边际中有不大于零的人数。",
            "A margin holds a population that is not above zero.",
            where="margins",
            hint=("去掉没有人口的水平。", "Remove levels without population."),
        )


def _check_solution(solution: Solution, margins: Margins, targets: Array, tolerance: float) -> None:
    if not solution.discrepancy <= tolerance:
        worst = int(np.nanargmax(np.abs(solution.achieved / targets - 1)))
        margin, level = _level_names(margins)[worst]
        raise WeightsError(
            "W105",
            f"校准在 {solution.iterations} 次迭代后未收敛；差距最大: {margin} = {level}，相差 {solution.discrepancy:.3g}。",
            f"Calibration did not converge in {solution.iterations} iterations; worst: {margin} = {level}, off by {solution.discrepancy:.3g}.",
            where=f"margins: {margin}",
            hint=("检查该水平的人数，或与相邻水平合并。", "Check this level's population, or merge it with a neighbour."),
        )
    if solution.factor.min() < 0:
        raise WeightsError(
            "W108",
            f"线性校准产生了负权数（最小因子 {solution.factor.min():.3g}）。",
            f"Linear calibration gives negative weights (smallest factor {solution.factor.min():.3g}).",
            where="method",
            available=("raking",),
            hint=("改用 raking，或合并水平。", "Use raking, or merge levels."),
        )


def _refuse_later_work(design: SurveyDesign, margins: Margins, bounds: object, method: Method) -> None:
    numeric = [name for name, levels in margins.items() if not isinstance(levels, Mapping)]
    for wrong, zh, en in (
        (design.weighting is not None, "已校准的设计不能再次校准", "A calibrated design cannot be calibrated again"),
        (bool(numeric), f"数值总量 {numeric} 尚不支持", f"Numeric totals {numeric} are not supported yet"),
        (bounds is not None, "有界校准尚不支持", "Bounded calibration is not supported yet"),
        (not margins, "没有给出边际", "No margins are given"),
    ):
        if wrong:
            raise WeightsError(
                "W106",
                f"{zh}。",
                f"{en}.",
                where="calibrate",
                hint=("一次给出全部分类边际。", "Give all categorical margins at once."),
            )
    if method == "poststratify" and len(margins) != 1:
        raise WeightsError(
            "W107",
            "事后分层只接受一个（可交叉的）边际。",
            "Post-stratification takes exactly one (possibly crossed) margin.",
            where="margins",
            hint=('写成 {("county", "sex"): {...}}，或改用 raking。', 'Write {("county", "sex"): {...}}, or use raking.'),
        )


def margin_targets(table: pd.DataFrame, columns: Sequence[str]) -> dict[Any, float]:
    """Turn a margin table into the mapping `calibrate` takes; levels without population are left out."""
    kept = table[table["population"] > 0]
    keys = kept[list(columns)].itertuples(index=False, name=None)
    return dict(zip(keys, kept["population"].astype(float), strict=True))
