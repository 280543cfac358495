"""How a notebook shows itself: its words in one language, tables that are read, searched and sorted in the page, plots with Chinese glyphs; nothing from outside.

Notebooks of `notebooks/` are in Chinese, those of `notebooks/en/` in English. Their cells differ in prose and in the parameter
`language`; what the cells show in words goes through `words`, and `begin` says in which language.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from satisfaction.declarations.survey import Survey
from satisfaction.foundation.conventions import conventions_table
from satisfaction.foundation.errors import ExportError
from satisfaction.foundation.language import Language, Text, _, current, pgettext, use
from satisfaction.foundation.language import language as speak
from satisfaction.foundation.pages import TABLE_WRITERS
from satisfaction.notebook.table_view import Labels, TableView, survey_labels, view
from satisfaction.publication.headings import (
    HEADINGS,
    column_words,
    in_one_language,
    title_of,
)
from satisfaction.publication.plots.canvas import svg

__all__ = [
    "begin",
    "column_words",
    "facts",
    "in_one_language",
    "in_project",
    "pick",
    "present",
    "readable_tables",
    "show",
    "words",
]


SPREAD = {0: _("smallest"), 0.25: _("lower quarter"), 0.5: _("median"), 0.75: _("upper quarter"), 1: _("largest")}  # fmt: skip
SPREAD_NAME = "spread"
UNKNOWN = _("**Not a probability sample, hence no sampling error: there is nothing to show here.**")
ABSENT = _("**Not declared**")
SHOWN = HEADINGS | {
    "measure": pgettext("a heading", "measure"),
    "source": pgettext("a heading", "source"),
    "p_holm": _("p, adjusted by Holm"),
    "p_bh": _("p, adjusted by Benjamini-Hochberg"),
}
"""Titles of tables that are shown: of the published ones, but where two columns would be called the same."""
TITLES = {
    # facts beside one another
    "largest": _("the largest"),
    "q0": _("smallest"),
    "q25": Text("25%"),
    "q50": _("median"),
    "q75": Text("75%"),
    "q99": Text("99%"),
    "q100": _("largest"),
    "names": _("names"),
    # fieldwork
    "figure, words": _("what the figure says"),
    "id": _("number of the respondent"),
    "rules": _("rules broken"),
    "answered": _("answered"),
    "flag": _("flagged"),
    "cells": _("quota cells flagged"),
    "interviews_share": _("share of interviews flagged"),
    "further": _("further flags"),
    "dont_know": _("don't know"),
    "not_applicable": _("not applicable"),
    "refused": _("refused"),
    "no_answer": _("no answer"),
    "share_answered": _("share answered"),
    "share_dont_know": _("share don't know"),
    "share_not_applicable": _("share not applicable"),
    "share_refused": _("share refused"),
    "share_no_answer": _("share without an answer"),
    # ranking
    "gap": _("distance from the nearest area on the other side"),
    "spread": _("spread"),
    "number": _("grades"),
    "promised": _("share of wrong orders allowed"),
    "wrong": _("expected share of wrong orders"),
    "ordered": _("pairs put in order"),
    "pairs": _("pairs"),
    "price": _("what a right order is worth, in wrong ones"),
    "date": _("date"),
    # tests
    "per_place": _("interviewers a place"),
    "several": _("share with several"),
    "answers": _("answers"),
    "answer": _("answer"),
    "rho_without": _("intraclass correlation without this group"),
    "index": _("index"),
    "pingouin": _("by pingouin"),
    "here": _("here"),
    "maxt_error": _("simulation error of the p of max-t"),
    "maxt_fragile": _("p of max-t within its simulation error of the limit"),
    "rest": _("all others together"),
    "independent": _("share under independence"),
    "p_holm: design": _("p by the design, adjusted by Holm"),
    "p_holm: pingouin": _("p of the textbook (pingouin), adjusted by Holm"),
    # reliability and interviewers
    "z": _("z"),
    "sd": _("standard deviation"),
    "weighted_sd": _("weighted standard deviation"),
    # change
    "raw_order": _("order by places gained"),
    "shrunk_order": _("order by shrunk change"),
    # weighting
    "rake / linearized": _("standard errors, R's rake / linearized"),
    "margin": _("margin"),
    "margins": _("margins"),
    "tolerance": _("tolerance"),
    "multiply": _("multiplied by"),
    "divide": _("divided by"),
    "high / median": _("largest weight over the median"),
    "sum": _("sum of weights"),
    "sum, all sampled": _("sum, all sampled"),
    "sum, respondents": _("sum, respondents"),
    "kish_deff": _("design effect of the weights alone (Kish)"),
    "entering / target": _("sum entering over the population"),
    "after / target": _("sum leaving over the population"),
    "margins_missed": _("largest miss of a margin"),
    "difference / se": _("difference, in standard errors"),
    "se ratio": _("standard errors, after / before"),
    "times average": _("times the average share"),
    "_file": _("file"),
    "_row": _("row"),
    "steps": _("weighting steps"),
    "largest_shift": _("largest shift of an area, in standard errors"),
    "areas_moved": _("areas whose rank changes"),
    "entered": _("enter the list"),
    "left": _("leave the list"),
    "shift": _("shift"),
    "shift_in_se": _("shift, in standard errors"),
    "rank_shift": _("places down"),
    "linearized": _("standard error, linearized"),
    "rake": _("standard error, by R's rake"),
    "jkn": _("standard error, by jackknife"),
    "jkn / linearized": _("standard errors, jackknife / linearized"),
    "linearized: estimate": _("estimate"),
    "linearized: se": _("standard error, linearized"),
    "textbook: estimate": _("estimate of the textbook"),
    "textbook: se": _("standard error of the textbook"),
    "linearized / textbook": _("standard errors, linearized / textbook"),
    # plan
    "psus_now": _("PSUs of this wave"),
}
"""Titles of columns that stand in tables of analyses alone: tests, change between waves, plans."""
BESIDE: dict[str, dict[str, Text]] = {
    "q50": {"q1": Text("1%")},
    "promised": {"gap": _("loss beyond the best grading, at most")},
    "per_place": {"places": _("places"), "level": _("kind of place")},
    "asked": {"asked": _("asked")},
    "entering": {
        "step": _("weighting step"),
        "entering": _("sum of weights entering it"),
        "after": _("sum of weights leaving it"),
        "target": _("population"),
    },
    "areas_moved": {
        "low": _("smallest weight over the mean"),
        "high": _("largest weight over the mean"),
        "shift": _("shift, in standard errors"),
    },
    "recipe": {
        "low": _("smallest weight over the mean"),
        "high": _("largest weight over the mean"),
    },
    "kish_deff": {"low": _("smallest weight"), "high": _("largest weight")},
    "times average": {"weight": _("final weight")},
}
"""Titles of columns that mean something else elsewhere, by a column that stands beside them; the first that is there."""


def words(message: str, **values: object) -> str:
    """Return words of a notebook in its language; the English stands in the cell, the Chinese in the catalogue."""
    return str(_(message, **values))


def pick(table: pd.DataFrame, names: str) -> pd.DataFrame:
    """Return columns of a table, named in one line; `name` brings `name_zh` and `name_en` along.

    Parameters
    ----------
    table : DataFrame
    names : str
        Names of columns, blanks between them.

    Raises
    ------
    ExportError
        X153 for a name that is no column.

    Examples
    --------
    >>> table = pd.DataFrame({"name_zh": ["县"], "name_en": ["County"], "rank": [1], "se": [2.0]})
    >>> list(pick(table, "rank name"))
    ['rank', 'name_zh', 'name_en']
    """
    columns: list[str] = []
    for name in names.split() if len(table.columns) else ():
        of_name = [name, f"{name}_zh", f"{name}_en"]
        held = [column for column in of_name if column in table.columns]
        if not held:
            raise ExportError(
                "X153",
                _("The table has no column '{name}'.", name=name),
                where="pick",
                available=list(map(str, table.columns)),
                got=name,
                hint=_("Name columns of the table, with blanks between them."),
            )
        columns += held
    return table[columns]


def known(table: pd.DataFrame, columns: Iterable[Any]) -> list[Any]:
    """Return those of the columns in which anything stands: a sample without probability has no errors to head a column."""
    is_known = table.notna() & (table.astype(object) != "")
    return [name for name in columns if bool(is_known[name].any())]


def spread(table: pd.DataFrame, names: str) -> pd.DataFrame:
    """Return the smallest, the middle and the largest of columns, one row each.

    Parameters
    ----------
    table : DataFrame
    names : str
        Of columns with numbers, blanks between them.
    """
    chosen = pick(table, names)
    rows = chosen.quantile(list(SPREAD))
    rows.insert(0, SPREAD_NAME, [str(words_of) for words_of in SPREAD.values()])
    return rows.reset_index(drop=True)


def facts_by(named: Mapping[str, Mapping[str, Any]]) -> pd.DataFrame:
    """Return facts of several things side by side, one column each; those that hold for all alike stand once.

    Parameters
    ----------
    named : mapping
        By what they are facts of (a level of areas), as `facts` takes them.
    """
    every = {name: facts(of_one) for name, of_one in named.items()}
    first = next(iter(every.values()))
    if all(table.equals(first) for table in every.values()):
        return first
    convention, value = first.columns
    columns = [table.set_index(convention)[value].rename(name) for name, table in every.items()]
    return pd.concat(columns, axis="columns").fillna("").reset_index()


def facts(named: Mapping[str, Any], names: str = "") -> pd.DataFrame:
    """Return facts and conventions as a table in words, one row each.

    Parameters
    ----------
    named : mapping
        What is said, by its name in the code.
    names : str, optional
        Which of them, blanks between; default all. Those without a value are left out.
    """
    labels = _LABELS[-1]
    said = {}
    for name in names.split() or list(named):
        if name in named and named[name] is not None:
            said[name] = _in_words(named[name], labels.items | labels.levels | labels.measures)
    with use(current() or "zh"):
        return conventions_table(said)


def _in_words(value: Any, words_of: Mapping[str, Text]) -> Any:
    """Return a fact with names of measures, items and levels in words."""
    if isinstance(value, Text):  # which is a pair, too
        return value
    if isinstance(value, str):
        return words_of.get(value, value)
    if isinstance(value, list | tuple):
        return [_in_words(one, words_of) for one in value]
    if isinstance(value, Mapping):
        said = {}
        for name, one in value.items():
            variables = [str(words_of.get(part, part)) for part in str(name).split("+")]
            said[" × ".join(variables)] = one
        return said
    return value


def present(*shown: object, otherwise: Text | str = ABSENT) -> None:
    """Show tables, pictures and words, one below the other; where there is nothing to show, say why.

    Parameters
    ----------
    *shown : DataFrame, Figure, Text, str or None
        Of a table, columns in which nothing stands are left out; a table without rows is not shown.
    otherwise : Text or str
        What is said instead.
    """
    import IPython.display

    display: Any = IPython.display  # not typed
    is_told = False
    for one in shown:
        if one is None or (isinstance(one, pd.DataFrame | str) and len(one) == 0):
            continue
        is_told = True
        if isinstance(one, pd.DataFrame):
            display.display(one[known(one, one.columns)])
        elif isinstance(one, Figure):
            display.display(display.SVG(svg(one)))
        elif isinstance(one, Text | str):
            display.display(display.Markdown(str(one)))
        else:
            display.display(one)
    if not is_told and str(otherwise):
        display.display(display.Markdown(str(otherwise)))


def in_project(path: str | Path) -> Path:
    """Return a file or folder that is named from here, or from any folder above: surveys/guizhou-2026q3."""
    named = Path(path)
    here = Path.cwd()
    for folder in (here, *here.parents):
        if (folder / named).exists():
            return folder / named
    return named


def begin(survey: Survey, *, language: Language = "zh") -> None:
    """Set a notebook up: language, tables, plots; then its title, and what must be said of the sample.

    Parameters
    ----------
    survey : Survey
    language : {"zh", "en"}
        Of everything that is shown in words from now on; figures and files are the same in both.

    Raises
    ------
    ExportError
        X151 for another language.
    """
    import IPython.display
    import seaborn as sns

    from satisfaction.publication.plots.canvas import theme

    shown: Any = IPython.display  # not typed

    speak(language)
    sns.set_theme(rc=theme())
    pd.set_option("display.max_colwidth", 140)
    readable_tables(survey)
    # no headings: the notebook's outline is that of its prose
    shown.display(shown.Markdown(f"**{survey.declared.title}**"))
    if survey.marks:
        mark = _("[{mark}]", mark=survey.marks)
        shown.display(shown.Markdown(f"> **{mark}**"))


def show(table: pd.DataFrame | pd.Series[Any], *, kind: str | None = None) -> TableView:
    """Show a table as a person reads it.

    Words are in the notebook's language and stand at the left; estimates have their unit and the digits that their
    standard errors allow; a small p-value is a bound; limits stand together and are drawn in the row. The whole table
    can be searched, and sorted by its headings; without scripts it stands there as it is.

    Parameters
    ----------
    table : DataFrame or Series
        An index without a name, numbered, is not shown.
    kind : {"rate", "score", "index"}, optional
        What its estimates are: a share 0-1 is then written as a percentage. Default: what the table's columns `kind`,
        `unit` or `measure` say of each row.

    Returns
    -------
    TableView
        Shows itself as the last line of a cell, or by `display`.

    Examples
    --------
    >>> table = pd.DataFrame({"estimate": [0.61234], "se": [0.0123], "p": [1e-9]})
    >>> shown = sat.show(table, kind="rate")
    >>> "61.2%" in shown.html, "&lt; 0.001" in shown.html
    (True, True)
    """
    frame = table.to_frame() if isinstance(table, pd.Series) else table
    beside = _beside(_with_plain_columns(_with_index(frame)))
    return TableView(as_html(frame, kind), repr(in_one_language(frame, SHOWN | beside)))


def as_html(table: pd.DataFrame, kind: str | None = None) -> str:
    """Return a table as `show` shows it in a page."""
    plain = _with_plain_columns(_with_index(table))
    titles = SHOWN | _beside(plain)
    labels = _LABELS[-1]

    def heading(name: Any) -> Text | None:
        """Return the title of a column: of this table, of a published one, of an analysis, or an item of the survey."""
        of_the_survey = labels.measures.get(name) or labels.items.get(name)
        return title_of(name, titles) or TITLES.get(name) or of_the_survey

    with use(current() or "zh"):
        return view(plain, heading=heading, kind=kind, labels=labels)


def _beside(table: pd.DataFrame) -> dict[str, Text]:
    """Return the titles of columns that mean something of their own in a table like this."""
    return next((titles for name, titles in BESIDE.items() if name in table), {})


_LABELS = [Labels()]
"""Of the survey that the notebook is about, the last one."""


def readable_tables(survey: Survey) -> None:
    """Let every table of a notebook, and of the cards in it, show itself as `show` writes it."""
    _LABELS.append(survey_labels(survey))
    TABLE_WRITERS.append(as_html)
    frames: Any = pd.DataFrame
    frames._repr_html_ = as_html


@contextmanager
def readable_cards(survey: Survey) -> Iterator[None]:
    """Let the cards that are made inside a block show their tables as `show` writes them."""
    _LABELS.append(survey_labels(survey))
    TABLE_WRITERS.append(as_html)
    try:
        yield
    finally:
        _LABELS.pop()
        TABLE_WRITERS.pop()


def _with_index(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table with its index as columns, unless it only numbers the rows."""
    index = table.index
    named = any(name is not None for name in index.names)
    if not named and pd.api.types.is_integer_dtype(index):
        return table.reset_index(drop=True)
    beside = pd.DataFrame(index=pd.RangeIndex(len(table)))
    for at, name in enumerate(index.names):
        if name not in table.columns:
            beside["" if name is None else name] = index.get_level_values(at)
    return pd.concat([beside, table.reset_index(drop=True)], axis="columns")


def _with_plain_columns(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table whose columns have one name each: levels joined, repeated names numbered."""
    levelled = any(isinstance(column, tuple) for column in table.columns)
    if table.columns.is_unique and not levelled:
        return table
    names: list[str] = []
    for column in table.columns:
        parts = column if isinstance(column, tuple) else (column,)
        name = " · ".join(str(part) for part in parts if part != "")
        repeated = sum(other == name or other.startswith(f"{name} #") for other in names)
        names.append(f"{name} #{repeated + 1}" if repeated else name)
    return table.set_axis(names, axis="columns")
