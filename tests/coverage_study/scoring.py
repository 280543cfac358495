"""What one sample says about an interval, and the table over all samples.

Samples are independent; counties of one sample nearly so, but share a calibration. So the Monte-Carlo standard error is
taken between samples.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

Array = np.ndarray[Any, Any]
LOW, HIGH = 93.5, 96.5  # % of 95 % intervals
ENOUGH_SAMPLES, ENOUGH_SHIPPED = 200, 20
MOST_RELATIVE_SE = 1e-8  # of a calibrated total: replicates meet the margins within 1e-10
KEYS = ["scenario", "measure", "method"]


def scored(
    scenario: str, measure: str, method: str, table: pd.DataFrame, truth: Array, *, required: bool
) -> dict[str, Any]:
    """Compare one sample's intervals (columns estimate, se, ci_low, ci_high) with the truth, row by row."""
    low, high, error = (
        table["ci_low"].to_numpy(),
        table["ci_high"].to_numpy(),
        table["estimate"].to_numpy() - truth,
    )
    if np.isnan(low).any() or len(low) != len(truth):
        raise ValueError(
            f"{scenario}: {int(np.isnan(low).sum())} of {len(truth)} intervals are missing"
        )
    facts = {
        "scenario": scenario,
        "measure": measure,
        "method": method,
        "required": required,
        "intervals": len(truth),
    }
    return facts | {
        "held": ((low <= truth) & (truth <= high)).sum(),
        "truth_below": (truth < low).sum(),
        "truth_above": (truth > high).sum(),
        "errors": error,
        "squared": (error**2).sum(),
        "variance": (table["se"].to_numpy() ** 2).sum(),
        "width": (high - low).sum(),
    }


def summary(records: pd.DataFrame) -> pd.DataFrame:
    """Return one row a scenario, measure and method.

    coverage and mc_se in %; truth_below, truth_above: % of intervals that lie wholly above, below the truth; bias: mean
    error in the measure's unit; own_bias: see there, in % of the root mean squared error; se_ratio: root mean estimated
    variance / root mean squared error; width: mean length.
    """
    rows = []
    for keys, part in records.groupby(KEYS, sort=False):
        total = part[
            ["intervals", "held", "truth_below", "truth_above", "squared", "variance", "width"]
        ].sum()
        n, rmse = total["intervals"], np.sqrt(total["squared"] / total["intervals"])
        errors = np.stack(part["errors"].to_list())
        each = 100 * part["held"] / part["intervals"]
        rows.append(
            dict(zip(KEYS, keys, strict=True))
            | {
                "required": bool(part["required"].iloc[0]),
                "samples": len(part),
                "intervals": int(n),
            }
            | {
                "coverage": 100 * total["held"] / n,
                "mc_se": each.std(ddof=1) / np.sqrt(len(part)) if len(part) > 1 else np.nan,
            }
            | {
                "truth_below": 100 * total["truth_below"] / n,
                "truth_above": 100 * total["truth_above"] / n,
            }
            | {"bias": errors.mean(), "own_bias": 100 * own_bias(errors) / rmse}
            | {"se_ratio": np.sqrt(total["variance"] / n) / rmse, "width": total["width"] / n}
        )
    table = pd.DataFrame(rows)
    return table.assign(verdict=[verdict(row) for row in table.to_dict("records")])


def own_bias(errors: Array) -> float:
    """Return the root mean square of the rows' own biases, without what chance adds to it; errors (samples, rows)."""
    if len(errors) < 2:
        return np.nan
    chance = errors.var(axis=0, ddof=1) / len(errors)
    return float(np.sqrt(max((errors.mean(axis=0) ** 2 - chance).mean(), 0.0)))


def width_ratios(table: pd.DataFrame) -> pd.Series:
    """Return the width of the intervals for change, the overlap of PSUs credited / ignored, by measure."""
    own, apart = (
        table[table["method"] == f"overlap {name}"].set_index("measure")["width"]
        for name in ("credited", "ignored")
    )
    return own / apart


def verdict(row: dict[str, Any]) -> str:
    """Say whether coverage keeps to the range; it leaves it where two Monte-Carlo standard errors cannot explain that."""
    if not row["required"]:
        return "for information"
    if row["samples"] < (
        ENOUGH_SHIPPED if row["scenario"].startswith("shipped") else ENOUGH_SAMPLES
    ):
        return "too few samples"
    noise = 2 * row["mc_se"]
    if row["coverage"] + noise < LOW or row["coverage"] - noise > HIGH:
        return "TOO LOW" if row["coverage"] < LOW else "TOO HIGH"
    return "ok" if LOW <= row["coverage"] <= HIGH else "ok within noise"


def printed(table: pd.DataFrame) -> str:
    """Return the table for a terminal."""
    digits = {
        "coverage": 2,
        "mc_se": 2,
        "truth_below": 1,
        "truth_above": 1,
        "own_bias": 1,
        "se_ratio": 3,
    }
    shown = table.drop(columns=["required", "intervals"]).round(digits)
    shown["bias"], shown["width"] = [table[name].map("{:.4g}".format) for name in ("bias", "width")]
    return str(shown.to_string(index=False))
