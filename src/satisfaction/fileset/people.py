"""The workbooks of the file set: the plain table, the same for people to read, and what its columns mean."""

from __future__ import annotations

from pathlib import Path

import pandas as pd

from ..io.styled import Shown, ShownColumn, ShownSheet, write_office_workbook
from ..published import COLUMNS, dictionary_table

FOR_PEOPLE = "查看"
LEVELS = {"county": "县级", "prefecture": "地级", "province": "省级"}
LISTED = {"yes": "在名单上", "no": "", "tied": "并列于分界"}
RANK_NOTE = "名次须与名次范围、状态一起使用，不得单独引用。 A rank is never quoted without its set and status."


def write_indices_workbook(table: pd.DataFrame, path: Path) -> None:
    """Write sheets data, 查看 (for people) and dictionary."""
    figures: list[Shown] = ["percent" if unit == "share 0-1" else "points" for unit in table["unit"]]
    columns = [
        ShownColumn("级别", table["level"].map(lambda level: LEVELS.get(level, level)).tolist(), width=8),
        ShownColumn(COLUMNS["code"].zh, table["code"].tolist(), width=9),
        ShownColumn(COLUMNS["name_zh"].zh, table["name_zh"].tolist(), width=26),
        ShownColumn(COLUMNS["measure_zh"].zh, table["measure_zh"].tolist(), width=22),
        *(
            ShownColumn(COLUMNS[name].zh, table[name].tolist(), shown=figures, width=10)
            for name in ("estimate", "se", "ci_low", "ci_high")
        ),
        ShownColumn(COLUMNS["n"].zh, table["n"].tolist(), shown="count", width=10),
        ShownColumn(COLUMNS["note"].zh, table["note"].tolist(), width=40),
    ]
    unit = "率以百分数显示，其余为 0-100 分。 Rates in percent, the rest in points 0-100."
    shown = ShownSheet(FOR_PEOPLE, [*_about(table, "各级各项指标"), unit], columns)
    write_office_workbook(path, table, shown, {"dictionary": dictionary_table(table)})


def write_ranking_workbook(table: pd.DataFrame, notes: pd.DataFrame, path: Path, *, share: bool) -> None:
    """Write sheets data, 查看 (for people), dictionary and notes; `share`: the ranked measure is a rate."""
    figure: Shown = "percent" if share else "points"
    columns = [
        ShownColumn(COLUMNS["rank"].zh, table["rank"].tolist(), shown="count", width=6),
        ShownColumn("名次范围（单看该单位）", _set(table, "marginal"), width=12),
        ShownColumn("名次范围（全表同时）", _set(table, "simultaneous"), width=12),
        ShownColumn(COLUMNS["status_zh"].zh, table["status_zh"].tolist(), width=22),
        ShownColumn(COLUMNS["code"].zh, table["code"].tolist(), width=9),
        ShownColumn(COLUMNS["name_zh"].zh, table["name_zh"].tolist(), width=26),
        *(ShownColumn(COLUMNS[name].zh, table[name].tolist(), shown=figure, width=9) for name in ("estimate", "se")),
        ShownColumn(COLUMNS["n"].zh, table["n"].tolist(), shown="count", width=10),
        ShownColumn(COLUMNS["listed"].zh, table["listed"].map(LISTED).fillna("").tolist(), width=11),
        ShownColumn(COLUMNS["probability_bottom"].zh, table["probability_bottom"].tolist(), shown="probability", width=10),
    ]
    shown = ShownSheet(FOR_PEOPLE, [*_about(table, "排名"), RANK_NOTE], columns)
    write_office_workbook(path, table, shown, {"dictionary": dictionary_table(table), "notes": notes})


def _about(table: pd.DataFrame, what: str) -> list[str]:
    """Say which wave it is and what must be said of the data."""
    first = table.iloc[0]
    return [f"{first['survey']}  {first['wave']}  {what}", *filter(None, [first["mark"]])]


def _set(table: pd.DataFrame, kind: str) -> list[str]:
    """Write rank sets as text."""
    ends = zip(table[f"{kind}_low"], table[f"{kind}_high"], strict=True)
    return ["" if pd.isna(low) else f"{low:g}–{high:g}" for low, high in ends]
