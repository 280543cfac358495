"""How a notebook shows itself: its words in one language, tables that are read, searched and sorted in the page, plots with Chinese glyphs; nothing from outside.

Notebooks of `notebooks/` are in Chinese, those of `notebooks/en/` in English. Their cells differ in prose and in the parameter
`language`; what the cells show in words goes through `words`, and `begin` says in which language.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import pandas as pd

from satisfaction.declarations.survey import Survey
from satisfaction.foundation.language import Language, Text, _, current, use
from satisfaction.foundation.language import language as speak
from satisfaction.foundation.pages import TABLE_WRITERS
from satisfaction.notebook.table_view import Labels, TableView, survey_labels, view
from satisfaction.publication.headings import (
    HEADINGS,
    column_words,
    in_one_language,
    title_of,
)

__all__ = [
    "begin",
    "column_words",
    "in_one_language",
    "in_project",
    "known",
    "readable_tables",
    "show",
    "words",
]


UNKNOWN = _("**Not a probability sample, hence no sampling error: there is nothing to show here.**")
ABSENT = _("**Not declared**")
TITLES = {
    # tests
    "t": _("t statistic"),
    "maxt_error": _("simulation error of the p of max-t"),
    "maxt_fragile": _("p of max-t within its simulation error of the limit"),
    "rest": _("all others together"),
    "independent": _("share under independence"),
    "p_holm: design": _("p by the design, adjusted by Holm"),
    "p_holm: pingouin": _("p of the textbook (pingouin), adjusted by Holm"),
    "difference (whole)": _("difference from the rest of the whole"),
    "p_holm (whole)": _("its p, adjusted by Holm"),
    "plain": _("estimate without weights and design"),
    "se plain": _("its standard error without the design"),
    "se / se plain": _("standard errors, with / without the design"),
    # reliability and interviewers
    "z": _("z"),
    "pingouin: alpha": _("alpha of the textbook (pingouin)"),
    "pingouin: low": _("its lower limit"),
    "pingouin: high": _("its upper limit"),
    "weighted alpha": _("weighted alpha"),
    "design: low": _("weighted alpha, lower limit"),
    "design: high": _("weighted alpha, upper limit"),
    "width, design / pingouin": _("width of the limits, design / textbook"),
    "sd": _("standard deviation"),
    "weighted_sd": _("weighted standard deviation"),
    "f": _("F statistic"),
    # change
    "later": _("later wave"),
    "earlier": _("earlier wave"),
    "se ignoring": _("standard error as if no PSU were shared"),
    "se ignoring / se": _("standard errors, no PSU shared / as they are"),
    "raw_order": _("order by places gained"),
    "shrunk_order": _("order by shrunk change"),
    # weighting
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


def known(table: pd.DataFrame, columns: Iterable[str]) -> list[str]:
    """Return those of the columns in which anything stands: a sample without probability has no errors to head a column."""
    return [name for name in columns if table[name].notna().any()]


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
        shown.display(shown.Markdown(f"> **【{survey.marks}】**"))


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
    >>> "61.2 %" in shown.html, "&lt; 0.001" in shown.html
    (True, True)
    """
    frame = table.to_frame() if isinstance(table, pd.Series) else table
    plain = _with_plain_columns(_with_index(frame))
    beside = _beside(plain)
    html = _plain_html(plain, beside, kind)
    return TableView(html, repr(in_one_language(frame, HEADINGS | beside)))


def as_html(table: pd.DataFrame) -> str:
    """Return a table as `show` shows it in a page."""
    plain = _with_plain_columns(_with_index(table))
    return _plain_html(plain, _beside(plain), kind=None)


def _plain_html(table: pd.DataFrame, beside: dict[str, Text], kind: str | None) -> str:
    with use(current() or "zh"):
        heading = partial(_title_of, beside=beside)
        return view(table, heading=heading, kind=kind, labels=_LABELS[-1])


def _beside(table: pd.DataFrame) -> dict[str, Text]:
    """Return the titles of columns that mean something of their own in a table like this."""
    return next((titles for name, titles in BESIDE.items() if name in table), {})


def _title_of(name: Any, *, beside: dict[str, Text]) -> Text | None:
    """Return the title of a column: of this table, of a published one, of an analysis, or an item of the survey."""
    labels = _LABELS[-1]
    return (
        title_of(name, HEADINGS | beside)
        or TITLES.get(name)
        or labels.measures.get(name)
        or labels.items.get(name)
    )


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
