"""What a combined score publishes beside its ranking: components by area, and the points that were lost."""

from __future__ import annotations

import numpy as np
import pandas as pd

from satisfaction.composite.scores import CombinedScores, LevelScores, scale_slope
from satisfaction.composite.tree_tables import lost_entries, most_lost
from satisfaction.declarations.combined import COMBINED, CombinedFile
from satisfaction.declarations.survey import Survey
from satisfaction.foundation.language import Text, _, rendered, use
from satisfaction.pipeline import Results
from satisfaction.publication.labels import labelled, mark, published, twelve_digits

SCORES = [
    *("level", "code", "name_zh", "name_en", "component", "component_zh", "component_en"),
    *("weight", "score", "scaled", "se", "contribution", "exact"),
]

AGGREGATIONS = {
    "arithmetic": _("weighted arithmetic mean"),
    "geometric": _("weighted geometric mean"),
}


def _weighted_sum(declared: CombinedFile) -> Text:
    """Write the components with their weights as a sum."""
    summands = []
    for component in declared.components.values():
        summands.append(_("{weight:g} {component}", weight=component.weight, component=component))
    return rendered(lambda: " + ".join(map(str, summands)))


def formula_lines(results: Results) -> list[Text]:
    """Say how the combined score is put together, where the ranking is by it."""
    if results.combined is None or results.survey.ranked != COMBINED:
        return []
    declared = results.combined.inputs.declared
    return [
        _(
            "combined score = {weights} ({aggregation})",
            weights=_weighted_sum(declared),
            aggregation=AGGREGATIONS[declared.aggregation],
        ),
        _("source: {source}", source=declared.source),
    ]


def results_by(results: Results, score: str) -> Results | None:
    """Return the wave ranked by a score, None where it is not ranked by it."""
    for ranked in (results, *results.further.values()):
        if ranked.survey.ranked == score:
            return ranked
    return None


@use(None)
def scores_table(survey: Survey, combined: CombinedScores) -> pd.DataFrame:
    """Return the components of the combined score of every area, the combined score itself after them.

    Returns
    -------
    DataFrame
        survey, wave, level, code, name_zh, name_en, component, component_zh, component_en, weight, score (on the component's
        own scale), scaled (as it is combined), se (of scaled; empty: none), contribution (weight times scaled; empty where the
        aggregation is no sum), exact ("declared", "taken": without an error, as declared or for want of one; "no"), mark.
    """
    parts = []
    for scores in combined.levels.values():
        parts += _components(combined, scores)
    table = pd.concat(parts, ignore_index=True)
    order = {code: row for row, code in enumerate(dict.fromkeys(table["code"]))}
    table = table.sort_values("code", key=lambda codes: codes.map(order), kind="stable")
    if survey.declared.selection != "probability":
        table["se"] = np.nan  # a component's as well: no figure of such a wave states an error
    labels = combined.inputs.labels
    table = labelled(table, labels, key="component", into="component")
    return published(survey, table.reset_index(drop=True), SCORES)


def _components(combined: CombinedScores, scores: LevelScores) -> list[pd.DataFrame]:
    """Return one table a component of a level, and one of the combined score."""
    is_sum = combined.inputs.declared.aggregation == "arithmetic"
    tables = []
    for k, part in enumerate(scores.parts):
        declared = part.declared
        scaled = scores.scaled[:, k]
        without = "taken" if declared.exact is None else "declared"
        without_se = part.without_error & (not part.by_draws)
        se = part.se * np.abs(scale_slope(part))
        columns = {
            "code": scores.codes,
            "score": part.score,
            "scaled": scaled,
            "se": np.where(without_se, np.nan, se),
            "exact": np.where(part.without_error, without, "no"),
            "weight": declared.weight,
            "contribution": declared.weight * scaled if is_sum else np.nan,
            "component": part.name,
        }
        tables.append(pd.DataFrame(columns))
    se_of_sum = np.sqrt(np.diag(scores.cov))
    columns = {
        "code": scores.codes,
        "score": scores.score,
        "scaled": scores.score,
        "se": np.where(scores.incomplete, np.nan, se_of_sum),
        "exact": "taken" if scores.taken_as_exact else "no",
        "weight": 1.0,
        "contribution": scores.score,
        "component": COMBINED,
    }
    tables.append(pd.DataFrame(columns))
    return [table.assign(level=scores.level) for table in tables]


@use(None)
def lost_tables(survey: Survey, combined: CombinedScores) -> dict[str, pd.DataFrame]:
    """Return the points lost in every assessment: by entry, by item and by department, by the names of their files."""
    tables = {}
    for part in combined.ranked.parts:
        if part.assessed is None:
            continue
        entries = lost_entries(part.assessed)
        items = most_lost(entries, ["item", "item_zh", "item_en"])
        departments = most_lost(entries, ["department"])
        for name, table in (("lost", entries), ("items", items), ("departments", departments)):
            tables[f"{part.name}_{name}"] = twelve_digits(table.assign(mark=mark(survey)))
    return tables


def combined_files(results: Results) -> dict[str, pd.DataFrame]:
    """Return the tables beside the rankings that the combined score publishes, by the names of their files."""
    if results.combined is None:
        return {}
    tables = {"combined_scores": scores_table(results.survey, results.combined)}
    for name, table in lost_tables(results.survey, results.combined).items():
        if len(table):
            tables[f"combined_{name}"] = table
    return tables
