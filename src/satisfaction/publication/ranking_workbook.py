"""The workbooks of a file set: ranking.xlsx and indices.xlsx, each with a sheet for programs and one for people."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from satisfaction.foundation.workbooks import Shown, ShownColumn, ShownSheet, write_office_workbook
from satisfaction.publication.columns import COLUMNS, dictionary_table

FOR_PEOPLE = "查看"
LEVELS = {"county": "县级", "prefecture": "地级", "province": "省级"}
LISTED = {"yes": "在名单上", "no": "", "tied": "并列于分界"}
RANK_NOTE = "名次须与名次范围、状态一起使用，不得单独引用。 A rank is never quoted without its set and status."


def write_indices_workbook(table: pd.DataFrame, path: Path) -> None:
    """Write sheets data, 查看 (for people) and dictionary."""
    figures: list[Shown] = []
    for unit in table["unit"]:
        figures.append("percent" if unit == "share 0-1" else "points")
    levels = [LEVELS.get(level, level) for level in table["level"]]
    columns = [
        ShownColumn("级别", levels, width=8),
        _column(table, "code", width=9),
        _column(table, "name_zh", width=26),
        _column(table, "measure_zh", width=22),
    ]
    for name in ("estimate", "se", "ci_low", "ci_high"):
        columns.append(_column(table, name, figures, width=10))
    columns.append(_column(table, "n", "count", width=10))
    columns.append(_column(table, "note", width=40))
    unit_note = "率以百分数显示，其余为 0-100 分。 Rates in percent, the rest in points 0-100."
    for_people = ShownSheet(FOR_PEOPLE, [*_about(table, "各级各项指标"), unit_note], columns)
    write_office_workbook(path, table, for_people, {"dictionary": dictionary_table(table)})


def write_ranking_workbook(
    table: pd.DataFrame, notes: pd.DataFrame, path: Path, *, share: bool
) -> None:
    """Write sheets data, 查看 (for people), dictionary and notes; `share`: the ranked measure is a rate."""
    figure: Shown = "percent" if share else "points"
    listed = table["listed"].map(LISTED).fillna("").tolist()
    columns = [
        _column(table, "rank", "count", width=6),
        ShownColumn("名次范围（单看该单位）", _set(table, "marginal"), width=12),
        ShownColumn("名次范围（全表同时）", _set(table, "simultaneous"), width=12),
        _column(table, "status_zh", width=22),
        _column(table, "code", width=9),
        _column(table, "name_zh", width=26),
        _column(table, "estimate", figure, width=9),
        _column(table, "se", figure, width=9),
        _column(table, "n", "count", width=10),
        ShownColumn(COLUMNS["listed"].title.zh, listed, width=11),
        _column(table, "probability_bottom", "probability", width=10),
        _column(table, "grade", "count", width=6),
    ]
    for_people = ShownSheet(FOR_PEOPLE, [*_about(table, "排名"), RANK_NOTE], columns)
    further_sheets = {"dictionary": dictionary_table(table), "notes": notes}
    write_office_workbook(path, table, for_people, further_sheets)


def _column(
    table: pd.DataFrame, name: str, shown: Shown | list[Shown] = "text", *, width: float
) -> ShownColumn:
    """Show a published column under its Chinese heading."""
    return ShownColumn(COLUMNS[name].title.zh, table[name].tolist(), shown=shown, width=width)


def _about(table: pd.DataFrame, what: str) -> list[str]:
    """Say which wave it is and what must be said of the data."""
    first = table.iloc[0]
    lines = [f"{first['survey']}  {first['wave']}  {what}"]
    if first["mark"]:
        lines.append(first["mark"])
    return lines


def _set(table: pd.DataFrame, kind: str) -> list[str]:
    """Write rank sets as text."""
    ends = zip(table[f"{kind}_low"], table[f"{kind}_high"], strict=True)
    return ["" if pd.isna(low) else f"{low:g}–{high:g}" for low, high in ends]
