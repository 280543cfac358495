"""A table as a person reads it: words in one language, units, as many digits as the error allows, intervals drawn in the row.

Plain HTML with a script of its own that searches and sorts; where no script runs (on GitHub, in a notebook that is
not trusted) the whole table stands there all the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from markupsafe import Markup

from satisfaction.declarations.survey import Survey
from satisfaction.foundation import figures
from satisfaction.foundation.conventions import VALUES
from satisfaction.foundation.language import Text, _, as_text, comma_list
from satisfaction.foundation.pages import fill
from satisfaction.publication.columns import COLUMNS, SHARE_OR_POINTS
from satisfaction.publication.headings import chosen_columns
from satisfaction.publication.labels import (
    STATUS,
    VERDICT,
    YES_NO,
    area_labels,
    in_crosses,
    mark_as_text,
    measure_labels,
    recipe_words,
)
from satisfaction.publication.report.rows import level_label

MOST_ROWS = 5000
"""Of a table in a page; beyond, the reader is told."""
SAID_ONCE = ("mark", "survey", "wave", "selection")
"""Columns that stand above the table where all rows hold the same."""
ESTIMATES = (
    *("difference", "score", "earlier", "later", "lower", "upper", "rest", "before", "after"),
    *("mean 1", "mean 2", "change", "relative_change", "change_se", "shrunk_change", "shrunk_sd"),
)
"""Columns in the unit of the measure, beside those that the published columns declare so."""
DIFFERENCES = (
    *("se", "difference", "change", "relative_change", "change_se", "shrunk_change", "shrunk_sd"),
)
"""Of those, the ones that are no level: percentage points, where the level is a percentage."""
STEPS = {kind: VALUES[kind] for kind in ("base", "nonresponse", "calibration", "trimming")}
STEPS |= {"unweighted": _("unweighted")}
KINDS = {"rate": _("rate"), "score": _("score"), "index": _("index")}
RECIPES = {"declared": _("as declared")}
ACTIONS = {
    "reject_row": VALUES["reject_row"],
    "blank_item": VALUES["blank_item"],
    "normalised": _("rewritten and used"),
    "note": _("note"),
}
UNITS_CHECKED = {
    "respondent": _("respondent"),
    "interviewer": _("interviewer"),
    "item": _("item"),
}
REASONS = {
    "open": _("neither established nor excluded"),
}
MOVES = {"enters": _("enters"), "leaves": _("leaves")}
WORDS_OF_COLUMNS: Mapping[str, Mapping[str, Text]] = {
    **dict.fromkeys(("significant", "listed", "reached", "in_force", "model_dependent"), YES_NO),
    "reason": REASONS,
    "method": VALUES,
    "source": VALUES,
    "action": ACTIONS,
    "kind": KINDS,
    "status": STATUS,
    "verdict": VERDICT,
    "recipe": RECIPES,
    "moved": MOVES,
    "variance": VALUES,
}
"""What the codes of a column stand for, by its name, in any survey."""
UNITS = ("share 0-1", "points 0-100")
"""Of a row's estimate; beside figures that bear their unit it would contradict them."""
DECIMALS = {"shift": 2, "shift_in_se": 2, "largest_shift": 2, "difference / se": 2, "se ratio": 2, "z": 2, "times average": 1, "df": 1, "cv": 3, "deff": 2, "deff_wr": 2, "expected_rank": 1, "effective_n": 0, "n_effective": 0, "reliability": 2}  # fmt: skip
LONG = 18  # characters that stand on one line
TRACK = 96  # width of a drawn interval, in pixels


class Pair(NamedTuple):
    """Two columns that are read as one: the limits of an interval or of a set.

    Attributes
    ----------
    low, high : str
    centers : tuple of str
        Columns of which the first present is the point drawn between the limits.
    title : Text
    """

    low: str
    high: str
    centers: tuple[str, ...]
    title: Text


PAIRS = (
    Pair("ci_low", "ci_high", ("estimate", "difference", "score", "value"), _("interval")),
    Pair("marginal_low", "marginal_high", ("rank",), _("rank set")),
    Pair("simultaneous_low", "simultaneous_high", ("rank",), _("simultaneous set")),
)


@dataclass(frozen=True, slots=True)
class Labels:
    """What a notebook knows of the survey it is about, so that tables without words are read.

    Attributes
    ----------
    kinds : dict of str to str
        "rate", "index" or "score" by measure.
    measures, areas, levels, items, margins : dict of str to Text
    """

    kinds: dict[str, str] = field(default_factory=dict)
    measures: dict[str, Text] = field(default_factory=dict)
    areas: dict[str, Text] = field(default_factory=dict)
    levels: dict[str, Text] = field(default_factory=dict)
    items: dict[str, Text] = field(default_factory=dict)
    margins: dict[str, Text] = field(default_factory=dict)

    def words_of(self, name: Any) -> Mapping[str, Text]:
        """Return what the codes of a column stand for."""
        places = self.items | self.levels
        of_the_survey = {
            "measure": self.measures,
            "topic": self.measures,
            "index": self.measures,
            "outcome": self.measures,
            "variable": self.items,
            "margin": self.margins,
            "margins": self.margins,
            "level": UNITS_CHECKED | places,
            "within": places,
        }
        return of_the_survey.get(name) or WORDS_OF_COLUMNS.get(name, {})


def survey_labels(survey: Survey) -> Labels:
    """Return the labels of a survey's measures and areas."""
    measures = measure_labels(survey.questionnaire)
    levels = [*survey.area_levels(), survey.whole()]
    return Labels(
        kinds={name: kind for name, (kind, _label) in measures.items()},
        measures={name: label for name, (_kind, label) in measures.items()},
        areas=dict(area_labels(survey)),
        levels={level: level_label(survey, level) for level in levels},
        items={name: item.text for name, item in survey.questionnaire.items.items()},
        margins=margin_labels(survey),
    )


def margin_labels(survey: Survey) -> dict[str, Text]:
    """Return what the declared margins are called: their variables, as the questionnaire says them."""
    return {
        name: in_crosses([level_label(survey, column) for column in margin.by])
        for name, margin in survey.declared.margins.items()
    }


def step_words(step: Any) -> Any:
    """Return a weighting step in words, its number before it; anything else as it stands.

    Examples
    --------
    >>> step_words("2 trimming").en
    '2 trimming'
    """
    number, _blank, kind = str(step).rpartition(" ")
    if kind not in STEPS:
        return step
    return Text(f"{number} {STEPS[kind].zh}".strip(), f"{number} {STEPS[kind].en}".strip())


IN_WORDS: dict[Any, Callable[[Any], Any]] = {"recipe": recipe_words, "step": step_words}
"""How names that the program puts together are said, by column."""


@dataclass(frozen=True, slots=True)
class ReadColumn:
    """One column as it is shown.

    Attributes
    ----------
    title : str
    below : str
        Under the title: the name in the code, the unit, or the ends of what is drawn.
    texts : list of str
    keys : list of str
        What the rows are sorted by.
    number : bool
        Numbers stand at the right, words at the left.
    """

    title: str
    below: str
    texts: list[str]
    keys: list[str]
    number: bool

    @property
    def long(self) -> bool:
        """Return whether any of its words need room."""
        return not self.number and any(len(text) > LONG for text in self.texts if text[:1] != "<")


class TableView:
    """A table that shows itself in a notebook.

    Attributes
    ----------
    html : str
    text : str
        For a console.
    """

    def __init__(self, html: str, text: str) -> None:
        self.html = html
        self.text = text

    def _repr_html_(self) -> str:
        return self.html

    def __repr__(self) -> str:
        return self.text


def view(
    table: pd.DataFrame,
    *,
    heading: Callable[[Any], Text | None],
    kind: str | None,
    labels: Labels,
) -> str:
    """Return a table as HTML, in the current language.

    Parameters
    ----------
    table : DataFrame
        With columns that are unique.
    heading : function
        From the name that a column is shown under to its title, if it has one.
    kind : {"rate", "score", "index"} or None
        What all estimates are; None: as columns of the table and `labels` say of each row.
    labels : Labels
    """
    chosen = chosen_columns(table)
    facts = _said_once(table, chosen, labels)
    rows = table.head(MOST_ROWS)
    groups = _groups(rows, _kinds(rows, kind, labels))
    areas = {} if "name" in chosen else labels.areas  # a name says what a code is
    pairs = {pair.low: pair for pair in PAIRS if {pair.low, pair.high} <= chosen.keys()}
    upper_limits = {pair.high for pair in pairs.values()}
    columns = []
    for name, source in chosen.items():
        if name in pairs:
            columns += _limits(rows, pairs[name], groups)
            continue
        if name in upper_limits:
            continue
        title = labels.levels.get(name) or heading(name)
        values = rows[source]
        if name in IN_WORDS:
            values = values.map(IN_WORDS[name])
        words = str(title or name)
        below = "" if words == str(name) else str(name)
        if pd.api.types.is_numeric_dtype(values) and not pd.api.types.is_bool_dtype(values):
            of_column = groups
            if title is not None and title == labels.measures.get(name) and name in labels.kinds:
                of_column = [_Group(labels.kinds[name], np.full(len(rows), True), 1, True)]
            texts = _figures(name, values, of_column)
            columns.append(ReadColumn(words, below, texts, _keys(_numbers(values)), number=True))
        else:
            words_of = labels.words_of(name)
            texts = [_in_words(value, words_of, areas) for value in values]
            columns.append(ReadColumn(words, below, texts, texts, number=False))
    about = {"facts": facts, "of": len(table), "most": MOST_ROWS, "shown": len(rows)}
    return fill("table_view.html", {"columns": columns} | about)


def _said_once(table: pd.DataFrame, chosen: dict[Any, Any], labels: Labels) -> list[str]:
    """Take columns that hold one value away from those that are shown, and return what stands above the table instead."""
    once = {name: table[chosen[name]].unique() for name in SAID_ONCE if name in chosen}
    once = {name: held for name, held in once.items() if len(held) == 1}
    facts = [
        str(mark_as_text(held[0])) for held in once.values() if pd.notna(held[0]) and held[0] != ""
    ]
    for name in once:
        del chosen[name]
    if len(table) > 1 and len(chosen) > 2 and "measure" in chosen and "recipe" not in chosen:
        held = table[chosen["measure"]].unique()
        if len(held) == 1:
            del chosen["measure"]
            facts.append(str(labels.measures.get(held[0], held[0])))
    if "unit" in chosen and table[chosen["unit"]].isin(UNITS).all():
        del chosen["unit"]
    return facts


def _kinds(rows: pd.DataFrame, kind: str | None, labels: Labels) -> pd.Series[Any]:
    """Return what the estimates of every row are: "rate", "index" or "score", as far as anything says so."""
    if kind is not None:
        return pd.Series(kind, index=rows.index)
    if "kind" in rows:
        return rows["kind"]
    if "unit" in rows and rows["unit"].isin(UNITS).all():
        return rows["unit"].map(dict(zip(UNITS, ("rate", "index"), strict=True)))
    if "measure" in rows:
        return rows["measure"].map(labels.kinds)
    return pd.Series("", index=rows.index)


def _groups(rows: pd.DataFrame, kinds: pd.Series[Any]) -> list[_Group]:
    """Part rows by the unit of their estimates; the digits are what their errors allow."""
    is_rate = kinds.eq("rate").to_numpy(bool)
    is_points = kinds.isin(["index", "score"]).to_numpy(bool)
    parts = {"rate": is_rate, "index": is_points, "": ~is_rate & ~is_points}
    errors = None
    if "se" in rows:
        errors = rows["se"]
    elif {"ci_low", "ci_high"} <= set(rows):
        errors = (rows["ci_high"] - rows["ci_low"]) / 4
    groups = []
    for name, inside in parts.items():
        digits = None
        if errors is not None:
            sizes = pd.to_numeric(errors[inside], errors="coerce").to_numpy(float)
            digits = figures.digits_of(sizes * figures.unit_of(name).scale)
        if inside.any():
            groups.append(_Group(name, inside, digits))
    return groups


@dataclass(frozen=True, slots=True)
class _Group:
    """Rows whose estimates share a unit and hence their digits.

    Attributes
    ----------
    kind : str
        "rate", "index", "score", or "" where nothing says.
    rows : ndarray of bool
    digits : int or None
        As their standard errors allow; None without any.
    of_column : bool
        Whether a whole column is one measure, under its name.
    """

    kind: str
    rows: np.ndarray
    digits: int | None
    of_column: bool = False

    @property
    def scale(self) -> int:
        return figures.unit_of(self.kind).scale

    def signs(self, name: str) -> str:
        """Return what stands behind a figure of a column."""
        unit = figures.unit_of(self.kind)
        return str(unit.of_change) if name in DIFFERENCES else unit.sign


def _in_unit_of_measure(name: Any) -> bool:
    declared = COLUMNS.get(name)
    return name in ESTIMATES or (declared is not None and declared.unit == SHARE_OR_POINTS)


def _in_words(value: Any, words_of: Mapping[str, Text], areas: Mapping[str, Text]) -> str:
    """Write what is no figure of a column of figures: a code in words, a fact as it is."""
    if isinstance(value, bool | np.bool_):
        text = str(YES_NO["yes" if value else "no"])
    elif isinstance(value, float) and np.isfinite(value):
        text = f"{value:.6g}"
    elif isinstance(value, str):
        text = str(as_text(value))
    elif pd.api.types.is_scalar(value) and pd.isna(value):
        text = ""
    else:
        text = str(value)
    parts = text.split(", ")
    if all(part in words_of for part in parts):
        return str(comma_list([words_of[part] for part in parts]))
    if text in areas:
        return f"{areas[text]} {text}"
    return text


def _numbers(values: pd.Series[Any]) -> np.ndarray:
    numbers: np.ndarray = values.to_numpy(float, na_value=np.nan)
    return numbers


def _keys(numbers: np.ndarray) -> list[str]:
    """Return what rows are sorted by; nothing where there is no number."""
    return ["" if np.isnan(number) else f"{number:.9g}" for number in numbers]


def _figures(name: Any, values: pd.Series[Any], groups: list[_Group]) -> list[str]:
    """Write figures: estimates with the digits of their error, p-values and probabilities as bounds where they are small."""
    plain = str(name)
    numbers = _numbers(values)
    if plain == "p" or plain.startswith("p_") or plain.endswith(("_p", "_pvalue")):
        return [figures.p_value(number) for number in numbers]
    if plain.startswith("probability"):
        return [figures.probability(number) for number in numbers]

    def written(form: Callable[[float], str]) -> list[str]:
        return [figures.ABSENT if np.isnan(number) else form(number) for number in numbers]

    if plain.startswith("share_") or plain.endswith("_share"):
        return [figures.percent(number) for number in numbers]
    is_measure = len(groups) == 1 and groups[0].of_column
    of_measure = is_measure or _in_unit_of_measure(name)
    if not of_measure or pd.api.types.is_integer_dtype(values):
        finite = numbers[~np.isnan(numbers)]
        if len(finite) and np.isfinite(finite).all() and (finite % 1 == 0).all():
            return written(figures.count)  # whole numbers that missing values made floating
        digits = DECIMALS.get(plain, figures.digits_of_size(numbers))
        # rounding may not leave less than a digit of a number that is not 0
        sizes = np.abs(numbers[np.isfinite(numbers) & (numbers != 0)])
        if plain not in DECIMALS and len(sizes) and sizes.min() * 10**digits < 1:
            return written("{:.4g}".format)
        return [_fixed(number, digits) for number in numbers]
    texts = [""] * len(numbers)
    for group in groups:
        scaled = numbers * group.scale
        by_size = figures.digits_of_size(scaled[group.rows])
        digits = by_size if group.digits is None else group.digits
        for at in np.flatnonzero(group.rows):
            sign = "" if np.isnan(scaled[at]) else group.signs(plain)
            texts[at] = _fixed(scaled[at], digits) + sign
    return texts


def _fixed(number: float, digits: int) -> str:
    if np.isnan(number):
        return figures.ABSENT
    if np.isinf(number):
        return str(_("unbounded"))
    return f"{round(number, digits) + 0.0:,.{digits}f}"


def _limits(table: pd.DataFrame, pair: Pair, groups: list[_Group]) -> list[ReadColumn]:
    """Write two limits as one column, and draw them in another where there is more than one row to look along."""
    low = _numbers(table[pair.low])
    high = _numbers(table[pair.high])
    center = np.full(len(low), np.nan)
    level = pair.low
    if names := [name for name in pair.centers if name in table]:
        center = _numbers(table[names[0]])
        level = "difference" if names[0] == "difference" else pair.low
    if not _in_unit_of_measure(pair.low):
        groups = [_Group("", np.full(len(low), True), 0)]
    beside_others = len(groups) > 1 and level == pair.low
    texts = [""] * len(low)
    drawn = [""] * len(low)
    ends = ""
    for group in groups:
        digits = group.digits or 0
        sign = group.signs(level)
        picked = np.flatnonzero(group.rows)
        limits = np.concatenate([low[picked], high[picked]])
        scale = _scale(limits, group.scale if beside_others and group.kind else None)
        ends = " … ".join(f"{end * group.scale:.{digits}f}" for end in scale) + sign
        for at in picked:
            size = abs(low[at]) + abs(high[at])
            if not np.isfinite(size):
                texts[at] = _fixed(size, digits)
                continue
            dash = " – " if low[at] < 0 else "–"
            written = [_fixed(limit * group.scale, digits) for limit in (low[at], high[at])]
            texts[at] = f"{dash.join(written)}{sign}"
            drawn[at] = _drawn([low[at], high[at], center[at]], scale)
    keys = _keys(low)
    columns = [ReadColumn(str(pair.title), f"{pair.low} – {pair.high}", texts, keys, number=True)]
    if len(low) > 1 and any(drawn):
        shared = len(groups) == 1 or groups[-1].kind != ""
        columns.append(ReadColumn("", ends if shared else "", drawn, keys, number=False))
    return columns


def _scale(limits: np.ndarray, of_hundred: int | None) -> tuple[float, float]:
    """Return the ends of what limits are drawn on: their own, or all there is where percentages and points are side by side."""
    if of_hundred is not None:
        return 0, 100 / of_hundred
    finite = limits[np.isfinite(limits)]
    if not len(finite):
        return np.nan, np.nan
    return finite.min(), finite.max()


def _drawn(interval: list[float], scale: tuple[float, float]) -> str:
    """Draw low, high and point of an interval on a scale; nothing where the scale has no length."""
    first, last = scale
    if not last > first:
        return ""

    def place(value: float) -> float:
        return round(4 + (TRACK - 8) * (value - first) / (last - first), 1)

    low, high, center = interval
    point = Markup("")
    if np.isfinite(center):
        point = Markup('<circle cx="{}" cy="7" r="3"/>').format(place(center))
    zero = Markup("")
    if first < 0 < last:
        zero = Markup('<path class="zero" d="M{} 0V14"/>').format(place(0))
    return Markup(
        '<svg width="{}" height="14" aria-hidden="true">{}<path d="M{} 7H{}"/>{}</svg>'
    ).format(TRACK, zero, place(low), place(high), point)
