"""From errors of many samples to tables and verdicts.

An error rate holds its bar (nominal + 1 point) if it is not above it. With fewer than 4,000 samples a little more is "within
noise": what a binomial with the bar's rate exceeds with probability 1 in 1,000, over all counties of which it is the worst
(Bonferroni). From 4,000 samples on, the worst of 88 rates of 5 % stays below the bar by itself, and nothing is allowed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from .rank_errors import ALPHA, IN, JOINT, MODEL, NAMED, OUT, PEER, TABLE
from .rank_power import BINS, LIKE, ONE_SIDED, OURS, PRIORS, PROJECTION, SET

Array = np.ndarray[Any, Any]
Key = tuple[str, str, str]  # truth, section, method
BAR, CHANCE, MANY_SAMPLES = ALPHA + 0.01, 1e-3, 4_000
MORE = 1.8  # times as many established as by the peer
OFF, ENOUGH, ENOUGH_SAMPLES = (
    0.02,
    1_000,
    30,
)  # of a probability; predictions in a bin; samples for a ratio
OK, NOISE, WRONG, SHOWN, FEW = (
    "ok",
    "ok within noise",
    "FAILS",
    "for information",
    "too few samples",
)
TITLES = {
    JOINT: "Simultaneous sets: samples in which all 88 hold the truth, %",
    NAMED: "Marginal sets: samples in which a county's set holds the truth, %, worst county (mean of counties)",
    IN: 'Falsely "established" (or "met"), % of samples, worst county',
    OUT: 'Falsely "excluded" (or "not met"), % of samples, worst county',
    TABLE: "Statements on the whole table: % of samples with a false one (bh: mean share of false ones)",
    MODEL: "Naming counties by their probability instead, % of samples in which that is false, worst county",
    PEER: "The peer, which takes estimated se as known: samples in which all 88 sets hold the truth, %",
}


class Counted:
    """Errors summed over samples: one count an entry, see `rank_errors`."""

    def __init__(self) -> None:
        self.samples = 0
        self.errors: Array = np.zeros(1)

    def add(self, errors: Array) -> None:
        """Count one sample's errors, (m,)."""
        self.samples += 1
        self.errors = self.errors + errors

    def worst(self) -> float:
        """Largest error rate."""
        return float(self.errors.max()) / self.samples

    def mc_se(self) -> float:
        """Monte-Carlo standard error of the largest error rate."""
        return float(
            np.sqrt(max(self.worst() * (1 - self.worst()), 1 / self.samples / 4) / self.samples)
        )

    def verdict(self) -> str:
        """Say whether the largest rate keeps to the bar."""
        if self.worst() <= BAR:
            return OK
        chance = stats.binom.sf(np.ceil(self.errors.max()) - 1, self.samples, BAR) * len(
            self.errors
        )
        return NOISE if chance >= CHANCE and self.samples < MANY_SAMPLES else WRONG


def cell(section: str, one: Counted) -> str:
    """Write one truth's figure."""
    right = 100 * (1 - one.worst())
    if section == NAMED:
        return f"{right:.1f} ({100 * (1 - one.errors.mean() / one.samples):.1f})"
    return f"{right if section in (JOINT, PEER) else 100 * one.worst():.1f}"


def section_table(section: str, total: Mapping[Key, Counted]) -> pd.DataFrame:
    """One row a method, one column a truth; the largest Monte-Carlo standard error, samples, verdict."""
    rows: dict[str, dict[str, Any]] = {}
    for (truth, where, method), one in sorted(total.items(), key=lambda item: item[0][2]):
        if where == section:
            row = rows.setdefault(method, {})
            row[truth] = cell(section, one)
            row["mc_se"] = max(row.get("mc_se", 0.0), round(100 * one.mc_se(), 2))
            row["samples"] = one.samples
            row["verdict"] = worse(
                row.get("verdict", OK), one.verdict() if section not in (MODEL, PEER) else SHOWN
            )
    table = pd.DataFrame.from_dict(rows, orient="index").rename_axis("method").reset_index()
    last = ["mc_se", "samples", "verdict"]
    return table[[name for name in table if name not in last] + last]


def worse(one: str, other: str) -> str:
    """The worse of two verdicts."""
    return max(one, other, key=[OK, SHOWN, FEW, NOISE, WRONG].index)


def power_table(found: list[dict[str, dict[str, Array]]]) -> pd.DataFrame:
    """One row a method: how many of the truly last ten it establishes, and its false ones."""
    rows = []
    for method in found[0]["estimated"]:
        many = {kind: np.stack([one[kind][method] for one in found]) for kind in found[0]}
        row = {
            "method": method,
            "established of ten, se estimated": many["estimated"].sum(axis=1).mean(),
        }
        row |= {"mc_se": many["estimated"].sum(axis=1).std() / np.sqrt(len(found))}
        row |= {
            "se known": many["known"].sum(axis=1).mean(),
            "falsely, tied at the cut, %": 100 * many["false"].mean(axis=0).max(),
        }
        rows.append(row)
    return pd.DataFrame(rows).assign(samples=len(found))


def power_ratios(found: list[dict[str, dict[str, Array]]]) -> pd.DataFrame:
    """How many times as many are established as by the peer, with Monte-Carlo errors.

    The bar is for the projection over all comparisons and for sets of the same kind. The peer's strongest form, one-sided
    with step-down, drops most comparisons too and is shown beside them; its errors with estimated se are in `power_table`.
    """
    rows = []
    for own, peer in ((OURS, PROJECTION), (LIKE, SET), (OURS, ONE_SIDED)):
        for kind in ("estimated", "known"):
            ratio, error = ratio_of(
                *(np.array([one[kind][name].sum() for one in found]) for name in (own, peer))
            )
            verdict = OK if ratio >= MORE else NOISE if ratio + 3 * error >= MORE else WRONG
            row = {"ours": own, "peer": peer, "se": kind, "times": ratio, "mc_se": error}
            verdict = SHOWN if peer == ONE_SIDED else verdict
            rows.append(row | {"verdict": verdict if len(found) >= ENOUGH_SAMPLES else FEW})
    return pd.DataFrame(rows)


def ratio_of(own: Array, peer: Array) -> tuple[float, float]:
    """Ratio of two means over the same samples and its standard error; infinite where the peer has nothing."""
    if not peer.any():
        return np.inf, np.inf
    ratio = float(own.mean() / peer.mean())
    return ratio, float(np.std(own - ratio * peer) / peer.mean() / np.sqrt(len(own)))


def calibration_table(found: Array) -> pd.DataFrame:
    """One row a prior and bin of predicted probability: predictions, mean predicted, share that came true, deviation.

    The bar is for the shipped wave's spread. With half of it the largest probabilities are too large: the model takes the
    se as known, and the counties it is surest of are those whose se came out too small.
    """
    rows = []
    for prior, bins in zip(PRIORS, found, strict=True):
        for k, (n, predicted, held) in enumerate(bins):
            if n:
                off, noise = held / n - predicted / n, np.sqrt(held / n * (1 - held / n) / n)
                verdict = OK if abs(off) <= OFF else NOISE if abs(off) - 3 * noise <= OFF else WRONG
                row = {
                    "sd of true scores": prior,
                    "P(last ten)": f"{k / BINS:.1f}-{(k + 1) / BINS:.1f}",
                    "predictions": int(n),
                }
                row |= {
                    "predicted %": 100 * predicted / n,
                    "came true %": 100 * held / n,
                    "deviation": 100 * off,
                }
                verdict = FEW if n < ENOUGH else verdict if prior == PRIORS[0] else SHOWN
                rows.append(row | {"mc_se": 100 * noise, "verdict": verdict})
    return pd.DataFrame(rows)


def weighted_deviation(table: pd.DataFrame) -> pd.Series:
    """Mean absolute deviation of a prior's predictions, in points."""
    weight = table["predictions"] * table["deviation"].abs()
    prior = table["sd of true scores"]
    return weight.groupby(prior).sum() / table["predictions"].groupby(prior).sum()


def markdown(table: pd.DataFrame) -> Iterator[str]:
    """Write a table as markdown lines."""
    yield "| " + " | ".join(table.columns) + " |"
    yield "|" + "---|" * len(table.columns)
    for row in table.itertuples(index=False):
        yield (
            "| "
            + " | ".join(
                f"{value:.2f}" if isinstance(value, float) else str(value) for value in row
            )
            + " |"
        )


def write_tables(
    out: Path, heading: str, tables: Mapping[str, pd.DataFrame], *, closing: Iterable[str]
) -> None:
    """Print a study's tables and write them as a markdown page; a table without columns is left out."""
    lines = [f"# {heading}"]
    for title, table in tables.items():
        if len(table.columns):
            lines += ["", f"## {title}", "", *markdown(table)]
    for line in closing:
        lines += ["", line]
    page = "\n".join(lines)
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text(page + "\n", encoding="utf-8")
    print(page)
