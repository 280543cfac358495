"""Which confidence limits an estimate gets, and what replaces them where an estimate shows no variance at all."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from ..errors import EstimatesError
from ..measures import Measure
from .domains import Options
from .intervals import INTERVALS, korn_graubard_interval, t_interval

Array = np.ndarray[Any, Any]
BOUNDARY = "Korn-Graubard"


def limits(
    chosen: list[Measure], options: Options, parts: tuple[Array, Array, Array, Array], *, overall_deff: Callable[[], Array]
) -> tuple[Array, Array, Array]:
    """Return confidence limits: of the method asked for where measures are shares, t for the others; and a note.

    Parameters
    ----------
    parts : value, se, df, n
        (D, M) each.
    overall_deff : callable
        Returns the measures' design effects over all domains (M,); called only where an estimate shows no variance.

    Raises
    ------
    EstimatesError
        E103 where a share is asked for and the values are none.
    """
    value, se, df, n = parts
    low, high = t_interval(value, se, df, level=options.level)
    note = np.full(value.shape, "", dtype=object)
    share = _shares(chosen, options)
    if options.kind in ("total", "ratio") or (options.interval == "t"):
        return low, high, note
    _refuse_no_share(value[:, share])
    if share.any():
        kernel = INTERVALS["logit" if options.interval == "default" else options.interval]
        own = kernel(value[:, share], se[:, share], n=n[:, share], df=df[:, share], level=options.level)
        low[:, share], high[:, share] = own
    return _at_boundary(chosen, options, (value, se, df, low, high, n), overall_deff)


def _shares(chosen: list[Measure], options: Options) -> Array:
    """Return which measures are shares: rates, and all where a proportion or an interval for shares is asked for."""
    every = options.kind == "proportion" or options.interval not in ("default", "t")
    return np.array([every or m.kind == "rate" for m in chosen])


def _refuse_no_share(value: Array) -> None:
    outside = value[(value < -1e-12) | (value > 1 + 1e-12)]
    if outside.size:
        raise EstimatesError(
            "E103",
            f"不是 0-1 的比例（例如 {outside[0]:g}）。",
            f"This is no share of 0-1 (for instance {outside[0]:g}).",
            where="statistic='proportion'",
            available=("mean", "proportion", "total"),
            hint=('改用 statistic="mean"。', 'Use statistic="mean".'),
        )


def _at_boundary(
    chosen: list[Measure], options: Options, parts: tuple[Array, ...], overall_deff: Callable[[], Array]
) -> tuple[Array, Array, Array]:
    """Replace the limits of bounded measures whose se is 0 by Korn and Graubard's."""
    value, se, df, low, high, n = parts
    top = np.array([1.0 if options.kind == "proportion" or m.kind == "rate" else 100.0 for m in chosen])
    bounded = np.array([options.kind == "proportion" or m.kind != "column" for m in chosen])
    at = (n > 0) & bounded & (se <= 1e-12 * top)
    note = np.where(at, BOUNDARY, "").astype(object)
    if not at.any():
        return low, high, note
    deff = overall_deff()
    share = np.clip(np.nan_to_num(value / top), 0, 1)
    lower, upper = korn_graubard_interval(share, n / deff, n=n, df=df, level=options.level)
    return np.where(at, lower * top, low), np.where(at, upper * top, high), note
