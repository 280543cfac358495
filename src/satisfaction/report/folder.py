"""The pages of a wave as a folder: the report, one page an area in each language, an index, and PDF on request."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from pathlib import Path

from tqdm import tqdm

from ..io.files import dated_folder, refuse_existing
from ..io.pdf import find_browser, print_pages
from ..io.writing import write_text
from ..pipeline import Results, beside_folder
from ..published import tables_of
from .area_index import index_page, index_values
from .areas import LANGUAGES, Language, area_pages, source_of

INDEX = {"zh": "index.html", "en": "index-en.html"}


def write_report(
    results: Results,
    *,
    levels: list[str] | None = None,
    languages: tuple[Language, ...] = LANGUAGES,
    pdf: bool = False,
    folder: Path | None = None,
) -> Path:
    """Write the pages of a wave; returns the folder, <survey>/out/<time>-report/ unless one is given.

    report.html (both languages), index.html and index-en.html, zh/<code>.html and en/<code>.html; with `pdf` each of them as
    .pdf beside it. Same results, same bytes. The folder appears when everything is written.

    Parameters
    ----------
    results : Results
    levels : list of str, optional
        Levels of area that get pages; default all below the whole.
    languages : tuple of {"zh", "en"}
    pdf : bool
        Needs Chromium, Chrome or Edge.
    folder : Path, optional
        Must not exist.

    Raises
    ------
    ExportError
        X101 a folder that exists, X141 no browser for `pdf`, X142 a page that it could not print.
    """
    from . import render

    if folder is not None:
        refuse_existing(folder, code="X101")
    browser = find_browser() if pdf else None
    finished = datetime.datetime.now(datetime.UTC)
    first = results.survey.folder / "out" / f"{finished:%Y%m%dT%H%M%SZ}-report"
    results = beside_folder(results)
    published = tables_of(results)
    source = source_of(results, published)
    wanted = source.levels() if levels is None else levels
    count = sum(len(source.codes(name)) for name in wanted) * len(languages)
    with dated_folder(folder or first) as made:
        scratch = made.scratch
        write_text(render(results, published), scratch / "report.html")
        values = index_values(source)
        for language in languages:
            (scratch / language).mkdir()
            write_text(index_page(values, language), scratch / INDEX[language])
        pages = area_pages(source, levels=wanted, languages=languages)
        for name, text in tqdm(pages, desc="页面 pages", total=count, disable=None, leave=False):
            write_text(text, scratch / name)
        if browser is not None:
            print_pages(browser, list(_pages(scratch)))
    return made.target


def _pages(folder: Path) -> Iterator[Path]:
    yield from sorted(folder.rglob("*.html"))
