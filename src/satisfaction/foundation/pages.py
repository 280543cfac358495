"""Filling the package's templates: on a page every value is escaped, and one that is missing is a fault.

Pages to PDF by a browser that is there, with Chinese glyphs whatever fonts the machine has.
"""

from __future__ import annotations

import contextlib
import functools
import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import jinja2
import pandas as pd
import pylopdf_fonts_zh_cn
from markupsafe import Markup
from tqdm import tqdm

from satisfaction.foundation.errors import ExportError
from satisfaction.foundation.figures import percent
from satisfaction.foundation.language import (
    Language,
    Text,
    _,
    comma_list,
    current,
    ngettext,
    pgettext,
    semicolon_list,
)


def fill(
    template: str,
    values: Mapping[str, object],
    *,
    filters: Mapping[str, Callable[..., Any]] | None = None,
) -> str:
    """Fill a template of the package in the current language: same values, same text.

    A template writes words by `_`, `ngettext` and `pgettext`, as the code does. It also reads `language`, the language of
    the page, and `across`, the same page in the other language (None where there is none).
    """
    environment = _environment()
    environment.filters.update(filters or {})
    shared = {"language": current() or "zh", "across": None}
    return environment.get_template(template).render({**shared, **values})


class OtherLanguage(NamedTuple):
    """The same page in the other language.

    Attributes
    ----------
    address : str
        Seen from the page.
    language : {"zh", "en"}
    follows : bool
        Whether the page at hand stands for both: it then goes to the language that the reader chose before.
    """

    address: str
    language: Language
    follows: bool


def page_name(name: str, language: Language, languages: Sequence[Language]) -> str:
    """Return the file name of a page in one of the languages it is written in; the first one has the plain name.

    >>> page_name("report.html", "zh", ("zh", "en")), page_name("report.html", "en", ("zh", "en"))
    ('report.html', 'report-en.html')
    """
    if language == languages[0]:
        return name
    path = Path(name)
    return str(path.with_stem(f"{path.stem}-{language}"))


def page_of(code: str) -> str:
    """Return the file name of an area's page; a code never leads out of the folder."""
    return re.sub(r"[^0-9A-Za-z-]", "_", code) + ".html"


def across(name: str, language: Language, languages: Sequence[Language]) -> OtherLanguage | None:
    """Return where the same page stands in the other language; None where it is written in one."""
    for other in languages:
        if other != language:
            address = page_name(name, other, languages)
            return OtherLanguage(address, other, follows=language == languages[0])
    return None


@functools.cache
def _environment() -> jinja2.Environment:
    loader = jinja2.PackageLoader("satisfaction.foundation", "templates")
    environment = jinja2.Environment(
        loader=loader,
        autoescape=jinja2.select_autoescape(disabled_extensions=("R", "txt"), default=True),
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {"css_text": css_text, "percent": percent}
    environment.globals |= {
        "_": _,
        "ngettext": ngettext,
        "pgettext": pgettext,
        "comma_list": comma_list,
        "semicolon_list": semicolon_list,
    }
    return environment


def css_text(text: str) -> Markup:
    """Return a text as a string of a style sheet, where HTML's escapes mean nothing."""
    escaped = re.sub(
        r"[^\w .,;:·()\u3010\u3011\uff08\uff09\uff0c\uff1b\u3001-]",
        lambda sign: f"\\{ord(sign[0]):x} ",
        str(text),
    )
    return Markup(f'"{escaped}"')


MOST_ROWS = 100  # of a table in a card: a card is for looking, not a substitute for the table
DIGITS = 5


def card(
    title: str,
    *,
    facts: Mapping[Text, object] | None = None,
    tables: Mapping[Text | str, pd.DataFrame] | None = None,
    mark: str = "",
    note: str = "",
) -> str:
    """Return how an object shows itself in a notebook: facts, tables (the first one open), everything escaped.

    Long tables are cut, and say so; figures have five significant digits. Where a notebook has said how it writes
    tables (`TABLE_WRITERS`), they are written so, and whole.
    """
    shown: dict[Text | str, Markup] = {}
    for name, table in (tables or {}).items():
        if not len(table):
            continue
        if TABLE_WRITERS:
            shown[name] = Markup(TABLE_WRITERS[-1](table))
            continue
        more = len(table) - MOST_ROWS
        heading: Text | str = name
        if more > 0:
            heading = ngettext("{name} ({n} more row)", "{name} ({n} more rows)", more, name=name)
        first_rows = table.head(MOST_ROWS)
        digits = f"{{:.{DIGITS}g}}".format
        html = first_rows.to_html(
            index=False, escape=True, border=0, na_rep="", float_format=digits
        )
        shown[heading] = Markup(html)
    known = {name: value for name, value in (facts or {}).items() if value not in (None, "", ())}
    values = {"title": title, "facts": known, "tables": shown, "mark": mark, "note": note}
    return fill("card.html", values)


TABLE_WRITERS: list[Callable[[pd.DataFrame], str]] = []
"""What writes the tables of cards instead, as escaped HTML; the last one does."""


NAMES = (
    "chromium",
    "chromium-browser",
    "google-chrome",
    "google-chrome-stable",
    "chrome",
    "msedge",
    "microsoft-edge",
)
PLACES = (
    r"C:\Program Files\Google\Chrome\Application\chrome.exe",
    r"C:\Program Files (x86)\Microsoft\Edge\Application\msedge.exe",
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
)
QUIET = (
    "--headless", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update",
    "--disable-sync", "--no-pdf-header-footer", "--virtual-time-budget=10000",
)  # fmt: skip
PATIENCE = 120  # seconds a page may take


def find_browser() -> str:
    """Return the browser that prints pages.

    Raises
    ------
    ExportError
        X141 where there is none.
    """
    for browser in (*map(shutil.which, NAMES), *filter(os.path.isfile, PLACES)):
        if browser:
            return browser
    raise ExportError(
        "X141",
        _("There is no browser to print PDF with."),
        where="--pdf",
        available=NAMES,
        hint=_(
            "Install Chromium, Chrome or Edge; or leave out --pdf and print the pages "
            "from a browser."
        ),
    )


def print_pages(browser: str, pages: Sequence[Path]) -> None:
    """Print each page to a .pdf beside it.

    Raises
    ------
    ExportError
        X142 names a page that was not printed.
    """
    with tempfile.TemporaryDirectory() as scratch:
        fonts = Path(scratch) / "data" / "fonts"
        fonts.mkdir(parents=True)
        shutil.copy(pylopdf_fonts_zh_cn.sans_path(), fonts)
        environment = os.environ | {"XDG_DATA_HOME": str(fonts.parent)}
        as_root = ["--no-sandbox"] if getattr(os, "geteuid", lambda: 1)() == 0 else []
        for page in tqdm(pages, desc="PDF", disable=None, leave=False):
            target = page.with_suffix(".pdf")
            command = [
                browser,
                *QUIET,
                *as_root,
                f"--user-data-dir={scratch}/profile",
                f"--print-to-pdf={target}",
                page.resolve().as_uri(),
            ]
            with contextlib.suppress(OSError, subprocess.TimeoutExpired):
                subprocess.run(
                    command, env=environment, timeout=PATIENCE, check=False, capture_output=True
                )
            if not target.is_file():
                raise ExportError(
                    "X142",
                    _("The browser did not print {name}.", name=page.name),
                    where=browser,
                    hint=_("Open the page in a browser and print it."),
                )
