"""Telephone interviewing: no common file standard was found; a table with an outcome and something of the call.

Outcomes stay text; the survey's table of outcome codes says what they mean.
"""

from __future__ import annotations

from satisfaction.collection.platforms import plain
from satisfaction.collection.platforms.export import ExportTable, Fields, Note, Role, Shape

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


def _recognises(table: ExportTable) -> bool:
    titles = {title.lower() for title in table.titles}
    return bool(titles & OUTCOMES) and bool(titles & set(CALL))


def _unfold(table: ExportTable) -> tuple[Fields, list[Note]]:
    fields: Fields = []
    for key, title, cells in zip(table.keys, table.titles, table.columns, strict=True):
        role: Role = "outcome" if title.lower() in OUTCOMES else CALL.get(title.lower(), "")
        fields.append((plain.column(key, title, role=role), cells))
    return fields, []


SHAPE = Shape("cati", _recognises, _unfold)
