"""The report of one wave: one HTML page that needs nothing beside it, Chinese first, English beside it.

`render` gathers what the page says, `tables` and `verdicts` cut the published tables into rows, `method` lists what was declared, `words`
holds labels and number formats. What it looks like stands in templates/report.html.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from .. import plots
from ..io.pages import fill
from ..pipeline import Results
from ..published import Tables
from ..responses import unanswered_areas
from . import method, tables, verdicts, words
from .pictures import Picture, picture

__all__ = ["render"]


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
        "counts": results.responses.summary[["rows", "accepted", "rejected", "blanked"]].sum().map(words.count),
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
