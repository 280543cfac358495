"""How a notebook shows itself: language of its prose, tables that sort in the page, plots with Chinese glyphs; nothing from outside.

The notebooks' prose stands in both languages, each in a block with its `lang`; the English one is hidden. `begin` shows the
chosen one, in JupyterLab and in an exported page alike.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from satisfaction.declarations.survey import Survey
from satisfaction.foundation.errors import ExportError, one_of
from satisfaction.foundation.language import _, set_language

if TYPE_CHECKING:
    import pandas as pd


Language: TypeAlias = Literal["zh", "en"]
UNKNOWN = _("**Not a probability sample, hence no sampling error: there is nothing to show here.**")
TABLE_WORDS = {
    "zh": {
        "search": "查找", "lengthMenu": "每页 _MENU_ 行", "info": "第 _START_ 至 _END_ 行，共 _TOTAL_ 行", "infoEmpty": "没有数据",
        "infoFiltered": "（共 _MAX_ 行）", "zeroRecords": "没有符合的行", "emptyTable": "没有数据",
        "paginate": {"first": "«", "previous": "‹", "next": "›", "last": "»"},
    },
    "en": {},
}  # fmt: skip


def known(table: pd.DataFrame, columns: Iterable[str]) -> list[str]:
    """Return those of the columns in which anything stands: a sample without probability has no errors to head a column."""
    return [name for name in columns if table[name].notna().any()]


def begin(survey: Survey, *, language: Language = "zh") -> None:
    """Set a notebook up: language, tables, plots; then its title, and what must be said of the sample.

    Parameters
    ----------
    survey : Survey
    language : {"zh", "en"}
        Of the prose, the pictures and the tables' own words; figures are the same.

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

    one_of(language, get_args(Language), argument="language", error=ExportError, code="X151")
    set_language(language)
    sns.set_theme(rc=theme())
    pd.set_option("display.max_colwidth", 140)
    shown.display(shown.HTML(language_style(language)))
    sortable_tables(language)
    shown.display(shown.Markdown(f"## {survey.declared.title}"))
    if survey.marks:
        shown.display(shown.Markdown(f"> ## 【{survey.marks}】"))


CELL = ".jp-RenderedMarkdown"
STYLES = {
    # an exported page closes the blocks before their content: what follows the English one is English all the same
    "zh": f"{CELL} div[lang=en], {CELL} div[lang=en] ~ * {{ display: none !important; }}",
    "en": f"{CELL} > :has(~ div[lang=en]) {{ display: none !important; }} {CELL} div[lang=en] {{ display: block !important; }}",
}


def language_style(language: Language) -> str:
    """Return the style that shows the blocks of one language and hides those of the other."""
    return f"<style>{STYLES[language]}</style>"


def sortable_tables(language: Language) -> None:
    """Let every table of a notebook be sorted and searched in the page, with the library inside the notebook."""
    import itables
    from IPython.utils.capture import capture_output

    options: Any = itables.options
    made: Any
    with capture_output() as made:
        itables.init_notebook_mode(all_interactive=True, connected=False)
    for output in reversed(
        made.outputs
    ):  # first the library, then what turns its tables dark with the page
        output.display()
    options.language = TABLE_WORDS[language]
    options.maxBytes = 0  # whole tables: a table that is cut without a word misleads
    options.lengthMenu = [10, 25, 100]
    options.classes = "display compact"
