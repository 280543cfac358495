"""One page an area in one language: figures beside those above it, its rank with sets, indicators, verdicts, data.

The index of the pages of areas.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, TypeAlias

import pandas as pd

from satisfaction.foundation.pages import fill
from satisfaction.pipeline import Results
from satisfaction.publication import plots
from satisfaction.publication.labels import area_labels
from satisfaction.publication.report.tables import (
    Cell,
    Verdict,
    escalation_rows,
    level_label,
    measured,
    rank_with_set,
    ranked_rows,
    records,
    target_rows,
    threshold_rows,
)
from satisfaction.publication.report.words import (
    ABSENT,
    SELECTION,
    SIDES,
    STATUS_SHAPES,
    Picture,
    Words,
    both,
    count,
    interval,
    level,
    p_value,
    picture,
    place,
    score,
    span,
)
from satisfaction.publication.report.words import scale as scale_of
from satisfaction.publication.tables import Tables, indicators_of, indicators_table, with_parents

Language: TypeAlias = Literal["zh", "en"]
LANGUAGES: tuple[Language, Language] = ("zh", "en")
LISTED = {
    "yes": Words("是", "yes"),
    "no": Words("否", "no"),
    "tied": Words("并列于分界", "tied at the cut"),
}
SAME = Words(
    "两期的名次集合有重叠：这样的升降只凭抽样误差就可能出现，不能说真实名次有了变动，更不能说明工作的好坏。",
    "The rank sets of the two waves overlap: sampling error alone can produce such a move; it does not establish that the true "
    "rank has moved, still less that work was better or worse.",
)
APART = Words(
    "两期的名次集合没有重叠：真实名次很可能有了变动（两个集合各自成立时）；变动的大小见 satisfaction change。",
    "The rank sets of the two waves do not overlap: the true rank has probably moved (where each set holds); `satisfaction "
    "change` says by how much.",
)
UNKNOWN = Words(
    "两期的名次不都有名次集合，无法判断这样的升降是否超出抽样误差。",
    "Not both ranks have a set: whether the move goes beyond sampling error cannot be told.",
)


class Placed(NamedTuple):
    """A rank among some units, with its sets and the probability of the list (or of being last)."""

    among: Words
    rank: str
    marginal: str
    simultaneous: str
    status: str
    status_label: Words
    shape: str
    probability: str


class Row(NamedTuple):
    """One measure of the area beside the areas above it."""

    label: Words
    cells: list[Cell]
    se: str
    n: str


class Topic(NamedTuple):
    """One topic against the whole; texts only."""

    topic: Words
    score: str
    difference: str
    interval: str
    p: str
    verdict: Words
    importance: str
    quadrant: Words


class Before(NamedTuple):
    """A published rank of a wave."""

    wave: str
    rank: str
    set: str
    listed: Words


@dataclass(frozen=True, slots=True)
class Source:
    """What all pages of a wave are made from.

    Attributes
    ----------
    results : Results
    published : Tables
    indicators : DataFrame or None
        As `published.indicators_table`, of all levels below the whole.
    scale : str
        Kind of the ranked measure.
    """

    results: Results
    published: Tables
    indicators: pd.DataFrame | None
    scale: str

    def levels(self) -> list[str]:
        """Return the levels of area below the whole, the ranked one first."""
        return self.results.survey.area_levels()

    def codes(self, name: str) -> list[str]:
        """Return the areas of a level."""
        return list(
            dict.fromkeys(
                self.published.indices.loc[self.published.indices["level"] == name, "code"]
            )
        )


def source_of(results: Results, published: Tables) -> Source:
    """Prepare what all pages share; draws no picture yet."""
    found = [(name, indicators_of(results, level=name)) for name in results.survey.area_levels()]
    tables = [indicators_table(results.survey, one) for _, one in found if one is not None]
    indicators = pd.concat(tables, ignore_index=True) if tables else None
    return Source(results, published, indicators, scale_of(published.indices, published.ranking))


def area_pages(
    source: Source, *, levels: list[str], languages: tuple[Language, ...]
) -> Iterator[tuple[str, str]]:
    """Yield file (below the folder) and text of every area's page, in every language."""
    for name in levels:
        for code in source.codes(name):
            values = area_values(source, name, code)
            for language in languages:
                drawn = _picture(source, code, language) if values["topics"] else None
                page = values | {"language": language, "picture": drawn}
                yield f"{language}/{file_of(code)}", fill("area.html", page)


def area_values(source: Source, name: str, code: str) -> dict[str, Any]:
    """Return what the template of an area's page shows, but for its picture."""
    results, published = source.results, source.published
    survey = results.survey
    names, parent = area_labels(survey), survey.parents().get(code, "")
    own = (
        source.indicators[source.indicators["code"] == code]
        if source.indicators is not None
        else pd.DataFrame()
    )
    above = _above(source, code)
    path = _path(published.paths, code)
    account = (
        results.responses.by_area.set_index("value").loc[code].map(count).to_dict()
        if _counted(results, code)
        else None
    )
    shown = (
        parent if parent and source.results.survey.levels().get(parent) in source.levels() else ""
    )
    return {
        "code": code,
        "file": file_of(code),
        "name": both(names[code].zh, names[code].en),
        "level": level_label(survey, name),
        "parent": {"file": file_of(shown), "name": both(names[shown].zh, names[shown].en)}
        if shown
        else None,
        "survey": survey,
        "declared": survey.declared,
        "marks": survey.marks,
        "proven": survey.declared.selection == "probability",
        "confidence": level(survey.declared.level),
        "compared": [names_of(source, one) for one in above],
        "figures": _figures(published.indices, above),
        "remarks": sorted(
            {
                str(note)
                for note in published.indices.loc[published.indices["code"] == code, "note"]
                if note
            }
        ),
        "ranked": _ranked(source, name, code),
        "sentence": _sentence(published, code),
        "side": SIDES[results.ranking.summary["side"]],
        "size": int(results.ranking.summary["bottom"]),
        "path": path,
        "sets": any(one.set != ABSENT for one in path),
        "meaning": _meaning(published.paths, code),
        "verdicts": [one for one in _verdicts(published) if one.code == code],
        "topics": [_topic(row) for row in records(own)],
        "asked": bool(survey.questionnaire.topics),
        "whole": names_of(source, above[-1]),
        "below": _below(source, code),
        "account": account,
        "selection": SELECTION[survey.declared.selection],
        "rules": survey.rules.ranking,
    }


def file_of(code: str) -> str:
    """Return the name of an area's page; a code never leads out of the folder."""
    return re.sub(r"[^0-9A-Za-z-]", "_", code) + ".html"


def names_of(source: Source, code: str) -> Words:
    """Return the name of an area, or of all together."""
    rows = source.published.indices[source.published.indices["code"] == code]
    return both(rows["name_zh"].iloc[0], rows["name_en"].iloc[0])


def _above(source: Source, code: str) -> list[str]:
    """Return the area, then those above it that are published, the whole last."""
    parents, published = source.results.survey.parents(), set(source.published.indices["code"])
    found, whole = [code], source.published.indices["code"].iloc[-1]
    while (code := parents.get(code, "")) in published:
        found.append(code)
    return found if found[-1] == whole else [*found, whole]


def _figures(indices: pd.DataFrame, codes: list[str]) -> list[Row]:
    by_code = {
        code: indices[(indices["code"] == code) & (indices["kind"] != "score")].set_index("measure")
        for code in codes
    }
    rows = []
    for measure, row in by_code[codes[0]].iterrows():
        kind = row["kind"]
        cells = [
            measured(by_code[code].loc[measure].to_dict() | {"measure": measure}).cell
            for code in codes
        ]
        se = score(row["se"], kind, 2)
        rows.append(Row(both(row["measure_zh"], row["measure_en"]), cells, se, count(row["n"])))
    return rows


def _ranked(source: Source, name: str, code: str) -> list[Placed]:
    """Return the ranks of an area: among all, and within the area above; each with its sets."""
    published, found = source.published, []
    own = published.ranking[published.ranking["code"] == code]
    whole = names_of(source, source.published.indices["code"].iloc[-1])
    for one in ranked_rows(own, source.scale) if len(own) else []:
        sure = (one.status, one.status_label, one.shape, one.probability)
        found.append(Placed(whole, one.rank, one.marginal, one.simultaneous, *sure))
    within = published.within
    rows = within[(within["code"] == code) & (within["level"] == name)] if len(within) else within
    for row in records(rows):
        if pd.notna(row["rank"]):
            marginal, simultaneous = (
                span(row[f"{kind}_low"], row[f"{kind}_high"])
                for kind in ("marginal", "simultaneous")
            )
            rank = f"{place(row['rank'])} / {row['of']}"
            found.append(
                Placed(
                    both(row["within_zh"], row["within_en"]),
                    rank,
                    marginal,
                    simultaneous,
                    "",
                    Words(ABSENT),
                    "",
                    ABSENT,
                )
            )
    return found


def _sentence(published: Tables, code: str) -> Words:
    rows = published.sentences[published.sentences["code"] == code]
    return Words(rows["zh"].iloc[0], rows["en"].iloc[0]) if len(rows) else Words("")


def _path(paths: pd.DataFrame, code: str) -> list[Before]:
    rows = paths[paths["code"] == code]
    if rows["wave"].nunique() < 2:
        return []
    return [
        Before(
            row["wave"],
            place(row["rank"]),
            span(row["marginal_low"], row["marginal_high"]),
            LISTED[row["listed"]],
        )
        for row in records(rows)
    ]


def _meaning(paths: pd.DataFrame, code: str) -> Words:
    """Say what the difference between the last two published ranks is worth."""
    rows = paths[(paths["code"] == code) & paths["rank"].notna()].tail(2)
    if len(rows) < 2:
        return Words("")
    if rows[["marginal_low", "marginal_high"]].isna().any(axis=None):
        return UNKNOWN
    (low, high), (later_low, later_high) = rows[["marginal_low", "marginal_high"]].to_numpy()
    return SAME if low <= later_high and later_low <= high else APART


def _verdicts(published: Tables) -> list[Verdict]:
    return [
        *(target_rows(published.targets) if len(published.targets) else []),
        *(threshold_rows(published.thresholds) if len(published.thresholds) else []),
        *(escalation_rows(published.escalation) if len(published.escalation) else []),
    ]


def _topic(row: dict[str, Any]) -> Topic:
    return Topic(
        both(row["topic_zh"], row["topic_en"]),
        score(row["score"], "score"),
        f"{row['difference']:+.1f}",
        ABSENT if pd.isna(row["ci_low"]) else f"{row['ci_low']:+.1f} – {row['ci_high']:+.1f}",
        p_value(row["p_holm"]),
        Words(row["verdict_zh"], row["verdict"]),
        f"{row['importance']:.1f}",
        Words(row["quadrant_zh"] or ABSENT, row["quadrant"] or ABSENT),
    )


def _picture(source: Source, code: str, language: Language) -> Picture:
    assert source.indicators is not None
    drawn = plots.performance_plot(source.indicators, code=code, language=language)
    alt = Words(
        "各项目的重要性与得分之差，数值见下表。",
        "Topics by importance and difference; the values stand in the table below.",
    )
    return picture(drawn, alt)


def _below(source: Source, code: str) -> list[dict[str, Any]]:
    """Return the areas right below, in rank order within this one."""
    within = source.published.within
    rows = within[within["within"] == code] if len(within) else within
    return [
        {
            "code": row["code"],
            "file": file_of(row["code"]),
            "name": both(row["name_zh"], row["name_en"]),
            "estimate": score(row["estimate"], source.scale, 2),
            "se": score(row["se"], source.scale, 2),
            "rank": rank_with_set(row),
            "n": count(row["n"]),
        }
        for row in records(rows)
    ]


def _counted(results: Results, code: str) -> bool:
    return len(results.responses.by_area) > 0 and code in set(results.responses.by_area["value"])


def index_values(source: Source) -> dict[str, Any]:
    """Return what the index of the pages shows."""
    survey, published = source.results.survey, source.published
    indices, ranking = published.indices, published.ranking.set_index("code")
    own = indices[
        (indices["measure"] == survey.questionnaire.ranked) & indices["level"].isin(source.levels())
    ]
    names, parents = survey.area_names(), survey.parents()
    rows = [
        {
            "code": row["code"],
            "file": f"{{}}/{file_of(row['code'])}",
            "name": both(row["name_zh"], row["name_en"]),
            "within": names.get(parents.get(row["code"], ""), Words("")),
            "estimate": score(row["estimate"], row["kind"], 2),
            "interval": interval(row["ci_low"], row["ci_high"], row["kind"]),
            "rank": rank_with_set(ranking.loc[row["code"]].to_dict())
            if row["code"] in ranking.index
            else ABSENT,
            **_status(ranking, row["code"]),
            "n": count(row["n"]),
        }
        for row in records(own)
    ]
    drawn = plots.tile_map(with_parents(survey, indices), survey.questionnaire.ranked)
    label = measured(own.iloc[0].to_dict()).label
    alt = Words(
        f"各地区{label.zh}的方块图，数值见下表。",
        f"Tiles of {label.en or label.zh} by area; the values stand in the table below.",
    )
    proven = survey.declared.selection == "probability"
    shared = {
        "survey": survey,
        "proven": proven,
        "declared": survey.declared,
        "marks": survey.marks,
    }
    return shared | {"areas": rows, "picture": picture(drawn, alt)}


def index_page(values: dict[str, Any], language: Language) -> str:
    """Fill the index in one language."""
    areas = [one | {"file": one["file"].format(language)} for one in values["areas"]]
    return fill("areas.html", values | {"areas": areas, "language": language})


def _status(ranking: pd.DataFrame, code: str) -> dict[str, Any]:
    if code not in ranking.index:
        return {"word": "", "shape": "", "status": Words(ABSENT)}
    word = str(ranking.loc[code, "status"])
    return {
        "word": word,
        "shape": STATUS_SHAPES[word],
        "status": Words(str(ranking.loc[code, "status_zh"]), word),
    }
