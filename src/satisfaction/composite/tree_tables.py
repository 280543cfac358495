"""An assessment as tables: sums at every level, department by area, classes of points, items that the survey decides."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
from scipy.stats import rankdata

from satisfaction.composite.ledger import WavePoints, followed, ledger, transitions
from satisfaction.composite.normalising import Array
from satisfaction.composite.tree_scores import (
    UNCLASSED,
    Measured,
    TreeScores,
    cells,
    unmet_preconditions,
    within_item,
)
from satisfaction.declarations.assessment_tables import CLASSES
from satisfaction.declarations.combined import Assessment, AssessmentItem, Component
from satisfaction.foundation.language import Text, comma_list

ROOT = "total"
LOST = [
    *("code", "item", "item_zh", "item_en", "branch", "department"),
    *("points", "asked", "veto", "reason"),
]


PASSING = [
    *("code", "item", "zh", "en", "measure", "at_least", "points", "estimate", "se", "df"),
    *("reached", "probability", "verdict"),
]


@dataclass(frozen=True, slots=True, eq=False)
class AssessedTree:
    """One assessment of combined.yaml, scored.

    Attributes
    ----------
    name : str
        Of the component.
    component : Component
    scores : TreeScores
    tables : mapping of str to DataFrame
        By name: scores, sums, standards, departments, passing, preconditions, ledger, ledger_waves, ledger_counts; one that would be
        empty is not there.
    """

    name: str
    component: Component
    scores: TreeScores
    tables: Mapping[str, pd.DataFrame] = field(repr=False)

    @property
    def tree(self) -> Assessment:
        """Return the assessment as declared."""
        return self.scores.tree


def assessed_tree(
    name: str,
    component: Component,
    scores: TreeScores,
    *,
    waves: Sequence[WavePoints],
    level: float,
) -> AssessedTree:
    """Make the tables of an assessment.

    Parameters
    ----------
    name, component
        Of combined.yaml.
    scores : TreeScores
    waves : sequence of WavePoints
        For the ledger: this wave last.
    level : float
        Of the tests whether a measure reaches its mark.
    """
    day = ""
    if component.date is not None:
        day = component.date.isoformat()
    entries = ledger(waves, day=day)
    tables = {
        "scores": class_sums(scores, level=level),
        "sums": level_sums(scores),
        "standards": leaf_table(scores),
        "departments": department_sums(scores),
        "passing": passing(scores, level=level),
        "preconditions": precondition_table(scores, level=level),
        "ledger": entries,
        "ledger_waves": followed(waves),
        "ledger_counts": transitions(entries),
    }
    filled = {title: table for title, table in tables.items() if len(table)}
    return AssessedTree(name, component, scores, filled)


def level_sums(scores: TreeScores) -> pd.DataFrame:
    """Add up the points at every level.

    Returns
    -------
    DataFrame
        One row an area and node of the tree, the whole tree first: code, level (0 the whole, 1 its top items), node (names from
        the top, "/" between), zh, en, standards (leaves below, bonus items apart), not_applicable (of them, in the area),
        points (as declared), based (after points of items that do not apply were taken over), got, lost, share_lost (0-1 of
        `based`).
    """
    parts = []
    for path, leaves in _leaves_by_node(scores).items():
        label = _label(scores.tree, path)
        sums = _sums(scores, leaves)
        node = {"level": len(path), "node": "/".join(path) or ROOT, "zh": label.zh}
        declared = sum(scores.items[place].points or 0.0 for place in leaves)
        without = ~scores.applies[:, leaves]
        counted = {
            "en": label.in_language("en"),
            "standards": len(leaves),
            "not_applicable": without.sum(axis=1),
            "points": declared,
        }
        share = _share(sums["lost"], sums["based"], of_nothing=np.nan)
        parts.append(_by_area(scores, node | counted | sums | {"share_lost": share}))
    table = pd.concat(parts, ignore_index=True)
    order = {code: place for place, code in enumerate(scores.areas)}
    return table.sort_values(
        "code", key=lambda codes: codes.map(order), kind="stable", ignore_index=True
    )


def _by_area(scores: TreeScores, columns: Mapping[str, object]) -> pd.DataFrame:
    """Return a table of one row an area."""
    return pd.DataFrame({"code": scores.areas, **columns})


def _sums(scores: TreeScores, leaves: list[int]) -> dict[str, Array]:
    """Add up the points of some leaves: what counts, what was got and what was lost, (p,) each."""
    return {name: points[:, leaves].sum(axis=1) for name, points in _points(scores).items()}


def _points(scores: TreeScores) -> dict[str, Array]:
    """Return what counts, what was got and what was lost, (p, L) each."""
    return {"based": scores.based, "got": scores.got, "lost": scores.lost}


def _share(part: Array, whole: Array, *, of_nothing: float) -> Array:
    share = np.divide(part, whole, out=np.full(len(whole), of_nothing), where=whole > 0)
    return np.asarray(share)


def _leaves_by_node(scores: TreeScores) -> dict[tuple[str, ...], list[int]]:
    """Return the columns of the ordinary leaves below every node, the whole tree first, then in the tree's order."""
    leaves: dict[tuple[str, ...], list[int]] = {}
    for place in np.flatnonzero(scores.ordinary).tolist():
        path = scores.paths[place]
        for depth in range(len(path) + 1):
            leaves.setdefault(path[:depth], []).append(place)
    return leaves


def _label(tree: Assessment, path: tuple[str, ...]) -> Text:
    """Return what a node is called."""
    label = tree.title
    items = tree.items
    for name in path:
        label = items[name].text
        items = items[name].items or {}
    return label


def department_sums(scores: TreeScores) -> pd.DataFrame:
    """Add up the points by area and department.

    Returns
    -------
    DataFrame
        One row an area and department that answers for an item ("" for items that name none): code, department, standards
        (that apply in the area), based, got, lost, share (0-1 of all points that the area lost).
    """
    departments = np.array([leaf.department or "" for leaf in scores.items])
    lost_in_all = scores.lost.sum(axis=1)
    parts = []
    for department in sorted(set(departments.tolist())):
        leaves = np.flatnonzero((departments == department) & scores.ordinary).tolist()
        sums = _sums(scores, leaves)
        standards = scores.applies[:, leaves].sum(axis=1)
        head = {"department": department, "standards": standards}
        share = _share(sums["lost"], lost_in_all, of_nothing=0.0)
        parts.append(_by_area(scores, head | sums | {"share": share}))
    return pd.concat(parts, ignore_index=True)


def lost_entries(scores: TreeScores) -> pd.DataFrame:
    """List what every area lost, entry by entry, the vetoes that occurred among them.

    Returns
    -------
    DataFrame
        One row an entry of the sheet, or an item that the survey or points of inspection decide: code, item, item_zh, item_en,
        branch (names above, " / " between), department, points (taken off; never more in all than the item has), asked (points
        as handed in), veto (bool), reason.
    """
    entries = within_item(scores.sheet.lost, scores.tree)
    area, leaf = cells(entries, scores.areas, scores.leaves)
    points = np.array([item.points or 0.0 for item in scores.items])
    counted = entries["counted"].to_numpy(float)
    factor = np.divide(
        scores.based[area, leaf], points[leaf], out=np.zeros(len(leaf)), where=points[leaf] > 0
    )
    by_sheet = entries.assign(asked=entries["points"], points=counted * factor, veto=False)
    vetoes = scores.sheet.vetoes.assign(points=0.0, asked=0.0, veto=True)
    parts = [by_sheet, _decided_otherwise(scores), vetoes]
    table = pd.concat([part for part in parts if len(part)] or [by_sheet], ignore_index=True)
    words = {name: (veto.zh, veto.en, "veto", "") for name, veto in scores.tree.veto.items()}
    for name, (path, item) in scores.tree.leaves().items():
        words[name] = (item.zh, item.en, " / ".join(path[:-1]), item.department or "")
    labels = pd.DataFrame([words[name] for name in table["item"]], columns=LOST[2:6])
    table = pd.concat([table, labels], axis=1).astype({"veto": bool})
    return table[LOST].sort_values(["code", "item"], kind="stable", ignore_index=True)


def _decided_otherwise(scores: TreeScores) -> pd.DataFrame:
    """Return the points lost by items that no sheet scores, one row an area and item that lost any."""
    by_sheet = [leaf.measure is None and not leaf.sites for leaf in scores.items]
    lost = np.where(by_sheet, 0.0, np.nan_to_num(scores.lost))
    area, leaf = np.nonzero(lost > 0)
    codes = np.array(scores.areas, dtype=object)
    items = np.array(scores.leaves, dtype=object)
    table = pd.DataFrame({"code": codes[area], "item": items[leaf]})
    table["points"] = lost[area, leaf]
    return table.assign(asked=table["points"], veto=False, reason="")


def most_lost(entries: pd.DataFrame, by: Sequence[str]) -> pd.DataFrame:
    """Add up the points lost over all areas, most first.

    Parameters
    ----------
    entries : DataFrame
        As `lost_entries` returns it.
    by : sequence of str
        Its columns that the sums are told apart by.

    Returns
    -------
    DataFrame
        `by`, areas (that lost any), points, share (0-1 of all points lost).
    """
    points = entries[~entries["veto"]]
    groups = points.groupby(list(by), as_index=False)
    sums = groups.agg(areas=("code", "nunique"), points=("points", "sum"))
    of_all = max(sums["points"].sum(), 1e-300)
    sums["share"] = sums["points"] / of_all
    return sums.sort_values(["points", by[0]], ascending=[False, True], ignore_index=True)


def leaf_table(scores: TreeScores) -> pd.DataFrame:
    """List every item of every area.

    Returns
    -------
    DataFrame
        code, item, node, zh, en, department, scored_by ("sheet", "measure", "sites" or "bonus"), applies ("yes", "no"), points,
        based, got, lost, se (points, of items scored at sites; empty elsewhere), error ("exact as handed in", "passing",
        "sampled", "one site of a kind", "all sites alike", "awaited").
    """
    parts = []
    for place, leaf in enumerate(scores.items):
        node = "/".join(scores.paths[place])
        about = {"item": scores.leaves[place], "node": node, "zh": leaf.zh, "en": leaf.en}
        about |= {
            "department": leaf.department or "",
            "scored_by": _scored_by(leaf),
        }
        applies = np.where(scores.applies[:, place], "yes", "no")
        got = {name: of_leaf[:, place] for name, of_leaf in _points(scores).items()}
        points = {"applies": applies, "points": leaf.points, **got}
        se, error = _error_of(scores, place, leaf)
        parts.append(_by_area(scores, about | points | {"se": se, "error": error}))
    return pd.concat(parts, ignore_index=True)


def _scored_by(leaf: AssessmentItem) -> str:
    if leaf.measure is not None:
        return "measure"
    if leaf.sites:
        return "sites"
    if leaf.bonus:
        return "bonus"
    return "sheet"


def _error_of(scores: TreeScores, place: int, leaf: AssessmentItem) -> tuple[Array, Array]:
    """Return the se of the points got of a leaf, (p,), and what is known of it."""
    p = len(scores.areas)
    se = np.full(p, np.nan)
    error = np.full(p, "exact as handed in", dtype=object)
    if leaf.measure is not None:
        error[:] = "passing"
    if leaf.sites:
        error[:] = "sampled"
        if scores.sites is not None:
            squares = scores.sites.rows[:, [place]].toarray().ravel() ** 2
            variance = np.bincount(scores.sites.area, weights=squares, minlength=p)
            se = np.sqrt(variance) * scores.based[:, place]
            se[scores.sites.single[:, place]] = np.nan
            error[scores.sites.single[:, place]] = "one site of a kind"
            error[scores.sites.alike[:, place]] = "all sites alike"
    awaited = ~np.isfinite(scores.got[:, place])
    se[awaited] = np.nan
    error[awaited] = "awaited"
    return se, error


def undecided_points(scores: TreeScores, *, level: float) -> Array:
    """Return the points of every area, (p,), of which a one-sided test at 1 - `level` cannot say whether they are got.

    Of an item that a measure decides: the points of the highest mark that is not established as missed, less those of the highest
    that is established as reached. 0 where nothing is awaited and all is established; without a design error all are undecided.
    """
    undecided = np.zeros(len(scores.areas))
    for place, leaf in enumerate(scores.items):
        if leaf.measure is None or not leaf.points:
            continue
        certain = np.zeros(len(scores.areas))
        possible = np.zeros(len(scores.areas))
        for step in reversed(leaf.steps):
            marked = _mark_table(scores, leaf.measure, step.at_least, level=level)
            is_reached = (marked["verdict"] == "reached").to_numpy()
            is_open = (marked["verdict"] != "not reached").to_numpy()
            certain = np.where(is_reached, step.points, certain)
            possible = np.where(is_open, step.points, possible)
        factor = np.where(scores.applies[:, place], scores.based[:, place] / leaf.points, 0.0)
        undecided += (possible - certain) * factor
    return undecided


def class_sums(scores: TreeScores, *, level: float) -> pd.DataFrame:
    """Divide the points of every area into those got and those lost, by class, and say what can still be reached.

    Returns
    -------
    DataFrame
        One row an area: code, points (of the tree), got, bonus, winnable, difficult, dead, unclassed (lost points), lost,
        undecided (as `undecided_points`, bonus items among them); score,
        score_winnable (the winnable points got), score_difficult (those and the difficult ones), score_most (all but the dead
        ones); rank (by `score`, the areas without a score or excluded apart) and rank_winnable (were this area alone to get
        its winnable points); excluded ("yes", "no"), by (vetoes and preconditions not met).
    """
    ordinary = scores.ordinary
    kept = scores.got[:, ordinary].sum(axis=1)
    bonus = scores.got[:, ~ordinary].sum(axis=1)
    if scores.tree.bonus_most is not None:
        bonus = np.minimum(bonus, scores.tree.bonus_most)
    lost = {name: points.sum(axis=1) for name, points in scores.lost_by_class.items()}
    unclassed = lost[UNCLASSED]
    with_difficult = lost["winnable"] + lost["difficult"]
    points = {"points": scores.total, "got": kept, "bonus": bonus}
    points |= {name: lost[name] for name in reversed(CLASSES)}
    points |= {"unclassed": unclassed, "lost": sum(lost.values())}
    reached = {"undecided": undecided_points(scores, level=level), "score": scores.scores}
    reached |= {
        "score_winnable": scores.scores_with(lost["winnable"]),
        "score_difficult": scores.scores_with(with_difficult),
        "score_most": scores.scores_with(with_difficult + unclassed),
    }
    table = _by_area(scores, points | reached)
    table[["rank", "rank_winnable"]] = np.nan
    taking_part = np.isfinite(reached["score"]) & ~scores.excluded
    ranked = reached["score"][taking_part]
    table.loc[taking_part, "rank"] = rankdata(-ranked.round(9), method="min")
    table.loc[taking_part, "rank_winnable"] = [
        (np.delete(ranked, place) > value + 1e-9).sum() + 1
        for place, value in enumerate(reached["score_winnable"][taking_part])
    ]
    excluded = np.where(scores.excluded, "yes", "no")
    return table.assign(excluded=excluded, by=scores.vetoes)


def passing(scores: TreeScores, *, level: float) -> pd.DataFrame:
    """Say of every item that a measure decides how certain it is that its points are got.

    Returns
    -------
    DataFrame
        One row an area, item and mark, the highest mark first: code, item, zh, en, measure, at_least, points (that the mark
        gives, as declared), estimate, se, df, reached ("yes", "no"), probability (of reaching it, 0-1; of a value drawn around
        the estimate), verdict ("reached", "not reached", "not decidable"; the first two where a one-sided test at 1 - `level`
        says so). Items that do not apply in an area have no row.
    """
    parts = []
    for place, leaf in enumerate(scores.items):
        for step in leaf.steps:
            part = _mark_table(scores, str(leaf.measure), step.at_least, level=level)
            about = {"item": scores.leaves[place], "zh": leaf.zh, "en": leaf.en}
            part = part.assign(points=step.points, **about)
            parts.append(part.loc[scores.applies[:, place], PASSING])
    if not parts:
        return pd.DataFrame()
    return pd.concat(parts, ignore_index=True)


def _mark_table(scores: TreeScores, name: str, at_least: float, *, level: float) -> pd.DataFrame:
    """Say of every area whether a measure reaches a mark; nothing is known of one that is awaited."""
    nothing = np.full(len(scores.areas), np.nan)
    measure = scores.measures.get(name, Measured(nothing, None, None, nothing))
    probability = measure.probability_at_least(at_least)
    verdicts = [probability >= level, probability <= 1 - level]
    reached = [~np.isfinite(measure.estimate), measure.estimate >= at_least - 1e-9]
    verdict = np.select(verdicts, ["reached", "not reached"], "not decidable")
    estimated = {"estimate": measure.estimate, "se": measure.se, "df": measure.df}
    decided = {
        "reached": np.select(reached, ["", "yes"], "no").astype(object),
        "probability": probability,
        "verdict": verdict.astype(object),
    }
    return _by_area(scores, {"measure": name, "at_least": at_least} | estimated | decided)


def precondition_table(scores: TreeScores, *, level: float) -> pd.DataFrame:
    """Say of every precondition and area whether it is met.

    Returns
    -------
    DataFrame
        One row an area and precondition: code, item, zh, en, met ("yes", "no", "not stated"), measure, at_least, estimate,
        probability, verdict (as in `passing`; of a stated one what is stated), effect, source.
    """
    met = unmet_preconditions(scores.tree, scores.sheet, scores.areas, measures=scores.measures)
    parts = []
    for name, condition in scores.tree.preconditions.items():
        stated = met[name].map({1.0: "yes", 0.0: "no"}).fillna("not stated")
        verdict = stated.map({"yes": "reached", "no": "not reached"}).fillna("not decidable")
        about = {"item": name, "zh": condition.zh, "en": condition.en, "met": stated.to_numpy()}
        part = _by_area(scores, about | {"measure": condition.measure or ""})
        part[["at_least", "estimate", "probability"]] = np.nan
        part["verdict"] = verdict.to_numpy()
        if condition.measure is not None and condition.at_least is not None:
            marked = _mark_table(scores, condition.measure, condition.at_least, level=level)
            decided = ["at_least", "estimate", "probability", "verdict"]
            part[decided] = marked[decided]
        parts.append(part.assign(effect=condition.effect, source=condition.source.both))
    if not parts:
        return pd.DataFrame()
    return pd.concat(parts, ignore_index=True)


def sanctions_in_words(tree: Assessment, by: str) -> Text:
    """Return the titles of the vetoes and preconditions that the column `by` holds by name."""
    sanctions = {**tree.veto, **tree.preconditions}
    return comma_list([sanctions[name].text for name in by.split("; ") if name])
