"""How a notebook shows itself: its words in one language, tables that sort in the page, plots with Chinese glyphs; nothing from outside.

Notebooks of `notebooks/` are in Chinese, those of `notebooks/en/` in English. Their cells differ in prose and in the parameter
`language`; what the cells show in words goes through `words`, and `begin` says in which language.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from satisfaction.declarations.survey import Survey
from satisfaction.foundation.language import Language, _
from satisfaction.foundation.language import language as speak
from satisfaction.publication.headings import column_words, in_one_language

if TYPE_CHECKING:
    import pandas as pd

__all__ = [
    "begin",
    "column_words",
    "in_one_language",
    "in_project",
    "known",
    "sortable_tables",
    "table_words",
    "words",
]


UNKNOWN = _("**Not a probability sample, hence no sampling error: there is nothing to show here.**")
ABSENT = _("**Not declared**")


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
