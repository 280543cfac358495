"""The survey index together with other parts of an assessment: one score, its error, its ranking.

`declared` is what combined.yaml may say, `assessment` scores by points, `normalising` and `aggregating` are formulas on
arrays, `parts` reads the components; here they become a ranking.

The combined ranking as a file set beside the survey's own.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp

from satisfaction.comparison.components import ComponentScores, read_parts
from satisfaction.comparison.wave_files import write_set
from satisfaction.composite.item_tree import Assessed
from satisfaction.composite.normalising import Array, aggregated, normalised, slopes
from satisfaction.declarations.combined import CombinedFile
from satisfaction.declarations.survey import Survey
from satisfaction.foundation.errors import RankingError, shortened
from satisfaction.foundation.figures import rank_set, rank_set_in_words
from satisfaction.foundation.files import recorded, refuse_changed
from satisfaction.foundation.language import NOTHING, Text, _, comma_list, rendered
from satisfaction.foundation.yaml import read_yaml, refuse_placeholders, validated
from satisfaction.pipeline import Results
from satisfaction.publication.labels import STATUS, mark, twelve_digits
from satisfaction.ranking.borrowed_errors import LENT
from satisfaction.ranking.rank import Ranking, rank, require_ranks
from satisfaction.sampling.variance import crossed

SETS = ["marginal_low", "marginal_high", "simultaneous_low", "simultaneous_high"]
SURVEY_ALONE = {
    "rank": "rank_survey",
    "marginal_low": "rank_survey_low",
    "marginal_high": "rank_survey_high",
}
VETOED = _("vetoed; not ranked")
INCOMPLETE = _("a component is missing; not ranked")
FEW = _("too few answers; not ranked")
NOTES = {why.both: why for why in (VETOED, INCOMPLETE, FEW)}
"""Why an area is not ranked, by what the column `note` holds."""
CARRIED_OUT = (
    "list_size",
    "minimum_n",
    "minimum_reliability",
    "ties",
    "multiplicity",
    "level",
)
FIELD = ("minmax", "zscore", "share-of-best")


@dataclass(frozen=True, slots=True, eq=False)
class Combination:
    """A combined score by area with its ranking.

    Attributes
    ----------
    declared : CombinedFile
    parts : tuple of Part
        The components as read, in order.
    scores : (p, k)
        Components on the scale they are combined on; NaN where an area has none.
    table : DataFrame
        One row an area, in rank order: code, name_zh, name_en, one column a component (as combined) and its se
        (`<component>_se`, empty: none), score, se, df, rank, marginal_low, marginal_high, simultaneous_low,
        simultaneous_high, status, probability_bottom, rank_survey, rank_survey_low, rank_survey_high (by what the survey
        ranks, alone, under the same rules), note, mark.
    ranking : Ranking
        Of the combined score, under the rules that `combine` names; excluded areas and those without all components are not ranked.
    assessed : mapping of str to Assessed
        Components that are assessments by points.
    sources : dict of str to str
        SHA-256 of the bytes that were read of combined.yaml and the files it names, by absolute path.
    summary : mapping
        title, source, aggregation, weights, normalisations, exact (components without se), notes.
    """

    declared: CombinedFile
    parts: tuple[ComponentScores, ...]
    scores: Array = field(repr=False)
    table: pd.DataFrame = field(repr=False)
    ranking: Ranking = field(repr=False)
    assessed: Mapping[str, Assessed]
    sources: Mapping[str, str]
    summary: Mapping[str, Any]


def read_combined(path: Path) -> CombinedFile:
    """Read combined.yaml.

    Raises
    ------
    RankingError
        K301-K307 for what it says, with file and line.
    """
    return validated(read_yaml(path, RankingError), CombinedFile, RankingError)


def combine(results: Results, path: Path) -> Combination:
    """Combine the survey's measures with the other components that combined.yaml declares.

    Of rules.yaml the ranking of the combined score follows list_size, ties, level and multiplicity, and ranks whom the survey
    ranks (minimum_n, minimum_reliability). `side: first` and `round_before_ranking` are not carried out here and are refused;
    targets, thresholds, history and escalation concern the survey's own ranking alone.

    The survey's error is the one that its ranks rest on (`rankings.lent_errors`). It enters by the slope of the combined
    score in each component (exact for an arithmetic mean of scores that are not normalised by the field; otherwise the scale
    set by the other areas is taken as fixed, and said so).

    Parameters
    ----------
    results : Results
    path : Path
        combined.yaml; the files it names lie beside it.

    Raises
    ------
    RankingError
        K301-K307, K311-K313 from what is read, K314 for components that do not fit the areas, K340 for rules that the combined
        ranking does not carry out, K341 where the survey ranks nothing.
    """
    require_ranks(results.ranking, where=str(path))
    _refuse_rules_not_carried_out(results.survey)
    with recorded() as read:
        declared = read_combined(path)
        parts = read_parts(results, declared, folder=path.parent)
    refuse_placeholders(map(Path, read), RankingError)
    weights = np.array([component.weight for component in declared.components.values()])
    scores = np.column_stack([scaled_score(part) for part in parts])
    combined = aggregated(scores, weights, declared.aggregation)
    scale = np.column_stack([scale_slope(part) for part in parts])
    slope = slopes(scores, weights, declared.aggregation) * scale
    cov, df = carried_errors(parts, slope)
    excluded = np.any([part.excluded for part in parts], axis=0)
    taking_part = np.isfinite(combined) & ~excluded & results.ranking.units.ranked
    ranking = _ranked(results, combined, cov, df=df, taking_part=taking_part)
    table = combined_table(results, parts, scores=scores, ranking=ranking, df=df, excluded=excluded)
    assessed = {part.name: part.assessed for part in parts if part.assessed is not None}
    summary = _summary(declared, parts, areas=np.array(results.ranking.units.names))
    return Combination(
        declared,
        parts,
        scores,
        table,
        ranking,
        MappingProxyType(assessed),
        MappingProxyType(read),
        MappingProxyType(summary),
    )


def scaled_score(part: ComponentScores) -> Array:
    """Scores of a component as they are combined, (p,); NaN where an area has none."""
    declared = part.declared
    score = np.full(len(part.score), np.nan)
    seen = np.isfinite(part.score)
    if seen.any():
        score[seen] = normalised(part.score[seen], declared.normalise, posts=declared.goalposts)
    return score


def scale_slope(part: ComponentScores) -> Array:
    """How much the scaled score moves for one point of the component's own, (p,): NaN for ranks, which have no slope.

    A scale that the field sets (minmax, zscore, share-of-best) is taken as fixed.
    """
    values = part.score[np.isfinite(part.score)]
    if not len(values):
        return np.zeros(len(part.score))
    slope = _slope(part, values)
    return np.broadcast_to(np.asarray(slope, dtype=float), part.score.shape)


def _slope(part: ComponentScores, values: Array) -> Any:
    """Return the slope of a component's scale, one number or (p,); `values` are the scores there are."""
    normalise = part.declared.normalise
    if normalise == "none":
        return 1.0
    if normalise == "percentile-rank":
        return np.nan
    if normalise == "share-of-best":
        return 100 / values.max()
    if normalise == "goalposts":
        assert part.declared.goalposts is not None
        worst, best = part.declared.goalposts
        inside = (part.score >= min(worst, best)) & (part.score <= max(worst, best))
        return inside * 100 / (best - worst)
    if np.ptp(values) == 0:
        return 0.0
    if normalise == "minmax":
        return 100 / float(np.ptp(values))
    return 10 / float(values.std(ddof=1))


def carried_errors(parts: tuple[ComponentScores, ...], slope: Array) -> tuple[Array, Array]:
    """Covariance of the combined scores (p, p) and their df (p,), by Satterthwaite.

    Measures of the survey share its sampling units: their contributions add up before they are squared, and so does what
    the rules add to their errors. Other components are independent of it and of one another.
    """
    p = len(slope)
    survey_rows: list[Any] = []
    lent_rows: list[Any] = []
    other_rows: list[Any] = []
    for k, part in enumerate(parts):
        if part.errors is None:
            continue
        steps = sp.diags_array(np.nan_to_num(slope[:, k]))
        rows = sp.csr_array(part.errors) @ steps
        if part.surveyed:
            survey_rows.append(rows)
        else:
            other_rows.append(rows)
        if part.lent is not None:
            lent_rows.append(part.lent @ steps)
    survey = np.zeros((p, p))
    for together in (survey_rows, lent_rows):
        if together:
            total = sum(together[1:], start=together[0])
            survey = survey + crossed(total, total)
    cov = sum((crossed(rows, rows) for rows in other_rows), start=survey)
    df = next((part.df for part in parts if part.surveyed), np.full(p, np.inf))
    fourth = np.divide(np.diag(survey) ** 2, df, out=np.zeros(p), where=df > 0)
    freedom = np.divide(np.diag(cov) ** 2, fourth, out=np.full(p, np.inf), where=fourth > 0)
    return cov, freedom


def _refuse_rules_not_carried_out(survey: Survey) -> None:
    """Refuse rules of rules.yaml that would be ignored here, although the survey's own ranking follows them."""
    rules = survey.rules.ranking
    if rules.side != "last":
        raise _not_carried_out(survey, "side", rules.side, usual="last")
    if rules.round_before_ranking != "off":
        value = rules.round_before_ranking
        raise _not_carried_out(survey, "round_before_ranking", value, usual="off")


def _not_carried_out(survey: Survey, name: str, value: object, *, usual: str) -> RankingError:
    return RankingError(
        "K340",
        _(
            "The ranking of the combined score cannot carry out `{name}: {value}` yet; "
            "rather than ignore it, nothing is ranked.",
            name=name,
            value=value,
        ),
        where=str(survey.folder / survey.declared.rules),
        available=[f"{name}: {usual}", *CARRIED_OUT],
        hint=_(
            "The rules listed are carried out: write `{name}: {usual}` in rules.yaml, or "
            "do without `satisfaction combined`.",
            name=name,
            usual=usual,
        ),
    )


def _ranked(
    results: Results, combined: Array, cov: Array, *, df: Array, taking_part: Array
) -> Ranking:
    """Rank by the combined score under the rules that `combine` names."""
    rules = results.survey.rules.ranking
    if taking_part.sum() <= rules.list_size:
        raise RankingError(
            "K317",
            _(
                "Only {sum} areas have all components and are ranked; a list of {list_size} "
                "needs more.",
                sum=taking_part.sum(),
                list_size=rules.list_size,
            ),
            where="combined.yaml",
            hint=_("Complete the scores of the components, or lower `list_size`."),
        )
    multiplicity = None
    if rules.multiplicity != "one":
        multiplicity = rules.multiplicity
    return rank(
        np.where(taking_part, combined, np.nan_to_num(combined)),
        cov=np.where(np.isfinite(cov), cov, 0.0),
        df=df,
        names=results.ranking.units.names,
        level=rules.level,
        bottom=rules.list_size,
        ranked=taking_part,
        ties=rules.ties,
        multiplicity=multiplicity,
        higher_is_better=True,
        selection=results.survey.declared.selection,
    )


def combined_table(
    results: Results,
    parts: tuple[ComponentScores, ...],
    *,
    scores: Array,
    ranking: Ranking,
    df: Array,
    excluded: Array,
) -> pd.DataFrame:
    """Put components and ranking side by side, in rank order; see `Combination.table`."""
    names = results.survey.area_names()
    ranked = ranking.table
    codes = ranked["unit"]
    table = pd.DataFrame({"code": codes})
    table["name_zh"] = [names[code].zh for code in codes]
    table["name_en"] = [names[code].en for code in codes]
    for k, part in enumerate(parts):
        score = scores[:, k]
        se = part.se * np.abs(scale_slope(part))
        table[part.name] = score
        table[f"{part.name}_se"] = np.where(np.isfinite(score), se, np.nan)
    incomplete = ~np.isfinite(scores).all(axis=1)
    why = [excluded, incomplete, ~ranking.units.ranked]
    note = np.select(why, list(NOTES), "")
    table["score"] = np.where(incomplete, np.nan, ranked["estimate"])
    table["se"] = np.where(incomplete, np.nan, ranked["se"])
    table["df"] = np.where(incomplete | ranked["se"].isna(), np.nan, df)
    kept = ranked[["rank", *SETS, "status", "probability_bottom"]]
    alone = results.ranking.table[list(SURVEY_ALONE)].rename(columns=SURVEY_ALONE)
    table = pd.concat([table, kept, alone], axis=1).assign(note=note, mark=mark(results.survey))
    return twelve_digits(table.sort_values(["rank", "code"], na_position="last", ignore_index=True))


def _summary(
    declared: CombinedFile, parts: tuple[ComponentScores, ...], *, areas: Array
) -> dict[str, Any]:
    weights = {}
    normalise = {}
    sources = {}
    for name, component in declared.components.items():
        weights[name] = component.weight
        normalise[name] = component.normalise
        sources[name] = component.source
    exact = [part.name for part in parts if part.errors is None]
    return {
        "title": declared.title.text,
        "source": declared.source,
        "aggregation": declared.aggregation,
        "weights": weights,
        "normalise": normalise,
        "sources": sources,
        "exact": exact,
        "notes": _notes(parts, exact, areas=areas),
    }


def _notes(
    parts: tuple[ComponentScores, ...], exact: Sequence[str], *, areas: Array
) -> tuple[Text, ...]:
    """Say what the errors of the combined scores leave out, and whose error is a lent one."""
    notes = []
    if exact:
        notes.append(
            _(
                "{components}: components without a standard error count as exact, so ranks look "
                "more certain than they are",
                components=", ".join(exact),
            )
        )
    with_errors = [part for part in parts if part.errors is not None]
    scaled = [part.name for part in with_errors if part.declared.normalise in FIELD]
    if scaled:
        notes.append(
            _(
                "{components}: the scale is set by all areas together and taken as fixed for the "
                "errors",
                components=", ".join(scaled),
            )
        )
    raised = np.any([part.raised for part in parts], axis=0)
    if raised.any():
        notes.append(_("{areas}: {note}", areas=shortened(areas[raised]), note=LENT))
    return tuple(notes)


def export_combined(results: Results, found: Combination) -> Path:
    """Write combined.csv, .xlsx and .json, lost points by item and department of every assessment, and run.json.

    The folder is <survey>/out/<time>-combined/; only run.json holds the clock.
    """
    tables = {"combined": found.table}
    for name, assessed in found.assessed.items():
        marked = mark(results.survey)
        tables[f"{name}_lost"] = assessed.lost.assign(mark=marked)
        tables[f"{name}_items"] = assessed.by_item.assign(mark=marked)
        tables[f"{name}_departments"] = assessed.by_department.assign(mark=marked)
    refuse_changed(found.sources)
    inputs = {Path(path).name: digest for path, digest in found.sources.items()}
    record = {
        "combined": dict(found.summary),
        "combined_inputs": inputs,
        "ranking": dict(found.ranking.summary),
    }
    return write_set(
        [results], "combined", tables=tables, lines=combined_lines(results, found), record=record
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
            weights=_weighted(found.declared),
            aggregation=summary["aggregation"],
        )
    )
    lines.append(_("source: {source}", source=summary["source"]))
    lines += summary["notes"]
    lines.append(_list_title(ranked))
    listed = found.table["code"].isin(set(ranked["listed"]))
    for row in found.table[listed].to_dict("records"):
        lines.append(_listed_line(row))
    for row in found.table[found.table["rank"].isna()].to_dict("records"):
        lines.append(
            _("  {code} {name}: {why}", code=row["code"], name=_name(row), why=NOTES[row["note"]])
        )
    for name, assessed in found.assessed.items():
        component = found.declared.components[name]
        lines += _lost_points(Text(component.zh, component.en), assessed)
    return [*lines, *ranked["notes"]]


def _weighted(declared: CombinedFile) -> Text:
    """Write the components with their weights as a sum."""
    summands = []
    for component in declared.components.values():
        name = Text(component.zh, component.en)
        summands.append(_("{weight:g} {component}", weight=component.weight, component=name))
    return rendered(lambda: " + ".join(map(str, summands)))


def _list_title(ranked: Mapping[str, Any]) -> Text:
    """Say how long the list is, and how sure the sets behind the ranks are, where there are any."""
    if ranked["selection"] != "probability":
        return _("listed: last {bottom} of {p}", bottom=ranked["bottom"], p=ranked["p"])
    return _(
        "listed: last {bottom} of {p}; rank sets at {level:.0%} confidence",
        bottom=ranked["bottom"],
        p=ranked["p"],
        level=ranked["level"],
    )


def _listed_line(row: Mapping[Hashable, Any]) -> Text:
    """Name an area of the list with its score, rank and set, and its rank by the survey alone."""
    rank_with_set = NOTHING
    if pd.notna(row["marginal_low"]):
        rank_with_set = _("  {rank_set}", rank_set=rank_set_in_words(row))
    return _(
        "  {rank:>3} {code} {name}  {score:.2f}{rank_set}  {status}  (by the survey alone: {alone})",
        rank=row["rank"],
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
    return _(
        "{rank:g}, rank set {rank_set}",
        rank=row["rank_survey"],
        rank_set=rank_set(row["rank_survey_low"], row["rank_survey_high"]),
    )


def _lost_points(component: Text, assessed: Assessed) -> list[Text]:
    """Name the items and the departments that lost most points of an assessment."""
    items = []
    for row in assessed.by_item.head(3).to_dict("records"):
        item = Text(row["item_zh"] or "—", row["item_en"] or "—")
        items.append(_("{name} {points:g}", name=item, points=row["points"]))
    departments = []
    for row in assessed.by_department.head(3).to_dict("records"):
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
