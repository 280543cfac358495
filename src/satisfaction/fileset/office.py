"""What lies in the set for the people of the office: README.txt, and the page on which they confirm the figures."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from ..io.files import sha256
from ..io.pages import fill
from ..io.yaml import Label
from ..pipeline import Results
from ..published import dictionary_table, mark
from .manifest import FORMAT, suppressed_counts

ROLES = (
    Label(zh="填报人", en="Prepared by"),
    Label(zh="审核人", en="Checked by"),
    Label(zh="负责人", en="Responsible"),
)
FIGURES = ("indices.csv", "indices.xlsx", "indices.parquet", "ranking.csv", "ranking.xlsx", "ranking.parquet", "covariance.csv")
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
        "  代码是文本。csv 为 UTF-8（带 BOM）；以 = + - @、制表符或回车开头的文本前有一个 '，读取时去掉；数字没有。",
        "  Codes are text. csv is UTF-8 with a byte order mark; text that begins with = + - @, tab or carriage return has a '",
        "  in front, to be taken away when read; numbers have none. In Python: satisfaction.read_indices(folder).",
        "",
        *_withheld(results),
        "",
        "各列 Columns",
        *(f"  {one.column}  {one.zh}  {one.en}{_unit(one.unit)}: {one.meaning_zh}; {one.meaning_en}" for one in _rows(names)),
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
            "files": {name: sha256(folder / name) for name in (*FIGURES, "manifest.json") if (folder / name).exists()},
            "roles": ROLES,
        },
    )


def _withheld(results: Results) -> list[str]:
    """Say what the suppression rule is and how much it withholds."""
    rule, counts = results.survey.rules.suppression, suppressed_counts(results)
    if rule is None:
        return ["保密规则 Suppression", "  未声明，没有数值被隐去。 None is declared; nothing is withheld."]
    said = f"有效样本少于 {rule.minimum_n} 或初级单元少于 {rule.minimum_psus} 不公布 fewer answers than {rule.minimum_n} or PSUs than {rule.minimum_psus}"
    return [
        "保密规则 Suppression",
        f"  {said}: {counts['small']}; 为保护它们而不公布 withheld to protect those: {counts['complementary']}; {rule.source}",
    ]


def _unit(unit: str) -> str:
    return f" [{unit}]" if unit else ""


def _rows(names: Mapping[str, None]) -> list[pd.Series]:
    return [row for _, row in dictionary_table(names).iterrows()]
