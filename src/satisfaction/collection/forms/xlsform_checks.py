"""Faults of an XLSForm that collecting tools pass over: where they stand, and what to write instead.

What pyxform refuses itself, with its row (an unknown type or list, a name that stands twice, groups that do not match), is
left to it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pandas as pd

from satisfaction.collection.forms.xlsform import LANGUAGES, NOT_ASKED, sheets_of
from satisfaction.foundation.errors import closest
from satisfaction.foundation.language import _
from satisfaction.foundation.tables import RawTable

COLUMNS = ("sheet", "row", "column", "value", "rule", "zh", "en", "suggestion")
RULES = {
    "Q210": _("a sheet or column is missing"),
    "Q211": _("unknown header; collecting tools drop the whole column"),
    "Q212": _("blank type; the whole row is dropped"),
    "Q214": _("a name has at most 32 letters, digits or _, no digit first"),
    "Q216": _("no label in any language"),
    "Q217": _("the text of one language is missing"),
    "Q219": _("a choice name with a space cannot be told apart in exports"),
    "Q220": _("the choice name is no whole number"),
    "Q222": _("brackets or quotation marks do not match"),
    "Q224": _("full-width characters or spaces"),
    "Q226": _("a choice without a list"),
}
TRANSLATED = (
    "label",
    "hint",
    "guidance_hint",
    "constraint_message",
    "required_message",
    "image",
    "audio",
    "video",
    "big-image",
)
HEADERS = {
    "survey": (
        "type", "name", *TRANSLATED, "required", "relevant", "constraint", "calculation", "appearance", "default", "read_only", "readonly", "trigger",
        "choice_filter", "repeat_count", "parameters", "note", "autoplay", "disabled", "save_to", "media",
    ),
    "choices": ("list_name", "name", *TRANSLATED, "media"),
    "settings": (
        "form_title", "form_id", "version", "default_language", "instance_name", "public_key", "submission_url", "style", "name", "allow_choice_duplicates",
        "auto_send", "auto_delete", "namespaces", "clean_text_values", "client_editable", "omit_instanceID", "instance_xmlns",
    ),
}  # fmt: skip
GROUPS = ("sat", "bind", "body", "control", "instance", "media")
NEEDED = {"survey": ("type", "name"), "choices": ("list_name", "name")}
MEANT = {"提示": "hint", "题型": "type", "类型": "type", "名称": "name", "题目": "label", "标签": "label", "必填": "required", "约束": "constraint", "列表": "list_name"}  # fmt: skip
EXPRESSIONS = ("relevant", "constraint", "calculation", "choice_filter", "required", "repeat_count")
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]{0,31}")
QUOTED = re.compile(
    r"'[^']*'|\"[^\"]*\""
)  # brackets and wide characters inside quoted text are text
WIDE = re.compile(r"[\u3000\uff01-\uff5e\u2018\u2019\u201c\u201d]")
PLAIN = (
    {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
    | {0x3000: 0x20}
    | dict.fromkeys(map(ord, "‘’“”"), 0x27)
)


class Fault(NamedTuple):
    """What is wrong where, by which rule, and what to write instead; row 1 is the header, 0 the sheet."""

    sheet: str
    row: int
    column: str
    value: str
    rule: str
    suggestion: str = ""


def check_xlsform(path: str | Path) -> pd.DataFrame:
    """List the faults of an XLSForm workbook.

    Returns
    -------
    DataFrame
        One row a fault: sheet, row (1 is the header), column, value, rule, zh, en, suggestion (what to write instead,
        empty where only the author can know); no rows for a form without faults.

    Raises
    ------
    InputFileError
        For a file that cannot be read or has two columns of one name.
    """
    sheets = sheets_of(Path(path))
    faults = []
    for name, needed in NEEDED.items():
        if name not in sheets:
            faults.append(Fault(name, 0, "", "", "Q210", name))
            continue
        lacking = [column for column in needed if column not in sheets[name].cells]
        faults += [Fault(name, 1, "", "", "Q210", column) for column in lacking]
    complete = not faults
    for name in HEADERS:
        if name in sheets:
            faults += _headers(sheets[name], name)
    if complete:
        faults += _questions(sheets["survey"])
        faults += _choice_names(sheets["choices"])
        for name in NEEDED:
            faults += _labels(sheets[name], name)
    order = list(HEADERS)
    faults.sort(key=lambda fault: (order.index(fault.sheet), fault.row))
    table = pd.DataFrame(faults, columns=list(Fault._fields))
    for language in ("zh", "en"):
        table[language] = [getattr(RULES[rule], language) for rule in table["rule"]]
    return table[list(COLUMNS)]


def _headers(sheet: RawTable, kind: str) -> Iterator[Fault]:
    for header in sheet.cells:
        bare, *rest = re.split(r"::?", header, maxsplit=1)
        known = bare in HEADERS[kind]
        if rest:
            known = (known and bare in (*TRANSLATED, "media")) or bare in GROUPS
        if not header or known:
            continue
        is_name = NAME.fullmatch(header) is not None
        if kind == "choices" and is_name and not closest(header, HEADERS[kind]):
            continue  # choice_filter may use it
        plain = bare.strip().lower().replace(" ", "_")
        near = MEANT.get(bare) or closest(plain, HEADERS[kind])
        suggestion = ""
        if near in TRANSLATED and not rest:
            suggestion = f"{near}::{LANGUAGES['zh']}"
        elif near:
            suggestion = "::".join([near, *rest])
        yield Fault(kind, 1, header, header, "Q211", suggestion)


def _questions(survey: RawTable) -> Iterator[Fault]:
    """Check types, names of questions and groups, and expressions for their form."""
    for row, cells in survey.records():
        written = cells["type"]
        kind = written.strip()
        name = cells["name"]
        if not kind and name.strip():
            yield Fault("survey", row, "type", written, "Q212", "text")
        elif not kind and any(map(str.strip, cells.values())):
            yield Fault("survey", row, "type", written, "Q212")
        elif kind and WIDE.search(written):
            yield Fault("survey", row, "type", written, "Q224", _plain(written))
        if kind and not kind.startswith("end") and not NAME.fullmatch(name.strip()):
            rule = "Q224" if NAME.fullmatch(_plain(name)) else "Q214"
            yield Fault("survey", row, "name", name, rule, _name(name, row))
        for column in EXPRESSIONS:
            text = cells.get(column, "")
            outside = QUOTED.sub("", text)
            if not _balanced(outside):
                lacks_one = outside.count("(") == outside.count(")") + 1
                closed = f"{text})" if lacks_one else ""
                yield Fault("survey", row, column, text, "Q222", closed)
            if WIDE.search(outside):
                yield Fault("survey", row, column, text, "Q224", _plain(text))


def _choice_names(choices: RawTable) -> Iterator[Fault]:
    named = choices.cells["name"].str.strip()
    codes = {int(code) for code in named if re.fullmatch(r"-?[0-9]{1,6}", code)}
    free = str(min(set(range(1, len(codes) + 2)) - codes))
    for row, cells in choices.records():
        name = cells["name"].strip()
        if not cells["list_name"].strip():
            yield Fault("choices", row, "list_name", "", "Q226")
        elif WIDE.search(name):
            yield Fault("choices", row, "name", name, "Q224", _plain(name))
        elif re.search(r"\s", name) and name.isascii():
            yield Fault("choices", row, "name", name, "Q219", re.sub(r"\s+", "_", name))
        elif re.search(r"\s", name):
            yield Fault("choices", row, "name", name, "Q219", free)
        elif name and not re.fullmatch(r"-?[0-9]+", name):
            yield Fault("choices", row, "name", name, "Q220", free)


def _labels(sheet: RawTable, name: str) -> Iterator[Fault]:
    """Check that what a respondent reads stands there, in every language the sheet is written in."""
    columns_of: dict[str, list[str]] = {}
    for header in sheet.cells:
        columns_of.setdefault(header.partition("::")[0], []).append(header)
    for row, cells in sheet.records():
        kind = cells.get("type", "choice").split(" ")[0].strip()
        is_group = kind.startswith(("begin", "end"))
        is_asked = kind and kind not in NOT_ASKED and not is_group
        empty = {column for column, text in cells.items() if not text.strip()}
        if is_asked and empty.issuperset(columns_of.get("label", ())):
            yield Fault(name, row, "label", "", "Q216")
        for base in TRANSLATED:
            columns = columns_of.get(base, [])
            if not empty.issuperset(columns):
                lacking = [column for column in columns if column in empty]
                yield from (Fault(name, row, column, "", "Q217") for column in lacking)


def _balanced(text: str) -> bool:
    depth = 0
    for sign in text:
        depth += {"(": 1, ")": -1}.get(sign, 0)
        if depth < 0:
            return False
    if depth or not {"'", '"'}.isdisjoint(text):
        return False
    return text.count("{") == text.count("}")


def _plain(text: str) -> str:
    """Write full-width characters as plain ones, and runs of spaces as one."""
    return " ".join(text.translate(PLAIN).split())


def _name(text: str, row: int) -> str:
    """Propose a name: what is plain in the given one, else the row's number."""
    bare = re.sub(r"[^A-Za-z0-9_]+", "_", _plain(text)).strip("_")[:32]
    if NAME.fullmatch(bare):
        return bare
    return f"q{row}"
