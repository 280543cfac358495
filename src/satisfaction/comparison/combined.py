"""The combined score as `satisfaction combined` shows it: components and ranking side by side, a set of its own.

The formulas stand in `composite`; the ranking is the one that `run` makes.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from satisfaction.comparison.wave_files import Command, write_set
from satisfaction.composite.scores import (
    INCOMPLETE,
    VETOED,
    CombinedScores,
    combined_scores,
    scale_slope,
)
from satisfaction.composite.tree_scores import TreeScores
from satisfaction.composite.tree_tables import lost_entries, most_lost
from satisfaction.declarations.combined import (
    COMBINED,
    CombinedFile,
    read_combined_inputs,
)
from satisfaction.declarations.survey import RankedBy, Survey
from satisfaction.foundation.errors import RankingError
from satisfaction.foundation.figures import rank_set, rank_set_in_words
from satisfaction.foundation.files import path_below, recorded, refuse_changed
from satisfaction.foundation.language import NOTHING, Text, _, comma_list
from satisfaction.foundation.yaml import refuse_placeholders
from satisfaction.pipeline import Results, ranked_further
from satisfaction.publication.combined import AGGREGATIONS, lost_tables, results_by, weighted_sum
from satisfaction.publication.labels import STATUS, mark, twelve_digits
from satisfaction.publication.ranking_table import FEW, SETS, list_title, tied_line
from satisfaction.ranking.rank import Ranking, require_ranks
from satisfaction.ranking.table import RankingSummary

SURVEY_ALONE = {
    "rank": "rank_survey",
    "marginal_low": "rank_survey_low",
    "marginal_high": "rank_survey_high",
}
NOTES = {why.both: why for why in (VETOED, INCOMPLETE, FEW)}
"""Why an area is not ranked, by what the column `note` holds."""


@dataclass(frozen=True, slots=True, eq=False)
class Combination:
    """A combined score by area with its ranking.

    Attributes
    ----------
    scores : CombinedScores
    table : DataFrame
        One row an area, in rank order: code, name_zh, name_en, one column a component (as combined) and its se
        (`<component>_se`, empty: none), score, se, df, rank, marginal_low, marginal_high, simultaneous_low,
        simultaneous_high, status, probability_bottom, rank_survey, rank_survey_low, rank_survey_high (by what the
        questionnaire ranks, alone), note, mark.
    ranking : Ranking
        Of the combined score, under its rules; excluded areas and those without all components are not ranked.
    assessed : mapping of str to TreeScores
        Components that are assessments by points.
    sources : dict of str to str
        SHA-256 of the bytes that were read of combined.yaml and the files it names, by absolute path.
    summary : mapping
        title, source, aggregation, weights, normalisations, exact (components without se), notes.
    """

    scores: CombinedScores
    table: pd.DataFrame = field(repr=False)
    ranking: Ranking = field(repr=False)
    assessed: Mapping[str, TreeScores]
    sources: Mapping[str, str]
    summary: Mapping[str, Any]

    @property
    def declared(self) -> CombinedFile:
        """Return what combined.yaml says."""
        return self.scores.inputs.declared


def combine(results: Results, path: Path) -> Combination:
    """Combine the survey's measures with the other components that combined.yaml declares, and rank.

    The rules are those of the ranking that rules.yaml declares for `combined`, else those under `ranking`.

    Parameters
    ----------
    results : Results
    path : Path
        combined.yaml; the files it names lie beside it.

    Raises
    ------
    RankingError
        K301-K307, K311-K316 from what is read, K317 where components or areas with all of them are missing, K341 where the
        survey ranks nothing.
    """
    require_ranks(results.ranking, where=str(path))
    with recorded() as read:
        inputs = read_combined_inputs(path, areas=results.survey.areas)
    refuse_placeholders(map(Path, read), RankingError)
    alone = results_by(results, results.survey.questionnaire.ranked) or results
    survey = replace(_as_declared(results, alone.survey), combined=inputs)
    scores = combined_scores(survey, inputs, alone.estimates)
    awaited = scores.awaited(COMBINED, survey.rules.ranking.list_size)
    if awaited is not None:
        raise RankingError(
            "K317",
            _("The combined score cannot be ranked: {awaited}.", awaited=awaited),
            where=path.name,
            hint=_("Complete the scores of the components, or lower `list_size`."),
        )
    together = scores.beside(survey, results.estimates)
    ranked = ranked_further(replace(results, combined=scores, estimates=together), survey)
    assessed = {}
    for part in scores.ranked.parts:
        if part.assessed is not None:
            assessed[part.name] = part.assessed
    return Combination(
        scores,
        combined_table(survey, scores, ranked.ranking, alone.ranking),
        ranked.ranking,
        MappingProxyType(assessed),
        MappingProxyType(read),
        MappingProxyType(_summary(scores)),
    )


def _as_declared(results: Results, alone: Survey) -> Survey:
    """Return the survey ranked by the combined score, as rules.yaml has it, else by the rules of the survey's measure."""
    declared = results_by(results, COMBINED)
    if declared is not None:
        return declared.survey
    return alone.ranked_by(RankedBy(COMBINED, COMBINED, alone.rules.alone()))


def combined_table(
    survey: Survey, combined: CombinedScores, ranking: Ranking, alone: Ranking
) -> pd.DataFrame:
    """Put components and ranking side by side, in rank order; see `Combination.table`."""
    scores = combined.ranked
    names = survey.area_names()
    ranked = ranking.table
    table = pd.DataFrame({"code": ranked["unit"]})
    table["name_zh"] = [names[code].zh for code in table["code"]]
    table["name_en"] = [names[code].en for code in table["code"]]
    for k, part in enumerate(scores.parts):
        scaled = scores.scaled[:, k]
        se = part.se * np.abs(scale_slope(part))
        table[part.name] = scaled
        table[f"{part.name}_se"] = np.where(np.isfinite(scaled), se, np.nan)
    known = ~scores.incomplete & np.isfinite(np.diag(scores.cov))
    barred = {code: words.both for code, words in scores.barred().items()}
    notes = []
    for code, is_ranked in zip(table["code"], ranking.units.ranked, strict=True):
        why = ""
        if not is_ranked:
            why = barred.get(code, FEW.both)
        notes.append(why)
    table["score"] = scores.score
    table["se"] = np.where(known, np.sqrt(np.diag(scores.cov)), np.nan)
    table["df"] = np.where(known, scores.df, np.nan)
    kept = ranked[["rank", *SETS, "status", "probability_bottom"]]
    beside = alone.table[list(SURVEY_ALONE)].rename(columns=SURVEY_ALONE)
    table = pd.concat([table, kept, beside], axis=1)
    table["note"] = notes
    table["mark"] = mark(survey)
    return twelve_digits(table.sort_values(["rank", "code"], na_position="last", ignore_index=True))


def _summary(scores: CombinedScores) -> dict[str, Any]:
    declared = scores.inputs.declared
    weights = {}
    normalise = {}
    sources = {}
    for name, component in declared.components.items():
        weights[name] = component.weight
        normalise[name] = component.normalise
        sources[name] = component.source
    return {
        "title": declared.title.text,
        "source": declared.source,
        "aggregation": declared.aggregation,
        "weights": weights,
        "normalise": normalise,
        "sources": sources,
        "exact": [part.name for part in scores.ranked.parts if part.errors is None],
        "notes": scores.notes(),
    }


def export_combined(results: Results, found: Combination, folder: Path | None = None) -> Path:
    """Write combined.csv, .xlsx and .json, lost points by item and department of every assessment, and run.json.

    Parameters
    ----------
    results : Results
    found : Combination
    folder : Path, optional
        Default: <survey>/out/<time>-combined/. Only run.json holds the clock.
    """
    tables = {"combined": found.table} | lost_tables(results.survey, found.scores)
    refuse_changed(found.sources)
    inputs = {Path(path).name: digest for path, digest in found.sources.items()}
    record = {
        "combined": dict(found.summary),
        "combined_inputs": inputs,
        "ranking": dict(found.ranking.summary),
    }
    way = path_below(results.survey.folder, found.scores.inputs.path)
    return write_set(
        [results],
        "combined",
        tables=tables,
        lines=combined_lines(results, found),
        record=record,
        command=Command("combined", {"declared": way}),
        folder=folder,
    )


def combined_lines(results: Results, found: Combination) -> list[Text]:
    """Say what was combined, the list, and what it is worth."""
    summary = found.summary
    ranked = found.ranking.summary
    lines = [summary["title"]]
    if results.survey.marks:
        lines.append(results.survey.marks)
    lines.append(
        _(
            "combined score = {weights} ({aggregation})",
            weights=weighted_sum(found.declared),
            aggregation=AGGREGATIONS[found.declared.aggregation],
        )
    )
    lines.append(_("source: {source}", source=summary["source"]))
    lines.append(_list_title(ranked))
    listed = found.table["code"].isin(ranked.filed)
    status = found.ranking.table.set_index("unit")
    for row in found.table[listed].to_dict("records"):
        if "list_status" in status:
            row["status"] = status.loc[row["code"], "list_status"]
        lines.append(_listed_line(row))
    if tied := tied_line(found.ranking, results.survey.area_names()):
        lines.append(tied)
    for row in found.table[found.table["rank"].isna()].to_dict("records"):
        lines.append(
            _("  {code} {name}: {why}", code=row["code"], name=_name(row), why=NOTES[row["note"]])
        )
    for name, assessed in found.assessed.items():
        component = found.declared.components[name]
        lines += _lost_points(Text(component.zh, component.en), assessed)
    return [*lines, *ranked["notes"]]


def _list_title(ranked: RankingSummary) -> Text:
    """Say how long the list is, and how sure the sets behind the ranks are, where there are any."""
    if ranked.selection != "probability":
        return list_title(ranked)
    sets = _("rank sets at {level:.0%} confidence", level=ranked.level)
    return _("{title}; {sets}", title=list_title(ranked), sets=sets)


def _listed_line(row: Mapping[Hashable, Any]) -> Text:
    """Name an area of the list with its score, rank and set, and its rank by the survey alone."""
    rank_with_set = NOTHING
    if pd.notna(row["marginal_low"]):
        rank_with_set = _("  {rank_set}", rank_set=rank_set_in_words(row))
    return _(
        "  {rank:>3} {code} {name}  {score:.2f}{rank_set}  {status}  (by the survey alone: {alone})",
        rank=f"{row['rank']:g}",
        code=row["code"],
        name=_name(row),
        score=row["score"],
        rank_set=rank_with_set,
        status=STATUS[row["status"]],
        alone=_alone(row),
    )


def _name(row: Mapping[Hashable, Any]) -> Text:
    return Text(row["name_zh"], row["name_en"])


def _alone(row: Mapping[Hashable, Any]) -> Text:
    """Say the rank by the survey alone with its set, where there is one."""
    if pd.isna(row["rank_survey"]):
        return Text("—")
    if pd.isna(row["rank_survey_low"]):
        return Text(f"{row['rank_survey']:g}")
    of_survey = rank_set(row["rank_survey_low"], row["rank_survey_high"])
    return _("{rank:g}, rank set {rank_set}", rank=row["rank_survey"], rank_set=of_survey)


def _lost_points(component: Text, assessed: TreeScores) -> list[Text]:
    """Name the items and the departments that lost most points of an assessment."""
    entries = lost_entries(assessed)
    items = []
    for row in most_lost(entries, ["item", "item_zh", "item_en"]).head(3).to_dict("records"):
        item = Text(row["item_zh"] or "—", row["item_en"] or "—")
        items.append(_("{name} {points:g}", name=item, points=row["points"]))
    departments = []
    for row in most_lost(entries, ["department"]).head(3).to_dict("records"):
        department = row["department"] or "—"
        departments.append(_("{name} {points:g}", name=department, points=row["points"]))
    return [
        _("{component}, most points lost: {items}", component=component, items=_most(items)),
        _("  by department: {departments}", departments=_most(departments)),
    ]


def _most(clauses: Sequence[Text]) -> Text:
    if not clauses:
        return _("none")
    return comma_list(clauses)
