"""An assessment by points: lost points by item and department, vetoes, and the score of every area."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from satisfaction.declarations.combined import Assessment
from satisfaction.foundation.errors import RankingError, shortened
from satisfaction.foundation.language import Text, _
from satisfaction.foundation.personal import masked_within
from satisfaction.foundation.tables import read_table

COLUMNS = ("code", "item", "points", "reason")


@dataclass(frozen=True, slots=True, eq=False)
class Assessed:
    """What an assessment comes to.

    Attributes
    ----------
    scores : DataFrame
        One row an area, in the order given: code, score (0-100), lost (points), possible (points), excluded (bool: not
        ranked), vetoes (names, "; " between).
    lost : DataFrame
        One row an entry: code, item, item_zh, item_en, branch (names above, " / " between), department, points (taken off;
        never more in all than the item has), asked (points as handed in), veto (bool), reason.
    by_item, by_department : DataFrame
        Points lost over all areas, most first: item or department, areas, points, share (0-1 of all points lost).
    """

    scores: pd.DataFrame = field(repr=False)
    lost: pd.DataFrame = field(repr=False)
    by_item: pd.DataFrame = field(repr=False)
    by_department: pd.DataFrame = field(repr=False)


def read_lost(path: Path, assessment: Assessment, areas: Sequence[str]) -> pd.DataFrame:
    """Read the table of lost points: code, item, points (empty for a veto), reason.

    Raises
    ------
    RankingError
        K311 a column that is not there, K312 a code or item nobody knows, K313 points that are no number >= 0, K370 as `assess`.
    """
    return checked_lost(read_table(path).map(str.strip), path, assessment, areas)


def checked_lost(
    table: pd.DataFrame, path: Path, assessment: Assessment, areas: Sequence[str]
) -> pd.DataFrame:
    """Return a table of lost points, read from `path`, with its types; errors as those of `read_lost`."""
    for column in COLUMNS:
        if column not in table:
            raise _fault(
                "K311",
                _("Column '{column}' not found.", column=column),
                f"{path} row 1",
                table.columns,
                column,
            )
    refuse_beyond_lost_points(assessment)
    leaves = assessment.leaves()
    for column, known in (("code", list(areas)), ("item", [*leaves, *assessment.veto])):
        unknown = table.index[~table[column].isin(known)]
        if len(unknown):
            first = str(table.loc[unknown[0], column])
            text = _("`{column}` {first!r} does not exist.", column=column, first=first)
            raise _fault("K312", text, f"{path} row {shortened(unknown + 2)}", known, first)
    points = pd.to_numeric(table["points"], errors="coerce")
    veto = table["item"].isin(assessment.veto)
    wrong = table.index[~veto & ~(points >= 0) | np.isinf(points)]
    if len(wrong):
        text = _("`points` is a number >= 0: the points lost.")
        raise _fault("K313", text, f"{path} row {shortened(wrong + 2)}")
    return table[list(COLUMNS)].assign(
        points=points.where(~veto, 0.0), reason=table["reason"].map(masked_within)
    )


def assess(assessment: Assessment, lost: pd.DataFrame, areas: Sequence[str]) -> Assessed:
    """Score the areas.

    Parameters
    ----------
    assessment : Assessment
    lost : DataFrame
        As `read_lost` returns it.
    areas : sequence of str

    Raises
    ------
    RankingError
        K370 for an assessment that a sheet of lost points alone does not score; `tree_scores` does.
    """
    refuse_beyond_lost_points(assessment)
    entries = _entries(assessment, lost)
    possible = sum(leaf.points or 0.0 for _unused, leaf in assessment.leaves().values())
    taken = entries.groupby("code")["points"].sum().reindex(areas, fill_value=0.0).to_numpy()
    scores = pd.DataFrame(
        {"code": list(areas), "score": (possible - taken) / possible * 100, "lost": taken}
    )
    scores = scores.assign(possible=possible, excluded=False, vetoes="")
    vetoes = entries.loc[entries["veto"], ["code", "item"]].drop_duplicates()
    for veto in vetoes.itertuples():
        scores = _with_veto(assessment, scores, code=veto.code, item=veto.item)
    entries = entries.sort_values(["code", "item"], kind="stable", ignore_index=True)
    return Assessed(
        scores,
        entries,
        _sums(entries, ["item", "item_zh", "item_en"]),
        _sums(entries, ["department"]),
    )


def refuse_beyond_lost_points(assessment: Assessment) -> None:
    """Refuse a tree that lost points alone do not score (K370)."""
    further = assessment.beyond_lost_points
    if further:
        raise RankingError(
            "K370",
            _(
                "The assessment does not rest on lost points alone ({items}): its scores and their "
                "errors come of draws, not of a standard error.",
                items=shortened(further),
            ),
            where=str(assessment.title),
            hint=_("Use `satisfaction assessment`, which carries them into the combined score."),
        )


def _entries(assessment: Assessment, lost: pd.DataFrame) -> pd.DataFrame:
    """Name every entry, and take off no more from an item of an area than it has."""
    leaves = assessment.leaves()
    told = {
        name: (leaf.zh, leaf.en, " / ".join(path[:-1]), leaf.department or "")
        for name, (path, leaf) in leaves.items()
    }
    told |= {name: (veto.zh, veto.en, "veto", "") for name, veto in assessment.veto.items()}
    words = pd.DataFrame(
        [told[name] for name in lost["item"]],
        columns=["item_zh", "item_en", "branch", "department"],
    )
    table = pd.concat([lost.reset_index(drop=True), words], axis=1).rename(
        columns={"points": "asked"}
    )
    most = (
        table["item"]
        .map({name: leaf.points for name, (_unused, leaf) in leaves.items()})
        .fillna(0.0)
    )
    before = table.groupby(["code", "item"])["asked"].cumsum() - table["asked"]
    table["points"] = np.clip(most - before, 0, table["asked"])
    table["veto"] = table["item"].isin(assessment.veto)
    return table[
        [
            "code",
            "item",
            "item_zh",
            "item_en",
            "branch",
            "department",
            "points",
            "asked",
            "veto",
            "reason",
        ]
    ]


def _with_veto(
    assessment: Assessment, scores: pd.DataFrame, *, code: str, item: str
) -> pd.DataFrame:
    veto = assessment.veto[item]
    scores = scores.copy()
    here = scores["code"] == code
    named = scores.loc[here, "vetoes"]
    scores.loc[here, "vetoes"] = named.where(named == "", named + "; ") + item
    if veto.effect == "exclude":
        scores["excluded"] = scores["excluded"] | here
        return scores
    most = 0.0
    if veto.cap is not None:
        most = veto.cap
    scores["score"] = scores["score"].where(~here, np.minimum(scores["score"], most))
    return scores


def _sums(entries: pd.DataFrame, by: list[str]) -> pd.DataFrame:
    """Add up the points lost, most first."""
    points = entries[~entries["veto"]]
    sums = points.groupby(by).agg(areas=("code", "nunique"), points=("points", "sum")).reset_index()
    sums["share"] = sums["points"] / max(sums["points"].sum(), 1e-300)
    return sums.sort_values(["points", by[0]], ascending=[False, True], ignore_index=True)


def _fault(
    code: str, text: Text, where: str, available: Sequence[object] = (), got: str = ""
) -> RankingError:
    hint = _("Correct these rows and run again.")
    return RankingError(code, text, where=where, available=list(available), got=got, hint=hint)
