"""Several waves side by side, and change between two, with the covariance of the PSUs they share.

Each wave keeps its own design: its PSU totals are centred on its own stratum means and scaled by its own n_h, and the
contributions of shared PSUs are cross-multiplied. A wave's own se do not change by standing beside another.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from scipy.sparse.csgraph import connected_components

from satisfaction.estimation.pairs import Comparisons, tested, usable
from satisfaction.estimation.result import Estimates
from satisfaction.estimation.sample import Contributions
from satisfaction.foundation.errors import EstimatesError
from satisfaction.sampling.design import ROW
from satisfaction.sampling.variance import Members

Array = np.ndarray[Any, Any]
WAVE = "wave"
NULL = "两期调查的总体值相等 both waves have equal population values"


def combine_waves(waves: Mapping[str, Estimates]) -> Estimates:
    """Put the estimates of several waves into one table with their full covariance.

    Parameters
    ----------
    waves : mapping
        Name of the wave -> its estimates, by the same domain columns. PSUs are the same where stratum and PSU have the same
        codes.

    Returns
    -------
    Estimates
        By "wave" and the domain columns; contrasts across waves have the right se.

    Raises
    ------
    EstimatesError
        E171 for fewer than two waves, or waves estimated by different domains, levels or statistics; E172 for replicates
        that have no PSU of their own (BRR, Fay, Rao-Wu).
    """
    _check(waves)
    names, parts = list(waves), list(waves.values())
    table = pd.concat(
        [one.table.assign(**{WAVE: name}) for name, one in waves.items()], ignore_index=True
    )
    table = table[[WAVE, *(c for c in table if c != WAVE)]]
    held = _joined([one.contributions for one in parts])
    cov = held.covariance
    ends = np.cumsum([0, *(len(one.table) for one in parts)])
    for one, start, end in zip(parts, ends, ends[1:], strict=False):
        cov[start:end, start:end] = one.cov
    shared = shared_units([one.contributions.units for one in parts])
    conventions = parts[0].conventions | {
        "waves": names,
        "psus": [len(one.contributions.units) for one in parts],
        "shared_psus": shared,
    }
    return Estimates(table, cov, held, (WAVE, *parts[0].by), conventions, parts[0].design)


def change(later: Estimates, earlier: Estimates) -> Comparisons:
    """Test the change of every domain and measure between two waves.

    Parameters
    ----------
    later, earlier : Estimates
        By the same domain columns; domains and measures of only one of them are left out and counted in the conventions.

    Returns
    -------
    Comparisons
        One row a domain and measure: later, earlier, difference (later - earlier, in the measure's unit), se, df, t, p, p_holm,
        p_bh, ci_low, ci_high, correlation of the two estimates.

    Raises
    ------
    EstimatesError
        E171, E172 as `combine_waves`; E173 when the waves have no domain and measure in common.
    """
    both = combine_waves({"later": later, "earlier": earlier})
    keys = [*later.by, "measure"]
    at = (
        both.table.assign(_row=np.arange(len(both.table)))
        .pivot_table(index=keys, columns=WAVE, values="_row", sort=False)
        .rename_axis(columns=None)
    )
    pairs = at.reindex(columns=["later", "earlier"]).dropna().astype(int)
    if pairs.empty:
        raise EstimatesError(
            "E173",
            "两期调查没有共同的域与指标。",
            "The waves have no domain and measure in common.",
            where="change",
            available=sorted(set(earlier.table["measure"])),
            hint=(
                "用同一列、同一指标估计两期。",
                "Estimate both waves by the same column and measure.",
            ),
        )
    first, second = pairs["later"].to_numpy(), pairs["earlier"].to_numpy()
    value, se, df = (both.table[name].to_numpy(float) for name in ("estimate", "se", "df"))
    matrix = sp.csr_array(
        sp.eye_array(len(value), format="csr")[first]
        - sp.eye_array(len(value), format="csr")[second]
    )
    found = both.combined(matrix, pairs.reset_index()[keys], by=later.by).table
    variance = np.diag(both.cov)
    with np.errstate(invalid="ignore", divide="ignore"):
        correlation = both.cov[first, second] / np.sqrt(variance[first] * variance[second])
    sides = found[keys].assign(later=value[first], earlier=value[second])
    spread = found["se"].to_numpy(float), found["df"].to_numpy(float)
    testable = usable(value, se, df)
    table = tested(
        sides,
        (value[first] - value[second], *spread),
        usable=testable[first] & testable[second],
        level=later.level,
    )
    left_out = len(later.table) + len(earlier.table) - 2 * len(pairs)
    return Comparisons(table.assign(correlation=correlation), _declared(both, left_out))


def shared_units(units: list[pd.DataFrame]) -> int:
    """Count the PSUs that stand in every wave."""
    common = units[0]
    for other in units[1:]:
        common = (
            common.merge(other, how="inner")
            if list(common) == list(other) and ROW not in common
            else common.iloc[:0]
        )
    return len(common)


def _joined(parts: list[Contributions]) -> Contributions:
    """Lay contributions side by side: a row a PSU of any wave; rows of further stages follow, one wave's after the other's."""
    columns = list(parts[0].units)
    matched = all(list(one.units) == columns for one in parts) and ROW not in columns
    named = [one.units if matched else one.units.assign(_wave=i) for i, one in enumerate(parts)]
    units = pd.concat(named).drop_duplicates().reset_index(drop=True)
    place = units.assign(_unit=np.arange(len(units)))
    blocks, deeper, inside = [], [], []
    in_stratum = []
    for one, names in zip(parts, named, strict=True):
        at = names.merge(place, on=list(names), how="left")["_unit"].to_numpy()
        there = sp.csr_array(
            (np.ones(len(at)), (at, np.arange(len(at)))), shape=(len(units), len(at))
        )
        matrix = sp.csr_array(one.matrix)
        blocks.append(there @ matrix[: len(at)])
        inside.append(there @ one.members.inside)
        stratum = one.members.stratum
        in_stratum.append(there @ sp.csr_array((np.ones(len(at)), (np.arange(len(at)), stratum))))
        deeper.append(matrix[len(at) :])
    joined = sp.hstack(blocks)
    if any(one.shape[0] for one in deeper):
        joined = sp.vstack([joined, sp.block_diag(deeper)])
    members = Members(
        sp.csr_array(sp.hstack(inside)), _joined_strata(sp.csr_array(sp.hstack(in_stratum)))
    )
    return Contributions(units[columns] if matched else units, sp.csr_array(joined), members)


def _joined_strata(belongs: sp.csr_array) -> Array:
    """Number the strata of all waves together: those of two waves are one where they share a PSU.

    Parameters
    ----------
    belongs : (P, strata of every wave) sparse
        Which PSU lies in which stratum.

    Returns
    -------
    (P,) int
    """
    _, stratum = connected_components(belongs @ belongs.T, directed=False)
    return np.asarray(stratum)


def _check(waves: Mapping[str, Estimates]) -> None:
    said = [(one.by, one.level, one.conventions["statistic"]) for one in waves.values()]
    if len(said) < 2 or len(set(said)) != 1:
        raise EstimatesError(
            "E171",
            "须有至少两期调查，且按同样的域、统计量和置信水平估计。",
            "At least two waves are needed, estimated by the same domains, statistic and level.",
            where="waves",
            available=[f"{name}: {by}" for name, (by, *_) in zip(waves, said, strict=True)],
            hint=("用相同的参数估计各期。", "Estimate every wave with the same arguments."),
        )
    for name, one in waves.items():
        if one.conventions["variance"] in ("brr", "fay", "rao-wu"):
            raise EstimatesError(
                "E172",
                f"'{name}' 的 {one.conventions['variance']} 重复样本不对应单个初级单元，无法计算两期协方差。",
                f"The {one.conventions['variance']} replicates of '{name}' belong to no single PSU; waves cannot be related.",
                where="waves",
                available=("linearized", "rake", "jkn"),
                hint=(
                    '改用 variance="jkn" 或 "linearized"。',
                    'Use variance="jkn" or "linearized".',
                ),
            )


def _declared(both: Estimates, left_out: int) -> dict[str, Any]:
    kept = {
        name: both.conventions[name]
        for name in ("level", "selection", "calibration", "variance", "psus", "shared_psus")
    }
    return {
        "null": NULL,
        "test": "two-sided t; each wave's own design, covariance over shared PSUs",
        "df": "Satterthwaite over the waves; where they share PSUs: PSUs - strata of their union",
        "not_tested": "rows whose se is 0 or whose df is below 1",
        "left_out": left_out,
    } | kept
