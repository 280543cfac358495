"""Many tests at once: p-values adjusted for how many there are."""

from __future__ import annotations

from typing import Any

import numpy as np

Array = np.ndarray[Any, Any]


def holm(p: Array) -> Array:
    """Adjust p-values (..., n) after Holm (1979), each row a family: its error under any dependence.

    nan is not tested and stays nan.
    """
    tested = np.isfinite(p).sum(axis=-1, keepdims=True)
    smallest_first = np.argsort(p, axis=-1, kind="stable")  # nan last
    hypotheses_left = tested - np.arange(p.shape[-1])
    steps = np.take_along_axis(p, smallest_first, axis=-1) * hypotheses_left
    stepped_down = np.minimum(np.maximum.accumulate(steps, axis=-1), 1.0)
    adjusted = np.empty(p.shape)
    np.put_along_axis(adjusted, smallest_first, stepped_down, axis=-1)
    return adjusted


def benjamini_hochberg(p: Array) -> Array:
    """Adjust p-values (n,) after Benjamini and Hochberg (1995): false discoveries of positively dependent tests.

    nan is not tested and stays nan.
    """
    from scipy.stats import false_discovery_control  # takes half a second to import

    tested = np.isfinite(p)
    adjusted = np.full(len(p), np.nan)
    if tested.any():
        adjusted[tested] = false_discovery_control(p[tested])
    return adjusted
