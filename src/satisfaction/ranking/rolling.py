"""Rolling indices: the mean of the last waves by area, with the covariance of the PSUs they share."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Literal, TypeAlias

import numpy as np
import scipy.sparse as sp

from satisfaction.estimation.result import Estimates
from satisfaction.foundation.errors import RankingError, one_of
from satisfaction.ranking.pairs import Floats, Ints
from satisfaction.ranking.two_waves import Comparability, require_comparable, same_units, unit_names

RollingWeights: TypeAlias = Literal["equal", "effective"]
MEANING = {
    "equal": "every wave counts the same",
    "effective": "waves count by the area's effective sample size, taken as fixed",
}


def rolling(
    waves: Mapping[str, Estimates],
    *,
    comparable: bool | Comparability | None = None,
    last: int | None = None,
    weights: RollingWeights = "equal",
    measure: str | None = None,
) -> Estimates:
    """Average the last waves of every area.

    The average is steadier than one wave and lags behind it: it describes the whole period, not its end.

    Parameters
    ----------
    waves : mapping
        Name of the wave -> its estimates of one measure by the same areas, in order of time.
    comparable : bool or Comparability
        Whether the measure means the same in all waves; as for `rank_change`. Must be given.
    last : int, optional
        How many waves, from the end; all of them unless given.
    weights : {"equal", "effective"}
        "effective": n_effective of the area in the wave.
    measure : str, optional
        Which measure, where the Estimates have several.

    Returns
    -------
    Estimates
        By the areas, in the order of the last wave: fit for `rank`, `rank_change` (also against a window that shares waves with
        it) and contrasts. df by Satterthwaite over waves and areas; n is the sum; selection is that of the weakest wave.

    Raises
    ------
    RankingError
        K141 and K142 for waves that may not be compared, K145 for areas that differ, K147 for several measures, K155 for
        the number of waves, K156 for weights, K157 for a missing effective size.
    EstimatesError
        E171, E172 as `combine_waves`.
    """
    from satisfaction.estimation.change import (
        combine_waves,  # here: it loads statsmodels, which a plain ranking does not need
    )

    declared = require_comparable(comparable)
    one_of(weights, MEANING, argument="weights", error=RankingError, code="K156")
    chosen = window(waves, last=last, measure=measure)
    newest = list(chosen.values())[-1]
    orders = [same_units(unit_names(newest), unit_names(one)) for one in chosen.values()]
    shares = wave_shares(
        [sizes(one, weights)[order] for one, order in zip(chosen.values(), orders, strict=True)]
    )
    both = combine_waves(chosen)
    keys = newest.table[[*newest.by, "measure"]]
    found = both.combined(coefficients(orders, shares), keys, by=newest.by)
    n = sum(
        one.table["n"].to_numpy()[order] for one, order in zip(chosen.values(), orders, strict=True)
    )
    conventions = found.conventions | {
        "rolling": list(chosen), "wave_weights": MEANING[weights], "comparable": declared, "selection": weakest(chosen).selection,
    }  # fmt: skip
    return replace(
        found, table=found.table.assign(n=n), conventions=conventions, design=weakest(chosen)
    )


def window(
    waves: Mapping[str, Estimates], *, last: int | None, measure: str | None
) -> dict[str, Estimates]:
    """Take the last waves, one measure each."""
    count = len(waves) if last is None else last
    if (
        isinstance(count, bool)
        or not isinstance(count, (int, np.integer))
        or not 2 <= count <= len(waves)
    ):
        raise RankingError(
            "K155",
            f"last={last}：须为 2 到 {len(waves)} 的整数（现有 {len(waves)} 期）。",
            f"last={last} is not a whole number from 2 to the number of waves, {len(waves)}.",
            where="last",
            available=waves,
            hint=("给出足够的期数。", "Give as many waves as the window needs."),
        )
    names = list(waves)[-count:]
    chosen = {name: waves[name] if measure is None else waves[name].of(measure) for name in names}
    measures = {found for one in chosen.values() for found in one.table["measure"]}
    if len(measures) != 1:
        raise RankingError(
            "K147",
            "各期须为同一个指标。",
            "All waves must be estimates of one and the same measure.",
            where="measure",
            available=sorted(measures),
            hint=("用 measure= 选定一个指标。", "Choose one with measure=."),
        )
    return chosen


def sizes(estimates: Estimates, weights: RollingWeights) -> Floats:
    """What each area of a wave counts for before shares are taken, (p,)."""
    if weights == "equal":
        return np.ones(len(estimates.table))
    found: Floats = estimates.table["n_effective"].to_numpy(float)
    if lacking := [
        name for name, size in zip(unit_names(estimates), found, strict=True) if not size > 0
    ]:
        raise RankingError(
            "K157",
            "这些地区没有有效样本量: " + ", ".join(lacking[:12]),
            "These areas have no effective sample size: " + ", ".join(lacking[:12]),
            where="weights",
            hint=('改用 weights="equal"。', 'Use weights="equal".'),
        )
    return found


def wave_shares(counted: list[Floats]) -> list[Floats]:
    """Shares of the waves in each area, adding to 1."""
    total = np.sum(counted, axis=0)
    return [one / total for one in counted]


def coefficients(orders: list[Ints], shares: list[Floats]) -> sp.csr_array:
    """(p, waves x p) coefficients of the average."""
    p = len(shares[0])
    blocks = [
        sp.coo_array((share, (np.arange(p), order)), shape=(p, p))
        for share, order in zip(shares, orders, strict=True)
    ]
    return sp.csr_array(sp.hstack(blocks))


def weakest(waves: Mapping[str, Estimates]) -> Any:
    """The design of the first wave that is no probability sample, else of the last wave."""
    designs = [one.design for one in waves.values()]
    return next((design for design in designs if design.selection != "probability"), designs[-1])
