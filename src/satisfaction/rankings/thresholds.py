"""Is an area's measure below a declared value? One-sided tests, and consequences that are established or merely possible."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from scipy import special

from ..estimates import Estimates
from ..ranking.membership import Membership, decide, over_the_table, untested
from ..ranking.pairs import Floats
from ..survey import RankingRules, Threshold
from .floor import Floored

STATUS = ("established", "excluded", "possible")
BOUND = "没有抽样变异：由置信限判断，p 值为上界 no variance shown: judged by the limits, p-values are bounds"
NO_ERROR = "没有抽样误差的估计，不判断 no estimate of the error: nothing decided"
TOO_FEW = "有效样本不足，不判断 too few answers: nothing decided"


def below_tests(
    estimate: Floats, se: Floats, df: Floats, *, limits: tuple[Floats, Floats], tail: float, value: float
) -> Membership:
    """Test whether (p,) quantities lie below a value, each for one named beforehand.

    Parameters
    ----------
    estimate, se, df : (p,)
        One-sided t tests with the estimate's df. Where the se is 0 or the df under 1, the limits decide.
    limits : (p,), (p,)
        Confidence limits whose tails hold `tail` each; where they do not contain the value, the p-value is at most `tail`.
    value : float

    Returns
    -------
    Membership
        p_in: small where it lies below; p_out: small where it does not. 1 where nothing can be said.
    """
    low, high = limits
    tested, bounded = (se > 0) & (df >= 1), (se == 0) & (low < high)
    t = np.divide(estimate - value, se, out=np.zeros_like(estimate), where=tested)
    p_below = np.where(tested, special.stdtr(np.where(tested, df, 1.0), t), 1.0)
    p_not_below = np.where(tested, special.stdtr(np.where(tested, df, 1.0), -t), 1.0)
    return Membership(
        np.where(bounded & (high < value), tail, p_below),
        np.where(bounded & (low >= value), tail, p_not_below),
    )


def threshold_verdicts(
    estimates: Estimates, threshold: Threshold, rules: RankingRules, *, floor: Floored | None = None
) -> pd.DataFrame:
    """Test a threshold in every area.

    Parameters
    ----------
    estimates : Estimates
        By area; the threshold's measure among them.
    threshold : Threshold
    rules : RankingRules
        level, multiplicity and minimum_n (an area under it keeps its row, and nothing is decided).
    floor : Floored, optional
        The measure's estimates with the errors that tests rest on; their own unless given.

    Returns
    -------
    DataFrame
        The table of the measure with status ("established" below, "excluded", "possible"), p_below, p_not_below, with a
        multiplicity other than one also p_below_adjusted and p_not_below_adjusted, which then decide; and `note`.
    """
    one = estimates.of(threshold.measure)
    table = one.table.rename(columns={one.by[0]: "code"}) if one.by else one.table
    number = {name: table[name].to_numpy(float) for name in ("estimate", "se", "df", "ci_low", "ci_high")}
    enough = (table["n"] >= rules.minimum_n).to_numpy()
    lent = floor or Floored(one)
    tests = below_tests(
        number["estimate"],
        np.where(enough, lent.estimates.table["se"].to_numpy(float), np.nan),
        lent.estimates.table["df"].to_numpy(float),
        limits=(number["ci_low"], number["ci_high"]),
        tail=(1 - one.level) / 2,
        value=threshold.below,
    )
    provable = one.design.selection == "probability"
    if not provable:
        tests = untested(len(table))
    found: dict[str, Any] = {"p_below": tests.p_in, "p_not_below": tests.p_out}
    if rules.multiplicity != "one":
        tests = over_the_table(tests, rules.multiplicity)
        found |= {"p_below_adjusted": tests.p_in, "p_not_below_adjusted": tests.p_out}
    status = decide(tests, 1 - rules.level, words=STATUS, provable=provable)
    return table.assign(
        code=table["code"].astype(str),
        status=status,
        **found,
        note=np.where(_withheld(table), table["note"], _notes(number, enough, lent.said, table["code"].astype(str))),
    )


def _withheld(table: pd.DataFrame) -> np.ndarray[Any, Any]:
    """Tell which areas have answers but no published estimate."""
    return np.asarray(table["estimate"].isna() & (table["n"] > 0))


def _notes(number: dict[str, Floats], enough: np.ndarray[Any, Any], lent: Mapping[str, str], codes: pd.Series) -> list[str]:
    """Say where no t test could be made, or not with the area's own error, and why."""
    shown = (number["se"] > 0) & (number["df"] >= 1)
    bounded = (number["se"] == 0) & (number["ci_low"] < number["ci_high"])
    why = np.select([~enough, shown, bounded], [TOO_FEW, "", BOUND], NO_ERROR)
    return [str(note) or lent.get(code, "") for note, code in zip(why, codes, strict=True)]
