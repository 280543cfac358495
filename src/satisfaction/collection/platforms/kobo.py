"""KoboToolbox and ODK: groups before the question's name, select-all questions in one column, in several, or in both.

Kobo (formpack): `group/name`, `group/name/option`; `_uuid`, `_submission_time`, `_parent_index` in repeats. ODK Central:
`group-name`, `group-name/option`, `KEY`, `SubmissionDate`, `PARENT_KEY` in repeats, a table of events as audit.
"""

from __future__ import annotations

import re

from satisfaction.collection.platforms.export import (
    NAME,
    ExportColumn,
    ExportTable,
    Fields,
    Note,
    Role,
    Shape,
)

CODE = re.compile(r"-?\d+")
CHOICES = {"", "0", "1", "TRUE", "FALSE", "True", "False"}
FORM: dict[str, Role] = {
    "start": "started", "starttime": "started", "end": "ended", "endtime": "ended", "deviceid": "device", "duration": "duration",
}  # fmt: skip
KOBO: dict[str, Role] = FORM | {
    "_id": "id", "_uuid": "uuid", "_submission_time": "submitted", "_submitted_by": "interviewer", "_validation_status": "status",
    "_index": "", "_status": "", "_notes": "", "_tags": "", "__version__": "", "meta/instanceID": "",
}  # fmt: skip
ODK: dict[str, Role] = FORM | {
    "SubmissionDate": "submitted", "KEY": "uuid", "SubmitterName": "interviewer", "ReviewState": "status", "DeviceID": "device",
    "SubmitterID": "", "AttachmentsPresent": "", "AttachmentsExpected": "", "Status": "", "Edits": "", "FormVersion": "",
    "meta-instanceID": "", "instanceID": "",
}  # fmt: skip
AUDIT = {"event", "node", "start", "end"}


def _unfold(table: ExportTable, roles: dict[str, Role], groups: str) -> tuple[Fields, list[Note]]:
    parents, notes = _parents(table, roles)
    fields: Fields = []
    for key, title, cells in zip(table.keys, table.titles, table.columns, strict=True):
        parent = parents.get(title, "")
        option = title[len(parent) + 1 :] if parent else ""
        path = re.split(groups, parent or title)
        named = all(map(NAME.fullmatch, path)) and title not in roles
        name = path[-1] if named else ""
        column = ExportColumn(key, title, name=name, option=option, role=roles.get(title, ""))
        fields.append((column, cells))
    return fields, notes


def _parents(table: ExportTable, roles: dict[str, Role]) -> tuple[dict[str, str], list[Note]]:
    """Return the select-all question that each column of an option belongs to.

    Certain where the question has a column of its own ("both") or the last part is a number, which no question is called;
    else where all columns under one path hold nothing but 0 and 1: noted, as they could be questions of a group.
    """
    children: dict[str, dict[str, int]] = {}
    for i, title in enumerate(table.titles):
        if "/" in title and title not in roles:
            children.setdefault(title.rpartition("/")[0], {})[title] = i
    parents: dict[str, str] = {}
    notes: list[Note] = []
    for path, below in children.items():
        last_parts = [title[len(path) + 1 :] for title in below]
        if path not in table.titles and not all(map(CODE.fullmatch, last_parts)):
            held = set().union(*(table.columns[i].tolist() for i in below.values()))
            if len(below) < 2 or held - CHOICES or not held - {""}:
                continue
            notes.append(Note("F211", column=path, value="; ".join(last_parts)))
        parents |= dict.fromkeys(below, path)
    return parents, notes


KOBO_MARKS = {"_uuid", "_id"}
ODK_MARKS = {"SubmissionDate", "meta-instanceID", "instanceID"}
KOBO_SHAPE = Shape(
    "kobo",
    lambda table: "_submission_time" in table.titles and not KOBO_MARKS.isdisjoint(table.titles),
    lambda table: _unfold(table, KOBO, "/"),
    lambda titles: "_parent_index" in titles,
)
ODK_SHAPE = Shape(
    "odk",
    lambda table: "KEY" in table.titles and not ODK_MARKS.isdisjoint(table.titles),
    lambda table: _unfold(table, ODK, "-"),
    lambda titles: "PARENT_KEY" in titles or set(titles) >= AUDIT,
)
