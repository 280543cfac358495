"""What is said of a list on which declared thresholds act: of every area concerned, and of the list as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pandas as pd

from satisfaction.declarations.survey import Survey
from satisfaction.foundation.figures import unit_of
from satisfaction.foundation.language import Text, _, comma_list
from satisfaction.publication.clauses import join_sentences, listing
from satisfaction.publication.labels import BELOW, area_labels, score_labels
from satisfaction.publication.sentences import Statement

ON_THE_LIST = {
    "established": _("That it belongs on the list is established."),
    "possible": _("That it belongs on the list is neither established nor excluded."),
    "excluded": _("That it belongs on the list is excluded."),
}


def acts(ranking: pd.DataFrame) -> bool:
    """Whether thresholds act on the list of a published ranking."""
    return "listed_by_rank" in ranking


def with_acted_sentences(
    survey: Survey, sentences: pd.DataFrame, ranking: pd.DataFrame, thresholds: pd.DataFrame
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
        rows.append((row["code"], whole.zh, whole.en))
    return pd.DataFrame(rows, columns=["code", "zh", "en"], dtype=str)


def _of_area(survey: Survey, row: Mapping[Any, Any], thresholds: pd.DataFrame) -> Text:
    """Say by which thresholds an area is listed or spared, and what is proven of that."""
    labels = score_labels(survey)
    parts = []
    for one in thresholds.to_dict("records"):
        kind, measure = labels[one["measure"]]
        unit = unit_of(kind)
        values = {
            "measure": measure,
            "estimate": unit.level(one["estimate"]),
            "below": unit.level(one["threshold"]),
            "status": BELOW[one["status"]],
        }
        if one["on_list"] == "listed" and one["measure"] in row["listed_by"].split():
            parts.append(
                _(
                    "By rule it is listed whatever its rank: {measure} {estimate}, below {below} "
                    "({status}).",
                    **values,
                )
            )
        if one["on_list"] == "spared" and one["measure"] in row["spared_by"].split():
            parts.append(
                _(
                    "By rule it is spared the list: {measure} {estimate}, not below {below} (that "
                    "it is below: {status}).",
                    **values,
                )
            )
    return join_sentences([*parts, ON_THE_LIST[row["list_status"]]])


def acted_statement(survey: Survey, statement: Statement, ranking: pd.DataFrame) -> Statement:
    """Return the statement on the filed list with what thresholds make of it; its codes are those of the list to be filed."""
    if not acts(ranking):
        return statement
    names = area_labels(survey)
    on_list = ranking[ranking["listed"] == "yes"]
    tied = ranking[ranking["listed"] == "tied"]
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
    said = join_sentences([statement.text, *parts])
    return replace(
        statement,
        zh=said.zh,
        en=said.en,
        listed=tuple(on_list["code"]),
        tied=tuple(tied["code"]),
        established=tuple(sure["code"]),
    )
