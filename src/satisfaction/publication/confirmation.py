"""README.txt of a file set, and the page on which the office confirms the figures."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from satisfaction.foundation.files import sha256
from satisfaction.foundation.language import _
from satisfaction.foundation.pages import fill
from satisfaction.pipeline import Results
from satisfaction.publication.columns import COLUMNS
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
