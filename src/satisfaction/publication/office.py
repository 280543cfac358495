"""What lies in the set for the people of the office: README.txt, and the page on which they confirm the figures.

The workbooks of the file set: the plain table, the same for people to read, and what its columns mean.
"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from satisfaction.foundation.files import sha256
from satisfaction.foundation.pages import fill
from satisfaction.foundation.workbooks import Shown, ShownColumn, ShownSheet, write_office_workbook
from satisfaction.foundation.yaml import Label
from satisfaction.pipeline import Results
from satisfaction.publication.columns import COLUMNS, dictionary_table
from satisfaction.publication.labels import mark
from satisfaction.publication.manifest import FORMAT, suppressed_counts

ROLES = (
    Label(zh="填报人", en="Prepared by"),
    Label(zh="审核人", en="Checked by"),
    Label(zh="负责人", en="Responsible"),
)
FIGURES = (
    "indices.csv",
    "indices.xlsx",
    "indices.parquet",
    "ranking.csv",
    "ranking.xlsx",
    "ranking.parquet",
    "covariance.csv",
)
FILES = {
    "indices.csv": "各级各项指标 every figure of every level",
    "indices_zh.csv / ranking_zh.csv": "同样的行，中文表头 the same rows under Chinese headings",
    "indices.xlsx / ranking.xlsx": "data：供程序读取；查看：供人查看；dictionary：各列含义 for programs; for people; what the columns mean",
    "indices.parquet / ranking.parquet": "同样的表，带数据类型 the same tables with their types",
    "ranking.csv": "排名、名次范围、状态 ranks with their sets and statuses",
    "ranking_*.csv, covariance.csv": "规则要求的其他表；抽样协方差 what else the rules ask for; sampling covariance",
    "report.html, reading.html": "报告；怎么读名次 the report; how to read ranks",
    "datapackage.json": "各 csv 的表结构 table schemas of the csv files (Frictionless)",
    "manifest.json": "来自哪些输入、怎样得出 what the figures were made from, and how",
    "confirm.html": "确认页：填写姓名、日期后打印 names and dates of those who confirm; to be printed",
    "run.json": "修订号、完成时间 revision, time",
    "SHA256SUMS": "各文件的校验和 checksums",
    "log.csv, rejected.*": "拒收与空白的答卷，供调查队 rejected rows and blanked answers, for the survey team",
}


def readme(results: Results, tables: Mapping[str, pd.DataFrame], *, revision: int) -> str:
    """Write README.txt: the files, how to check and read them, what is withheld, and every column."""
    survey = results.survey
    names = dict.fromkeys(column for table in tables.values() for column in table)
    lines = [
        str(survey.declared.title),
        *filter(None, [mark(survey)]),
        f"修订 revision {revision}; 文件集格式 format of the file set {FORMAT}; 问卷 questionnaire {survey.questionnaire.reference}",
        "",
        "文件 Files",
        *(f"  {name}: {what}" for name, what in FILES.items()),
        "",
        "核对 Checking",
        "  sha256sum -c SHA256SUMS          文件是否被改动 whether a file was changed",
        "  satisfaction verify <文件夹>      由输入重新计算并比较 recompute from the inputs and compare",
        "  satisfaction compare <旧> <新>    两次结果有何不同、为什么 what differs between two sets, and why",
        "  frictionless validate datapackage.json",
        "",
        "读取 Reading",
        "  代码是文本。csv 为 UTF-8（带 BOM）；以 = + - @（含全角）、制表符、换行或回车开头的文本前有一个 '，读取时去掉；数字没有。",
        "  Codes are text. csv is UTF-8 with a byte order mark; text that begins with = + - @ (full-width too), tab, line feed",
        "  or carriage return has a ' in front, to be taken away when read; numbers have none. In Python:",
        "  satisfaction.read_indices(folder).",
        "",
        *_withheld(results),
        "",
        "各列 Columns",
        *(
            f"  {one.column}  {one.zh}  {one.en}{_unit(one.unit)}: {one.meaning_zh}; {one.meaning_en}"
            for one in _rows(names)
        ),
    ]
    return "\n".join(lines) + "\n"


def confirm_page(results: Results, folder: Path, *, revision: int) -> str:
    """Write the page on which names and dates are filled in: what is confirmed, by fingerprints of the files in `folder`."""
    survey = results.survey
    return fill(
        "confirm.html",
        {
            "title": survey.declared.title,
            "marks": survey.marks,
            "wave": survey.declared.wave,
            "revision": revision,
            "version": importlib.metadata.version("satisfaction"),
            "questionnaire": survey.questionnaire.reference,
            "files": {
                name: sha256(folder / name)
                for name in (*FIGURES, "manifest.json")
                if (folder / name).is_file()
            },
            "roles": ROLES,
        },
    )


def _withheld(results: Results) -> list[str]:
    """Say what the suppression rule is and how much it withholds."""
    rule, counts = results.survey.rules.suppression, suppressed_counts(results)
    if rule is None:
        return [
            "保密规则 Suppression",
            "  未声明，没有数值被隐去。 None is declared; nothing is withheld.",
        ]
    said = f"有效样本少于 {rule.minimum_n} 或初级单元少于 {rule.minimum_psus} 不公布 fewer answers than {rule.minimum_n} or PSUs than {rule.minimum_psus}"
    return [
        "保密规则 Suppression",
        f"  {said}: {counts['small']}; 为保护它们而不公布 withheld to protect those: {counts['complementary']}; {rule.source}",
    ]


def _unit(unit: str) -> str:
    return f" [{unit}]" if unit else ""


def _rows(names: Mapping[str, None]) -> list[pd.Series]:
    return [row for _, row in dictionary_table(names).iterrows()]


FOR_PEOPLE = "查看"
LEVELS = {"county": "县级", "prefecture": "地级", "province": "省级"}
LISTED = {"yes": "在名单上", "no": "", "tied": "并列于分界"}
RANK_NOTE = "名次须与名次范围、状态一起使用，不得单独引用。 A rank is never quoted without its set and status."


def write_indices_workbook(table: pd.DataFrame, path: Path) -> None:
    """Write sheets data, 查看 (for people) and dictionary."""
    figures: list[Shown] = [
        "percent" if unit == "share 0-1" else "points" for unit in table["unit"]
    ]
    columns = [
        ShownColumn(
            "级别", table["level"].map(lambda level: LEVELS.get(level, level)).tolist(), width=8
        ),
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


def write_ranking_workbook(
    table: pd.DataFrame, notes: pd.DataFrame, path: Path, *, share: bool
) -> None:
    """Write sheets data, 查看 (for people), dictionary and notes; `share`: the ranked measure is a rate."""
    figure: Shown = "percent" if share else "points"
    columns = [
        ShownColumn(COLUMNS["rank"].zh, table["rank"].tolist(), shown="count", width=6),
        ShownColumn("名次范围（单看该单位）", _set(table, "marginal"), width=12),
        ShownColumn("名次范围（全表同时）", _set(table, "simultaneous"), width=12),
        ShownColumn(COLUMNS["status_zh"].zh, table["status_zh"].tolist(), width=22),
        ShownColumn(COLUMNS["code"].zh, table["code"].tolist(), width=9),
        ShownColumn(COLUMNS["name_zh"].zh, table["name_zh"].tolist(), width=26),
        *(
            ShownColumn(COLUMNS[name].zh, table[name].tolist(), shown=figure, width=9)
            for name in ("estimate", "se")
        ),
        ShownColumn(COLUMNS["n"].zh, table["n"].tolist(), shown="count", width=10),
        ShownColumn(
            COLUMNS["listed"].zh, table["listed"].map(LISTED).fillna("").tolist(), width=11
        ),
        ShownColumn(
            COLUMNS["probability_bottom"].zh,
            table["probability_bottom"].tolist(),
            shown="probability",
            width=10,
        ),
    ]
    shown = ShownSheet(FOR_PEOPLE, [*_about(table, "排名"), RANK_NOTE], columns)
    write_office_workbook(
        path, table, shown, {"dictionary": dictionary_table(table), "notes": notes}
    )


def _about(table: pd.DataFrame, what: str) -> list[str]:
    """Say which wave it is and what must be said of the data."""
    first = table.iloc[0]
    return [f"{first['survey']}  {first['wave']}  {what}", *filter(None, [first["mark"]])]


def _set(table: pd.DataFrame, kind: str) -> list[str]:
    """Write rank sets as text."""
    ends = zip(table[f"{kind}_low"], table[f"{kind}_high"], strict=True)
    return ["" if pd.isna(low) else f"{low:g}–{high:g}" for low, high in ends]
