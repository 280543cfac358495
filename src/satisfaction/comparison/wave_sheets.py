"""What an office reads of several waves: a sheet of every ranking that fits on paper, beside the full table."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pandas as pd

from satisfaction.comparison.changes import WaveChange, WaveRolling, most_improved
from satisfaction.comparison.wave_pages import SIGNIFICANT
from satisfaction.declarations.combined import COMBINED
from satisfaction.foundation.figures import rank_with_set
from satisfaction.foundation.language import NOTHING, _
from satisfaction.foundation.workbooks import Shown, ShownColumn, ShownSheet
from satisfaction.publication.headings import title_of
from satisfaction.publication.labels import (
    UNITS,
    label_of,
    mark_as_text,
    names_of_scores,
    score_labels,
)
from satisfaction.publication.ranking_workbook import RANK_NOTE, rank_note, ranking_columns

DEPENDS = {"yes": _("depends on the model"), "no": NOTHING}
SHARE = "share 0-1"


def change_sheet(found: WaveChange, name: str) -> ShownSheet:
    """Show the change of every area: scores, ranks with their sets, and how certain a gain of places is."""
    table = found.table
    columns = _of_areas(table)
    for figure in ("before", "after", "change"):
        columns.append(_figure(table, figure, table["unit"]))
    columns += _of_change(table, table["unit"])
    return ShownSheet(name, _about(found), columns)


def improved_sheet(found: WaveChange, name: str) -> ShownSheet:
    """Show the areas that rose most, by places gained and by the shrunk change."""
    table = most_improved(found.table)
    units = pd.Series(found.table["unit"].iloc[0], index=table.index)
    columns = []
    for order, title in (
        ("raw_order", _("order by places gained")),
        ("shrunk_order", _("order by the shrunk change")),
    ):
        columns.append(ShownColumn(str(title), table[order].tolist(), "count", width=10))
    columns += _of_areas(table)
    columns += _of_change(table, units)
    return ShownSheet(name, _about(found), columns)


def rolling_sheet(found: WaveRolling, name: str) -> ShownSheet:
    """Show the ranking on the mean of several waves as the ranking of one wave is shown."""
    table = found.table
    kind, score = score_labels(found.waves[-1].survey)[found.measure]
    figure: Shown = "percent" if UNITS[kind] == SHARE else "points"
    mean = _("{score}: mean of {waves}", score=score, waves=table["waves"].iloc[0])
    lines = [str(mean), *_mark(table), *rank_note(table)]
    columns = [column for column in ranking_columns(table, figure) if column.holds_anything]
    return ShownSheet(name, lines, columns)


def scores_sheet(scores: pd.DataFrame, level: str, name: str) -> ShownSheet:
    """Show the combined score of every area of a level with the points that each component adds to it.

    `scores`: combined_scores.csv.
    """
    table = scores[scores["level"] == level]
    whole = table[table["component"] == COMBINED]
    columns = _of_areas(whole)
    columns.append(_points(label_of(whole.iloc[0], "component"), whole["score"]))
    columns.append(_points(_title("se"), whole["se"]))
    parts = table[table["component"] != COMBINED]
    for _component, rows in parts.groupby("component", sort=False):
        of_areas = rows.set_index("code").reindex(whole["code"])
        label = label_of(rows.iloc[0], "component")
        columns.append(_points(label, of_areas["scaled"]))
        weight = rows["weight"].iloc[0]
        adds = _("{component}: adds ({weight:g})", component=label, weight=weight)
        columns.append(_points(adds, of_areas["contribution"]))
    first = whole.iloc[0]
    lines = [f"{first['survey']}  {first['wave']}", *_mark(whole)]
    return ShownSheet(name, lines, columns)


def _about(found: WaveChange) -> list[str]:
    """Say which waves and which score they are, and what must be said of the figures."""
    table = found.table
    first = table.iloc[0]
    score = names_of_scores(found.later.survey)[found.measure]
    heading = f"{first['wave_before']} → {first['wave_after']}  {score}"
    lines = [heading, *_mark(table)]
    if table["rise_low"].notna().any():
        lines.append(str(RANK_NOTE))
    if table["probability_rise"].notna().any():
        places = _("probability of a gain: by {places} places or more", places=first["places"])
        lines.append(str(places))
    return lines


def _mark(table: pd.DataFrame) -> list[str]:
    mark = str(mark_as_text(table["mark"].iloc[0]))
    return [mark] if mark else []


def _of_areas(table: pd.DataFrame) -> list[ShownColumn]:
    names = [str(label_of(row, "name")) for row in table.to_dict("records")]
    return [
        ShownColumn(_title("code"), table["code"].tolist(), width=9),
        ShownColumn(_title("name"), names, width=26),
    ]


def _of_change(table: pd.DataFrame, units: pd.Series) -> list[ShownColumn]:
    """Show the change beside the mean of all with its limits, and the ranks of both waves."""
    columns = []
    for figure in ("relative_change", "ci_low", "ci_high"):
        columns.append(_figure(table, figure, units))
    verdicts = [str(SIGNIFICANT[verdict]) for verdict in table["significant"]]
    columns.append(ShownColumn(_title("significant"), verdicts, width=17))
    rows = table.to_dict("records")
    for wave in ("rank_before", "rank_after"):
        ranks = [rank_with_set(row, rank=wave, ends=wave) for row in rows]
        columns.append(ShownColumn(_title(wave), ranks, width=12))
    gained = [_gain(row) for row in rows]
    columns.append(ShownColumn(_title("rise"), gained, width=18))
    chance = table["probability_rise"].tolist()
    columns.append(ShownColumn(_title("probability_rise"), chance, "probability", width=10))
    if "model_dependent" in table:
        for end in ("probability_rise_low", "probability_rise_high"):
            columns.append(ShownColumn(_title(end), table[end].tolist(), "probability", width=10))
        depends = [str(DEPENDS.get(word, NOTHING)) for word in table["model_dependent"]]
        columns.append(ShownColumn(_title("model_dependent"), depends, width=16))
    return [column for column in columns if column.holds_anything]


def _points(title: object, scores: pd.Series) -> ShownColumn:
    return ShownColumn(str(title), scores.tolist(), "points", width=12)


def _figure(table: pd.DataFrame, name: str, units: pd.Series) -> ShownColumn:
    shown: list[Shown] = ["percent" if unit == SHARE else "points" for unit in units]
    return ShownColumn(_title(name), table[name].tolist(), shown, width=9)


def _gain(row: Mapping[str, Any]) -> str:
    """Write the places gained with their bounds: "+29 [-17 to +75]"."""
    if pd.isna(row["rise"]):
        return ""
    if pd.isna(row["rise_low"]):
        return f"{row['rise']:+g}"
    gain = _(
        "{rise:+g} [{low:+g} to {high:+g}]",
        rise=row["rise"],
        low=row["rise_low"],
        high=row["rise_high"],
    )
    return str(gain)


def _title(name: str) -> str:
    return str(title_of(name))
