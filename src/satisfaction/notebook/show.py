"""How a notebook shows itself: its words in one language, tables that sort in the page, plots with Chinese glyphs; nothing from outside.

Notebooks of `notebooks/` are in Chinese, those of `notebooks/en/` in English. Their cells differ in prose and in the parameter
`language`; what the cells show in words goes through `words`, and `begin` says in which language.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from satisfaction.declarations.survey import Survey
from satisfaction.foundation.language import (
    LANGUAGES,
    Language,
    Text,
    _,
    as_text,
    current,
    pgettext,
)
from satisfaction.foundation.language import language as speak
from satisfaction.publication.columns import COLUMNS

if TYPE_CHECKING:
    import pandas as pd


UNKNOWN = _("**Not a probability sample, hence no sampling error: there is nothing to show here.**")
ABSENT = _("**Not declared**")
WORDS = "words"
"""What the columns `zh` and `en` are together."""
HEADINGS = {
    WORDS: _("in words"),
    "name": _("name"),
    "measure": _("measure"),
    "topic": pgettext("a heading", "topic"),
    "item": _("item"),
    "figure": _("figure"),
    "check": _("check"),
    "needs": _("needs"),
    "quadrant": _("quadrant"),
    "status": pgettext("a heading", "status"),
    "verdict": pgettext("a heading", "verdict"),
    "target": pgettext("a heading", "target"),
    "basis": pgettext("a heading", "basis"),
    "within": pgettext("a heading", "within"),
    "consequence": pgettext("a heading", "consequence"),
    "step": pgettext("a heading", "step"),
}
"""Titles of columns that hold words of one language, before those of the published tables."""


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
    import pandas as pd
    import seaborn as sns

    from satisfaction.publication.plots.canvas import theme

    shown: Any = IPython.display  # not typed

    speak(language)
    sns.set_theme(rc=theme())
    pd.set_option("display.max_colwidth", 140)
    sortable_tables()
    # no headings: the notebook's outline is that of its prose
    shown.display(shown.Markdown(f"**{survey.declared.title}**"))
    if survey.marks:
        shown.display(shown.Markdown(f"> **【{survey.marks}】**"))


def sortable_tables() -> None:
    """Let every table of a notebook be sorted and searched in the page, with the library inside the notebook.

    Tables are shown as `in_one_language` returns them.
    """
    import itables
    import pandas as pd
    from IPython.utils.capture import capture_output

    options: Any = itables.options
    frames: Any = pd.DataFrame
    captured: Any
    with capture_output() as captured:
        itables.init_notebook_mode(all_interactive=True, connected=False)
    # first the library, then what turns its tables dark with the page
    for output in reversed(captured.outputs):
        output.display()
    as_html = frames._repr_html_
    frames._repr_html_ = lambda table: as_html(in_one_language(table))
    options.language = table_words()
    options.maxBytes = 0  # whole tables: a table that is cut without a word misleads
    options.lengthMenu = [10, 25, 100]
    options.classes = "display compact"


def table_words() -> dict[str, object]:
    """Return what stands around a table, as DataTables names it."""
    rows = words("rows _START_ to _END_ of _TOTAL_")
    return {
        "search": words("search"),
        "lengthMenu": words("_MENU_ rows a page"),
        "info": rows,
        "infoEmpty": words("no rows"),
        "infoFiltered": words("(of _MAX_ rows)"),
        "zeroRecords": words("no row fits"),
        "emptyTable": words("no rows"),
        "paginate": {"first": "«", "previous": "‹", "next": "›", "last": "»"},
    }


def in_one_language(table: pd.DataFrame) -> pd.DataFrame:
    """Return a table for its reader: words in the current language, titles before the names of columns.

    Of `name_zh` and `name_en` one stays, as `name`; so it does of a code and its Chinese words, `status` and `status_zh`.
    """
    if not table.columns.is_unique or table.columns.nlevels > 1:
        return table
    chosen = _chosen_columns(table)
    narrow = table[list(chosen.values())].copy()
    for name in narrow.select_dtypes(["object", "string"]):
        narrow[name] = narrow[name].map(_spoken)
    return narrow.set_axis([_heading(name) for name in chosen], axis="columns")


def column_words(table: pd.DataFrame, name: str) -> pd.Series[str]:
    """Return the words of a table's column in the current language: `name` of name_zh and name_en."""
    column = _chosen_columns(table)[name]
    return table[column].rename(name)


def _chosen_columns(table: pd.DataFrame) -> dict[Any, Any]:
    """Return the columns to show, by the name without its language; figures stay beside words."""
    columns = list(table.columns)
    figures = set(table.select_dtypes("number").columns)
    chosen = {}
    for column in columns:
        name = _without_language(column)
        if name not in figures:
            chosen[name] = _in_language(name, columns)
        elif column == name:
            chosen[name] = name
        else:
            words_only = [other for other in columns if other != name]
            chosen[f"{name}, {WORDS}"] = _in_language(name, words_only)
    return chosen


def _spoken(cell: Any) -> Any:
    """Return what a cell shows: words in the current language, anything else as it is."""
    if isinstance(cell, Text):
        return str(cell)
    if isinstance(cell, str):
        return str(as_text(cell))
    return cell


def _without_language(column: Any) -> Any:
    if column in LANGUAGES:
        return WORDS
    if isinstance(column, str) and column.endswith(("_zh", "_en")):
        return column[: -len("_zh")]
    return column


def _in_language(name: Any, columns: list[Any]) -> Any:
    """Return the column that says a name in the current language; else the one there is."""
    if not isinstance(name, str):
        return name
    language = current() or "zh"
    other = "en" if language == "zh" else "zh"
    spoken = [f"{name}_{language}", name, f"{name}_{other}"]
    if name == WORDS:
        spoken = [language, name, other]
    return next(column for column in spoken if column in columns)


def _heading(name: Any) -> Any:
    """Return the title of a column with its name behind; the name alone where it has no title, or the same."""
    if not isinstance(name, str):
        return name
    title = HEADINGS.get(name)
    if title is None:
        title = COLUMNS[name].title if name in COLUMNS else Text(name)
    if str(title) == name:
        return name
    if name == WORDS:
        return str(title)
    return f"{title} ({name})"
