"""Field responses: raw tables checked and coded by the questionnaire. Rows read = rows accepted + rows rejected.

Every change and every rejection is a log entry with file, sheet, row, column, value, rule and a message.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import pandas as pd

from ..errors import ResponsesError, closest, shortened
from ..io.tables import RawTable, read_tables
from ..questionnaire import AreaItem, Questionnaire, TextItem
from ..survey import Survey
from .coding import blank_skipped, code_answers, normalise
from .events import LOG, log_events, sheet_note, shown


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
    sheets = [_data_sheets(read_tables(path), questionnaire) for path in survey.files]
    tables = [table for holding, _ in sheets for table in holding]
    raw = pd.concat([_wanted(table, survey) for table in tables], ignore_index=True)
    events = [sheet_note(file_name(table, survey), table.sheet) for _, others in sheets for table in others]
    text = normalise(raw, questionnaire, events)
    coded = code_answers(text, questionnaire, events)
    for event in events:
        event.loc[event["rule"] == "R202", "action"] = survey.rules.responses.outside_scale
    blank_skipped(coded, text, questionnaire, events=events)
    _check_rows(coded, raw, survey, events)
    _check_unique(coded, raw, questionnaire, events)
    log = pd.concat(events)
    return _account(coded, raw, log, tables, survey)


def _data_sheets(tables: list[RawTable], questionnaire: Questionnaire) -> tuple[list[RawTable], list[RawTable]]:
    """Part the sheets that hold respondents from the others (a workbook may carry notes), and check their columns."""
    enough = len(questionnaire.items) / 2
    holding = [table for table in tables if len(set(table.header) & set(questionnaire.items)) >= enough] or tables[:1]
    for table in holding:
        place = " ".join(filter(None, (str(table.path), table.sheet, "row 1")))
        for name in questionnaire.items:
            if name not in table.header:
                near = closest(name, table.header)
                raise ResponsesError(
                    "R101",
                    f"找不到列 '{name}'。",
                    f"Column '{name}' not found.",
                    where=place,
                    available=table.header,
                    got=name,
                    hint=(f"把列名 '{near}' 改为 '{name}'。", f"Rename column '{near}' to '{name}'.")
                    if near
                    else ("补上该列；没有答案时留空。", "Add the column; leave it empty where there is no answer."),
                )
        if not table.rows:
            raise ResponsesError(
                "R103",
                "文件只有表头，没有数据行。",
                "The file has a header but no rows.",
                where=place,
                hint=("重新导出该文件，或从 files 中去掉它。", "Export the file again, or take it out of `files`."),
            )
    return holding, [table for table in tables if table not in holding]


def _wanted(table: RawTable, survey: Survey) -> pd.DataFrame:
    """Return the questionnaire's columns of a table with their origin; other columns are not kept anywhere."""
    frame = table.frame()[list(survey.questionnaire.items)]
    surplus = [number in table.surplus for number in table.numbers]
    return frame.assign(
        _file=file_name(table, survey),
        _sheet=table.sheet,
        _row=table.numbers,
        _surplus=surplus,
        _id=frame[survey.questionnaire.roles.respondent].str.strip(),
    )


def file_name(table: RawTable, survey: Survey) -> str:
    """Return a response file's name as the log shows it: its path below the survey folder."""
    return os.path.relpath(table.path, survey.folder).replace(os.sep, "/")


def _check_rows(coded: pd.DataFrame, raw: pd.DataFrame, survey: Survey, events: list[pd.DataFrame]) -> None:
    """Log what rejects a whole row."""
    questionnaire, roles, declared = survey.questionnaire, survey.questionnaire.roles, survey.declared

    def reject(rule: str, column: str, wrong: pd.Series) -> None:
        if wrong.any():
            events.append(log_events(raw, wrong, column, values=raw[column], rule=rule))

    for name, item in questionnaire.items.items():
        if item.required:
            reject("R201", name, coded[questionnaire.columns(name)].isna().all(axis=1))
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
    events.append(log_events(raw, raw["_surplus"], "", values=pd.Series("", index=raw.index), rule="R209"))


def _check_unique(coded: pd.DataFrame, raw: pd.DataFrame, questionnaire: Questionnaire, events: list[pd.DataFrame]) -> None:
    """Reject a second respondent with the same identifier; rows rejected already do not use it up."""
    refused = raw.index.isin(pd.concat([e[e["action"] == "reject_row"] for e in events]).index)
    for name, item in questionnaire.items.items():
        if isinstance(item, TextItem) and item.unique:
            usable = coded[name].where(~refused)
            if (wrong := usable.notna() & usable.duplicated()).any():
                events.append(log_events(raw, wrong, name, values=raw[name], rule="R203"))


def _check_area(name: str, coded: pd.DataFrame, raw: pd.DataFrame, survey: Survey, events: list[pd.DataFrame]) -> None:
    """Find area codes that are not valid now; rules.yaml says whether they stop the run or reject the row."""
    assert survey.areas is not None
    current = survey.areas[(survey.areas["level"] == name) & (survey.areas["valid_to"] == "")]
    wrong = coded[name].notna() & ~coded[name].isin(current["code"])
    if not wrong.any():
        return
    if survey.rules.responses.unknown_area == "reject_row":
        events.append(log_events(raw, wrong, name, values=raw[name], rule="R208"))
        return
    code, first = shown(coded.loc[wrong, name].iloc[0]), raw[wrong].iloc[0]
    successor = dict(zip(survey.areas["code"], survey.areas.get("successor", ""), strict=False)).get(code)
    advice = f"'{code}' 现为 '{successor}'。 " if successor else ""
    raise ResponsesError(
        "R102",
        f"第 {first['_row']} 行的地区代码 '{code}' 不在地区表中（共 {int(wrong.sum())} 行）。",
        f"Row {first['_row']}: area code '{code}' is not in the table of areas ({int(wrong.sum())} rows in all).",
        where=" ".join(filter(None, (first["_file"], first["_sheet"], f"row {first['_row']}", f"column {name}"))),
        available=[f"{c} {n}" for c, n in zip(current["code"], current["name"], strict=True)],
        got=code,
        hint=(
            advice + "改正代码；或在 rules.yaml 中写 responses: {unknown_area: reject_row} 以拒收这些行。",
            (f"'{code}' is now '{successor}'. " if successor else "")
            + "Correct the code; or write responses: {unknown_area: reject_row} in rules.yaml to reject these rows.",
        ),
    )


def _account(coded: pd.DataFrame, raw: pd.DataFrame, log: pd.DataFrame, tables: list[RawTable], survey: Survey) -> Responses:
    """Split accepted from rejected rows and prove that none is lost."""
    refused = pd.Index(log.index[log["action"] == "reject_row"].unique())
    accepted = with_parents(coded.drop(index=refused), survey).reset_index(drop=True)
    if accepted.empty:
        raise ResponsesError(
            "R104",
            f"{len(raw)} 行全部被拒收。",
            f"All {len(raw)} rows are rejected.",
            where=shortened(sorted({t.path.name for t in tables})),
            available=[
                f"{rule}: {count}" for rule, count in log.loc[log["action"] == "reject_row", "rule"].value_counts().items()
            ],
            hint=("按规则编号检查文件。", "Check the files against the rules named."),
        )
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
        accepted=summary["rows"] - summary["rejected"],
        blanked=blanked.reindex(keys, fill_value=0).to_numpy(),
        ignored_columns=["; ".join(extra[key]) for key in keys],
    )[["file", "sheet", "rows", "accepted", "rejected", "blanked", "ignored_columns"]]
    return Responses(accepted, rejected.reset_index(), log.sort_index(kind="stable")[list(LOG)].reset_index(drop=True), summary)


def with_parents(coded: pd.DataFrame, survey: Survey) -> pd.DataFrame:
    """Add a column for each higher level of the area to rows that hold the area's code."""
    area = survey.questionnaire.roles.area
    if survey.areas is None:
        return coded
    parent, level = (dict(zip(survey.areas["code"], survey.areas[c], strict=True)) for c in ("parent", "level"))
    found, codes = {}, coded[area].map(parent)
    while codes.notna().any() and (name := level.get(codes.dropna().iloc[0])):
        found[name] = codes
        codes = codes.map(parent)
    return coded.assign(**found)
