"""One page an area in one language: figures beside those above it, its rank with sets, indicators, verdicts, data.

The index of the pages of areas.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import pandas as pd

from satisfaction.declarations.survey import population_note
from satisfaction.foundation.language import NOTHING, Language, Text, _, as_text, current, use
from satisfaction.foundation.pages import OtherLanguage, across, fill, page_name, page_of
from satisfaction.pipeline import Results
from satisfaction.publication import plots
from satisfaction.publication.labels import (
    YES_NO,
    area_labels,
    label_of,
    score_labels,
    whole_code,
)
from satisfaction.publication.plots.canvas import Picture, picture
from satisfaction.publication.report.method import SELECTION
from satisfaction.publication.report.rows import (
    FILTERS,
    Row,
    Verdict,
    escalation_rows,
    ladder_rows,
    level_label,
    ranked_measure,
    records,
    rows_in_words,
    rows_where,
    target_rows,
    threshold_rows,
    values_of_pages,
)
from satisfaction.publication.tables import Tables, tables_of, topics_table, with_parent_names

LISTED = YES_NO | {"tied": _("tied at the cut")}
SAME = _(
    "The rank sets of the two waves overlap: sampling error alone can produce "
    "such a move; it does not establish that the true rank has moved, still less "
    "that work was better or worse."
)
APART = _(
    "The rank sets of the two waves do not overlap: the true rank has probably "
    "moved (where each set holds); `satisfaction change` says by how much."
)
UNKNOWN = _(
    "Not both ranks have a set: whether the move goes beyond sampling error cannot be told."
)


@dataclass(frozen=True)
class Source:
    """What all pages of a wave are made from.

    Attributes
    ----------
    results : Results
    published : Tables
    indicators : DataFrame or None
        As `published.indicators_table`, of all levels below the whole.
    further : mapping of str to Tables
        Of the wave's further rankings, by name.
    """

    results: Results = field(repr=False)
    published: Tables = field(repr=False)
    indicators: pd.DataFrame | None = field(repr=False)
    further: Mapping[str, Tables] = field(default_factory=dict, repr=False)

    def levels(self) -> list[str]:
        """Return the levels of area below the whole, the ranked one first."""
        return self.results.survey.area_levels()

    def codes(self, level: str) -> list[str]:
        """Return the areas of a level."""
        indices = self.published.indices
        of_level = indices[indices["level"] == level]
        return list(of_level["code"].unique())

    @cached_property
    def verdicts(self) -> list[Verdict]:
        """What the rules make of the wave, of all areas."""
        verdicts = _verdicts(self.published)
        for name, published in self.further.items():
            label = self.score_of(name)
            for verdict in _verdicts(published):
                asked = _("{score}: {asked}", score=label, asked=verdict.asked)
                verdicts.append(verdict._replace(asked=asked))
        return verdicts

    def score_of(self, name: str) -> Text:
        """Return what a further ranking is by."""
        survey = self.results.further[name].survey
        return score_labels(survey)[survey.ranked][1]

    def shared(self) -> dict[str, Any]:
        """Return what the templates of all pages read."""
        survey = self.results.survey
        ranking = self.results.ranking
        values = values_of_pages(survey, ranking.summary)
        return values | {
            "proven": survey.declared.selection == "probability",
            "ranks_any": ranking.ranks_any,
            "measured": score_labels(survey)[survey.ranked][1],
        }


def _verdicts(published: Tables) -> list[Verdict]:
    """Return what the rules of one ranking make of the wave, of all areas."""
    return [
        *target_rows(published.targets),
        *threshold_rows(published.thresholds),
        *(ladder_rows(published.ladder) or escalation_rows(published.escalation)),
    ]


@dataclass(frozen=True, slots=True)
class Ranks:
    """The ranks of an area: published rows, and what may be said of them.

    Attributes
    ----------
    among_all, within : list of Row
        Of the ranking of all units, and of those within the areas above; at most one each.
    path : list of Row
        Over the waves; empty with one wave.
    sentence : Text
    move : Text
        What the difference between the last two published ranks is worth.
    """

    among_all: list[Row]
    within: list[Row]
    path: list[Row]
    sentence: Text
    move: Text

    @property
    def tabled(self) -> bool:
        """Whether the area stands in a ranking."""
        return bool(self.among_all or self.within)

    @property
    def any(self) -> bool:
        """Whether there is anything to say of its rank, if only that it has none."""
        return self.tabled or bool(self.sentence)

    @property
    def path_has_sets(self) -> bool:
        """Whether any wave published a set."""
        return any(pd.notna(row["marginal_low"]) for row in self.path)


@dataclass(frozen=True, slots=True)
class Answering:
    """What is said of who answered in an area of a wave whose respondents were not drawn.

    Attributes
    ----------
    sentence : Text
        At which answering odds it leaves or enters the list; empty for areas that are not ranked.
    sensitivity, models : list of Row
        Published rows of all measures.
    """

    sentence: Text
    sensitivity: list[Row]
    models: list[Row]

    @property
    def any(self) -> bool:
        """Whether there is anything to say."""
        return bool(self.sentence or self.sensitivity or self.models)


def _answering(source: Source, level: str, code: str) -> Answering:
    """Take an area's rows from the study of who answered."""
    selection = source.published.selection
    sentence = NOTHING
    if level == source.results.area:
        for row in rows_where(selection.odds, code=code):
            sentence = Text(row["zh"], row["en"])
    return Answering(
        sentence,
        rows_where(selection.sensitivity, code=code, level=level),
        rows_where(selection.model, code=code, level=level),
    )


def source_of(results: Results, published: Tables) -> Source:
    """Prepare what all pages share; draws no picture yet."""
    further = {
        name: tables_of(other, every_measure=False) for name, other in results.further.items()
    }
    return Source(results, published, topics_table(results), further)


def area_pages(
    source: Source, *, levels: list[str], languages: Sequence[Language]
) -> Iterator[tuple[str, str]]:
    """Yield file (below the folder) and text of every area's page, in every language."""
    for level in levels:
        for code in source.codes(level):
            values = area_values(source, level, code)
            for language in languages:
                with use(language):
                    text = _area_page(source, code, values, languages=languages)
                yield f"{language}/{page_of(code)}", text


def _area_page(
    source: Source, code: str, values: dict[str, Any], *, languages: Sequence[Language]
) -> str:
    """Fill an area's page in the current language."""
    language = current() or "zh"
    other = [
        OtherLanguage(f"../{second}/{page_of(code)}", second, follows=False)
        for second in languages
        if second != language
    ]
    shared = {
        "picture": _picture(source, code, language) if values["compared"] else None,
        "across": other[0] if other else None,
        "index": f"../{page_name('index.html', language, languages)}",
    }
    return fill("area.html", values | shared, filters=FILTERS | {"page_of": page_of})


def area_values(source: Source, level: str, code: str) -> dict[str, Any]:
    """Return what the template of an area's page shows, but for its picture."""
    results = source.results
    published = source.published
    survey = results.survey
    names = area_labels(survey)
    indices = published.indices
    parent = survey.parents().get(code, "")
    if survey.levels().get(parent) not in source.levels():
        parent = ""
    topics = []
    if source.indicators is not None:
        topics = rows_where(source.indicators, code=code)
    is_whole = _same_answers(source, whole_code(survey), code)
    values = source.shared() | {
        "code": code,
        "name": names[code],
        "level": level_label(survey, level),
        "parent": parent,
        "parent_name": names.get(parent),
        "kind": ranked_measure(indices, published.ranking)["kind"],
    }
    values |= {
        "figures": _figures(source, code),
        "ranks": _ranks(source, level, code),
        "others": _others(source, level, code),
        "answering": _answering(source, level, code),
    }
    values |= {
        "remarks": sorted({row["note"] for row in rows_where(indices, code=code)} - {""}),
        "population": population_note(survey),
        "listed": LISTED,
        "verdicts": [verdict for verdict in source.verdicts if verdict.row["code"] == code],
    }
    values |= {
        "topics": topics,
        "is_whole": is_whole,
        "compared": bool(topics) and not is_whole,
        "whole": label_of(indices.iloc[-1], "name"),
    }
    return values | {
        "below": rows_where(published.within, within=code),
        "account": rows_where(results.responses.by_area, value=code),
        "selection": SELECTION[survey.declared.selection],
    }


def _figures(source: Source, code: str) -> list[list[Row | None]]:
    """Return the rates and indices of an area, each beside those of the areas above it."""
    indices = source.published.indices
    codes = _above(source, code)
    shown = records(indices[(indices["kind"] != "score") & indices["code"].isin(codes)])
    by_place = {(row["measure"], row["code"]): row for row in shown}
    measures = [row["measure"] for row in shown if row["code"] == code]
    return [[by_place.get((measure, place)) for place in codes] for measure in measures]


def _above(source: Source, code: str) -> list[str]:
    """Return the area, then those above it that are published, the whole last."""
    parents = source.results.survey.parents()
    published = source.published.indices["code"]
    codes = [code]
    whole = published.iloc[-1]
    while (code := parents.get(code, "")) in set(published):
        codes.append(code)
    if codes[-1] != whole:
        codes.append(whole)
    distinct = codes[:1]
    for above in codes[1:]:
        if not _same_answers(source, above, distinct[-1]):
            distinct.append(above)
    return distinct


def _same_answers(source: Source, above: str, code: str) -> bool:
    """Return whether an area has no other answers than one of the areas in it: the same figures again."""
    survey = source.results.survey
    answering = {area: units for area, (units, _in_all) in survey.coverage().items()}
    if above == code or above not in answering:
        return False
    of_ranked = int(survey.covered is None or code in survey.covered)
    return answering[above] == answering.get(code, of_ranked)


def _ranks(source: Source, level: str, code: str) -> Ranks:
    published = source.published
    path = rows_where(published.paths, code=code)
    said = rows_where(published.sentences, code=code)
    sentences = rows_in_words(said, source.results.survey.marks)
    among_all = []
    if source.results.ranking.ranks_any:
        among_all = rows_where(published.ranking, code=code)
    within = rows_where(published.within, code=code, level=level)
    return Ranks(
        among_all=among_all,
        within=[row for row in within if pd.notna(row["rank"])],
        path=path if len({row["wave"] for row in path}) > 1 else [],
        sentence=next(iter(sentences), NOTHING),
        move=_move(path, published.paths),
    )


def _others(source: Source, level: str, code: str) -> list[Row]:
    """Return the area's rows in the wave's further rankings, each with what it is by and what may be said of it."""
    others = []
    marks = source.results.survey.marks
    for name, published in source.further.items():
        results = source.results.further[name]
        if not results.ranking.ranks_any:
            continue
        rows = rows_where(published.ranking, code=code)
        if level != source.results.area and len(published.within):
            rows = rows_where(published.within, code=code, level=level)
        said = rows_in_words(rows_where(published.sentences, code=code), marks)
        for row in rows:
            sentence = next(iter(said), as_text(row.get("note") or ""))
            kind = score_labels(results.survey)[row["measure"]][0]
            others.append(row | {"by": source.score_of(name), "sentence": sentence, "kind": kind})
    return others


def _move(path: list[Row], paths: pd.DataFrame) -> Text:
    """Say what the difference between this rank of an area and the one published before is worth."""
    ranked = [row for row in path if pd.notna(row["rank"])]
    if len(ranked) < 2 or ranked[-1] is not path[-1]:
        return NOTHING
    before, now = ranked[-2:]
    fields = []
    for row in (before, now):
        of_wave = paths[(paths["wave"] == row["wave"]) & paths["rank"].notna()]
        fields.append(set(of_wave["code"]))
    if fields[0] != fields[1]:
        return _(
            "The two waves ranked different areas ({before} and {now}): their ranks are not places in "
            "the same field, and the sets are not compared.",
            before=len(fields[0]),
            now=len(fields[1]),
        )
    if pd.isna(before["marginal_low"]) or pd.isna(now["marginal_low"]):
        return UNKNOWN
    overlap = (
        before["marginal_low"] <= now["marginal_high"]
        and now["marginal_low"] <= before["marginal_high"]
    )
    return SAME if overlap else APART


def _picture(source: Source, code: str, language: Language) -> Picture | None:
    assert source.indicators is not None
    if source.indicators["importance"].isna().all():
        return None
    with use(language):
        drawn = plots.performance_plot(source.indicators, code=code)
    alt = _("Topics by importance and difference; the values stand in the table below.")
    return picture(drawn, alt)


def index_page(source: Source, language: Language, languages: Sequence[Language]) -> str:
    """Write the index of the pages in one of the languages they are written in."""
    with use(language):
        survey = source.results.survey
        published = source.published
        indices = published.indices
        ranked = survey.ranked
        ranks = {row["code"]: row for row in records(published.ranking)}
        names = survey.area_names()
        parents = survey.parents()
        of_ranked = indices[(indices["measure"] == ranked) & indices["level"].isin(source.levels())]
        areas = []
        for row in records(of_ranked):
            code = row["code"]
            above = names.get(parents.get(code, ""))
            areas.append(row | {"within": above, "ranked": ranks.get(code)})
        measure = label_of(of_ranked.iloc[0], "measure")
        alt = _("Tiles of {measure} by area; the values stand in the table below.", measure=measure)
        drawn = plots.tile_map(with_parent_names(survey, indices), ranked)
        values = source.shared() | {"areas": areas, "picture": picture(drawn, alt)}
        values["across"] = across("index.html", language, languages)
        values["report"] = page_name("report.html", language, languages)
        return fill("areas.html", values, filters=FILTERS | {"page_of": page_of})
