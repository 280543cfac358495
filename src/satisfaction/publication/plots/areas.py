"""Pictures of estimates by area and by topic.

Areas as tiles, and topics by importance and performance.
"""

from __future__ import annotations

from typing import Literal

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from satisfaction.foundation.language import Text, _
from satisfaction.publication.labels import label_of, published_levels
from satisfaction.publication.plots.canvas import (
    ACCENT,
    ALERT,
    BETTER,
    FAINT,
    INK,
    NAME_COLUMNS,
    UNDECIDED,
    WIDTH,
    WORSE,
    Look,
    breadth,
    columns_in,
    dot,
    draw_intervals,
    has_intervals,
    label_rows,
    lines,
    mark_of,
    names_of,
    new_canvas,
    row_height,
    themed,
    wrapped,
)


@themed
def rates_by_area(indices: pd.DataFrame) -> Figure:
    """Draw the rates of the areas just below the whole (prefectures, or the ranked areas) with their intervals.

    Parameters
    ----------
    indices : DataFrame
        As `published.indices_table` returns it, with at least one rate.
    """
    rates = indices[indices["kind"] == "rate"]
    below, whole = published_levels(indices)[-2:]
    measures = list(rates["measure"].unique())
    areas = rates[rates["level"] == below].drop_duplicates("code")
    names = names_of(areas)
    wholes = [
        rates[(rates["level"] == whole) & (rates["measure"] == measure)].iloc[0]
        for measure in measures
    ]
    across, left = min(2, len(measures)), breadth(names)
    room = columns_in((WIDTH - left) / across - 0.2)
    heads = [wrapped(f"{label_of(row, 'measure')}: {row['estimate']:.1%}", room) for row in wholes]
    head = 0.17 * max(map(lines, heads)) + 0.1
    with_zh, with_en = _(" with confidence intervals") if has_intervals(rates) else ("", "")
    figure, grid = new_canvas(
        Text(f"各地区的率{with_zh}；虚线：{wholes[0]['name_zh']}", f"Rates by area{with_en}; dashed: {wholes[0]['name_en']}"), mark_of(indices),
        body=row_height(names, 0.21) * len(areas) + 0.1, left=left, rows=-(-len(measures) // 2),
        columns=(1,) * across, gap=head + 0.35, head=head,
    )  # fmt: skip
    for axes, measure, text, all_areas in zip(grid.flat, measures, heads, wholes, strict=False):
        part = rates[rates["measure"] == measure]
        rows = part[part["level"] == below].set_index("code").reindex(areas["code"]).reset_index()
        draw_intervals(axes, rows, scale=100)
        axes.scatter(rows["estimate"] * 100, rows.index, s=18, color=ACCENT, zorder=3)
        axes.axvline(all_areas["estimate"] * 100, color=ALERT, linestyle="--", linewidth=0.9)
        axes.set_title(text, loc="left", fontsize=8.5)
        label_rows(axes, names if axes in grid[:, 0] else [""] * len(rows))
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.xaxis.set_major_formatter("{x:g}%")
    for axes in grid.flat[len(measures) :]:
        axes.set_axis_off()
    return figure


@themed
def topics(indices: pd.DataFrame) -> Figure:
    """Draw the topics of all areas together, strongest first, with their intervals.

    Parameters
    ----------
    indices : DataFrame
        As `published.indices_table` returns it, with at least one measure of kind "score".
    """
    scores = indices[
        (indices["level"] == published_levels(indices)[-1]) & (indices["kind"] == "score")
    ]
    rows = scores.sort_values("estimate", ascending=False, kind="stable", ignore_index=True)
    names = [
        wrapped(str(label_of(row, "measure")), NAME_COLUMNS + 10)
        for _unused, row in rows.iterrows()
    ]
    figure, grid = new_canvas(
        _("Topics: strongest to weakest"), mark_of(indices), body=row_height(names, 0.27) * len(rows) + 0.1,
        left=breadth(names), right=0.45,
    )  # fmt: skip
    axes = grid[0, 0]
    draw_intervals(axes, rows)
    axes.scatter(rows["estimate"], rows.index, s=24, color=ACCENT, zorder=3)
    for row, value in enumerate(rows["estimate"]):
        axes.text(
            1.015,
            row,
            f"{value:.1f}",
            transform=axes.get_yaxis_transform(),
            va="center",
            fontsize=8.5,
        )
    label_rows(axes, names)
    axes.set_xlabel(
        f"{label_of(rows.iloc[0], 'name')}：平均得分（分，0-100） mean score (points 0-100)"
    )
    return figure


PER_ROW = 8  # tiles beside one another
TILE = 0.56  # inches of a row of tiles
LIGHT, DARK = 0.08, 0.92  # of the colour scale: both ends stay apart from paper and ink
MIDDLE = 0.2  # luminance from which dark text on a tile is the clearer one
VERDICTS = {
    "strong": Look("优势（已确认）strong", *BETTER),
    "weak": Look("短板（已确认）weak", *WORSE),
    "not decidable": Look("不能判定 not decidable", *UNDECIDED),
}


@themed
def tile_map(indices: pd.DataFrame, measure: str) -> Figure:
    """Draw the areas of the lowest level as tiles, in blocks by the area above, shaded by a measure.

    Blocks and tiles stand in the order of their codes: no geography is known here, and none is claimed.

    Parameters
    ----------
    indices : DataFrame
        As `published.indices_table` returns it; with a column `parent_zh`, the area above.
    measure : str
        One of its measures.
    """
    rows = indices[(indices["measure"] == measure) & (indices["level"] == indices["level"].iloc[0])]
    blocks = list(rows.sort_values("code").groupby("parent_zh", sort=False))
    scale = 100 if rows["kind"].iloc[0] == "rate" else 1
    names = [wrapped(str(name), 14) for name, _unused in blocks]
    height = sum(-(-len(block) // PER_ROW) for _unused, block in blocks)
    left = max(breadth(names), 0.5) if any(names) else 0.15
    unit = "%" if scale == 100 else "分 points"
    figure, grid = new_canvas(
        Text(f"{rows['measure_zh'].iloc[0]}：各地区", f"{rows['measure_en'].iloc[0]} by area ({unit}); tiles by prefecture and code, not by geography"),
        mark_of(rows), body=TILE * height + 0.06 * len(blocks), left=left,
    )  # fmt: skip
    axes = grid[0, 0]
    _draw_tiles(axes, blocks, names, scale=scale)
    return figure


def _draw_tiles(
    axes: Axes, blocks: list[tuple[object, pd.DataFrame]], names: list[str], *, scale: int
) -> None:
    values = pd.concat([block["estimate"] for _unused, block in blocks]) * scale
    shade, palette = Normalize(values.min(), values.max()), mpl.colormaps["Blues"]
    top = 0.0
    for name, (_unused, block) in zip(names, blocks, strict=True):
        axes.text(-0.08, top + 0.5, name, ha="right", va="center", fontsize=8.5)
        for place, row in enumerate(block.to_dict("records")):
            x, y = place % PER_ROW, top + place // PER_ROW
            value = row["estimate"] * scale
            known = bool(np.isfinite(value))
            colour = (
                palette(LIGHT + (DARK - LIGHT) * float(shade(value)))
                if known
                else (1.0, 1.0, 1.0, 1.0)
            )
            ink = (
                INK
                if np.dot(np.power(colour[:3], 2.2), (0.2126, 0.7152, 0.0722)) > MIDDLE
                else "white"
            )
            axes.add_patch(
                Rectangle((x, y), 0.95, 0.92, facecolor=colour, edgecolor=INK, linewidth=0.4)
            )
            text = (
                f"{_short(row['name_zh'])}\n{value:.1f}"
                if known
                else f"{_short(row['name_zh'])}\n—"
            )
            axes.text(
                x + 0.475,
                y + 0.46,
                text,
                ha="center",
                va="center",
                fontsize=6.6,
                color=ink,
                linespacing=1.15,
            )
        top += -(-len(block) // PER_ROW) + 0.06 / TILE
    axes.set_xlim(0, PER_ROW)
    axes.set_ylim(top, 0)
    axes.set_axis_off()


def _short(name: str) -> str:
    """Break a long name into even lines of at most six characters, so that it fits its tile; no character is left out."""
    lines = -(-len(name) // 6)
    width = -(-len(name) // lines) if lines else 1
    return "\n".join(name[k : k + width] for k in range(0, len(name), width))


@themed
def performance_plot(
    indicators: pd.DataFrame, *, code: str, language: Literal["zh", "en"] = "zh"
) -> Figure:
    """Draw the topics of one area: how much each matters against how it stands, with its interval.

    Parameters
    ----------
    indicators : DataFrame
        As `published.indicators_table` returns it.
    code : str
        The area.
    language : {"zh", "en"}
        Of the topics' names, and of the title; the other one stands below it.
    """
    rows = indicators[indicators["code"] == code].reset_index(drop=True)
    cut = (
        rows.loc[rows["high"], "importance"].min() + rows.loc[~rows["high"], "importance"].max()
    ) / 2
    zh, en = (
        f"{rows['name_zh'].iloc[0]}：各项目的重要性与得分之差",
        f"{rows['name_en'].iloc[0]}: topics by importance and difference",
    )
    if has_intervals(rows):
        zh = f"{rows['name_zh'].iloc[0]}：优势与短板指标；横线：差的区间"
        en = f"{rows['name_en'].iloc[0]}: strong and weak indicators; bars: interval of the difference"
    titles = Text(zh, en) if language == "zh" else Text(en, zh)
    figure, grid = new_canvas(
        titles, mark_of(rows), body=4.2, left=0.75, right=0.25, legend=[dot(look) for look in VERDICTS.values()],
    )  # fmt: skip
    axes = grid[0, 0]
    axes.hlines(
        rows["importance"],
        rows["ci_low"],
        rows["ci_high"],
        color="#8b98a5",
        linewidth=1.0,
        zorder=2,
    )
    for verdict, look in VERDICTS.items():
        part = rows[rows["verdict"] == verdict]
        axes.scatter(
            part["difference"],
            part["importance"],
            marker=look.marker,
            color=look.colour,
            s=42,
            edgecolor=INK,
            linewidth=0.6,
            zorder=3,
        )
    for row, below in zip(rows.to_dict("records"), _crowded(rows), strict=True):
        offset, ha = ((-4, -11), "right") if below else ((4, 5), "left")
        axes.annotate(
            row[f"topic_{language}"],
            (row["difference"], row["importance"]),
            xytext=offset,
            ha=ha,
            textcoords="offset points",
            fontsize=8,
        )
    axes.axvline(0, color=INK, linewidth=0.9)
    axes.axhline(cut, color=ALERT, linewidth=0.9, linestyle=(0, (5, 2)))
    axes.set_xlabel(
        f"与{rows['whole_zh'].iloc[0]}之差（分）\ndifference from {rows['whole_en'].iloc[0]} (points)"
    )
    axes.set_ylabel("重要性（百分点 / 25 分）importance", fontsize=8.5)
    axes.margins(0.12)
    low, high = axes.get_xlim()
    axes.set_xlim(
        min(low, -high / 3), max(high, -low / 3)
    )  # either side of 0 has room for its advice
    for x, ha, text in ((0.01, "left", "优先改进 improve first"), (0.99, "right", "继续保持 keep")):
        axes.text(
            x, 0.985, text, transform=axes.transAxes, ha=ha, va="top", fontsize=8.5, color=FAINT
        )
    return figure


def _crowded(rows: pd.DataFrame) -> list[bool]:
    """Return which topics lie close to another one above them, so that their names go to the other side of the point."""
    x, y = rows["difference"].to_numpy(float), rows["importance"].to_numpy(float)
    wide, high = (
        0.2 * max(np.ptp(rows[["ci_low", "ci_high"]].to_numpy(float)), 1e-9),
        0.06 * max(np.ptp(y), 1e-9),
    )
    close = (np.abs(x[:, None] - x) < wide) & (y - y[:, None] < high) & (y > y[:, None])
    beside = close | (
        (y == y[:, None])
        & (np.abs(x[:, None] - x) < wide)
        & (np.arange(len(x)) < np.arange(len(x))[:, None])
    )
    return [bool(one) for one in beside.any(axis=1)]
