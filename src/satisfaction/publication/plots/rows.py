"""What a row of a published table is called and how it looks, the same in every picture."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from satisfaction.publication.ground import chance
from satisfaction.publication.plots.canvas import (
    ACCENT,
    ALERT,
    BAD,
    GOOD,
    INK,
    LISTED,
    NEUTRAL,
    OPEN,
    SMALL,
    wrapped,
)

NAME_COLUMNS = 40
CUT: dict[str, Any] = {"color": ALERT, "linewidth": 1.1, "linestyle": (0, (5, 2))}


class Look(NamedTuple):
    """How something is drawn: colours differ in lightness too, markers and hatches in shape."""

    label: str
    colour: str
    marker: str
    hatch: str


WORSE, UNDECIDED, BETTER, NONE = (
    (BAD, "s", ""),
    (OPEN, "D", "///"),
    (GOOD, "o", ".."),
    ("#ffffff", "X", ""),
)
STATUS = {
    "established": Look("已确认属于 established", *WORSE),
    "possible": Look("不能确定 possible", *UNDECIDED),
    "excluded": Look("已排除 excluded", *BETTER),
    "not ranked": Look("不排名 not ranked", *NONE),
}
STATUS_FIRST = STATUS | {
    "established": STATUS["established"]._replace(colour=GOOD),
    "excluded": STATUS["excluded"]._replace(colour=BAD),
}
VERDICT = {
    "met": Look("已达到 met", *BETTER),
    "not decidable": Look("无法判断 not decidable", *UNDECIDED),
    "not met": Look("未达到 not met", *WORSE),
    "not ranked": Look("不排名 not ranked", *NONE),
}
COMPARED = {
    "better": Look("确证更好 proven better", GOOD, "o", ""),
    "undecided": Look("不能判定 not decidable", OPEN, "D", ""),
    "worse": Look("确证更差 proven worse", BAD, "s", ""),
}
ON_LIST = {
    "yes": Look("在名单上 on the list", LISTED, "s", ""),
    "tied": Look("并列于分界 tied at the cut", *UNDECIDED),
    "no": Look("不在名单上 not on the list", NEUTRAL, "o", ""),
}
NOTHING, NOT_RANKED = "—", "不排名 not ranked"
POINT: dict[str, Any] = {"s": 22, "edgecolor": INK, "linewidth": 0.6, "zorder": 3}


def status_looks(ranking: pd.DataFrame) -> dict[str, Look]:
    """Return how statuses look: to belong to the list is bad, unless it is one of the first units."""
    return STATUS_FIRST if "side" in ranking and (ranking["side"] == "first").all() else STATUS


def used(looks: dict[str, Look], words: Iterable[str], *, always: int = 3) -> list[Look]:
    """Return what a legend must explain: the first `always` looks, and of the others those that occur."""
    occurring = set(words)
    return [
        look
        for place, (word, look) in enumerate(looks.items())
        if place < always or word in occurring
    ]


def dot(look: Look) -> Line2D:
    """Return a marker for a legend."""
    return Line2D(
        [], [], color=look.colour, marker=look.marker, linestyle="", markeredgecolor=INK, markeredgewidth=0.6, markersize=5,
        label=look.label,
    )  # fmt: skip


def bar(look: Look) -> Patch:
    """Return a bar for a legend."""
    return Patch(
        facecolor=look.colour, edgecolor=INK, linewidth=0.5, hatch=look.hatch, label=look.label
    )


def cut_line() -> Line2D:
    """Return the line of the cut for a legend."""
    return Line2D([], [], label="名单分界线 cut of the list", **CUT)


def cuts(rows: pd.DataFrame) -> list[float]:
    """Return where the cut lies between rows in rank order; two places where units are tied at it."""
    listed = rows.loc[rows["rank"].notna(), "listed"].to_numpy()
    return [float(at) + 0.5 for at in np.flatnonzero(listed[1:] != listed[:-1])]


def draw_cuts(axes: Axes, rows: pd.DataFrame) -> None:
    """Draw the cut between the rows of a picture."""
    for at in cuts(rows):
        axes.axhline(at, **CUT, zorder=2)


def draw_intervals(axes: Axes, rows: pd.DataFrame, *, scale: int = 1) -> None:
    """Draw intervals; one that is unbounded is left out, as no line can show it."""
    limits = rows[["ci_low", "ci_high"]].astype(float).where(lambda x: np.isfinite(x)) * scale
    axes.hlines(
        rows.index, limits["ci_low"], limits["ci_high"], color=ACCENT, linewidth=1.4, alpha=0.75
    )


def has_intervals(rows: pd.DataFrame) -> bool:
    """Tell whether there is any interval to draw: a sample without probability has none."""
    return bool(rows["ci_low"].notna().any())


def write_right(axes: Axes, texts: Iterable[str], *, size: float = SMALL) -> None:
    """Write one text a row to the right of the axes."""
    for row, text in enumerate(texts):
        axes.text(1.02, row, text, transform=axes.get_yaxis_transform(), va="center", fontsize=size)


def mark_of(table: pd.DataFrame) -> str:
    """Return what the table says about its sample; empty for a real probability sample."""
    return str(table["mark"].iloc[0])


def both(row: pd.Series, what: str) -> str:
    """Return Chinese and English, or one of them where they are equal."""
    zh, en = row[f"{what}_zh"], row[f"{what}_en"]
    return str(zh) if zh == en else f"{zh} {en}"


def name(row: pd.Series, columns: int = NAME_COLUMNS) -> str:
    """Return a unit's name in both languages, broken into lines."""
    return wrapped(both(row, "name"), columns)


def names_of(rows: pd.DataFrame) -> list[str]:
    """Return the names of all rows."""
    return [name(row) for _, row in rows.iterrows()]


def rank_with_set(row: pd.Series) -> str:
    """Return a rank and its marginal set, never one without the other."""
    if pd.isna(row["rank"]):
        return NOT_RANKED
    if pd.isna(row["marginal_low"]):
        return f"{row['rank']:g}"
    return f"{row['rank']:g} [{row['marginal_low']:.0f}–{row['marginal_high']:.0f}]"


def ranks_of(rows: pd.DataFrame) -> list[str]:
    """Return the ranks of all rows, with their sets."""
    return [rank_with_set(row) for _, row in rows.iterrows()]


def probability(value: float) -> str:
    """Return a probability as it is written everywhere; a dash where there is none."""
    return NOTHING if np.isnan(value) else chance(value)


def rank_ticks(places: int, most: int = 6) -> list[int]:
    """Return ranks for an axis: 1 and round numbers up to `places`."""
    step = next(
        step for step in (1, 2, 5, 10, 20, 50, 100, 500) if places <= most * step or step == 500
    )
    return [1, *range(max(step, 2), places + 1, step)]


def scale_of(table: pd.DataFrame) -> tuple[int, str]:
    """Return the factor to the drawn unit and that unit in words, from the column `unit`; points where there is none."""
    share = "unit" in table and table["unit"].iloc[0] == "share 0-1"
    return (100, "百分点 percentage points") if share else (1, "分 points")
