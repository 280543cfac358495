"""Sentences about a ranking, in Chinese and in English: no rank without its set, nothing claimed that is not proven.

`unit_sentences` speaks about every unit, `list_statement` about the filed list, `near_cut` about the units that
stand one step from its cut. `clauses` holds what they say and what they share.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import pandas as pd

from satisfaction.foundation.figures import Kind
from satisfaction.foundation.language import Text
from satisfaction.publication import clauses
from satisfaction.publication.clauses import LEVEL, Ground, ground_of, is_ranked, join_sentences

GREY = (0.2, 0.8)
"""Between these probabilities of the list a unit whose status is open counts as one step from the cut."""


@dataclass(frozen=True, slots=True)
class Statement:
    """The filed list with what may be said about it.

    Attributes
    ----------
    zh, en : str
        One paragraph in each language.
    listed, tied : tuple of str
        Codes on the list however ties are broken, and tied at its cut; in rank order.
    established : tuple of str
        Codes on the list that are established.
    not_excluded : tuple of str
        Codes off the list that are not excluded, the nearest to the cut first.
    expected : float
        Expected number of true members among the listed, under the model.
    """

    zh: str
    en: str
    listed: tuple[str, ...]
    tied: tuple[str, ...]
    established: tuple[str, ...]
    not_excluded: tuple[str, ...]
    expected: float

    @property
    def text(self) -> Text:
        """The paragraph."""
        return Text(self.zh, self.en)


def unit_sentences(
    ranking: pd.DataFrame,
    summary: Mapping[str, Any],
    *,
    kind: Kind,
    measure: Text | None = None,
    minimum_n: int | None = None,
) -> pd.DataFrame:
    """Say of every unit what its rank can and cannot tell.

    Parameters
    ----------
    ranking : DataFrame
        As `published.ranking_table` returns it. `probability_bottom` and `status` concern the list; a column `side` ("last"
        or "first") says at which end it stands, "last" if absent.
    summary : mapping
        `Ranking.summary` of the same ranking.
    kind : {"rate", "index", "score"}
        Whether estimates are shares 0-1 or points 0-100.
    measure : Text, optional
        What is ranked, as subject of a sentence; default "the score" or "the rate".
    minimum_n : int, optional
        Valid answers that the rule asks for; units that are not ranked are told when they have fewer.

    Returns
    -------
    DataFrame
        One row a unit, in the order of `ranking`: code, zh, en.

    Raises
    ------
    RankingError
        K190 for another kind, K191 for missing columns, K192 where table and summary are not of one ranking.
    """
    ground = ground_of(ranking, summary, kind=kind, measure=measure)
    tied = Counter(row["rank"] for row in ground.ranked())
    rows = []
    for row in ground.rows:
        if is_ranked(row):
            level_with = tied[row["rank"]] - 1
            said = clauses.ranked_unit(ground, row, level_with=level_with)
        else:
            said = clauses.unranked_unit(ground, row, minimum_n)
        rows.append((row["code"], said.zh, said.en))
    return pd.DataFrame(rows, columns=["code", "zh", "en"], dtype=str)


def list_statement(
    ranking: pd.DataFrame, summary: Mapping[str, Any], *, kind: Kind, measure: Text | None = None
) -> Statement:
    """State the filed list: who is on it, how much of it is established, who else may belong to it.

    Parameters and errors are those of `unit_sentences`. Ties at the cut are named with both sizes of the list and not broken.
    """
    ground = ground_of(ranking, summary, kind=kind, measure=measure)
    listed = ground.at("yes")
    tied = ground.at("tied")
    off = ground.at("no")
    established = [row for row in listed if ground.status(row) == "established"]
    open_off = [row for row in off if ground.status(row) != "excluded"]
    open_off.sort(key=lambda row: abs(ground.gap(row)))
    expected = float(sum(row["probability_bottom"] for row in listed))
    parts = [ground.mark, clauses.members(ground, listed, tied)]
    if not ground.p:
        said = join_sentences(parts)
        return Statement(said.zh, said.en, (), (), (), (), expected)
    parts += [
        clauses.tie_at_cut(ground, listed, tied),
        clauses.established(ground, listed, established),
        clauses.whole_list(ground, summary),
        clauses.taken_as_exact(ground),
        clauses.expected_members(ground, listed, expected),
        clauses.not_excluded(ground, off, open_off),
    ]
    said = join_sentences(parts)
    return Statement(
        said.zh,
        said.en,
        _codes(listed),
        _codes(tied),
        _codes(established),
        _codes(open_off),
        expected,
    )


def near_cut(
    ranking: pd.DataFrame, summary: Mapping[str, Any], *, kind: Kind, measure: Text | None = None
) -> pd.DataFrame:
    """Say which units stand one step from the cut of the list.

    A unit does so for the first reason that holds:

    - ``tied``: its score lies at the cut;
    - ``nearest``: no unit on its side of the cut is closer in score to a unit on the other side (several where level);
    - ``open``: it is neither established nor excluded, and its probability of the list lies within `GREY`.

    Parameters and errors are those of `unit_sentences`.

    Returns
    -------
    DataFrame
        In rank order: code, listed ("yes", "no", "tied"), reason, gap (own estimate minus that of the nearest unit across
        the cut, in the unit of the estimate; 0 at the cut), probability (of the list), zh, en.
    """
    ground = ground_of(ranking, summary, kind=kind, measure=measure)
    closest = {}
    for side in ("yes", "no"):
        gaps = [abs(ground.gap(row)) for row in ground.at(side)]
        closest[side] = min(gaps, default=0.0)
    near = []
    for row in ground.ranked():
        if reason := _reason(ground, row, closest):
            said = clauses.step_from_cut(ground, row)
            chance = float(row["probability_bottom"])
            near.append(
                (row["code"], row["listed"], reason, ground.gap(row), chance, said.zh, said.en)
            )
    texts = dict.fromkeys(("code", "listed", "reason", "zh", "en"), str)
    table = pd.DataFrame(
        near, columns=["code", "listed", "reason", "gap", "probability", "zh", "en"]
    )
    return table.astype({**texts, "gap": float})


def _reason(ground: Ground, row: Mapping[str, Any], closest: Mapping[str, float]) -> str:
    if row["listed"] == "tied":
        return "tied"
    nearest = closest[row["listed"]] + LEVEL
    if abs(ground.gap(row)) < nearest:
        return "nearest"
    low, high = GREY
    is_grey = low <= row["probability_bottom"] <= high
    if is_grey and ground.status(row) == "possible":
        return "open"
    return ""


def _codes(rows: Sequence[Mapping[str, Any]]) -> tuple[str, ...]:
    return tuple(str(row["code"]) for row in rows)
