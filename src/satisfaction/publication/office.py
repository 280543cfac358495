"""What lies in the set for the people of the office: README.txt, the page on which they confirm the figures, the workbooks."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from satisfaction.foundation.files import sha256
from satisfaction.foundation.language import _
from satisfaction.foundation.pages import fill
from satisfaction.foundation.workbooks import Shown, ShownColumn, ShownSheet, write_office_workbook
from satisfaction.pipeline import Results
from satisfaction.publication.columns import COLUMNS, dictionary_table
from satisfaction.publication.labels import mark
from satisfaction.publication.manifest import FORMAT, suppressed_counts

ROLES = (
    _("Prepared by"),
    _("Checked by"),
    _("Responsible"),
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


CHECKING = (
    "核对 Checking",
    "  sha256sum -c SHA256SUMS          文件是否被改动 whether a file was changed",
    "  satisfaction verify <文件夹>      由输入重新计算并比较 recompute from the inputs and compare",
    "  satisfaction compare <旧> <新>    两次结果有何不同、为什么 what differs between two sets, and why",
    "  frictionless validate datapackage.json",
)
READING = (
    "读取 Reading",
    "  代码是文本。csv 为 UTF-8（带 BOM）；以 = + - @（含全角）、制表符、换行或回车开头的文本前有一个 '，读取时去掉；数字没有。",
    "  Codes are text. csv is UTF-8 with a byte order mark; text that begins with = + - @ (full-width too), tab, line feed",
    "  or carriage return has a ' in front, to be taken away when read; numbers have none. In Python:",
    "  satisfaction.read_indices(folder).",
)


def readme(results: Results, tables: Mapping[str, pd.DataFrame], *, revision: int) -> str:
    """Write README.txt: the files, how to check and read them, what is withheld, and every column."""
    survey = results.survey
    lines = [str(survey.declared.title)]
    if mark(survey):
        lines.append(mark(survey))
    lines.append(
        f"修订 revision {revision}; 文件集格式 format of the file set {FORMAT}; "
        f"问卷 questionnaire {survey.questionnaire.reference}"
    )
    lines += ["", "文件 Files"]
    lines += [f"  {name}: {content}" for name, content in FILES.items()]
    lines += ["", *CHECKING, "", *READING, "", *_withheld(results), "", "各列 Columns"]
    published = dict.fromkeys(column for table in tables.values() for column in table)
    for name in published:
        column = COLUMNS[name]
        unit = f" [{column.unit}]" if column.unit else ""
        meaning = f"{column.meaning.zh}; {column.meaning.en}"
        lines.append(f"  {name}  {column.title.zh}  {column.title.en}{unit}: {meaning}")
    return "\n".join(lines) + "\n"


def confirm_page(results: Results, folder: Path, *, revision: int) -> str:
    """Write the page on which names and dates are filled in: what is confirmed, by fingerprints of the files in `folder`."""
    survey = results.survey
    fingerprints = {}
    for name in (*FIGURES, "manifest.json"):
        if (folder / name).is_file():
            fingerprints[name] = sha256(folder / name)
    content = {
        "title": survey.declared.title,
        "marks": survey.marks,
        "wave": survey.declared.wave,
        "revision": revision,
        "version": importlib.metadata.version("satisfaction"),
        "questionnaire": survey.questionnaire.reference,
        "files": fingerprints,
        "roles": ROLES,
    }
    return fill("confirm.html", content)


def _withheld(results: Results) -> list[str]:
    """Say what the suppression rule is and how much it withholds."""
    rule = results.survey.rules.suppression
    counts = suppressed_counts(results)
    if rule is None:
        text = "未声明，没有数值被隐去。 None is declared; nothing is withheld."
    else:
        text = (
            f"有效样本少于 {rule.minimum_n} 或初级单元少于 {rule.minimum_psus} 不公布 "
            f"fewer answers than {rule.minimum_n} or PSUs than {rule.minimum_psus}: {counts['small']}; "
            f"为保护它们而不公布 withheld to protect those: {counts['complementary']}; {rule.source}"
        )
    return ["保密规则 Suppression", f"  {text}"]


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
