"""What is estimated from a tally: means, totals, ratios; their linearized variables and design effects.

T tally rows, D domains, M measures. A ratio's tally holds the M numerators first and the denominator once for each after
them, all counted where both are valid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import narwhals as nw
import numpy as np

from satisfaction.sampling.measures import Measure
from satisfaction.sampling.tally import Tally
from satisfaction.sampling.variance import (
    Sparse,
    linearized_means,
    linearized_ratios,
    linearized_totals,
    simple_variance,
    sum_by_domain,
)

Array = np.ndarray[Any, Any]
Kind = Literal["mean", "proportion", "total", "ratio", "quantile"]


@dataclass(frozen=True, slots=True)
class Point:
    """Estimates of the full sample.

    Attributes
    ----------
    value : (D, M) float
        nan where there is no valid value.
    size : (D, M) float
        Estimated population with a valid value.
    z : (T, D*M) sparse
        Linearized variable, summed over a row's respondents, not weighted.
    """

    value: Array
    size: Array
    z: Sparse


def point(kind: Kind, counted: Tally, domain: Array, weight: Array, domains: int) -> Point:
    """Estimate one kind of statistic with final weights (T,)."""
    valid, sums = counted.valid.astype(float), counted.sums()
    if kind == "ratio":
        half = sums.shape[1] // 2
        value, z = linearized_ratios(
            domain, weight, numerator=sums[:, :half], denominator=sums[:, half:], domains=domains
        )
        return Point(value, sum_by_domain(domain, weight[:, None] * valid[:, :half], domains), z)
    value, size, z = linearized_means(domain, weight, valid=valid, total=sums, domains=domains)
    if kind == "total":
        value, z = linearized_totals(domain, weight, sums, domains=domains)
    return Point(value, size, z)


def summed(kind: Kind, counted: Tally) -> Array:
    """Return the sums (T, 2M) from which `from_sums` forms a statistic: numerators, then denominators."""
    sums = counted.sums()
    return sums if kind == "ratio" else np.concatenate([sums, counted.valid], axis=1)


def from_sums(kind: Kind, sums: Array) -> Array:
    """Form a statistic from weighted sums (2M, D, R): (R, D*M), domain-major; nan without a denominator."""
    half = len(sums) // 2
    numerator, denominator = sums[:half], sums[half:]
    value = numerator
    if kind != "total":
        value = np.divide(
            numerator, denominator, out=np.full(numerator.shape, np.nan), where=denominator != 0
        )
    return np.asarray(value.transpose(2, 1, 0).reshape(value.shape[2], -1))


def design_effects(
    kind: Kind,
    counted: Tally,
    domain: Array,
    weight: Array,
    *,
    se: Array,
    size: Array,
    n: Array,
    replacement: bool,
) -> Array:
    """Variance over that of a simple random sample of the same size; nan where that is 0 or not defined. (D, M)."""
    if kind in ("ratio", "quantile"):
        return np.full(se.shape, np.nan)
    sums = sum_by_domain(domain, weight[:, None] * counted.sums(), len(size))
    squares = sum_by_domain(domain, weight[:, None] * counted.sums_of_squares(), len(size))
    with np.errstate(divide="ignore", invalid="ignore"):
        simple = simple_variance(
            sums / size, size, squares, n=n, population=size, replacement=replacement
        )
        scale = size**2 if kind == "total" else 1.0
        return np.where(simple > 0, se**2 / (simple * scale), np.nan)


def ratio_measures(numerators: Sequence[Measure], denominator: Measure) -> list[Measure]:
    """Return measures of the numerators and of the denominator, each counted only where both are valid."""
    return [_where_both(one, denominator) for one in numerators] + [
        _where_both(denominator, one) for one in numerators
    ]


def _where_both(measure: Measure, other: Measure) -> Measure:
    """Return a measure that is valid only where another is valid too."""
    name = f"{measure.name} | {other.name}"
    both = nw.col(measure.valid_column) * nw.col(other.valid_column)
    stage = {f"_valid__{name}": both, f"_score__{name}": nw.col(measure.score_column) * both}
    depth = max(len(measure.stages), len(other.stages))
    merged = tuple(
        (measure.stages[i] if i < len(measure.stages) else {})
        | (other.stages[i] if i < len(other.stages) else {})
        for i in range(depth)
    )
    return replace(measure, name=name, stages=(*merged, stage), own=(*measure.own, *other.own))
