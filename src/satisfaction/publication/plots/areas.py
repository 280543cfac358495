"""Pictures of estimates by area and by topic.

Areas as tiles, and topics by importance and performance.
"""

from __future__ import annotations

from collections.abc import Sequence

import matplotlib as mpl
import numpy as np
import pandas as pd
from matplotlib.axes import Axes
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from matplotlib.ticker import MaxNLocator

from satisfaction.foundation.figures import ABSENT
from satisfaction.foundation.language import _
from satisfaction.publication.labels import label_of, levels_to_compare, topics_of_the_whole
from satisfaction.publication.plots.canvas import (
    ACCENT,
    ALERT,
    BETTER,
    FAINT,
    INK,
    LIMIT,
    NAME_COLUMNS,
    POINT,
    UNDECIDED,
    WIDTH,
    WORSE,
    Body,
    Heading,
    Look,
    Style,
    breadth,
    columns_in,
    dots,
    draw_intervals,
    drawn_in,
    has_intervals,
    label_rows,
    mark_of,
    names_of,
    new_canvas,
    panel_canvas,
    row_canvas,
    row_height,
    themed,
    wrapped,
    write_right,
)


@themed
def rates_by_area(indices: pd.DataFrame) -> Figure:
    """Draw the rates of the largest areas below the whole (prefectures, or the ranked areas) with their intervals.

    Parameters
    ----------
    indices : DataFrame
        As `published.indices_table` returns it, with at least one rate.
    """
    rates = indices[indices["kind"] == "rate"]
    below, whole = levels_to_compare(indices)[-2:]
    measures = list(rates["measure"].unique())
    areas = rates[rates["level"] == below].drop_duplicates("code")
    names = names_of(areas)
    rates_of_whole = rates[rates["level"] == whole].drop_duplicates("measure")
    wholes = rates_of_whole.set_index("measure").loc[measures]
    across = min(2, len(measures))
    left = breadth(names)
    room = columns_in((WIDTH - left) / across - 0.2)
    titles = []
    for _measure, row in wholes.iterrows():
        of_whole = _(
            "{measure}: {estimate:.1%}", measure=label_of(row, "measure"), estimate=row["estimate"]
        )
        titles.append(wrapped(str(of_whole), room))
    name = label_of(wholes.iloc[0], "name")
    title = _("Rates by area; dashed: {name}", name=name)
    if has_intervals(rates):
        title = _("Rates by area with confidence intervals; dashed: {name}", name=name)
    height = row_height(names, 0.21) * len(areas) + 0.1
    body = Body(height, left=left, columns=(1,) * across, gap=0.35, head=0.1)
    figure, panels = panel_canvas(Heading(title, mark_of(rates)), titles, body)
    of_level = rates[rates["level"] == below]
    for place, (axes, measure) in enumerate(zip(panels, measures, strict=True)):
        of_measure = of_level[of_level["measure"] == measure]
        rows = of_measure.set_index("code").reindex(areas["code"]).reset_index()
        draw_intervals(axes, rows, scale=100)
        axes.scatter(rows["estimate"] * 100, rows.index, s=18, color=ACCENT, zorder=3)
        of_whole = wholes.loc[measure, "estimate"] * 100
        axes.axvline(of_whole, color=ALERT, linestyle="--", linewidth=0.9)
        label_rows(axes, [""] * len(rows) if place % across else names)
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.xaxis.set_major_formatter("{x:g}%")
    return figure


@themed
def topics(indices: pd.DataFrame) -> Figure:
    """Draw the topics of all areas together, strongest first, with their intervals.

    Parameters
    ----------
    indices : DataFrame
        As `published.indices_table` returns it, with at least one measure of kind "score".
    """
    rows = topics_of_the_whole(indices)
    measures = [str(label_of(row, "measure")) for row in rows.to_dict("records")]
    names = [wrapped(measure, NAME_COLUMNS + 10) for measure in measures]
    heading = Heading(_("Topics: strongest to weakest"), mark_of(indices))
    figure, [axes] = row_canvas(heading, names, 0.27, right=0.45)
    draw_intervals(axes, rows)
    axes.scatter(rows["estimate"], rows.index, s=24, color=ACCENT, zorder=3)
    write_right(axes, [f"{value:.1f}" for value in rows["estimate"]])
    whole = label_of(rows.iloc[0], "name")
    axes.set_xlabel(str(_("{area}: mean score (points 0-100)", area=whole)))
    return figure


PER_ROW = 8  # tiles beside one another
TILE = 0.56  # inches of a row of tiles
GAP = 0.06  # inches between blocks
# of the colour scale: both ends stay apart from paper and ink
LIGHT = 0.08
DARK = 0.92
MIDDLE = 0.2  # luminance from which dark text on a tile is the clearer one
LUMINANCE = (0.2126, 0.7152, 0.0722)  # of red, green and blue
UNKNOWN = (1.0, 1.0, 1.0, 1.0)
VERDICTS = {
    "strong": Look(_("strong (proven)"), *BETTER),
    "weak": Look(_("weak (proven)"), *WORSE),
    "not decidable": Look(_("not decidable"), *UNDECIDED),
}


@themed
def tile_map(indices: pd.DataFrame, measure: str) -> Figure:
    """Draw the areas of the lowest level as tiles, in blocks by the area above, shaded by a measure.

    Blocks and tiles stand in the order of their codes: no geography is known here, and none is claimed.

    Parameters
    ----------
    indices : DataFrame
        As `published.indices_table` returns it; with columns `parent_zh`, `parent_en`, the area above.
    measure : str
        One of its measures.
    """
    lowest = indices["level"] == indices["level"].iloc[0]
    rows = indices[lowest & (indices["measure"] == measure)].sort_values("code")
    blocks = [block for _parent, block in rows.groupby("parent_zh", sort=False)]
    names = [wrapped(str(label_of(block.iloc[0], "parent")), 16) for block in blocks]
    left = 0.15
    if any(names):
        left = max(breadth(names), 0.5)
    drawn = drawn_in(rows)
    measure_label = label_of(rows.iloc[0], "measure")
    title = _("{measure} by area ({unit})", measure=measure_label, unit=drawn.level)
    note = _("Tiles stand by the area above and by code, not by geography")
    tile_rows = sum(-(-len(block) // PER_ROW) for block in blocks)
    figure, grid = new_canvas(
        Heading(title, mark_of(rows), note),
        Body(TILE * tile_rows + GAP * len(blocks), left=left),
    )
    _draw_blocks(grid[0, 0], blocks, names, scale=drawn.factor)
    return figure


def _draw_blocks(
    axes: Axes, blocks: Sequence[pd.DataFrame], names: Sequence[str], *, scale: int
) -> None:
    values = pd.concat([block["estimate"] for block in blocks]) * scale
    shade = Normalize(values.min(), values.max())
    top = 0.0
    for name, block in zip(names, blocks, strict=True):
        axes.text(-0.08, top + 0.5, name, ha="right", va="center", fontsize=8.5)
        for place, row in enumerate(block.to_dict("records")):
            down, across = divmod(place, PER_ROW)
            name_of_tile = _fitting(str(label_of(row, "name")))
            _draw_tile(
                axes,
                across,
                top + down,
                name=name_of_tile,
                value=row["estimate"] * scale,
                shade=shade,
            )
        top += -(-len(block) // PER_ROW) + GAP / TILE
    axes.set_xlim(0, PER_ROW)
    axes.set_ylim(top, 0)
    axes.set_axis_off()


def _draw_tile(
    axes: Axes, x: float, y: float, *, name: str, value: float, shade: Normalize
) -> None:
    """Draw one area: its name and value on the colour of the value; white and a dash where there is none."""
    colour = UNKNOWN
    written = ABSENT
    if np.isfinite(value):
        colour = mpl.colormaps["Blues"](LIGHT + (DARK - LIGHT) * float(shade(value)))
        written = f"{value:.1f}"
    ink = "white"
    if np.dot(np.power(colour[:3], 2.2), LUMINANCE) > MIDDLE:
        ink = INK
    axes.add_patch(Rectangle((x, y), 0.95, 0.92, facecolor=colour, edgecolor=INK, linewidth=0.4))
    size = 6.6
    if name.isascii():
        size = 5.3
    centred: Style = {"ha": "center", "va": "center", "linespacing": 1.15}
    axes.text(x + 0.475, y + 0.46, f"{name}\n{written}", fontsize=size, color=ink, **centred)


def _fitting(name: str) -> str:
    """Break a name into lines that fit a tile: Chinese into even lines of at most six characters, English at words.

    No character is left out.
    """
    if name.isascii():
        return wrapped(name, 18)
    rows = -(-len(name) // 6)
    width = -(-len(name) // rows)
    return "\n".join(name[start : start + width] for start in range(0, len(name), width))


@themed
def performance_plot(indicators: pd.DataFrame, *, code: str) -> Figure:
    """Draw the topics of one area: how much each matters against how it stands, with its interval.

    Parameters
    ----------
    indicators : DataFrame
        As `published.indicators_table` returns it.
    code : str
        The area.
    """
    rows = indicators[indicators["code"] == code].reset_index(drop=True)
    first = rows.iloc[0]
    area = label_of(first, "name")
    title = _("{area}: topics by importance and difference", area=area)
    if has_intervals(rows):
        title = _("{area}: strong and weak topics; bars: interval of the difference", area=area)
    figure, grid = new_canvas(
        Heading(title, mark_of(rows)),
        Body(4.2, left=0.75, right=0.25),
        legend=dots(VERDICTS.values()),
    )
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
        topics = rows[rows["verdict"] == verdict]
        style = POINT | {"marker": look.marker, "color": look.colour, "s": 42}
        axes.scatter(topics["difference"], topics["importance"], **style)
    _name_topics(axes, rows)
    least_high = rows.loc[rows["high"], "importance"].min()
    most_low = rows.loc[~rows["high"], "importance"].max()
    axes.axvline(0, color=INK, linewidth=0.9)
    axes.axhline((least_high + most_low) / 2, **LIMIT)
    axes.set_xlabel(str(_("difference from {whole} (points)", whole=label_of(first, "whole"))))
    importance = _("importance (percentage points for 25 points)")
    axes.set_ylabel(str(importance), fontsize=8.5)
    axes.margins(0.12)
    # either side of 0 has room for its advice
    low, high = axes.get_xlim()
    axes.set_xlim(min(low, -high / 3), max(high, -low / 3))
    corner: Style = {"transform": axes.transAxes, "va": "top", "fontsize": 8.5}
    axes.text(0.01, 0.985, str(_("improve first")), ha="left", color=FAINT, **corner)
    axes.text(0.99, 0.985, str(_("keep")), ha="right", color=FAINT, **corner)
    return figure


def _name_topics(axes: Axes, rows: pd.DataFrame) -> None:
    """Write the name of each topic above its point, below where another one lies close above."""
    for row, is_crowded in zip(rows.to_dict("records"), _crowded(rows), strict=True):
        offset = (4, 5)
        side = "left"
        if is_crowded:
            offset = (-4, -11)
            side = "right"
        axes.annotate(
            str(label_of(row, "topic")),
            (row["difference"], row["importance"]),
            xytext=offset,
            ha=side,
            textcoords="offset points",
            fontsize=8,
        )


def _crowded(rows: pd.DataFrame) -> list[bool]:
    """Return which topics lie close to another one above them, so that their names go to the other side of the point."""
    x = rows["difference"].to_numpy(float)
    y = rows["importance"].to_numpy(float)
    wide = 0.2 * max(np.ptp(rows[["ci_low", "ci_high"]].to_numpy(float)), 1e-9)
    high = 0.06 * max(np.ptp(y), 1e-9)
    place = np.arange(len(rows))
    near = np.abs(x[:, None] - x) < wide
    above = (y > y[:, None]) & (y - y[:, None] < high)
    level_and_earlier = (y == y[:, None]) & (place < place[:, None])
    crowded = near & (above | level_and_earlier)
    return list(crowded.any(axis=1).tolist())
