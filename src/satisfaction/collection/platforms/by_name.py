"""Shapes whose columns are read by their names alone: LimeSurvey, Tencent, telephone interviewing, and any other table.

LimeSurvey: `id`, `submitdate`, `lastpage`, `startlanguage`, `seed`, then `Q` or `Q[SQ001]`; codes or full answers.
A part whose question holds nothing but Y and N (or nothing) is an option; other parts are rows of an array.

Tencent: number and source, the questions as `Q1...` or `Q2|A1|open`, then times, place and browser.
Collection forms of Tencent Docs have who handed in and when (`COLLECTED`), the questions with "required" behind them.
Shape as in a published export (CollegesChat/university-information, v1.additions.csv).

Telephone interviewing: no common file standard was found; a table with an outcome and something of the call.
Outcomes stay text; the survey's table of outcome codes says what they mean.

Any table with a row of column names: by name, by label, or by question number (`Q3`, or 3 before the title).
"""

from __future__ import annotations

import re
from dataclasses import replace
from functools import partial

from satisfaction.collection.platforms.export import (
    NAME,
    ExportColumn,
    ExportTable,
    Fields,
    Note,
    Role,
    Shape,
    by_titles,
)

# ---- any table

QUESTION = re.compile(r"(?:[Qq]?(\d+(?:[-_]\d+)?)\s*[、.．:：]|[Qq](\d+)\s)\s*(\S.*)", re.DOTALL)
REQUIRED = re.compile(r"^[*＊]\s*(?=\S)")
KIND = re.compile(
    r"\s*[(（\[【](?:必填|必答|选填|选答|自动|(?:单选|多选|填空|简答|问答|下拉|打分|评分|量表|矩阵|文本|日期|不定项)(?:选择)?题?)[)）\]】]\s*"
)
NUMBERED = re.compile(r"[Qq](\d+(?:[-_]\d+)?)")


def column(key: str, title: str, *, role: Role = "") -> ExportColumn:
    """Read a column name, without the marks that form builders add: a star before it, the kind of question behind it."""
    title = without_marks(title)
    if question := QUESTION.fullmatch(title):
        return ExportColumn(key, question[3], number=question[1] or question[2], role=role)
    column = ExportColumn(key, title, role=role)
    if numbered := NUMBERED.fullmatch(title):
        column = replace(column, number=numbered[1])
    if NAME.fullmatch(title):
        column = replace(column, name=title)
    return column


def without_marks(title: str) -> str:
    """Return a title without the marks of required questions and kinds of questions."""
    return KIND.sub("", REQUIRED.sub("", title)) or title


PLAIN = Shape("plain", lambda table: True, lambda table: (by_titles(table, column), []))


# ---- LimeSurvey

OF_LIMESURVEY: dict[str, Role] = {
    "id": "id", "submitdate": "submitted", "startdate": "started", "datestamp": "ended", "interviewtime": "duration", "ipaddr": "ip",
    "lastpage": "status", "startlanguage": "", "seed": "", "refurl": "source",
}  # fmt: skip
PART = re.compile(r"([A-Za-z][A-Za-z0-9_]*)\[([^\]]+)\]")
CHOSEN = {"", "Y", "N"}


def _of_limesurvey(table: ExportTable) -> tuple[Fields, list[Note]]:
    held: dict[str, set[str]] = {}
    for title, cells in zip(table.titles, table.columns, strict=True):
        if (found := PART.fullmatch(title)) and found[2] != "other":
            held.setdefault(found[1], set()).update(cells.tolist())
    options = {name for name, values in held.items() if "Y" in values and values <= CHOSEN}
    return by_titles(table, partial(_limesurvey_column, options=options)), []


def _limesurvey_column(key: str, title: str, *, options: set[str]) -> ExportColumn:
    if found := PART.fullmatch(title):
        if found[2] == "other":
            return ExportColumn(key, f"{found[1]}#text")
        if found[1] in options:
            return ExportColumn(key, title, name=found[1], option=found[2])
        return ExportColumn(key, title, name=f"{found[1]}_{found[2]}")
    named = NAME.fullmatch(title) and title not in OF_LIMESURVEY
    return ExportColumn(key, title, name=title if named else "", role=OF_LIMESURVEY.get(title, ""))


LIMESURVEY = Shape(
    "limesurvey",
    lambda table: {"submitdate", "lastpage", "startlanguage"} <= {*table.titles},
    _of_limesurvey,
)


# ---- Tencent

OF_TENCENT: dict[str, Role] = {
    "答题序号": "id", "来源": "source", "开始时间": "started", "提交时间": "submitted", "答题时长": "duration", "IP地址": "ip",
    "IP省份": "", "IP城市": "", "浏览器": "", "操作系统": "",
}  # fmt: skip
CODED = re.compile(r"[Qq](\d+)\|([^|]+)(\|open)?")
COLLECTED = {"提交者（自动）", "提交时间（自动）", "提交者(自动)", "提交时间(自动)"}


def _is_tencent(table: ExportTable) -> bool:
    if COLLECTED & set(table.titles):
        return True
    return "答题序号" in table.titles and len(set(OF_TENCENT) & set(table.titles)) >= 3


def _tencent_column(key: str, title: str) -> ExportColumn:
    recorded = without_marks(title) if title in COLLECTED else title
    if recorded in OF_TENCENT:
        return ExportColumn(key, title, role=OF_TENCENT[recorded])
    if found := CODED.fullmatch(title):
        if found[3]:
            return ExportColumn(key, f"Q{found[1]}|{found[2]}#text")
        return ExportColumn(key, title, number=found[1], option=found[2])
    return column(key, title)


TENCENT = Shape("tencent", _is_tencent, lambda table: (by_titles(table, _tencent_column), []))


# ---- telephone interviewing

OUTCOMES = {
    "拨打结果", "呼叫结果", "通话结果", "接触结果", "访问结果", "拨号结果", "结果代码", "处置代码", "outcome", "outcome_code", "disposition",
    "disposition_code", "call_result",
}  # fmt: skip
CALL: dict[str, Role] = {
    "样本编号": "id", "样本号": "id", "case_id": "id", "访问员": "interviewer", "访员": "interviewer", "访问员编号": "interviewer",
    "坐席": "interviewer", "坐席工号": "interviewer", "工号": "interviewer", "agent": "interviewer", "通话时长": "duration",
    "访问时长": "duration", "talk_time": "duration", "开始时间": "started", "拨打时间": "started", "呼叫时间": "started",
    "call_start": "started", "结束时间": "ended", "call_end": "ended", "拨打次数": "", "呼叫次数": "", "attempts": "", "电话": "",
    "电话号码": "", "号码": "", "手机号": "", "phone": "",
}  # fmt: skip


def _is_telephone(table: ExportTable) -> bool:
    titles = {title.lower() for title in table.titles}
    return bool(titles & OUTCOMES) and bool(titles & set(CALL))


def _telephone_column(key: str, title: str) -> ExportColumn:
    role: Role = "outcome" if title.lower() in OUTCOMES else CALL.get(title.lower(), "")
    return column(key, title, role=role)


CATI = Shape("cati", _is_telephone, lambda table: (by_titles(table, _telephone_column), []))
