"""What a set of weights looks like."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


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
