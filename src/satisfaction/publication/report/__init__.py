"""The pages of a wave: the report, one page an area in each language, an index, and PDF on request.

The report is one HTML page that needs nothing beside it, Chinese first, English beside it. `rows` makes the rows of
its tables, `method` lists what was declared; what it looks like stands in templates/report.html.
"""

from __future__ import annotations

import datetime
from collections.abc import Sequence
from pathlib import Path

from markupsafe import Markup
from tqdm import tqdm

from satisfaction.collection.account import sample_lines
from satisfaction.declarations.combined import COMBINED
from satisfaction.declarations.survey import population_note
from satisfaction.foundation import figures
from satisfaction.foundation.files import dated_folder, refuse_existing
from satisfaction.foundation.language import Language, Text, _, use
from satisfaction.foundation.pages import across, fill, find_browser, page_name, print_pages
from satisfaction.foundation.tables import write_text
from satisfaction.pipeline import Results
from satisfaction.publication import plots
from satisfaction.publication.labels import (
    area_labels,
    label_of,
    of_the_whole,
    score_labels,
    topics_of_the_whole,
)
from satisfaction.publication.manifest import adoption_notes, beside_folder
from satisfaction.publication.plots.canvas import address
from satisfaction.publication.ranking_table import by_rank_alone, unranked_note
from satisfaction.publication.report import method, rows
from satisfaction.publication.report.areas import (
    area_pages,
    index_page,
    source_of,
)
from satisfaction.publication.selection_tables import satisfied_label
from satisfaction.publication.tables import Tables, formula_lines, scores_table, tables_of
from satisfaction.ranking.units import UNDECLARED


def render(
    results: Results,
    published: Tables,
    language: Language,
    *,
    name: str = "",
) -> str:
    """Write the report of a wave, or the page of one of its further rankings.

    Parameters
    ----------
    results : Results
    published : Tables
        As `tables_of` returns them for these results.
    language : {"zh", "en"}
        Of the page.
    name : str
        Of the further ranking that the results are ranked by; its page leaves out what the report says of the wave.

    Returns
    -------
    str
        A self-contained HTML page: same results, same text; no clock, no outside host.
    """
    survey = results.survey
    summary = results.ranking.summary
    languages = survey.declared.languages
    file = f"{name}_ranking.html" if name else "report.html"
    without_rank = unranked_note(results.ranking, area_labels(survey))
    notes = [*adoption_notes(results), *summary["notes"], without_rank]
    values = rows.values_of_pages(survey, summary) | {
        "summary": summary,
        "ranks_any": results.ranking.ranks_any,
        "proven": summary["selection"] == "probability",
        "undeclared": summary["selection"] == UNDECLARED,
        "notes": [note for note in notes if note],
    }
    values |= {
        "across": across(file, language, languages),
        "alone": bool(name),
        "formula": formula_lines(results),
        "others": _others(results, language, languages),
    }
    values |= _answers(results) | _figures(results, published) | _verdicts(results, published)
    if not name:
        values["method"] = method.values_of_method(results)
    with use(language):
        values["pictures"] = _pictures(results, published, alone=bool(name))
        return fill("report.html", values, filters=rows.FILTERS | method.filters_of_method(results))


def _answers(results: Results) -> dict[str, object]:
    """Return what was delivered, and what became of it."""
    responses = results.responses
    counts = responses.summary[["rows", "accepted", "rejected", "blanked"]].sum()
    tables = {
        "counts": counts.map(figures.count),
        "files": rows.records(responses.summary),
        "not_read": rows.records(responses.not_read),
        "text": Text,
    }
    return tables | {
        "silent": rows.silent_areas(results.survey, responses.by_area),
        "of_sample": sample_lines(results.survey, responses.accepted),
        "reasons": rows.reasons(responses.log),
    }


def _figures(results: Results, published: Tables) -> dict[str, object]:
    """Return the estimates: of the whole, of the areas, of topics; of a wave nobody was drawn for, what a model makes of them."""
    survey = results.survey
    indices = published.indices
    measure = rows.ranked_measure(indices, published.ranking)
    whole = of_the_whole(indices)
    selection = published.selection
    models, sensitivity = selection.of_ranked(results.area, survey.questionnaire.ranked)
    whole = whole[whole["kind"] != "score"]
    estimates = {"kind": measure["kind"], "measured": label_of(measure, "measure")}
    estimates |= {
        "whole": rows.records(whole),
        "areas": rows.areas(survey, indices),
        "topics": rows.records(topics_of_the_whole(indices)),
    }
    of_selection = {
        "selection": selection,
        "sensitivity": rows.records(sensitivity),
        "models": rows.records(models),
        "odds_rows": rows.records(selection.odds),
    }
    said = {"satisfied": satisfied_label(survey), "population": population_note(survey)}
    return estimates | of_selection | said


def _verdicts(results: Results, published: Tables) -> dict[str, object]:
    """Return the ranking with its sentences, and what the rules make of it."""
    survey = results.survey
    ranking = published.ranking
    listed = ranking[ranking["listed"] != "no"]
    ranks: dict[str, object] = {"listed": rows.records(listed)}
    ranks["ranked"] = rows.records(ranking)
    said = {"near": published.near_cut, "sentences": published.sentences}
    for name, table in said.items():
        ranks[name] = rows.rows_in_words(rows.records(table), survey.marks)
    ranks["statement"] = rows.unmarked(published.statement, survey.marks)
    by_rule = {
        "targets": rows.target_rows(published.targets),
        "thresholds": rows.threshold_rows(published.thresholds),
        "escalation": rows.escalation_rows(published.escalation),
        "ladder": rows.ladder_rows(published.ladder),
    }
    return ranks | by_rule | {"within": rows.within_tables(survey, published.within)}


def _others(results: Results, language: Language, languages: Sequence[Language]) -> list[rows.Row]:
    """Return the wave's further rankings: what each is by, its list, and the file of its page."""
    others = []
    for name, other in results.further.items():
        summary = other.ranking.summary
        if not other.ranking.ranks_any:
            continue
        others.append(
            {
                "label": score_labels(other.survey)[other.survey.ranked][1],
                "page": page_name(f"{name}_ranking.html", language, languages),
                "size": int(summary["bottom"]),
                "side": rows.SIDES[summary["side"]],
                "established": summary["established_listed"],
                "ranked": summary["p"],
            }
        )
    return others


def _pictures(results: Results, published: Tables, *, alone: bool) -> dict[str, Markup]:
    """Draw the figures that the tables have something for."""
    indices = published.indices
    ranking = by_rank_alone(published.ranking)
    ranks_any = results.ranking.ranks_any
    proven = results.ranking.summary["selection"] == "probability"
    drawn = {}
    if ranks_any:
        drawn["ladder"] = plots.ranking_ladder(ranking, indices)
    if ranks_any and results.combined is not None and results.survey.ranked == COMBINED:
        scores = scores_table(results.survey, results.combined)
        if scores["contribution"].notna().any():
            drawn["contributions"] = plots.contribution_bars(ranking, scores)
    if ranks_any and proven:
        drawn["probability"] = plots.probability_near_cut(ranking)
        drawn["pairs"] = plots.pair_matrix(ranking, results.ranking.order())
    if published.paths["wave"].nunique() > 1:
        drawn["paths"] = plots.rank_paths(published.paths)
    if len(published.targets) and proven:
        drawn["targets"] = plots.target_board(published.targets)
    if len(published.thresholds):
        drawn["thresholds"] = plots.threshold_plot(published.thresholds)
    if not alone and ranks_any and (indices["kind"] == "rate").any():
        drawn["rates"] = plots.rates_by_area(indices)
    if not alone and (indices["kind"] == "score").any():
        drawn["topics"] = plots.topics(indices)
    if len(published.selection.odds):
        drawn["odds"] = plots.odds_at_the_cut(published.selection.odds)
    return {name: address(figure) for name, figure in drawn.items()}


def write_report(
    results: Results,
    *,
    levels: list[str] | None = None,
    pdf: bool = False,
    folder: Path | None = None,
) -> Path:
    """Write the pages of a wave; returns the folder, <survey>/out/<time>-report/ unless one is given.

    report.html and index.html in the first of the survey's languages, report-en.html and index-en.html in the other,
    zh/<code>.html and en/<code>.html; with `pdf` each of them as .pdf beside it. Same results, same bytes. The folder
    appears when everything is written.

    Parameters
    ----------
    results : Results
    levels : list of str, optional
        Levels of area that get pages; default all below the whole.
    pdf : bool
        Needs Chromium, Chrome or Edge.
    folder : Path, optional
        Must not exist.

    Raises
    ------
    ExportError
        X101 a folder that exists, X141 no browser for `pdf`, X142 a page that it could not print.
    """
    if folder is not None:
        refuse_existing(folder, code="X101")
    browser = find_browser() if pdf else None
    finished = datetime.datetime.now(datetime.UTC)
    first = results.survey.folder / "out" / f"{finished:%Y%m%dT%H%M%SZ}-report"
    results = beside_folder(results)
    published = tables_of(results)
    source = source_of(results, published)
    wanted = source.levels() if levels is None else levels
    languages = results.survey.declared.languages
    count = sum(len(source.codes(level)) for level in wanted) * len(languages)
    with dated_folder(folder or first) as dated:
        scratch = dated.scratch
        for language in languages:
            (scratch / language).mkdir()
            report = render(results, published, language)
            write_text(report, scratch / page_name("report.html", language, languages))
            for name, other in results.further.items():
                page = render(other, source.further[name], language, name=name)
                file = page_name(f"{name}_ranking.html", language, languages)
                write_text(page, scratch / file)
            index = index_page(source, language, languages)
            write_text(index, scratch / page_name("index.html", language, languages))
        pages = area_pages(source, levels=wanted, languages=languages)
        desc = str(_("pages"))
        for name, text in tqdm(pages, desc=desc, total=count, disable=None, leave=False):
            write_text(text, scratch / name)
        if browser is not None:
            print_pages(browser, sorted(scratch.rglob("*.html")))
    return dated.target
