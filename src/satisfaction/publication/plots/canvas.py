"""The sheet figures are drawn on: theme, title, mark, margins, text that breaks into lines; no global state.

Bars of a few named numbers beside a line.
"""

from __future__ import annotations

import base64
import contextlib
import functools
import io
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, NamedTuple, ParamSpec, TypeAlias

import matplotlib as mpl
import numpy as np
import pandas as pd
import pylopdf_fonts_zh_cn
from markupsafe import Markup
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.font_manager import FontProperties, fontManager
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from satisfaction.foundation.figures import rank_with_set, text_columns
from satisfaction.foundation.language import NOTHING, Text, _, pgettext
from satisfaction.publication import labels

Arguments = ParamSpec("Arguments")
Grid: TypeAlias = np.ndarray[Any, Any]
Style: TypeAlias = dict[str, Any]
"""Settings as matplotlib takes them."""
WIDTH = 7.4  # inches; everything else is given in inches too, so that text never collides whatever the number of rows
BOTTOM = 0.58
SMALL = 8.5  # points
LATIN = 0.062  # inches of a Latin character of that size, generously
INK = "#1d2733"
FAINT = "#5b6672"

# one colour, one meaning, in every picture and, by the same name, in templates/page.css; purple and green of different
# lightness, so that colour-blind readers and grey prints keep them apart, beside marker, hatch or word
BAD = "#4a1a63"  # proven: among the last, below a threshold, target missed, worse, weak, fallen
GOOD = "#45a183"  # proven: the opposite
OPEN = "#dfe4e9"  # not decided
LISTED = INK  # on the list, which alone proves nothing
NEUTRAL = "#8a949e"  # neither: not on the list
ACCENT = "#1f4e79"  # amounts, estimates and their intervals, good or bad
ALERT = "#9c1c1c"  # lines that decide: cuts, limits; and the mark of what is no survey

LIMIT: Style = {"color": ALERT, "linewidth": 0.9, "linestyle": (0, (5, 2))}
CUT: Style = {"color": ALERT, "linewidth": 1.1, "linestyle": (0, (5, 2))}

# seaborn's "whitegrid" at the size of a paper (sns.axes_style | sns.plotting_context), written out and held to it by a test:
# importing seaborn would add half a second to every run
SEABORN: Style = {
    "axes.axisbelow": True,
    "axes.facecolor": "white",
    "axes.grid": True,
    "axes.linewidth": 1.0,
    "axes.titlesize": 10.08,
    "figure.facecolor": "white",
    "font.size": 10.08,
    "grid.linestyle": "-",
    "grid.linewidth": 0.8,
    "legend.fontsize": 9.24,
    "legend.title_fontsize": 10.08,
    "lines.linewidth": 1.2,
    "lines.markersize": 4.8,
    "lines.solid_capstyle": "round",
    "patch.edgecolor": "w",
    "patch.force_edgecolor": True,
    "patch.linewidth": 0.8,
    "xtick.bottom": False,
    "xtick.direction": "out",
    "xtick.major.size": 4.8,
    "xtick.major.width": 1.0,
    "xtick.top": False,
    "ytick.direction": "out",
    "ytick.left": False,
    "ytick.major.size": 4.8,
    "ytick.major.width": 1.0,
    "ytick.right": False,
}


THEME: Style = SEABORN | {
    "axes.unicode_minus": False,
    "text.color": INK,
    "axes.labelcolor": INK,
    "xtick.color": INK,
    "ytick.color": INK,
    "grid.color": "#e3e7eb",
    "axes.edgecolor": "#b6bec6",
    "hatch.linewidth": 0.6,
    "axes.labelsize": 8.5,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "svg.fonttype": "path",
    "svg.hashsalt": "satisfaction",
    "text.parse_math": False,  # a $ in a name is a $
}


def theme() -> Style:
    """Return the settings all figures are drawn with: seaborn's theme with a Chinese font.

    For other plots of a notebook: `seaborn.set_theme(rc=theme())`.
    """
    return THEME | {"font.family": _families()}


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
        """Draw under the theme."""
        with _settings():
            figure = draw(*args, **kwargs)
            # ticks are made late; made after this context they would have the caller's font
            for axes in figure.axes:
                axes.get_xticklabels()
            return figure

    return _drawn


def svg(figure: Figure) -> str:
    """Return a figure as SVG, its text as paths: the same figure gives the same text."""
    target = io.StringIO()
    with _settings():
        figure.savefig(target, format="svg", metadata={"Date": None, "Creator": None})
    return target.getvalue()


@dataclass(frozen=True, slots=True)
class Heading:
    """What stands above a picture: its title, how to read it, and what must be said of the sample."""

    title: Text | str
    mark: Text | None
    note: Text = NOTHING


@dataclass(frozen=True, slots=True)
class Body:
    """How the axes of a picture lie, in inches.

    Attributes
    ----------
    height : float
        Of one row of axes.
    left, right : float
        Beside the axes, for names and figures.
    rows : int
        Of axes.
    columns : tuple of float
        Relative widths of the axes of a row.
    gap : float
        Between the rows.
    head : float
        Above the first row, for titles of the axes.
    """

    height: float
    left: float
    right: float = 0.15
    rows: int = 1
    columns: tuple[float, ...] = (1,)
    gap: float = 0.0
    head: float = 0.0


def new_canvas(
    heading: Heading, body: Body, *, legend: Sequence[Artist] = ()
) -> tuple[Figure, Grid]:
    """Write title, note, mark and legend in the current language, and lay the axes, (rows, columns), out below."""
    title = wrapped(str(heading.title), 80)
    note = wrapped(str(heading.note), 105)
    mark = wrapped(str(heading.mark or NOTHING), 92)
    at_note = 0.1 + 0.26 * lines(title)
    at_mark = at_note + _room(note, 0.12)
    at_legend = at_mark - 0.05 + _room(mark, 0.12)
    columns = legend_columns([str(handle.get_label()) for handle in legend])
    legend_height = 0.2 * -(-len(legend) // columns)
    top = at_legend + legend_height + 0.08 + body.head
    height = top + body.rows * body.height + (body.rows - 1) * body.gap + BOTTOM
    figure = Figure(figsize=(WIDTH, height))
    figure.text(0.012, 1 - 0.1 / height, title, va="top", fontsize=12.5)
    if note:
        figure.text(0.012, 1 - at_note / height, note, va="top", fontsize=9.5, color=FAINT)
    if mark:
        box = {"facecolor": "#fdeeee", "edgecolor": ALERT, "linewidth": 0.7, "pad": 3}
        figure.text(0.017, 1 - at_mark / height, mark, va="top", fontsize=9, color=ALERT, bbox=box)
    if legend:
        place = (0.01, 1 - at_legend / height)
        figure.legend(handles=list(legend), bbox_to_anchor=place, ncols=columns, **LEGEND)
    edges = {
        "left": body.left / WIDTH,
        "right": 1 - body.right / WIDTH,
        "top": 1 - top / height,
        "bottom": BOTTOM / height,
    }
    between = {"hspace": body.gap / body.height, "wspace": 0.08}
    grid = figure.subplots(
        body.rows,
        len(body.columns),
        squeeze=False,
        width_ratios=body.columns,
        gridspec_kw=edges | between,
    )
    return figure, grid


def panel_canvas(
    heading: Heading,
    titles: Sequence[str],
    body: Body,
    *,
    legend: Sequence[Artist] = (),
    size: float = SMALL,
) -> tuple[Figure, list[Axes]]:
    """Lay axes out for one panel a title, which stands above it in its own size; `body` says how far apart they are."""
    across = len(body.columns)
    head = 0.02 * size * max(map(lines, titles)) + body.head
    rows = -(-len(titles) // across)
    body = replace(body, rows=rows, gap=head + body.gap, head=head)
    figure, grid = new_canvas(heading, body, legend=legend)
    panels = list(grid.flat)
    for axes, title in zip(panels, titles, strict=False):
        axes.set_title(title, loc="left", fontsize=size)
    for axes in panels[len(titles) :]:
        axes.set_axis_off()
    return figure, panels[: len(titles)]


def row_canvas(
    heading: Heading,
    names: Sequence[str],
    least: float,
    *,
    beside: Sequence[str] = (),
    right: float = 0.15,
    columns: tuple[float, ...] = (1,),
    legend: Sequence[Artist] = (),
) -> tuple[Figure, list[Axes]]:
    """Lay axes out for one row a name, each at least so many inches high, with the names on the left.

    On the right stand the texts `beside` the rows, or `right` inches stay free.
    """
    if beside:
        right = breadth(beside)
    height = row_height([*names, *beside], least) * len(names) + 0.1
    body = Body(height, left=breadth(names), right=right, columns=columns)
    figure, grid = new_canvas(heading, body, legend=legend)
    first, *others = grid[0]
    label_rows(first, names)
    for axes in others:
        label_rows(axes, [""] * len(names))
    write_right(grid[0, -1], beside, size=7.5)
    return figure, [first, *others]


def _room(text: str, below: float) -> float:
    """Return the inches that the lines of a text and the space below them take; a text without words takes little."""
    if not text:
        return 0.05
    return 0.19 * lines(text) + below


def label_rows(axes: Axes, names: Sequence[str], *, size: float = SMALL) -> None:
    """Put one row a name beside the vertical axis, the first on top; empty names leave the rows without."""
    axes.set_yticks([])
    beside: Style = {"transform": axes.get_yaxis_transform(), "va": "center"}
    for row, name in enumerate(names if any(names) else []):
        # plain text: ticks cost three times as long to draw
        axes.text(-0.02, row, name, ha="right", fontsize=size, **beside)
    axes.set_ylim(len(names) - 0.5, -0.5)
    axes.tick_params(length=0)
    axes.spines[["top", "right", "left"]].set_visible(False)


def legend_columns(entries: Sequence[str]) -> int:
    """Return how many columns of a legend fit beside one another, at most four."""
    for ncols in range(min(4, len(entries)), 1, -1):
        columns = np.array_split(np.array(entries), ncols)  # as matplotlib fills them
        widths = [0.26 + breadth(column.tolist()) for column in columns]
        if sum(widths) <= WIDTH:
            return ncols
    return 1


def row_height(names: Sequence[str], least: float) -> float:
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


CLOSING = "\uff0c\u3002\uff1b\uff1a\u3001\uff09\u3011\u300b\u201d"
"""Chinese signs that begin no line: comma, stop, semicolon, colon, the comma of lists, closing brackets and quotes."""


def wrapped(text: str, columns: int) -> str:
    """Break a text into lines: between words, or after any Chinese character."""
    lines = [""]
    for piece in re.findall(rf"[!-~]+\s*|\s+|[^!-~\s][{CLOSING}]*\s*", text):
        if lines[-1] and text_columns(lines[-1] + piece.rstrip()) > columns:
            lines.append("")
        lines[-1] += piece
    return "\n".join(line.rstrip() for line in lines)


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure in a page: what it shows, in words, and its SVG as a data address."""

    alt: Text
    address: Markup = field(repr=False)


def picture(figure: Figure, alt: Text) -> Picture:
    """Put a figure beside the words for those who cannot see it."""
    return Picture(alt, address(figure))


def address(figure: Figure) -> Markup:
    """Put a figure into an address of its own: same figure, same text."""
    encoded = base64.b64encode(svg(figure).encode()).decode("ascii")
    return Markup("data:image/svg+xml;base64," + encoded)


@themed
def bars(
    names: Sequence[Text],
    values: Sequence[float],
    *,
    line: float,
    line_label: Text,
    heading: Heading,
    unit: Text,
) -> Figure:
    """Draw one bar a name with its number, and a line to compare with."""
    written = [str(name) for name in names]
    legend = [legend_line(f"{line_label}: {line:,.0f}", **CUT)]
    figure, [axes] = row_canvas(heading, written, 0.42, right=0.8, legend=legend)
    axes.barh(range(len(values)), values, height=0.6, color=ACCENT, edgecolor=INK, linewidth=0.5)
    for row, value in enumerate(values):
        axes.annotate(f"{value:,.0f}", (value, row), va="center", fontsize=8.5, **BESIDE_BAR)
    axes.axvline(line, **CUT)
    axes.set_xlabel(str(unit))
    axes.xaxis.set_major_formatter("{x:,.0f}")
    return figure


NAME_COLUMNS = 43


class Look(NamedTuple):
    """How something is drawn: colours differ in lightness too, markers and hatches in shape."""

    label: Text
    colour: str
    marker: str
    hatch: str = ""


WORSE = (BAD, "s", "")
UNDECIDED = (OPEN, "D", "///")
BETTER = (GOOD, "o", "..")
NONE = ("#ffffff", "X", "")
STATUS = {
    "established": Look(labels.STATUS["established"], *WORSE),
    "possible": Look(labels.STATUS["possible"], *UNDECIDED),
    "excluded": Look(labels.STATUS["excluded"], *BETTER),
    "not ranked": Look(labels.STATUS["not ranked"], *NONE),
}
STATUS_FIRST = STATUS | {
    "established": STATUS["established"]._replace(colour=GOOD),
    "excluded": STATUS["excluded"]._replace(colour=BAD),
}
VERDICT = {
    "met": Look(labels.VERDICT["met"], *BETTER),
    "not decidable": Look(labels.VERDICT["not decidable"], *UNDECIDED),
    "not met": Look(labels.VERDICT["not met"], *WORSE),
    "not ranked": Look(labels.VERDICT["not ranked"], *NONE),
}
COMPARED = {
    "better": Look(_("proven better"), GOOD, "o"),
    "undecided": Look(_("not decidable"), OPEN, "D"),
    "worse": Look(_("proven worse"), BAD, "s"),
}
ON_LIST = {
    "yes": Look(_("on the list"), LISTED, "s"),
    "tied": Look(_("tied at the cut"), *UNDECIDED),
    "no": Look(_("not on the list"), NEUTRAL, "o"),
}
NOT_RANKED = labels.STATUS["not ranked"]
MARGINAL_SET = _("marginal set")
SIMULTANEOUS_SET = _("simultaneous set")
RANK_WITH_SET = _("rank [marginal set]")
LEGEND: Style = {
    "loc": "upper left",
    "frameon": False,
    "fontsize": 8.5,
    "borderaxespad": 0,
    "columnspacing": 1.4,
    "handletextpad": 0.5,
}
INTERVAL_LINE: Style = {"color": ACCENT, "linewidth": 1.4, "alpha": 0.75}
BESIDE_BAR: Style = {"xytext": (3, 0), "textcoords": "offset points"}
MARKER: Style = {"linestyle": "", "markeredgecolor": INK, "markersize": 5}
POINT: Style = {"s": 22, "edgecolor": INK, "linewidth": 0.6, "zorder": 3}


def status_looks(ranking: pd.DataFrame) -> dict[str, Look]:
    """Return how statuses look: to belong to the list is bad, unless it is one of the first units."""
    if "side" in ranking and (ranking["side"] == "first").all():
        return STATUS_FIRST
    return STATUS


def used(looks: dict[str, Look], words: Iterable[str], *, always: int = 3) -> list[Look]:
    """Return what a legend must explain: the first `always` looks, and of the others those that occur."""
    shown = {*list(looks)[:always], *words}
    return [look for word, look in looks.items() if word in shown]


def dots(looks: Iterable[Look]) -> list[Line2D]:
    """Return a marker a look for a legend."""
    markers = []
    for look in looks:
        style = {"color": look.colour, "marker": look.marker, "markeredgewidth": 0.6}
        markers.append(legend_line(look.label, **MARKER | style))
    return markers


def bar(look: Look) -> Patch:
    """Return a bar for a legend."""
    label = str(look.label)
    return Patch(facecolor=look.colour, edgecolor=INK, linewidth=0.5, hatch=look.hatch, label=label)


def legend_line(label: Text | str, **style: Any) -> Line2D:
    """Return a line, or a marker without one, for a legend."""
    return Line2D([], [], label=str(label), **style)


def cut_line() -> Line2D:
    """Return the line of the cut for a legend."""
    return legend_line(_("cut of the list"), **CUT)


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
    axes.hlines(rows.index, limits["ci_low"], limits["ci_high"], **INTERVAL_LINE)


def has_intervals(rows: pd.DataFrame) -> bool:
    """Tell whether there is any interval to draw: a sample without probability has none."""
    return bool(rows["ci_low"].notna().any())


def write_right(axes: Axes, texts: Iterable[str], *, size: float = SMALL) -> None:
    """Write one text a row to the right of the axes."""
    for row, text in enumerate(texts):
        axes.text(1.02, row, text, transform=axes.get_yaxis_transform(), va="center", fontsize=size)


def mark_of(table: pd.DataFrame) -> Text:
    """Return what the table says about its sample; empty for a real probability sample."""
    return labels.mark_as_text(table["mark"].iloc[0])


def name(row: Any, columns: int = NAME_COLUMNS) -> str:
    """Return a unit's name, broken into lines."""
    return wrapped(str(labels.label_of(row, "name")), columns)


def names_of(rows: pd.DataFrame) -> list[str]:
    """Return the names of all rows."""
    return [name(row) for row in rows.to_dict("records")]


def rank_labels(rows: pd.DataFrame) -> list[str]:
    """Return the ranks of all rows, never one without its marginal set where there is one."""
    return [rank_or_not(row) for row in rows.to_dict("records")]


def rank_or_not(row: Any) -> str:
    """Return a rank with its marginal set, or that there is none."""
    if pd.isna(row["rank"]):
        return str(NOT_RANKED)
    return rank_with_set(row)


def draw_points(axes: Axes, values: pd.Series, words: Any, *, looks: Mapping[str, Look]) -> None:
    """Draw one marker a row, looking as its word (status, verdict) does."""
    for word, part in values.groupby(words, sort=False):
        draw_marks(axes, part, part.index, look=looks[str(word)])


def draw_marks(axes: Axes, x: Any, y: Any, *, look: Look) -> None:
    """Draw one marker a pair of numbers."""
    axes.scatter(x, y, marker=look.marker, color=look.colour, **POINT)


def rank_ticks(places: int, most: int = 6) -> list[int]:
    """Return ranks for an axis: 1 and round numbers up to `places`."""
    fitting = [step for step in (1, 2, 5, 10, 20, 50, 100) if places <= most * step]
    step = fitting[0] if fitting else 500
    return [1, *range(max(step, 2), places + 1, step)]


class DrawnUnit(NamedTuple):
    """How a measure is drawn: the factor from the published figure to the drawn one, the units of a level and a difference."""

    factor: int
    level: Text
    difference: Text


AS_SHARE = DrawnUnit(100, Text("%"), pgettext("unit of an axis", "percentage points"))
AS_POINTS = DrawnUnit(1, _("points"), _("points"))


def drawn_in(rows: pd.DataFrame) -> DrawnUnit:
    """Return how the figures of one measure are drawn, by the column `kind` or `unit`; points where there is neither."""
    first = rows.iloc[0]
    if first.get("kind") == "rate" or first.get("unit") == "share 0-1":
        return AS_SHARE
    return AS_POINTS


def stacked(*texts: Text) -> str:
    """Return texts below one another."""
    return "\n".join(str(text) for text in texts)
