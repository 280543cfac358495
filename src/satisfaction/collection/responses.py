"""Field responses: exports checked and coded by the questionnaire. Rows read = rows accepted + rows rejected.

Every change and every rejection is a log entry with file, sheet, row, column, value, rule and a message.
"""

from __future__ import annotations

import datetime
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, TypeAlias

import numpy as np
import pandas as pd

from satisfaction.collection import account
from satisfaction.collection.areas import (
    code_area_names,
)
from satisfaction.collection.coding import code_answers, crosswalk, normalise
from satisfaction.collection.corrections import (
    Corrected,
    add_corrections,
    replay,
    set_aside,
)
from satisfaction.collection.deliveries import (
    Delivery,
    Reading,
    columns_table,
    former_answers,
    read_deliveries,
    respondents,
    titles_by_item,
)
from satisfaction.collection.identifiers import (
    hide_paradata,
    hide_personal,
    number_rows,
    refuse_repeated_files,
)
from satisfaction.collection.log import RULES, Note, Tables, log_events, log_notes
from satisfaction.collection.platforms.export import NOTES, Export
from satisfaction.collection.rules import apply_rules, compile_rules, stop_on_unknown_area
from satisfaction.collection.spelling import exchanged
from satisfaction.collection.wordings import (
    USUAL,
    exchange_wordings,
    refuse_unknown,
    unknown_answers,
)
from satisfaction.declarations.questionnaire import CODES, Questionnaire
from satisfaction.declarations.survey import CORRECTIONS_FILE, Survey, read_survey
from satisfaction.foundation.errors import ResponsesError, SatisfactionError, together
from satisfaction.foundation.files import locked, recorded, refuse_changed
from satisfaction.foundation.pages import card
from satisfaction.foundation.personal import masked
from satisfaction.foundation.workbooks import is_template_sheet

Purpose: TypeAlias = Literal["estimate", "check"]
ORIGIN = ("_file", "_sheet", "_row")
OF_ROWS = ("_id", "_aside", "_surplus")  # wanted on the way, not kept
OF_TABLES = (
    "F203",
    "F204",
    "F210",
    "F215",
    "F315",
)  # of the reader's notes those that concern a whole table
LONGEST = 1e9  # seconds; what is more is no duration
COUNTED = ("F201", "F202")  # and those that are rules here


@dataclass(frozen=True, slots=True)
class Responses:
    """The respondents of a wave, coded, and an account of every row.

    Attributes
    ----------
    accepted : DataFrame
        One row a respondent: codes as Int64 (Float64 where an item has a `step`; null = no answer), areas and identifiers
        as text, a column of 0/1 for each option of a select-all item, a column for each higher area level, the origin
        (_file, _sheet, _row), and paradata where an export has them, as text: _submitted, _started, _ended, _seconds
        (Int64), _interviewer, _device, _ip (pseudonyms), _outcome, _platform, _team.
    rejected : DataFrame
        file, sheet, row, id, rules, zh, en; one row a rejected row.
    log : DataFrame
        file, sheet, row, id, column, value, rule, action, zh, en, suggestion; one row an event.
    summary : DataFrame
        file, sheet, rows, accepted, rejected, blanked, ignored_columns, sha256 (first 12), platform, team, submitted_first,
        submitted_last, note; rows = accepted + rejected.
    columns : DataFrame
        file, sheet, column, item, how, near, note; one row a column of a file. how: name, alias, label, number, role, option
        or replaces; empty for a column that was not kept.
    by_area, by_interviewer : DataFrame
        value, rows, accepted, rejected, blanked.
    to_correct : DataFrame
        file, sheet, row, id, rules, zh, en, state; one row a row with something rejected or blanked, but for totals and
        repeated files.
    as_read : DataFrame
        The answers of those rows as text, in the order of `to_correct`, personal data masked.
    read : dict of str to str
        SHA-256 of the bytes of every file that was read for all this, by absolute path.
    not_read : DataFrame
        file, zh, en: the files beside the responses that are not read, and why.
    problems : tuple of SatisfactionError
        What a run stops on; empty unless they were loaded to be checked.
    unknown : DataFrame
        Answers that nobody knows, see `unknown.unknown_answers`.
    """

    accepted: pd.DataFrame
    rejected: pd.DataFrame
    log: pd.DataFrame
    summary: pd.DataFrame
    columns: pd.DataFrame = field(default_factory=pd.DataFrame)
    by_area: pd.DataFrame = field(default_factory=pd.DataFrame)
    by_interviewer: pd.DataFrame = field(default_factory=pd.DataFrame)
    to_correct: pd.DataFrame = field(default_factory=pd.DataFrame)
    as_read: pd.DataFrame = field(default_factory=pd.DataFrame)
    read: Mapping[str, str] = field(default_factory=dict)
    not_read: pd.DataFrame = field(default_factory=pd.DataFrame)
    problems: tuple[SatisfactionError, ...] = ()
    unknown: pd.DataFrame = field(default_factory=pd.DataFrame)

    def _repr_html_(self) -> str:
        counts = self.summary[["rows", "accepted", "rejected", "blanked"]].sum()
        by_rule = (
            self.log.groupby(["rule", "action", "zh", "en"]).size().rename("events").reset_index()
        )
        tables = {
            "文件 files": self.summary,
            "规则 rules": by_rule,
            "待改正 to correct": self.to_correct,
        }
        if len(self.not_read):
            tables = {"没有读取 not read": self.not_read} | tables
        if self.problems:
            stops = pd.DataFrame([(one.code, one.where, one.zh, one.en) for one in self.problems])
            tables = {
                "不能运行 cannot be run": stops.set_axis(["code", "where", "zh", "en"], axis=1)
            } | tables
        return card(
            f"读入 read {counts['rows']} = 接受 accepted {counts['accepted']} + 拒收 rejected {counts['rejected']}",
            tables=tables,
        )


@dataclass(frozen=True, slots=True)
class _Rows:
    """All rows as read, personal data hidden and corrections carried out, with what happened on the way."""

    raw: pd.DataFrame
    deliveries: list[Delivery]
    columns: pd.DataFrame
    events: list[pd.DataFrame]
    read: dict[str, str]
    reading: Reading


def load_responses(survey: Survey, *, purpose: Purpose = "estimate") -> Responses:
    """Read, check and code all response files of a survey.

    Parameters
    ----------
    survey : Survey
    purpose : {"estimate", "check"}
        "check": what a run would stop on is gathered in `problems` and no error, as long as one file can be read, so that
        everything that is wrong can be seen at once; rows with an unknown area are rejected whatever rules.yaml says.

    Raises
    ------
    InputFileError
        For a file that cannot be read or is empty.
    ResponsesError
        R101 a column is missing, R102 an unknown area code (where rules.yaml says stop), R103 no rows, R104 no row accepted,
        R105 an action a rule cannot have, R106 a column with two meanings, R107-R110 from the corrections log; R300 more
        unknown answers than rules.yaml allows, R305 options in columns that cannot be read, R306 and R307 from wordings.csv;
        R320 files not read that may hold responses, R322 and R323 files with the same respondents' numbers, R321 several of
        all these.
    """
    questionnaire, rules = survey.questionnaire, compile_rules(survey)
    rows = _read_rows(survey, every_file=purpose == "estimate")
    problems = list(rows.reading.problems)

    def refuse(check: Callable[[], None]) -> None:
        try:
            check()
        except ResponsesError as fault:
            if purpose == "estimate":
                raise
            problems.append(fault)

    raw, events = rows.raw, rows.events
    tables = Tables(raw)
    text = normalise(raw, tables, survey, events)
    code_area_names(text, raw, survey, events)
    crosswalk(
        text,
        raw,
        questionnaire,
        former=former_answers(rows.deliveries, questionnaire),
        events=events,
    )
    with recorded() as read:
        exchange_wordings(text, tables, survey, events)
    rows.read.update({path: digest for path, digest in read.items() if Path(path) != USUAL})
    coded, labelled = code_answers(text, survey)
    unknown = unknown_answers(text, coded, tables, survey)
    number_rows(coded, raw, survey)
    refuse(lambda: stop_on_unknown_area(survey, coded, raw))
    refuse(lambda: refuse_repeated_files(coded, raw, text, survey))
    refuse(lambda: refuse_unknown(unknown, survey))
    apply_rules(rules, coded, raw=raw, text=text, questionnaire=questionnaire, events=events)
    log = account.ordered_log(events)
    refuse(lambda: account.refuse_nothing_accepted(raw, log))
    found = _account(survey, rows, coded, log, _count_labels(rows.columns, tables, labelled))
    not_read = account.unread_table(rows.reading.unread)
    return replace(found, unknown=unknown, not_read=not_read, problems=tuple(problems))


def correct_responses(survey: Survey, corrected: Path, *, by: str, on: datetime.date) -> Corrected:
    """Append what a team has corrected in its workbook to the survey's corrections.csv, and look at the rows again.

    Raises
    ------
    ResponsesError
        As `add_corrections`.
    """
    with locked(survey.folder / CORRECTIONS_FILE):
        rows = _read_rows(survey)
        added, repeated = add_corrections(survey, corrected, rows.raw, by=by, on=on)
        again = load_responses(read_survey(survey.folder), purpose="check") if len(added) else None
    log = (
        pd.DataFrame()
        if again is None
        else again.log[again.log["action"].isin(["reject_row", "blank_item", "warn"])]
    )
    if len(log):
        rows = added[["file", "sheet", "row"]].drop_duplicates()
        log = log.assign(row=log["row"].astype(str)).merge(rows, on=["file", "sheet", "row"])
    return Corrected(added, repeated, log.reset_index(drop=True))


def set_corrections_aside(
    survey: Survey, *, on: datetime.date
) -> tuple[Path, Sequence[SatisfactionError]]:
    """Take the corrections that cannot be replayed out of the log, which stays as it was in a dated file beside it."""
    with locked(survey.folder / CORRECTIONS_FILE):
        return set_aside(survey, _read_rows(survey, corrected=False).raw, on=on)


def check_corrections(survey: Survey) -> int:
    """Return how many corrections the log holds, all of which can be replayed.

    Raises
    ------
    ResponsesError
        R107-R110 for the first that cannot.
    """
    return len(pd.concat(_read_rows(survey).events).query("rule == 'R216'"))


def _read_rows(survey: Survey, *, corrected: bool = True, every_file: bool = False) -> _Rows:
    """Read all rows, with the corrections carried out unless `corrected` is False.

    What cannot be read is refused where nothing can, or where `every_file` is wanted.
    """
    with recorded() as read:
        reading = read_deliveries(survey)
        if reading.problems and (every_file or not reading.deliveries):
            raise together(reading.problems, where=str(survey.folder))
        rows = _rows_as_read(survey, reading)
        if corrected:
            replay(rows.raw, survey, rows.events)
    refuse_changed(read)  # some formats are parsed by libraries that open the file themselves
    rows.read.update(read)
    nothing = pd.Series("", index=rows.raw.index)
    for rule in ("R215", "R219"):
        rows.events.append(
            log_events(rows.raw, rows.raw["_aside"] == rule, "", values=nothing, rule=rule)
        )
    return rows


def _rows_as_read(survey: Survey, reading: Reading) -> _Rows:
    deliveries = reading.deliveries
    others = [
        (file, one)
        for file, one in reading.others
        if not is_template_sheet(one.sheet, [column.title for column in one.columns])
    ]
    raw = respondents(deliveries, survey.questionnaire)
    events = [_notes(deliveries, others), _not_read(reading)]
    hide_personal(raw, survey.questionnaire, titles=titles_by_item(deliveries), events=events)
    return _Rows(
        raw,
        deliveries,
        columns_table(deliveries, others, survey.questionnaire),
        events,
        {},
        reading,
    )


def _not_read(reading: Reading) -> pd.DataFrame:
    """Log the files that are not read."""
    rule, (_, zh, en) = "R324", RULES["R324"]
    return log_notes((one.file, "", 0, "", one.zh, rule, zh, en) for one in reading.unread)


def _notes(deliveries: list[Delivery], others: list[tuple[str, Export]]) -> pd.DataFrame:
    """Log what the reader noted of tables and of answers that were matched."""
    found: list[Note] = [
        (file, export.sheet, 0, "", "", "R213", *RULES["R213"][1:]) for file, export in others
    ]
    for one in deliveries:
        for name, source in one.sources.items():
            if source.how == "split":
                columns = "; ".join(column.title for column, _ in source.options)
                found.append(
                    (one.file, one.export.sheet, 0, name, columns, "R304", *RULES["R304"][1:])
                )
        used = {column.key for source in one.sources.values() for column, _ in source.columns()}
        found += [
            (
                one.file,
                one.export.sheet,
                note.row,
                note.column,
                note.value,
                note.rule,
                *NOTES[note.rule],
            )
            for note in one.export.notes
            if note.rule in OF_TABLES or (note.column in used and note.rule not in COUNTED)
        ]
    return log_notes(found)


def _count_labels(
    columns: pd.DataFrame, tables: Tables, labelled: dict[str, pd.Series]
) -> pd.DataFrame:
    """Say beside every matched column how many of its answers were labels in place of codes."""
    counts: dict[tuple[str, str, str], int] = {}
    for name, marked in labelled.items():
        found = np.bincount(tables.number[marked.to_numpy()], minlength=len(tables.places))
        counts |= {
            (file, sheet, name): int(n)
            for (file, sheet), n in zip(tables.places, found, strict=True)
        }
    keys = zip(columns["file"], columns["sheet"], columns["item"], strict=True)
    notes = [f"文字作答 labels × {count}" if (count := counts.get(key)) else "" for key in keys]
    return columns.assign(
        note=columns["note"].where(pd.Series(notes, index=columns.index) == "", notes)
    )


def _account(
    survey: Survey, rows: _Rows, coded: pd.DataFrame, log: pd.DataFrame, columns: pd.DataFrame
) -> Responses:
    """Split accepted from rejected rows and prove that none is lost."""
    raw, roles = rows.raw, survey.questionnaire.roles
    refused = account.refused_rows(log)
    kept = coded.join(_beside(raw, survey.questionnaire)).drop(index=refused)
    rejected = account.rejected_table(log)
    faults = account.correctable(log)
    read = raw.loc[faults.index.unique(), list(survey.questionnaire.items)].map(masked)
    interviewer = coded[roles.interviewer] if roles.interviewer else raw.get("_interviewer")
    accepted = with_parents(kept, survey).reset_index(drop=True)
    accepted.attrs[CODES] = survey.questionnaire.coded_columns()
    return Responses(
        accepted=accepted,
        rejected=rejected,
        log=log.reset_index(drop=True),
        summary=account.summary_table(raw, log, rows.deliveries, columns),
        columns=columns,
        by_area=account.counts_by(raw, log, _without_personal(coded[roles.area])),
        by_interviewer=pd.DataFrame()
        if interviewer is None
        else account.counts_by(raw, log, _without_personal(interviewer)),
        to_correct=account.correctable_table(faults),
        as_read=read.reset_index(drop=True),
        read=rows.read,
    )


def _without_personal(values: pd.Series) -> pd.Series:
    return exchanged(values.astype(object).where(values.notna(), ""), masked)


def _beside(raw: pd.DataFrame, questionnaire: Questionnaire) -> pd.DataFrame:
    """Return the origin of each row and its paradata, with pseudonyms for what identifies a device or person."""
    names = [name for name in raw if name not in (*questionnaire.items, *OF_ROWS, *ORIGIN)]
    paradata = {name: hide_paradata(raw[name], name) for name in names}
    if "_seconds" in paradata:
        seconds = pd.to_numeric(paradata["_seconds"], errors="coerce")
        paradata["_seconds"] = seconds.where(seconds.abs() < LONGEST).round().astype("Int64")
    return raw[list(ORIGIN)].assign(**paradata)


def with_parents(coded: pd.DataFrame, survey: Survey) -> pd.DataFrame:
    """Add a column for each higher level of the area to rows that hold the area's code."""
    area = survey.questionnaire.roles.area
    if survey.areas is None:
        return coded
    parent, level = (
        dict(zip(survey.areas["code"], survey.areas[c], strict=True)) for c in ("parent", "level")
    )
    found, codes = {}, coded[area].map(parent)
    while codes.notna().any() and (name := level.get(codes.dropna().iloc[0])):
        found[name] = codes
        codes = codes.map(parent)
    return coded.assign(**found)
