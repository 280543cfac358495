"""The report of one wave: one HTML page that needs nothing beside it, Chinese first, English beside it.

`render` gathers what the page says, `tables` cuts the published tables into rows, `method` lists what was declared, `words`
holds labels and number formats. What it looks like stands in templates/report.html.
"""

from __future__ import annotations

import base64
import functools
from collections.abc import Iterator
from dataclasses import dataclass

import jinja2
import pandas as pd
from markupsafe import Markup

from .. import plots
from ..pipeline import Results
from . import method, tables, words
from .words import Words

__all__ = ["render"]


@dataclass(frozen=True, slots=True)
class Picture:
    """A figure in the page: what it shows, in words, and its SVG as a data address."""

    alt: Words
    address: Markup


def render(results: Results, indices: pd.DataFrame, ranking: pd.DataFrame) -> str:
    """Write the report of a wave.

    Parameters
    ----------
    results : Results
    indices, ranking : DataFrame
        As `published.indices_table` and `published.ranking_table` return them for these results.

    Returns
    -------
    str
        A self-contained HTML page: same results, same text; no clock, no outside host.
    """
    survey = results.survey
    return _template().render(
        survey=survey,
        declared=survey.declared,
        marks=survey.marks,
        confidence=words.level(survey.declared.level),
        counts=results.responses.summary[["rows", "accepted", "rejected", "blanked"]].sum().map(words.count),
        whole=tables.headline(indices),
        size=int(results.ranking.summary["bottom"]),
        listed=tables.ranked_rows(ranking[ranking["listed"] != "no"], words.scale(indices, ranking)),
        ranked=tables.ranked_rows(ranking, words.scale(indices, ranking)),
        targets=tables.target_rows(ranking),
        measured=tables.ranked_measure(indices, ranking),
        findings=tables.findings(results.ranking.summary),
        notes=[tables.two_languages(note) for note in results.ranking.summary["notes"]],
        areas=tables.areas(survey, indices),
        topics=tables.topics(indices),
        pictures=dict(_pictures(indices, ranking)),
        files=tables.records(results.responses.summary),
        reasons=tables.reasons(results.responses.log),
        method=method.sections(results),
        status=words.STATUS_SHAPES,
    )


@functools.cache
def _template() -> jinja2.Template:
    loader = jinja2.PackageLoader("satisfaction", "templates")
    environment = jinja2.Environment(
        loader=loader, autoescape=True, undefined=jinja2.StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    return environment.get_template("report.html")


def _pictures(indices: pd.DataFrame, ranking: pd.DataFrame) -> Iterator[tuple[str, Picture]]:
    """Draw the figures that the tables have something for."""
    alt = tables.alternatives(indices, ranking)
    yield "ladder", _picture(plots.ranking_ladder(ranking, indices), alt["ladder"])
    yield "probability", _picture(plots.probability_near_cut(ranking), alt["probability"])
    if (indices["kind"] == "rate").any():
        yield "rates", _picture(plots.rates_by_area(indices), alt["rates"])
    if (indices["kind"] == "score").any():
        yield "topics", _picture(plots.topics(indices), alt["topics"])


def _picture(figure: plots.Figure, alt: Words) -> Picture:
    encoded = base64.b64encode(plots.svg(figure).encode()).decode("ascii")
    return Picture(alt, Markup("data:image/svg+xml;base64," + encoded))
