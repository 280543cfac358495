"""Pictures of several waves: paths of ranks with their sets, and changes of scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.lines import Line2D

from satisfaction.foundation.errors import RankingError, one_of
from satisfaction.foundation.figures import signed
from satisfaction.foundation.language import Text, _
from satisfaction.publication.plots.canvas import (
    BAD,
    FAINT,
    GOOD,
    INK,
    NOT_RANKED,
    ON_LIST,
    OPEN,
    POINT,
    Look,
    breadth,
    dot,
    draw_intervals,
    draw_points,
    label_rows,
    lines,
    mark_of,
    name,
    names_of,
    new_canvas,
    rank_or_not,
    rank_ticks,
    row_height,
    scale_of,
    text_columns,
    themed,
    used,
    write_right,
)
from satisfaction.publication.plots.ranks import MARGINAL

MOST = 12
ACROSS = 3
PANEL_COLUMNS = 30
CHANGED = {
    "up": Look("上升，超出抽样误差 up, beyond sampling error (BH)", GOOD, "^", ""),
    "no": Look("未超出 not beyond", OPEN, "o", ""),
    "down": Look("下降，超出抽样误差 down, beyond sampling error (BH)", BAD, "v", ""),
}
SHRUNK: dict[str, Any] = {
    "marker": "d",
    "color": "#ffffff",
    "s": 20,
    "edgecolor": INK,
    "linewidth": 0.9,
    "zorder": 4,
}
NO_SET: dict[str, Any] = {
    "s": 30,
    "facecolor": "none",
    "edgecolor": INK,
    "linewidth": 0.9,
    "zorder": 3,
}


@themed
def rank_paths(paths: pd.DataFrame, *, units: Sequence[str] | None = None) -> Figure:
    """Draw the ranks of some units over the waves, a panel each, with their marginal sets.

    Parameters
    ----------
    paths : DataFrame
        code, name_zh, name_en, wave, rank, marginal_low, marginal_high (missing where a wave published no sets), listed
        ("yes", "no", "tied"), mark; waves oldest first.
    units : sequence of str, optional
        Codes, at most 12; default: the units on the list of the newest wave, then those of the wave before it.

    Raises
    ------
    RankingError
        K242 for a unit that is not in the table, K243 for more than 12 units.
    """
    waves = list(dict.fromkeys(paths["wave"]))
    _check_units(units or [], paths)
    candidates = list(units or recently_listed(paths, waves))
    chosen = candidates[:MOST]
    heads = [path_head(paths[paths["code"] == code], waves[-1]) for code in chosen]
    head = 0.16 * max(map(lines, heads)) + 0.1
    rest = len(candidates) - len(chosen)
    figure, grid = new_canvas(
        Text(
            f"名次走势：{len(chosen)} 个单位" + (f"（另有 {rest} 个未画）" if rest else ""),
            f"Rank paths, units: {len(chosen)}" + (f" ({rest} more not drawn)" if rest else "") + f"; above each panel: rank [marginal set] in {waves[-1]}",
        ),
        mark_of(paths), body=1.25, left=0.42, rows=-(-len(chosen) // ACROSS), columns=(1,) * ACROSS, gap=head + 0.3, head=head,
        legend=path_legend(paths[paths["code"].isin(chosen)]),
    )  # fmt: skip
    lowest = int(np.nanmax(paths[["rank", "marginal_high"]].to_numpy(float)))
    for place, (axes, code, title) in enumerate(zip(grid.flat, chosen, heads, strict=False)):
        draw_path(axes, paths[paths["code"] == code].set_index("wave").reindex(waves))
        axes.set_title(title, loc="left", fontsize=8)
        frame_path(
            axes,
            waves,
            lowest=lowest,
            first=place % ACROSS == 0,
            last=place + ACROSS >= len(chosen),
        )
    for axes in grid.flat[len(chosen) :]:
        axes.set_axis_off()
    return figure


def recently_listed(paths: pd.DataFrame, waves: list[str]) -> list[str]:
    """Return the codes of units on the list of the newest wave, then of the one before, by rank; else all."""
    listed = paths[paths["listed"].isin(["yes", "tied"])]
    codes: list[str] = []
    for wave in waves[:-3:-1]:
        then = listed[listed["wave"] == wave].sort_values("rank", kind="stable")
        codes += then["code"].tolist()
    return list(dict.fromkeys(codes or paths["code"]))


def _check_units(units: Sequence[str], paths: pd.DataFrame) -> None:
    """Refuse units that have no path, and more than fit."""
    for code in units:
        one_of(
            code, dict.fromkeys(paths["code"]), argument="units", error=RankingError, code="K242"
        )
    if len(units) > MOST:
        raise RankingError(
            "K243",
            _("At most {MOST} units fit one picture; {n} were given.", MOST=MOST, n=len(units)),
            where="units",
            hint=_("Draw several pictures."),
        )


def path_head(path: pd.DataFrame, wave: str) -> str:
    """Return a unit's name, and its rank in a wave with the set, or that there is none."""
    now = path[path["wave"] == wave]
    rank = NOT_RANKED if now.empty else rank_or_not(now.iloc[0])
    if rank != NOT_RANKED and pd.isna(now["marginal_low"].iloc[0]):
        rank += "（无集合 no set）"
    return f"{name(path.iloc[-1], PANEL_COLUMNS)}\n{rank}"


def draw_path(axes: Axes, path: pd.DataFrame) -> None:
    """Draw one unit's ranks, one row a wave; a rank without a set is hollow."""
    at = np.arange(len(path))
    axes.plot(at, path["rank"].to_numpy(float), color=FAINT, linewidth=0.9)
    low, high = path["marginal_low"].astype(float), path["marginal_high"].astype(float)
    axes.vlines(at, low, high, **MARGINAL, zorder=2)
    rank, without = path["rank"], path["marginal_low"].isna().to_numpy()
    for word, look in ON_LIST.items():
        here = (path["listed"] == word).to_numpy() & rank.notna().to_numpy()
        sure, bare = here & ~without, here & without
        axes.scatter(at[sure], rank[sure], marker=look.marker, color=look.colour, **POINT)
        axes.scatter(at[bare], rank[bare], marker=look.marker, **NO_SET)


def frame_path(axes: Axes, waves: list[str], *, lowest: int, first: bool, last: bool) -> None:
    """Give a panel the axes all panels share: waves, and ranks with 1 on top."""
    edge = 0.7 + 0.03 * lowest
    axes.set_ylim(lowest + edge, 1 - edge)
    axes.set_xlim(-0.5, len(waves) - 0.5)
    room = 2.1 / (
        0.062 * max(map(text_columns, waves)) + 0.12
    )  # how many names of waves stand side by side in a panel
    step = -(-len(waves) // max(1, int(room)))
    shown = range((len(waves) - 1) % step, len(waves), step)
    axes.set_xticks(list(shown), [waves[at] if last else "" for at in shown], fontsize=8)
    ticks = [at for at in rank_ticks(lowest) if at == 1 or at - 1 > lowest / 9]  # the panel is low
    axes.set_yticks(ticks, [str(at) if first else "" for at in ticks], fontsize=8)
    axes.tick_params(length=0)
    axes.spines[["top", "right"]].set_visible(False)


def path_legend(drawn: pd.DataFrame) -> list[Line2D]:
    """Explain the marks of the panels; waves without sets are named where there are any."""
    handles = [dot(look) for look in used(ON_LIST, drawn["listed"], always=0)]
    if drawn["marginal_low"].notna().any():
        handles.append(Line2D([], [], label="单独看的名次集合 marginal set", **MARGINAL))
    if (drawn["rank"].notna() & drawn["marginal_low"].isna()).any():
        hollow: dict[str, Any] = {
            "marker": "o",
            "markerfacecolor": "none",
            "markeredgecolor": INK,
            "linestyle": "",
            "markersize": 5.5,
        }
        handles.append(
            Line2D([], [], label="空心：仅公布的名次，无集合 published rank, no set", **hollow)
        )
    return handles


@themed
def change_plot(changes: pd.DataFrame) -> Figure:
    """Draw every unit's change of score, largest first: raw with its interval, and shrunk.

    Parameters
    ----------
    changes : DataFrame
        code, name_zh, name_en, change, ci_low, ci_high, significant (after Benjamini-Hochberg), shrunk, mark; optionally unit
        ("points 0-100" or "share 0-1").
    """
    rows = changes.sort_values("change", ascending=False, kind="stable", ignore_index=True)
    names, (scale, unit) = names_of(rows), scale_of(rows)
    numbers = [
        f"{signed(raw * scale)} → {signed(shrunk * scale)}"
        for raw, shrunk in zip(rows["change"], rows["shrunk"], strict=True)
    ]
    beyond = int(rows["significant"].sum())
    small = Line2D(
        [],
        [],
        label="向整体收缩后的变化 shrunk change",
        color="white",
        marker="d",
        linestyle="",
        markeredgecolor=INK,
        markersize=5,
    )
    figure, grid = new_canvas(
        _("Change of score: {beyond} of {n} units beyond sampling error (Benjamini-Hochberg)", beyond=beyond, n=len(rows)),
        mark_of(rows), body=row_height(names, 0.185) * len(rows) + 0.1, left=breadth(names), right=breadth(numbers),
        legend=[*(dot(look) for look in CHANGED.values()), small],
    )  # fmt: skip
    axes = grid[0, 0]
    draw_intervals(axes, rows, scale=scale)
    beyond_error = rows["significant"].to_numpy(bool)
    change = np.select(
        [beyond_error & (rows["change"] > 0), beyond_error & (rows["change"] < 0)],
        ["up", "down"],
        "no",
    )
    draw_points(axes, rows["change"] * scale, change, CHANGED)
    axes.scatter(rows["shrunk"] * scale, rows.index, **SHRUNK)
    axes.axvline(0, color=INK, linewidth=0.9, zorder=1)
    label_rows(axes, names)
    write_right(axes, numbers, size=7.5)
    axes.set_xlabel(f"变化 change ({unit})\n右侧：原变化 → 收缩后 beside: raw → shrunk")
    return figure
