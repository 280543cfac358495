"""The survey index together with other parts of an assessment: one score, its error, its ranking.

`declared` is what combined.yaml may say, `assessment` scores by points, `normalising` and `aggregating` are formulas on
arrays, `parts` reads the components; here they become a ranking.

The combined ranking as a file set beside the survey's own.
"""

from __future__ import annotations

from collections.abc import Mapping
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
from satisfaction.foundation.files import recorded, refuse_changed
from satisfaction.foundation.language import _
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
VETOED = "一票否决，不排名 vetoed; not ranked"
INCOMPLETE = "缺少部分得分，不排名 a component is missing; not ranked"
FEW = "样本不足，不排名 too few answers; not ranked"
FIELD = ("minmax", "zscore", "share-of-best")
FIXED = "归一化的尺度由全体地区决定，计误差时视为固定 the scale is set by all areas together and taken as fixed for the errors"
EXACT = (
    "没有标准误的部分按无误差计，名次的不确定性因此偏小 "
    "components without a standard error count as exact, so ranks look more certain than they are"
)


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
    weights = np.array([one.weight for one in declared.components.values()])
    scores = np.column_stack([scaled_score(part) for part in parts])
    combined = aggregated(scores, weights, declared.aggregation)
    slope = slopes(scores, weights, declared.aggregation) * np.column_stack(
        [scale_slope(part) for part in parts]
    )
    cov, df = carried_errors(parts, slope)
    excluded = np.any([part.excluded for part in parts], axis=0)
    taking_part = np.isfinite(combined) & ~excluded & results.ranking.units.ranked
    ranking = _ranked(results, combined, cov, df=df, taking_part=taking_part)
    table = combined_table(results, parts, scores=scores, ranking=ranking, df=df, excluded=excluded)
    assessed = {part.name: part.assessed for part in parts if part.assessed is not None}
    summary = MappingProxyType(
        _summary(declared, parts, areas=np.array(results.ranking.units.names))
    )
    return Combination(
        declared,
        parts,
        scores,
        table,
        ranking,
        MappingProxyType(assessed),
        MappingProxyType(read),
        summary,
    )


def scaled_score(part: ComponentScores) -> Array:
    """Scores of a component as they are combined, (p,); NaN where an area has none."""
    seen, score = np.isfinite(part.score), np.full(len(part.score), np.nan)
    if not seen.any():
        return score
    score[seen] = normalised(
        part.score[seen], part.declared.normalise, posts=part.declared.goalposts
    )
    return score


def scale_slope(part: ComponentScores) -> Array:
    """How much the scaled score moves for one point of the component's own, (p,): NaN for ranks, which have no slope.

    A scale that the field sets (minmax, zscore, share-of-best) is taken as fixed.
    """
    values = part.score[np.isfinite(part.score)]
    if not len(values):
        return np.zeros(len(part.score))
    spread, deviation = float(np.ptp(values)), float(values.std(ddof=1)) if len(values) > 1 else 0.0
    worst, best = part.declared.goalposts or (-np.inf, np.inf)
    inside = (part.score >= min(worst, best)) & (part.score <= max(worst, best))
    slope = {
        "none": 1.0,
        "minmax": 100 / spread if spread else 0.0,
        "zscore": 10 / deviation if deviation else 0.0,
        "goalposts": inside * 100 / (best - worst),
        "share-of-best": 100 / values.max(),
        "percentile-rank": np.nan,
    }[part.declared.normalise]
    return np.broadcast_to(np.asarray(slope, dtype=float), part.score.shape)


def carried_errors(parts: tuple[ComponentScores, ...], slope: Array) -> tuple[Array, Array]:
    """Covariance of the combined scores (p, p) and their df (p,), by Satterthwaite.

    Measures of the survey share its sampling units: their contributions add up before they are squared, and so does what
    the rules add to their errors. Other components are independent of it and of one another.
    """
    p = len(slope)
    own: list[Any] = []
    lent: list[Any] = []
    others: list[Any] = []
    for k, part in enumerate(parts):
        if part.errors is not None:
            steps = sp.diags_array(np.nan_to_num(slope[:, k]))
            (own if part.surveyed else others).append(sp.csr_array(part.errors) @ steps)
            if part.lent is not None:
                lent.append(part.lent @ steps)
    shared = [sum(rows[1:], start=rows[0]) for rows in (own, lent) if rows]
    survey = sum((crossed(one, one) for one in shared), start=np.zeros((p, p)))
    cov = sum((crossed(one, one) for one in others), start=survey)
    df = next((part.df for part in parts if part.surveyed), np.full(p, np.inf))
    fourth = np.divide(np.diag(survey) ** 2, df, out=np.zeros(p), where=df > 0)
    freedom = np.divide(np.diag(cov) ** 2, fourth, out=np.full(p, np.inf), where=fourth > 0)
    return cov, freedom


def _refuse_rules_not_carried_out(survey: Survey) -> None:
    """Refuse rules of rules.yaml that would be ignored here, although the survey's own ranking follows them."""
    rules = survey.rules.ranking
    for name, value, usual in (
        ("side", rules.side, "last"),
        ("round_before_ranking", rules.round_before_ranking, "off"),
    ):
        if value != usual:
            raise RankingError(
                "K340",
                _(
                    "The ranking of the combined score cannot carry out `{name}: {value}` yet; "
                    "rather than ignore it, nothing is ranked.",
                    name=name,
                    value=value,
                ),
                where=str(survey.folder / survey.declared.rules),
                available=[
                    f"{name}: {usual}",
                    "list_size",
                    "minimum_n",
                    "minimum_reliability",
                    "ties",
                    "multiplicity",
                    "level",
                ],
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
    rules, selection = results.survey.rules.ranking, results.survey.declared.selection
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
    return rank(
        np.where(taking_part, combined, np.nan_to_num(combined)),
        cov=np.where(np.isfinite(cov), cov, 0.0),
        df=df,
        names=results.ranking.units.names,
        level=rules.level,
        bottom=rules.list_size,
        ranked=taking_part,
        ties=rules.ties,
        multiplicity=None if rules.multiplicity == "one" else rules.multiplicity,
        higher_is_better=True,
        selection=selection,
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
    names, found = results.survey.area_names(), ranking.table
    table = pd.DataFrame({"code": found["unit"]})
    table = table.assign(
        **{
            f"name_{side}": [getattr(names[code], side) for code in found["unit"]]
            for side in ("zh", "en")
        }
    )
    for k, part in enumerate(parts):
        table[part.name] = scores[:, k]
        table[f"{part.name}_se"] = np.where(
            np.isfinite(scores[:, k]), part.se * np.abs(scale_slope(part)), np.nan
        )
    incomplete = ~np.isfinite(scores).all(axis=1)
    note = np.select([excluded, incomplete, ~ranking.units.ranked], [VETOED, INCOMPLETE, FEW], "")
    table = table.assign(
        score=np.where(incomplete, np.nan, found["estimate"]),
        se=np.where(incomplete, np.nan, found["se"]),
        df=np.where(incomplete | found["se"].isna(), np.nan, df),
    )
    kept = found[["rank", *SETS, "status", "probability_bottom"]]
    alone = results.ranking.table[["rank", "marginal_low", "marginal_high"]].rename(
        columns=SURVEY_ALONE
    )
    table = pd.concat([table, kept, alone], axis=1).assign(note=note, mark=mark(results.survey))
    return twelve_digits(table.sort_values(["rank", "code"], na_position="last", ignore_index=True))


def _summary(
    declared: CombinedFile, parts: tuple[ComponentScores, ...], *, areas: Array
) -> dict[str, Any]:
    exact = [part.name for part in parts if part.errors is None]
    scaled = [
        part.name for part in parts if part.errors is not None and part.declared.normalise in FIELD
    ]
    notes = ([f"{', '.join(exact)}: {EXACT}"] if exact else []) + (
        [f"{', '.join(scaled)}: {FIXED}"] if scaled else []
    )
    if named := shortened(areas[np.any([part.raised for part in parts], axis=0)]):
        notes.append(f"{named}: {LENT}")
    return {
        "title": str(declared.title),
        "source": declared.source,
        "aggregation": declared.aggregation,
        "weights": {name: one.weight for name, one in declared.components.items()},
        "normalise": {name: one.normalise for name, one in declared.components.items()},
        "sources": {name: one.source for name, one in declared.components.items()},
        "exact": exact,
        "notes": notes,
    }


def export_combined(results: Results, found: Combination) -> Path:
    """Write combined.csv, .xlsx and .json, lost points by item and department of every assessment, and run.json.

    The folder is <survey>/out/<time>-combined/; only run.json holds the clock.
    """
    tables = {"combined": found.table}
    for name, assessed in found.assessed.items():
        parts = {
            "lost": assessed.lost,
            "items": assessed.by_item,
            "departments": assessed.by_department,
        }
        tables |= {
            f"{name}_{part}": table.assign(mark=mark(results.survey))
            for part, table in parts.items()
        }
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


def combined_lines(results: Results, found: Combination) -> list[str]:
    """Say what was combined, the list, and what it is worth."""
    summary, ranked = found.summary, found.ranking.summary
    weights = " + ".join(
        f"{summary['weights'][name]:g} {one.zh} {one.en}"
        for name, one in found.declared.components.items()
    )
    lines = [summary["title"], *filter(None, [mark(results.survey)])]
    lines += [
        f"综合得分 combined score = {weights}  ({summary['aggregation']})",
        f"依据 source: {summary['source']}",
    ]
    lines += [
        *map(str, summary["notes"]),
        f"名单 listed: 末位 last {ranked['bottom']} / {ranked['p']}{_level(ranked)}",
    ]
    for row in found.table[found.table["code"].isin(set(ranked["listed"]))].itertuples():
        lines.append(
            f"  {row.rank:>3} {row.code} {row.name_zh}  {row.score:.2f}{_range(row)}  "
            f"{STATUS[row.status]}  (单按调查 by the survey alone: {_alone(row)})"
        )
    out = found.table[found.table["rank"].isna()]
    lines += [f"  {row.code} {row.name_zh}: {row.note}" for row in out.itertuples()]
    for name, assessed in found.assessed.items():
        lines += [
            f"{found.declared.components[name].zh}失分最多 most points lost: {_most(assessed.by_item, 'item_zh')}"
        ]
        lines += [f"  按部门 by department: {_most(assessed.by_department, 'department')}"]
    return [*lines, *ranked["notes"]]


def _level(ranked: Mapping[str, Any]) -> str:
    return (
        f"，名次范围 rank set {ranked['level']:.0%}" if ranked["selection"] == "probability" else ""
    )


def _range(row: Any) -> str:
    """Write the set of a rank; nothing without a probability sample, which has none."""
    if pd.isna(row.marginal_low):
        return ""
    return f"  名次范围 rank set {row.marginal_low}–{row.marginal_high}"


def _alone(row: Any) -> str:
    """Say the rank by the survey alone with its set, where there is one."""
    if pd.isna(row.rank_survey):
        return "—"
    if pd.isna(row.rank_survey_low):
        return f"{row.rank_survey:g}"
    return f"{row.rank_survey:g}，范围 set {row.rank_survey_low:g}–{row.rank_survey_high:g}"


def _most(table: pd.DataFrame, column: str) -> str:
    return (
        "、".join(
            f"{row[column] or '—'} {row['points']:g}" for row in table.head(3).to_dict("records")
        )
        or "无 none"
    )
