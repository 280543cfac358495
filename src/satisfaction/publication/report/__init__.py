"""The report of one wave: one HTML page that needs nothing beside it, Chinese first, English beside it.

`render` gathers what the page says, `tables` and `verdicts` cut the published tables into rows, `method` lists what was declared, `words`
holds labels and number formats. What it looks like stands in templates/report.html.

The pages of a wave as a folder: the report, one page an area in each language, an index, and PDF on request.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Iterator
from pathlib import Path

from tqdm import tqdm

from satisfaction.collection.account import unanswered_areas
from satisfaction.foundation.files import dated_folder, refuse_existing
from satisfaction.foundation.pages import fill, find_browser, print_pages
from satisfaction.foundation.tables import write_text
from satisfaction.pipeline import Results, beside_folder
from satisfaction.publication import plots
from satisfaction.publication.report import method, tables, words
from satisfaction.publication.report import tables as verdicts
from satisfaction.publication.report.areas import (
    LANGUAGES,
    Language,
    area_pages,
    index_page,
    index_values,
    source_of,
)
from satisfaction.publication.report.words import Picture, picture
from satisfaction.publication.tables import Tables, tables_of


def render(results: Results, published: Tables) -> str:
    """Write the report of a wave.

    Parameters
    ----------
    results : Results
    published : Tables
        As `tables_of` returns them for these results.

    Returns
    -------
    str
        A self-contained HTML page: same results, same text; no clock, no outside host.
    """
    survey, summary = results.survey, results.ranking.summary
    indices, ranking = published.indices, published.ranking
    scale = words.scale(indices, ranking)
    values = {
        "survey": survey,
        "declared": survey.declared,
        "marks": survey.marks,
        "proven": summary["selection"] == "probability",
        "confidence": words.level(survey.declared.level),
        "counts": results.responses.summary[["rows", "accepted", "rejected", "blanked"]]
        .sum()
        .map(words.count),
        "whole": tables.headline(indices),
        "size": int(summary["bottom"]),
        "side": words.SIDES[summary["side"]],
        "listed": tables.ranked_rows(ranking[ranking["listed"] != "no"], scale),
        "ranked": tables.ranked_rows(ranking, scale),
        "targets": verdicts.target_rows(published.targets),
        "thresholds": verdicts.threshold_rows(published.thresholds),
        "escalation": verdicts.escalation_rows(published.escalation),
        "within": verdicts.within_tables(survey, published.within, scale),
        "statement": published.statement,
        "near": tables.records(published.near_cut),
        "sentences": tables.records(published.sentences),
        "measured": tables.ranked_measure(indices, ranking),
        "ranks_any": results.ranking.ranks_any,
        "findings": tables.findings(summary) if results.ranking.ranks_any else [],
        "notes": [tables.two_languages(note) for note in summary["notes"]],
        "areas": tables.areas(survey, indices),
        "topics": tables.topics(indices),
        "pictures": dict(_pictures(results, published)),
        "files": tables.records(results.responses.summary),
        "not_read": tables.records(results.responses.not_read),
        "unanswered": tables.records(unanswered_areas(survey, results.responses.by_area)),
        "reasons": tables.reasons(results.responses.log),
        "method": method.sections(results),
        "status": words.STATUS_SHAPES,
    }
    return fill("report.html", values)


def _pictures(results: Results, published: Tables) -> Iterator[tuple[str, Picture]]:
    """Draw the figures that the tables have something for."""
    indices, ranking = published.indices, published.ranking
    alt = tables.alternatives(indices, ranking, results.ranking.summary)
    drawn: dict[str, Callable[[], plots.Figure]] = {}
    if results.ranking.ranks_any:
        drawn["ladder"] = lambda: plots.ranking_ladder(ranking, indices)
    proven = results.ranking.summary["selection"] == "probability"
    if results.ranking.ranks_any and proven:
        drawn["probability"] = lambda: plots.probability_near_cut(ranking)
        drawn["pairs"] = lambda: plots.pair_matrix(ranking, results.ranking.order())
    if published.paths["wave"].nunique() > 1:
        drawn["paths"] = lambda: plots.rank_paths(published.paths)
    if len(published.targets) and proven:
        drawn["targets"] = lambda: plots.target_board(published.targets)
    if len(published.thresholds):
        drawn["thresholds"] = lambda: plots.threshold_plot(published.thresholds)
    if (indices["kind"] == "rate").any():
        drawn["rates"] = lambda: plots.rates_by_area(indices)
    if (indices["kind"] == "score").any():
        drawn["topics"] = lambda: plots.topics(indices)
    for name, draw in drawn.items():
        yield name, picture(draw(), alt[name])


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
    pass

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
