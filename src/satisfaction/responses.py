"""Field responses: raw tables checked and coded by the questionnaire. Rows read = rows accepted + rows rejected.

Every change and every rejection is a log entry with file, sheet, row, column, value, rule and a message.
"""

from __future__ import annotations

import os
import re
import unicodedata
from dataclasses import dataclass

import pandas as pd

from .errors import ResponsesError, closest, shortened
from .io.tables import RawTable, read_tables
from .questionnaire import (
    AreaItem,
    DateItem,
    Item,
    MultipleItem,
    NumberItem,
    Questionnaire,
    SingleItem,
    TextItem,
    option_column,
)
from .survey import Survey

RULES: dict[str, tuple[str, str, str]] = {
    "R201": ("reject_row", "必填项为空", "required item is empty"),
    "R202": ("blank_item", "答案不在量表内，已作空白处理", "answer outside the scale; blanked"),
    "R203": ("reject_row", "编号重复，保留最先出现的一条", "respondent stands twice; the first is kept"),
    "R204": ("reject_row", "不属于调查对象", "not eligible"),
    "R205": ("reject_row", "访问日期不在调查期内", "interview outside the fielding period"),
    "R206": ("reject_row", "社区（村）不在样本中", "PSU is not in the sample"),
    "R207": ("reject_row", "与样本表中该社区的县或城乡不一致", "contradicts the stratum of its PSU in the sample"),
    "R208": ("reject_row", "地区代码不在地区表中", "area code is not in the table of areas"),
    "R209": ("reject_row", "单元格多于表头", "more cells than column names"),
    "R210": ("blank_item", "按跳转规则不应回答，已作空白处理", "answered although the skip rule leaves it out; blanked"),
    "R211": ("normalised", "全角字符已转为半角", "full-width characters written as plain ones"),
    "R212": ("blank_item", "不是有效的日期或数值，已作空白处理", "no valid date or number; blanked"),
}
LOG = ("file", "sheet", "row", "id", "column", "value", "rule", "action", "zh", "en")
ORIGIN = ("_file", "_sheet", "_row")


@dataclass(frozen=True, slots=True)
class Responses:
    """The respondents of a wave, coded, and an account of every row.

    Attributes
    ----------
    accepted : DataFrame
        One row a respondent: codes as Int64 (null = no answer), areas and identifiers as text, a column of 0/1 for each
        option of a select-all item, a column for each higher area level, and the origin (_file, _sheet, _row).
    rejected : DataFrame
        file, sheet, row, id, rules, zh, en; one row a rejected row.
    log : DataFrame
        file, sheet, row, id, column, value, rule, action, zh, en; one row an event.
    summary : DataFrame
        file, sheet, rows, accepted, rejected, blanked, ignored_columns; rows = accepted + rejected.
    """

    accepted: pd.DataFrame
    rejected: pd.DataFrame
    log: pd.DataFrame
    summary: pd.DataFrame


def load_responses(survey: Survey) -> Responses:
    """Read, check and code all response files of a survey.

    Raises
    ------
    InputFileError
        For a file that cannot be read or is empty.
    ResponsesError
        R101 a column is missing, R102 an unknown area code (where rules.yaml says stop), R103 no rows, R104 no row accepted.
    """
    questionnaire = survey.questionnaire
    tables = [table for path in survey.files for table in _data_sheets(read_tables(path), questionnaire)]
    raw = pd.concat([_wanted(table, survey) for table in tables], ignore_index=True)
    events: list[pd.DataFrame] = []
    text = _normalised(raw, questionnaire, events)
    coded = _coded(text, questionnaire, events)
    _skips(coded, text, questionnaire, events)
    _check_rows(coded, raw, survey, events)
    _check_unique(coded, raw, questionnaire, events)
    log = pd.concat(events)
    return _account(coded, raw, log, tables, survey)


def _data_sheets(tables: list[RawTable], questionnaire: Questionnaire) -> list[RawTable]:
    """Keep the sheets that hold respondents (a workbook may carry a sheet of notes), and check their columns."""
    holding = [table for table in tables if questionnaire.roles.respondent in table.header] or tables[:1]
    for table in holding:
        place = " ".join(filter(None, (str(table.path), table.sheet, "row 1")))
        for name in questionnaire.items:
            if name not in table.header:
                near = closest(name, table.header)
                raise ResponsesError(
                    "R101", f"找不到列 '{name}'。", f"Column '{name}' not found.", where=place, available=table.header, got=name,
                    hint=(f"把列名 '{near}' 改为 '{name}'。", f"Rename column '{near}' to '{name}'.")
                    if near
                    else ("补上该列；没有答案时留空。", "Add the column; leave it empty where there is no answer."),
                )  # fmt: skip
        if not table.rows:
            raise ResponsesError(
                "R103", "文件只有表头，没有数据行。", "The file has a header but no rows.", where=place,
                hint=("重新导出该文件，或从 files 中去掉它。", "Export the file again, or take it out of `files`."),
            )  # fmt: skip
    return holding


def _wanted(table: RawTable, survey: Survey) -> pd.DataFrame:
    """Return the questionnaire's columns of a table with their origin; other columns are not kept anywhere."""
    frame = table.frame()[list(survey.questionnaire.items)]
    surplus = [number in table.surplus for number in table.numbers]
    return frame.assign(
        _file=file_name(table, survey), _sheet=table.sheet, _row=table.numbers, _surplus=surplus,
        _id=frame[survey.questionnaire.roles.respondent].str.strip(),
    )  # fmt: skip


def file_name(table: RawTable, survey: Survey) -> str:
    """Return a response file's name as the log shows it: its path below the survey folder."""
    return os.path.relpath(table.path, survey.folder).replace(os.sep, "/")


def _normalised(raw: pd.DataFrame, questionnaire: Questionnaire, events: list[pd.DataFrame]) -> pd.DataFrame:
    """Strip spaces; write full-width digits and letters of coded items as plain ones, and log it."""
    text = raw.copy()
    for name in questionnaire.items:
        stripped = raw[name].str.strip(" \t\r\n\u3000\u00a0")
        plain = stripped.map({value: unicodedata.normalize("NFKC", value) for value in stripped.unique()})
        if (changed := plain != stripped).any():
            events.append(_events(raw, changed, name, stripped, "R211"))
        text[name] = plain
    return text


def _coded(text: pd.DataFrame, questionnaire: Questionnaire, events: list[pd.DataFrame]) -> pd.DataFrame:
    """Turn text into codes, item by item; what is not valid becomes null and is logged."""
    columns: dict[str, pd.Series] = {}
    for name, item in questionnaire.items.items():
        values = text[name]
        coded = _code_item(name, item, values, questionnaire)
        main = coded[name]
        unanswered = main.isna() if not isinstance(item, MultipleItem) else pd.concat(coded, axis=1).isna().all(axis=1)
        if (wrong := unanswered & (values != "")).any():
            rule = "R212" if isinstance(item, DateItem | NumberItem) else "R202"
            events.append(_events(text, wrong, name, values, rule))
        columns |= coded
    return pd.DataFrame(columns).join(text[list(ORIGIN)])


def _code_item(name: str, item: Item, values: pd.Series, questionnaire: Questionnaire) -> dict[str, pd.Series]:
    """Return the coded column of an item (and one a option of a select-all item)."""
    if isinstance(item, SingleItem):
        codes = {str(code): code for code in (*questionnaire.answers(name), *questionnaire.special(name))}
        return {name: values.map(codes).astype("Int64")}
    if isinstance(item, MultipleItem):
        return _code_options(name, item, values)
    if isinstance(item, NumberItem):
        number = pd.to_numeric(values, errors="coerce")
        return {name: number.where((number % 1 == 0) & number.between(item.low, item.high)).astype("Int64")}
    if isinstance(item, DateItem):
        dates = pd.to_datetime(values.map(_date), format="%Y-%m-%d", errors="coerce")
        return {name: dates.dt.strftime("%Y-%m-%d").astype("object").where(dates.notna(), None)}
    return {name: values.astype("object").where(values != "", None)}


def _code_options(name: str, item: MultipleItem, values: pd.Series) -> dict[str, pd.Series]:
    """Split a select-all answer; one undeclared code, or a special code beside options, makes the answer invalid."""
    options, special = {str(code) for code in item.options}, {str(code): code for code in item.special}

    def chosen(value: str) -> frozenset[str] | None:
        parts = {part.strip() for part in re.split(f"[{re.escape(item.separator)}┋|]", value) if part.strip()}
        return frozenset(parts) if parts and parts <= options else None

    picked = values.map({value: chosen(value) for value in values.unique()})
    columns = {name: values.map(special).astype("Int64")}
    for code in item.options:
        flags = picked.map(lambda parts, code=str(code): None if parts is None else int(code in parts))
        columns[option_column(name, code)] = flags.astype("Int64")
    return columns


def _skips(coded: pd.DataFrame, text: pd.DataFrame, questionnaire: Questionnaire, events: list[pd.DataFrame]) -> None:
    """Blank answers to items that the skip rule leaves out."""
    for name, item in questionnaire.items.items():
        for other, codes in item.asked_if.items():
            columns = [name, *(option_column(name, c) for c in getattr(item, "options", ()))]
            wrong = ~coded[other].isin(codes) & coded[columns].notna().any(axis=1)
            if wrong.any():
                events.append(_events(text, wrong, name, text[name], "R210"))
                coded.loc[wrong, columns] = pd.NA


def _check_rows(coded: pd.DataFrame, raw: pd.DataFrame, survey: Survey, events: list[pd.DataFrame]) -> None:
    """Log what rejects a whole row."""
    questionnaire, roles, declared = survey.questionnaire, survey.questionnaire.roles, survey.declared

    def reject(rule: str, column: str, wrong: pd.Series) -> None:
        if wrong.any():
            events.append(_events(raw, wrong, column, raw[column], rule))

    for name, item in questionnaire.items.items():
        if item.required:
            columns = [name, *(option_column(name, c) for c in getattr(item, "options", ()))]
            reject("R201", name, coded[columns].isna().all(axis=1))
        if isinstance(item, AreaItem) and survey.areas is not None:
            _check_area(name, coded, raw, survey, events)
    for name, codes in questionnaire.eligibility.items():
        reject("R204", name, coded[name].notna() & ~coded[name].isin(codes))
    if roles.interview_date and declared.fielded:
        date = coded[roles.interview_date]
        inside = date.between(str(declared.fielded.start), str(declared.fielded.end))
        reject("R205", roles.interview_date, date.notna() & ~inside)
    if roles.psu and survey.sample is not None:
        known = survey.sample.set_index(roles.psu)[roles.strata]
        there = coded[roles.psu].isin(known.index)
        reject("R206", roles.psu, coded[roles.psu].notna() & ~there)
        for name in roles.strata:
            own = coded[roles.psu].map(known[name])
            reject("R207", name, there & coded[name].notna() & (coded[name].astype("string") != own))
    events.append(_events(raw, raw["_surplus"], "", pd.Series("", index=raw.index), "R209"))


def _check_unique(coded: pd.DataFrame, raw: pd.DataFrame, questionnaire: Questionnaire, events: list[pd.DataFrame]) -> None:
    """Reject a second respondent with the same identifier; rows rejected already do not use it up."""
    refused = raw.index.isin(pd.concat([e[e["action"] == "reject_row"] for e in events]).index)
    for name, item in questionnaire.items.items():
        if isinstance(item, TextItem) and item.unique:
            usable = coded[name].where(~refused)
            if (wrong := usable.notna() & usable.duplicated()).any():
                events.append(_events(raw, wrong, name, raw[name], "R203"))


def _check_area(name: str, coded: pd.DataFrame, raw: pd.DataFrame, survey: Survey, events: list[pd.DataFrame]) -> None:
    """Find area codes that are not valid now; rules.yaml says whether they stop the run or reject the row."""
    assert survey.areas is not None
    current = survey.areas[(survey.areas["level"] == name) & (survey.areas["valid_to"] == "")]
    wrong = coded[name].notna() & ~coded[name].isin(current["code"])
    if not wrong.any():
        return
    if survey.rules.responses.unknown_area == "reject_row":
        events.append(_events(raw, wrong, name, raw[name], "R208"))
        return
    code, first = str(coded.loc[wrong, name].iloc[0]), raw[wrong].iloc[0]
    successor = dict(zip(survey.areas["code"], survey.areas.get("successor", ""), strict=False)).get(code)
    advice = f"'{code}' 现为 '{successor}'。 " if successor else ""
    raise ResponsesError(
        "R102", f"第 {first['_row']} 行的地区代码 '{code}' 不在地区表中（共 {int(wrong.sum())} 行）。",
        f"Row {first['_row']}: area code '{code}' is not in the table of areas ({int(wrong.sum())} rows in all).",
        where=" ".join(filter(None, (first["_file"], first["_sheet"], f"row {first['_row']}", f"column {name}"))),
        available=[f"{c} {n}" for c, n in zip(current["code"], current["name"], strict=True)], got=code,
        hint=(
            advice + "改正代码；或在 rules.yaml 中写 responses: {unknown_area: reject_row} 以拒收这些行。",
            (f"'{code}' is now '{successor}'. " if successor else "")
            + "Correct the code; or write responses: {unknown_area: reject_row} in rules.yaml to reject these rows.",
        ),
    )  # fmt: skip


def _account(coded: pd.DataFrame, raw: pd.DataFrame, log: pd.DataFrame, tables: list[RawTable], survey: Survey) -> Responses:
    """Split accepted from rejected rows and prove that none is lost."""
    if survey.rules.responses.outside_scale == "reject_row":
        log.loc[log["rule"] == "R202", "action"] = "reject_row"
    refused = pd.Index(log.index[log["action"] == "reject_row"].unique())
    accepted = _with_parents(coded.drop(index=refused), survey).reset_index(drop=True)
    if accepted.empty:
        raise ResponsesError(
            "R104", f"{len(raw)} 行全部被拒收。", f"All {len(raw)} rows are rejected.", where=shortened(sorted({t.path.name for t in tables})),
            available=[f"{rule}: {count}" for rule, count in log.loc[log["action"] == "reject_row", "rule"].value_counts().items()],
            hint=("按规则编号检查文件。", "Check the files against the rules named."),
        )  # fmt: skip
    reasons = log[log["action"] == "reject_row"].drop_duplicates(["file", "sheet", "row", "rule"])
    rejected = reasons.groupby(["file", "sheet", "row"], sort=False).agg(
        id=("id", "first"), rules=("rule", "; ".join), zh=("zh", "；".join), en=("en", "; ".join)
    )
    origin = raw[["_file", "_sheet"]].assign(rejected=raw.index.isin(refused))
    blanked = log[log["action"] == "blank_item"].groupby(["file", "sheet"]).size()
    summary = origin.groupby(["_file", "_sheet"], sort=False)["rejected"].agg(["size", "sum"]).reset_index()
    summary.columns = pd.Index(["file", "sheet", "rows", "rejected"])
    keys = pd.MultiIndex.from_frame(summary[["file", "sheet"]])
    extra = {(file_name(t, survey), t.sheet): [c for c in t.header if c and c not in survey.questionnaire.items] for t in tables}
    summary = summary.assign(
        accepted=summary["rows"] - summary["rejected"], blanked=blanked.reindex(keys, fill_value=0).to_numpy(),
        ignored_columns=["; ".join(extra[key]) for key in keys],
    )[["file", "sheet", "rows", "accepted", "rejected", "blanked", "ignored_columns"]]  # fmt: skip
    return Responses(accepted, rejected.reset_index(), log.sort_index(kind="stable")[list(LOG)].reset_index(drop=True), summary)


def _with_parents(coded: pd.DataFrame, survey: Survey) -> pd.DataFrame:
    """Add a column for each higher level of the area."""
    area = survey.questionnaire.roles.area
    if survey.areas is None:
        return coded
    parent, level = (dict(zip(survey.areas["code"], survey.areas[c], strict=True)) for c in ("parent", "level"))
    found, codes = {}, coded[area].map(parent)
    while codes.notna().any() and (name := level.get(codes.dropna().iloc[0])):
        found[name] = codes
        codes = codes.map(parent)
    return coded.assign(**found)


def _events(raw: pd.DataFrame, wrong: pd.Series, column: str, values: pd.Series, rule: str) -> pd.DataFrame:
    """Build log entries for the rows marked; the index keeps their place in the raw table."""
    action, zh, en = RULES[rule]
    at = raw[wrong]
    return pd.DataFrame(
        {
            "file": at["_file"], "sheet": at["_sheet"], "row": at["_row"], "id": at["_id"].map(_shown), "column": column,
            "value": values[wrong].map(_shown), "rule": rule, "action": action, "zh": zh, "en": en,
        },
        columns=list(LOG),
    )  # fmt: skip


def _shown(value: str) -> str:
    """Return a value as a log may show it: what may be a telephone, identity or mail address is masked."""
    value = str(value)
    if "@" in value or re.search(r"(?<![0-9A-Za-z])1[3-9][0-9]{9}(?![0-9])|[0-9]{17}[0-9Xx]", value):
        return "***"
    return value if len(value) <= 40 else value[:40] + "…"


def _date(value: str) -> str:
    """Write 2026/7/6, 2026.7.6 and 2026-07-06 09:30 as 2026-07-06."""
    if found := re.match(r"(\d{4})[-/.年](\d{1,2})[-/.月](\d{1,2})", value):
        return f"{found[1]}-{int(found[2]):02d}-{int(found[3]):02d}"
    return value
