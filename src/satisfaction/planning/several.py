"""Several limits at once: interval widths of several measures, for areas and for what they add up to, at least cost (Bethel)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from ..errors import DesignError
from ..pipeline import Results
from . import allocation, size
from .size import plannable, variance_model

Array = np.ndarray[Any, Any]


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


@dataclass(frozen=True, slots=True)
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
    name, _, width = text.partition("=")
    measure, _, level = name.partition("@")
    table = results.estimates[results.area].table
    measures = list(table.loc[np.isfinite(table["deff"].to_numpy(float)), "measure"].unique())  # what areas combine has no deff
    try:
        limit = Limit(measure.strip(), level.strip() or results.area, float(width))
    except ValueError:
        limit = Limit(measure, level, float("nan"))
    if limit.measure not in measures or limit.level not in results.estimates or not limit.half_width > 0:
        raise DesignError(
            "D133", f"看不懂界限 '{text}'。", f"The limit '{text}' cannot be read.", where="--within",
            available=[*measures, *(f"@{level}" for level in results.estimates)], got=limit.measure,
            hint=("写成 指标@级别=半宽，如 awareness@county=0.05。", "Write measure@level=half width, such as awareness@county=0.05."),
        )  # fmt: skip
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
    own = results.estimates[results.area]
    if areas is None:
        areas = plannable(own, [one.measure for one in limits])
    models = {one.measure: variance_model(own.of(one.measure), strata=strata, kish=kish, areas=areas) for one in limits}
    least, deciding = np.full(len(areas), strata + 1), np.full(len(areas), "", dtype=object)
    for one in (one for one in limits if one.level == results.area):
        needed = size.psus_for_interval(models[one.measure], one.half_width, per_psu=per_psu, level=level)
        deciding[needed > least] = str(one)
        least = np.maximum(least, needed)
    shared = [
        row for one in limits if one.level != results.area for row in _shared(results, one, models[one.measure], per_psu, level)
    ]
    binding = dict.fromkeys(str(name) for name in deciding if name)
    if not shared:
        return Several(least, tuple(binding))
    a, bounds = np.array([row[1] for row in shared]), np.array([row[2] for row in shared])
    found = allocation.bethel(a, bounds, cost=np.ones(len(areas)), least=least.astype(float))
    binding |= dict.fromkeys(row[0] for row, used in zip(shared, found.used, strict=True) if used > 1 - 1e-6)
    return Several(np.ceil(found.n - 1e-9).astype(int), tuple(binding))


def _shared(
    results: Results, limit: Limit, model: size.VarianceModel, per_psu: float, level: float
) -> list[tuple[str, Array, float]]:
    """Return one constraint a unit of the limit's level: its name, what a PSU of each area leaves, and the variance allowed."""
    population, single = _populations(results, model.areas), model.variance(1.0, per_psu)
    of_level = results.estimates[limit.level].of(limit.measure).table
    units = of_level[results.estimates[limit.level].by[0]].astype(str) if results.estimates[limit.level].by else pd.Series([""])
    parents = results.survey.parents()
    found = []
    for unit, df in zip(units, of_level["df"].to_numpy(float), strict=True):
        inside = np.array([unit in ("", parents.get(area, "")) or len(units) == 1 for area in model.areas])
        if not inside.any() or not df > 0:
            continue
        share = np.where(inside, population, 0.0) / population[inside].sum()
        t = special.stdtrit(df, (1 + level) / 2)
        found.append((f"{limit} {unit}".strip(), share**2 * single, float((limit.half_width / t) ** 2)))
    return found


def _populations(results: Results, areas: tuple[str, ...]) -> Array:
    """Residents of the areas as the final weights have them."""
    rows = results.responses.accepted[results.survey.questionnaire.roles.area].to_numpy()
    weights = pd.Series(results.design.weights[: len(rows)]).groupby(rows).sum()
    return np.asarray(weights.reindex(list(areas)), dtype=float)
