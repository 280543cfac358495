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
    area_labels,
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
ANSWERS = {"yes": _("yes"), "no": _("no")}
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
    "reason": REASONS,
    "method": VALUES,
    "source": VALUES,
    "significant": ANSWERS,
    "action": ACTIONS,
    "kind": KINDS,
    "status": STATUS,
    "verdict": VERDICT,
    "listed": ANSWERS,
    "reached": ANSWERS,
    "in_force": ANSWERS,
    "model_dependent": ANSWERS,
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
    labels = {}
    for name, margin in survey.declared.margins.items():
        variables = [level_label(survey, column) for column in margin.by]
        zh = " × ".join(variable.zh for variable in variables)
        en = " × ".join(variable.en for variable in variables)
        labels[name] = Text(zh, en)
    return labels


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
    facts = []
    for name in SAID_ONCE:
        if name not in chosen:
            continue
        held = table[chosen[name]].unique()
        if len(held) != 1:
            continue
        del chosen[name]
        value = held[0]
        if not pd.isna(value) and value != "":
            facts.append(str(mark_as_text(value)))
    if len(table) > 1 and len(chosen) > 2 and "measure" in chosen and "recipe" not in chosen:
        held = table[chosen["measure"]].unique()
        if len(held) == 1:
            del chosen["measure"]
            facts.append(str(labels.measures.get(held[0], held[0])))
    if "unit" in chosen and table[chosen["unit"]].isin(UNITS).all():
        del chosen["unit"]
    rows = table.head(MOST_ROWS)
    kinds = pd.Series(kind or "", index=range(len(rows)))
    if kind is None and "kind" in rows:
        kinds = rows["kind"].reset_index(drop=True)
    elif kind is None and "unit" in rows and rows["unit"].isin(UNITS).all():
        kinds = rows["unit"].map(dict(zip(UNITS, ("rate", "index"), strict=True)))
    elif kind is None and "measure" in rows:
        kinds = rows["measure"].map(labels.kinds)
    is_rate = kinds.eq("rate").to_numpy(bool)
    known = kinds.isin(["index", "score"]).to_numpy(bool)
    parts = {"rate": is_rate, "index": known, "": ~is_rate & ~known}
    groups = []
    for name, inside in parts.items():
        if not inside.any():
            continue
        part = rows[inside]
        digits = None
        if "se" in part or {"ci_low", "ci_high"} <= set(part):
            errors = part["se"] if "se" in part else (part["ci_high"] - part["ci_low"]) / 4
            sizes = pd.to_numeric(errors, errors="coerce").to_numpy(float)
            digits = figures.digits_of(sizes * figures.unit_of(name).scale)
        groups.append(_Group(name, inside, digits))
    areas = labels.areas
    if "name" in chosen:  # a code then needs no name behind it
        areas = {}
    pairs = {pair.low: pair for pair in PAIRS if {pair.low, pair.high} <= chosen.keys()}
    upper_limits = {pair.high for pair in pairs.values()}
    columns = []
    for name, source in chosen.items():
        if name in pairs:
            columns += _limits(rows, pairs[name], groups)
        elif name not in upper_limits:
            title = labels.levels.get(name) or heading(name)
            values = rows[source]
            if name in IN_WORDS:
                values = values.map(IN_WORDS[name])
            of_column = groups
            is_measure = title is not None and title == labels.measures.get(name)
            if is_measure and name in labels.kinds:
                all_rows = np.ones(len(rows), dtype=bool)
                of_column = [_Group(labels.kinds[name], all_rows, 1, of_column=True)]
            columns.append(_column(name, values, title, of_column, labels.words_of(name), areas))
    values = {"columns": columns, "facts": facts, "of": len(table), "most": MOST_ROWS}
    return fill("table_view.html", values | {"shown": len(rows)})


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


def _column(
    name: Any,
    values: pd.Series[Any],
    title: Text | None,
    groups: list[_Group],
    words_of: Mapping[str, Text],
    areas: Mapping[str, Text],
) -> ReadColumn:
    """Write a column of words or figures."""
    words = str(title or name)
    below = "" if words == str(name) else str(name)
    if not pd.api.types.is_numeric_dtype(values) or pd.api.types.is_bool_dtype(values):
        texts = []
        for value in values:
            text = ""
            if isinstance(value, bool | np.bool_):
                text = str(ANSWERS["yes" if value else "no"])
            elif isinstance(value, float) and np.isfinite(value):
                text = f"{value:.6g}"  # a fact beside others, not one of a column of figures
            elif isinstance(value, Text):
                text = str(value)
            elif isinstance(value, str):
                text = str(as_text(value))
            elif not (pd.api.types.is_scalar(value) and pd.isna(value)):
                text = str(value)
            parts = text.split(", ")
            if all(part in words_of for part in parts):
                text = str(comma_list([words_of[part] for part in parts]))
            elif text in areas:
                text = f"{areas[text]} {text}"
            texts.append(text)
        return ReadColumn(words, below, texts, texts, number=False)
    numbers = _numbers(values)
    texts = _figures(name, values, numbers, groups)
    return ReadColumn(words, below, texts, _keys(numbers), number=True)


def _numbers(values: pd.Series[Any]) -> np.ndarray:
    numbers: np.ndarray = values.to_numpy(float, na_value=np.nan)
    return numbers


def _keys(numbers: np.ndarray) -> list[str]:
    """Return what rows are sorted by; nothing where there is no number."""
    return ["" if np.isnan(number) else f"{number:.9g}" for number in numbers]


def _figures(
    name: Any, values: pd.Series[Any], numbers: np.ndarray, groups: list[_Group]
) -> list[str]:
    """Write figures: estimates with the digits of their error, p-values and probabilities as bounds where they are small."""
    plain = str(name)
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
    names = [name for name in pair.centers if name in table]
    if names:
        center = _numbers(table[names[0]])
    of_measure = _in_unit_of_measure(pair.low)
    level = "difference" if names[:1] == ["difference"] else pair.low
    texts = [""] * len(low)
    drawn = [""] * len(low)
    ends = []
    if not of_measure:
        groups = [_Group("", np.ones(len(low), dtype=bool), 0)]
    for group in groups:
        digits = group.digits or 0
        scale = group.scale
        sign = group.signs(level)
        picked = np.flatnonzero(group.rows)
        finite = np.concatenate([low[picked], high[picked]])
        finite = finite[np.isfinite(finite)]
        first = finite.min(initial=np.inf)
        last = finite.max(initial=-np.inf)
        if len(groups) > 1 and group.kind and level == pair.low:
            # percentages and points side by side: both from 0 to 100
            first = 0
            last = 100 / scale
        elif not len(finite):
            first = last = np.nan
        ends.append(f"{first * scale:.{digits}f} … {last * scale:.{digits}f}{sign}")
        for at in picked:
            if np.isnan(low[at]) or np.isnan(high[at]):
                texts[at] = figures.ABSENT
            elif np.isinf(low[at]) or np.isinf(high[at]):
                texts[at] = str(_("unbounded"))
            else:
                dash = " – " if low[at] < 0 else "–"
                limits = [_fixed(limit * scale, digits) for limit in (low[at], high[at])]
                texts[at] = f"{dash.join(limits)}{sign}"
                drawn[at] = _drawn(low[at], high[at], center[at], first, last)
    keys = _keys(low)
    columns = [ReadColumn(str(pair.title), f"{pair.low} – {pair.high}", texts, keys, number=True)]
    if len(low) > 1 and any(drawn):
        shared = len(groups) == 1 or groups[-1].kind != ""
        columns.append(ReadColumn("", ends[-1] if shared else "", drawn, keys, number=False))
    return columns


def _drawn(low: float, high: float, center: float, first: float, last: float) -> str:
    """Draw an interval on the common scale, with its point."""
    if not last > first:
        return ""

    def place(value: float) -> float:
        return round(4 + (TRACK - 8) * (value - first) / (last - first), 1)

    point = Markup("")
    if np.isfinite(center):
        point = Markup('<circle cx="{}" cy="7" r="3"/>').format(place(center))
    zero = Markup("")
    if first < 0 < last:
        zero = Markup('<path class="zero" d="M{} 0V14"/>').format(place(0))
    return Markup(
        '<svg width="{}" height="14" aria-hidden="true">{}<path d="M{} 7H{}"/>{}</svg>'
    ).format(TRACK, zero, place(low), place(high), point)
