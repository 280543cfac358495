"""Sentences about a ranking, in Chinese and in English: no rank without its set, nothing claimed that is not proven.

`unit_sentences` speaks about every unit, `list_statement` about the filed list, `near_cut` about the units that
stand one step from its cut; where declared thresholds act on the list, `with_acted_sentences` and `acted_statement`
add what they do to it. `clauses` holds what the sentences say and what they share.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

import pandas as pd

from satisfaction.declarations.survey import Survey
from satisfaction.foundation.figures import unit_of
from satisfaction.foundation.language import Text, _, comma_list
from satisfaction.publication import clauses
from satisfaction.publication.clauses import (
    LEVEL,
    Ground,
    is_ranked,
    join_sentences,
    listing,
)
from satisfaction.publication.labels import BELOW, area_labels, score_labels

GREY = (0.2, 0.8)
"""Between these probabilities of the list a unit whose status is open counts as one step from the cut."""


def unit_sentences(ground: Ground, *, minimum_n: int | None = None) -> pd.DataFrame:
    """Say of every unit what its rank can and cannot tell.

    Parameters
    ----------
    ground : Ground
    minimum_n : int, optional
        Valid answers that the rule asks for; units that are not ranked are told when they have fewer.

    Returns
    -------
    DataFrame
        One row a unit, in the order of the ranking: code, zh, en.
    """
    tied = Counter(row["rank"] for row in ground.ranked())
    rows = []
    for row in ground.rows:
        if is_ranked(row):
            level_with = tied[row["rank"]] - 1
            sentence = clauses.ranked_unit(ground, row, level_with=level_with)
        else:
            sentence = clauses.unranked_unit(ground, row, minimum_n)
        rows.append((row["code"], *sentence))
    return pd.DataFrame(rows, columns=["code", "zh", "en"], dtype=str)


def list_statement(ground: Ground) -> Text:
    """State the filed list: who is on it, how much of it is established, who else may belong to it.

    Ties at the cut are named with both sizes of the list and not broken.
    """
    listed = ground.at("yes")
    tied = ground.at("tied")
    off = ground.at("no")
    established = [row for row in listed if ground.status(row) == "established"]
    open_off = [row for row in off if ground.status(row) != "excluded"]
    open_off.sort(key=lambda row: abs(ground.gap(row)))
    expected = float(sum(row["probability_bottom"] for row in listed))
    parts = [ground.mark, clauses.members(ground, listed, tied)]
    if not ground.p:
        return join_sentences(parts)
    parts += [
        clauses.tie_at_cut(ground, listed, tied),
        clauses.established(ground, listed, established),
        clauses.whole_list(ground),
        clauses.taken_as_exact(ground),
        clauses.expected_members(ground, listed, expected),
        clauses.not_excluded(ground, off, open_off),
    ]
    return join_sentences(parts)


def near_cut(ground: Ground) -> pd.DataFrame:
    """Say which units stand one step from the cut of the list.

    A unit does so for the first reason that holds:

    - ``tied``: its score lies at the cut;
    - ``nearest``: no unit on its side of the cut is closer in score to a unit on the other side (several where level);
    - ``open``: it is neither established nor excluded, and its probability of the list lies within `GREY`.

    Returns
    -------
    DataFrame
        In rank order: code, listed ("yes", "no", "tied"), reason, gap (own estimate minus that of the nearest unit across
        the cut, in the unit of the estimate; 0 at the cut), probability (of the list), zh, en.
    """
    closest = {}
    for side in ("yes", "no"):
        gaps = [abs(ground.gap(row)) for row in ground.at(side)]
        closest[side] = min(gaps, default=0.0)
    near = []
    for row in ground.ranked():
        if reason := _reason(ground, row, closest):
            sentence = clauses.step_from_cut(ground, row)
            chance = float(row["probability_bottom"])
            near.append(
                (
                    row["code"],
                    row["listed"],
                    reason,
                    ground.gap(row),
                    chance,
                    *sentence,
                )
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


ON_THE_LIST = {
    "established": _("That it belongs on the list is established."),
    "possible": _("That it belongs on the list is neither established nor excluded."),
    "excluded": _("That it belongs on the list is excluded."),
}


def acts(ranking: pd.DataFrame) -> bool:
    """Whether thresholds act on the list of a published ranking."""
    return "listed_by_rank" in ranking


def with_acted_sentences(
    survey: Survey, sentences: pd.DataFrame, ranking: pd.DataFrame, *, thresholds: pd.DataFrame
) -> pd.DataFrame:
    """Return the sentences of all areas with what thresholds do to the list of those they concern."""
    if not acts(ranking):
        return sentences
    acting = thresholds[thresholds["on_list"] != ""]
    by_area = dict(list(acting.groupby("code")))
    words = {}
    for row in ranking.to_dict("records"):
        if row["listed"] != "no" or row["listed_by_rank"] != "no":
            words[row["code"]] = _of_area(survey, row, by_area[row["code"]])
    rows = []
    for row in sentences.to_dict("records"):
        whole = join_sentences([Text(row["zh"], row["en"]), words.get(row["code"])])
        rows.append((row["code"], *whole))
    return pd.DataFrame(rows, columns=["code", "zh", "en"], dtype=str)


def _of_area(survey: Survey, row: Mapping[Any, Any], thresholds: pd.DataFrame) -> Text:
    """Say by which thresholds an area is listed or spared, and what is proven of that."""
    labels = score_labels(survey)
    parts = []
    for threshold in thresholds.to_dict("records"):
        kind, measure = labels[threshold["measure"]]
        unit = unit_of(kind)
        values = {
            "measure": measure,
            "estimate": unit.level(threshold["estimate"]),
            "below": unit.level(threshold["threshold"]),
            "status": BELOW[threshold["status"]],
        }
        if threshold["on_list"] == "listed" and threshold["measure"] in row["listed_by"].split():
            parts.append(
                _(
                    "By rule it is listed whatever its rank: {measure} {estimate}, below {below} "
                    "({status}).",
                    **values,
                )
            )
        if threshold["on_list"] == "spared" and threshold["measure"] in row["spared_by"].split():
            parts.append(
                _(
                    "By rule it is spared the list: {measure} {estimate}, not below {below} (that "
                    "it is below: {status}).",
                    **values,
                )
            )
    return join_sentences([*parts, ON_THE_LIST[row["list_status"]]])


def acted_statement(survey: Survey, statement: Text, ranking: pd.DataFrame) -> Text:
    """Return the statement on the filed list with what thresholds make of it."""
    if not acts(ranking):
        return statement
    names = area_labels(survey)
    on_list = ranking[ranking["listed"] == "yes"]
    added = on_list[on_list["listed_by_rank"] != "yes"]
    spared = ranking[(ranking["listed"] == "no") & (ranking["listed_by_rank"] != "no")]
    sure = on_list[on_list["list_status"] == "established"]
    parts: list[Text] = [_("Declared thresholds act on this list.")]
    if len(added):
        areas = listing(names[code] for code in added["code"])
        parts.append(_("Listed whatever their rank: {areas}.", areas=areas))
    if len(spared):
        areas = listing(names[code] for code in spared["code"])
        parts.append(_("Spared the list: {areas}.", areas=areas))
    if not len(on_list):
        parts.append(_("The list to be filed has no area."))
    else:
        areas = comma_list([names[code] for code in on_list["code"]])
        parts.append(
            _(
                "Areas on the list to be filed: {n}, of them established {sure}: {areas}.",
                n=len(on_list),
                sure=len(sure),
                areas=areas,
            )
        )
    return join_sentences([statement, *parts])
