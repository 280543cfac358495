"""The sheet figures are drawn on: theme, title, mark, margins, text that breaks in two languages; no global state.

Bars of a few named numbers beside a line.
"""

from __future__ import annotations

import contextlib
import functools
import io
import re
import unicodedata
from collections.abc import Callable, Iterator, Sequence
from typing import Any, ParamSpec, TypeAlias

import matplotlib as mpl
import numpy as np
import pylopdf_fonts_zh_cn
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, fontManager
from matplotlib.lines import Line2D

Arguments = ParamSpec("Arguments")
Grid: TypeAlias = np.ndarray[Any, Any]
WIDTH = 7.4  # inches; everything else is given in inches too, so that text never collides whatever the number of rows
BOTTOM = 0.58
SMALL = 8.5  # points
LATIN = 0.062  # inches of a Latin character of that size, generously
INK, FAINT = "#1d2733", "#5b6672"

# one colour, one meaning, in every picture and, by the same name, in templates/page.css; purple and green of different
# lightness, so that colour-blind readers and grey prints keep them apart, beside marker, hatch or word
BAD = "#4a1a63"  # proven: among the last, below a threshold, target missed, worse, weak, fallen
GOOD = "#45a183"  # proven: the opposite
OPEN = "#dfe4e9"  # not decided
LISTED = INK  # on the list, which alone proves nothing
NEUTRAL = "#8a949e"  # neither: not on the list
ACCENT = "#1f4e79"  # amounts, estimates and their intervals, good or bad
ALERT = "#9c1c1c"  # lines that decide: cuts, limits; and the mark of what is no survey

# seaborn's "whitegrid" at the size of a paper (sns.axes_style | sns.plotting_context), written out and held to it by a test:
# importing seaborn would add half a second to every run
SEABORN: dict[str, Any] = {
    "axes.axisbelow": True, "axes.facecolor": "white", "axes.grid": True, "axes.linewidth": 1.0, "axes.titlesize": 10.08,
    "figure.facecolor": "white", "font.size": 10.08, "grid.linestyle": "-", "grid.linewidth": 0.8, "legend.fontsize": 9.24,
    "legend.title_fontsize": 10.08, "lines.linewidth": 1.2, "lines.markersize": 4.8, "lines.solid_capstyle": "round",
    "patch.edgecolor": "w", "patch.force_edgecolor": True, "patch.linewidth": 0.8,
    "xtick.bottom": False, "xtick.direction": "out", "xtick.major.size": 4.8, "xtick.major.width": 1.0, "xtick.top": False,
    "ytick.direction": "out", "ytick.left": False, "ytick.major.size": 4.8, "ytick.major.width": 1.0, "ytick.right": False,
}  # fmt: skip


def theme() -> dict[str, Any]:
    """Return the settings all figures are drawn with: seaborn's theme with a Chinese font.

    For other plots of a notebook: `seaborn.set_theme(rc=theme())`.
    """
    return SEABORN | {
        "font.family": _families(), "axes.unicode_minus": False, "text.color": INK, "axes.labelcolor": INK, "xtick.color": INK,
        "ytick.color": INK, "grid.color": "#e3e7eb", "axes.edgecolor": "#b6bec6", "hatch.linewidth": 0.6, "axes.labelsize": 8.5,
        "xtick.labelsize": 8.5, "ytick.labelsize": 8.5,
        "svg.fonttype": "path", "svg.hashsalt": "satisfaction", "text.parse_math": False,  # a $ in a name is a $
    }  # fmt: skip


@functools.cache
def _families() -> list[str]:
    path = pylopdf_fonts_zh_cn.sans_path()
    fontManager.addfont(path)
    return [FontProperties(fname=path).get_name(), "DejaVu Sans"]


@contextlib.contextmanager
def _settings() -> Iterator[None]:
    with mpl.rc_context():
        mpl.rcdefaults()
        settings: Any = theme()  # matplotlib types each key
        mpl.rcParams.update(settings)
        yield


def themed(draw: Callable[Arguments, Figure]) -> Callable[Arguments, Figure]:
    """Draw under the theme whatever the caller's settings are, and leave those alone."""

    @functools.wraps(draw)
    def _drawn(*args: Arguments.args, **kwargs: Arguments.kwargs) -> Figure:
        with _settings():
            figure = draw(*args, **kwargs)
            for axes in (
                figure.axes
            ):  # ticks are made late; made after this context they would have the caller's font
                axes.get_xticklabels()
            return figure

    return _drawn


def svg(figure: Figure) -> str:
    """Return a figure as SVG, its text as paths: the same figure gives the same text."""
    target = io.StringIO()
    with _settings():
        figure.savefig(target, format="svg", metadata={"Date": None, "Creator": None})
    return target.getvalue()


def new_canvas(
    zh: str, en: str, mark: str, *, body: float, left: float, right: float = 0.15, legend: Sequence[Artist] = (), rows: int = 1,
    columns: tuple[float, ...] = (1,), gap: float = 0.0, head: float = 0.0,
) -> tuple[Figure, Grid]:  # fmt: skip
    """Write title, mark and legend, and lay the axes, (rows, columns), out below: `body` inches a row, `gap` between rows."""
    title, below, said = wrapped(zh, 80), wrapped(en, 105), wrapped(mark, 92)
    ncols = legend_columns([str(handle.get_label()) for handle in legend])
    legend_lines = -(-len(legend) // ncols)
    at_below = 0.1 + 0.26 * lines(title)
    at_mark = at_below + 0.19 * lines(below) + 0.12
    at_legend = at_mark - 0.05 + (0.19 * lines(said) + 0.12 if mark else 0)
    top = at_legend + (0.2 * legend_lines + 0.12 if legend else 0.04) + head
    height = top + rows * body + (rows - 1) * gap + BOTTOM
    figure = Figure(figsize=(WIDTH, height))
    figure.text(0.012, 1 - 0.1 / height, title, va="top", fontsize=12.5)
    figure.text(0.012, 1 - at_below / height, below, va="top", fontsize=9.5, color=FAINT)
    if mark:
        box = {"facecolor": "#fdeeee", "edgecolor": ALERT, "linewidth": 0.7, "pad": 3}
        figure.text(0.017, 1 - at_mark / height, said, va="top", fontsize=9, color=ALERT, bbox=box)
    if legend:
        figure.legend(
            handles=list(legend), loc="upper left", bbox_to_anchor=(0.01, 1 - at_legend / height), ncols=ncols, frameon=False,
            fontsize=8.5, borderaxespad=0, columnspacing=1.4, handletextpad=0.5,
        )  # fmt: skip
    axes = figure.subplots(
        rows, len(columns), squeeze=False, width_ratios=columns,
        gridspec_kw={
            "left": left / WIDTH, "right": 1 - right / WIDTH, "top": 1 - top / height, "bottom": BOTTOM / height,
            "hspace": gap / body, "wspace": 0.08,
        },
    )  # fmt: skip
    return figure, axes


def label_rows(axes: Axes, names: list[str], *, size: float = SMALL) -> None:
    """Put one row a name beside the vertical axis, the first on top; empty names leave the rows without."""
    axes.set_yticks([])
    for row, name in enumerate(
        names if any(names) else []
    ):  # plain text: ticks cost three times as long to draw
        axes.text(
            -0.02,
            row,
            name,
            transform=axes.get_yaxis_transform(),
            ha="right",
            va="center",
            fontsize=size,
        )
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.tick_params(length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)


def legend_columns(labels: Sequence[str]) -> int:
    """Return how many columns of a legend fit beside one another, at most four."""
    for ncols in range(min(4, len(labels)), 1, -1):
        columns = np.array_split(np.array(labels), ncols)  # as matplotlib fills them
        if sum(0.26 + breadth(column.tolist()) for column in columns) <= WIDTH:
            return ncols
    return 1


def row_height(names: list[str], least: float) -> float:
    """Return the inches a row needs so that no name touches the next one."""
    return max(least, 0.155 * max(map(lines, names)) + 0.02)


def lines(text: str) -> int:
    """Return the number of lines of a text."""
    return text.count("\n") + 1


def breadth(texts: Sequence[str]) -> float:
    """Return the inches the longest of some labels needs."""
    return 0.2 + LATIN * max(text_columns(line) for text in texts for line in text.split("\n"))


def columns_in(inches: float) -> int:
    """Return how many Latin characters fit."""
    return max(12, int(inches / LATIN))


def text_columns(text: str) -> int:
    """Return the width of a text in Latin characters; a Chinese one takes two."""
    return sum(2 if unicodedata.east_asian_width(c) in "WF" else 1 for c in text)


def wrapped(text: str, columns: int) -> str:
    """Break a text of both languages into lines: between words, or after any Chinese character."""
    lines = [""]
    for piece in re.findall(r"[!-~]+\s*|\s+|[^!-~\s][，。；：、）】》”]*\s*", text):
        if lines[-1] and text_columns(lines[-1] + piece.rstrip()) > columns:
            lines.append("")
        lines[-1] += piece
    return "\n".join(line.rstrip() for line in lines)


@themed
def bars(
    names: Sequence[str],
    values: Sequence[float],
    *,
    line: float,
    line_label: str,
    zh: str,
    en: str,
    unit: str,
    mark: str,
) -> Figure:
    """Draw one bar a name with its number, and a line to compare with."""
    dash = {"color": ALERT, "linewidth": 1.1, "linestyle": (0, (5, 2))}
    legend = [Line2D([], [], label=f"{line_label}: {line:,.0f}", **dash)]  # type: ignore[arg-type]
    figure, grid = new_canvas(
        zh,
        en,
        mark,
        body=row_height(list(names), 0.42) * len(names) + 0.1,
        left=breadth(names),
        right=0.8,
        legend=legend,
    )
    axes = grid[0, 0]
    axes.barh(range(len(values)), values, height=0.6, color=ACCENT, edgecolor=INK, linewidth=0.5)
    for row, value in enumerate(values):
        axes.annotate(
            f"{value:,.0f}",
            (value, row),
            xytext=(3, 0),
            textcoords="offset points",
            va="center",
            fontsize=8.5,
        )
    axes.axvline(line, **dash)
    label_rows(axes, list(names))
    axes.set_xlabel(unit)
    axes.xaxis.set_major_formatter("{x:,.0f}")
    return figure
