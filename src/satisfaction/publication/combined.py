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


def weighted_sum(declared: CombinedFile) -> Text:
    """Write the components with their weights as a sum."""
    summands = []
    for component in declared.components.values():
        name = Text(component.zh, component.en)
        summands.append(_("{weight:g} {component}", weight=component.weight, component=name))
    return rendered(lambda: " + ".join(map(str, summands)))


def results_by(results: Results, score: str) -> Results | None:
    """Return the wave ranked by a score, None where it is not ranked by it."""
    for one in (results, *results.further.values()):
        if one.survey.ranked == score:
            return one
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
        scaled = scores.scaled[:, k]
        without = np.where(part.declared.exact is None, "taken", "declared")
        se = part.se * np.abs(scale_slope(part))
        table = pd.DataFrame({"code": scores.codes, "score": part.score, "scaled": scaled})
        without_se = part.without_error & (not part.by_draws)
        table["se"] = np.where(without_se, np.nan, se)
        table["exact"] = np.where(part.without_error, without, "no")
        table["weight"] = part.declared.weight
        table["contribution"] = np.where(is_sum, part.declared.weight * scaled, np.nan)
        tables.append(table.assign(level=scores.level, component=part.name))
    se = np.sqrt(np.diag(scores.cov))
    whole = pd.DataFrame({"code": scores.codes, "score": scores.score, "scaled": scores.score})
    whole["se"] = np.where(scores.incomplete, np.nan, se)
    whole["contribution"] = scores.score
    exact = "no"
    if scores.taken_as_exact:
        exact = "taken"
    tables.append(whole.assign(weight=1.0, exact=exact, level=scores.level, component=COMBINED))
    return tables


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
