"""Response files as delivered: read by platform, known by their hash, with team and time of submission."""

from __future__ import annotations

import os
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass, replace
from fnmatch import fnmatchcase
from functools import partial

import numpy as np
import pandas as pd
from tqdm import tqdm

from satisfaction.collection.account import TableNote, log_notes
from satisfaction.collection.matching import (
    AnswerSource,
    gather,
    header_place,
    match_columns,
    missing_items,
    refuse_other_labels,
    refuse_second_columns,
)
from satisfaction.collection.platforms import read_exports
from satisfaction.collection.platforms.export import NOTES, SKIPPED, Export, Note, Role
from satisfaction.collection.wordings import WITH_ZEROS, without_zeros
from satisfaction.declarations.delivered import FOLDER, Unread
from satisfaction.declarations.items import AreaItem, DateItem, TextItem
from satisfaction.declarations.questionnaire import Questionnaire
from satisfaction.declarations.survey import Survey
from satisfaction.foundation.errors import ResponsesError, SatisfactionError, shortened
from satisfaction.foundation.figures import Brief
from satisfaction.foundation.files import matching, no_match, path_below, recorded
from satisfaction.foundation.grids import WORKBOOKS
from satisfaction.foundation.language import _, ngettext, semicolon_list
from satisfaction.foundation.personal import masked_names, masked_within
from satisfaction.foundation.workbooks import is_template_sheet

NOT_FILLED_IN = _("a template that nobody has filled in")
PARADATA: dict[Role, str] = {
    "started": "_started", "ended": "_ended", "duration": "_seconds", "interviewer": "_interviewer", "device": "_device", "ip": "_ip",
    "outcome": "_outcome", "submitted": "_submitted",
}  # fmt: skip


NOT_APPROVED = ("not approved", "validation_status_not_approved", "rejected")  # Kobo's, ODK's


OF_TABLES = (
    "F203",
    "F204",
    "F210",
    "F215",
    "F315",
    "F316",
    "F318",
)  # of the reader's notes those that concern a whole table
AS_RULES = ("F201", "F202")  # and those that are rules here


@dataclass(frozen=True, slots=True, repr=False)
class Delivery(Brief):
    """One table of respondents in one file.

    Attributes
    ----------
    file : str
        Path below the survey folder, as the log shows it.
    export : Export
    sources : dict of str to Source
        Where each item's answers stand.
    team, digest : str
        What survey.yaml says, and the SHA-256 of the file.
    again : bool
        Whether an earlier file has the same bytes.
    """

    file: str
    export: Export
    sources: dict[str, AnswerSource]
    team: str
    digest: str
    again: bool


@dataclass(frozen=True, slots=True, repr=False)
class Reading:
    """All response files of a survey as far as they could be read.

    Attributes
    ----------
    deliveries : list of Delivery
        Tables of respondents that have every column.
    others : list of (str, Export)
        Tables without the questionnaire's columns, by file.
    unread : list of Unread
        Files that are not read, and templates that nobody has filled in.
    problems : list of SatisfactionError
        Everything on which a run stops.
    """

    deliveries: list[Delivery]
    others: list[tuple[str, Export]]
    unread: list[Unread]
    problems: list[SatisfactionError]


def read_deliveries(survey: Survey) -> Reading:
    """Read all response files; what is wrong with one does not keep the others from being read.

    The problems are F101-F119 for a file that cannot be read, R101 for a missing column, R103 for a table without rows, R106
    for a column with two meanings, R320 for files and R325 for sheets not read that may hold answers, F103 for a pattern without
    a file.
    """
    questionnaire = survey.questionnaire
    unread = list(map(partial(_without_template, survey), survey.unread))
    problems = _not_there(survey, unread)
    deliveries: list[Delivery] = []
    others: list[tuple[str, Export]] = []
    empty: list[tuple[str, Export, bool]] = []
    digests: set[str] = set()
    needless = [questionnaire.roles.respondent] if survey.declared.numbering == "row" else []
    declared = {}
    for declaration in reversed(survey.declared.files):
        for path in matching(survey.folder, declaration.pattern):
            declared[path] = declaration
    names = masked_names([path_below(survey.folder, path) for path in survey.files])
    files = tqdm(survey.files, desc=str(_("response files")), disable=None, leave=False)
    for path, file in zip(files, names, strict=True):
        entry = declared.get(path)
        try:
            with recorded() as read:
                exports = read_exports(path, platform=entry.platform if entry else "auto")
            tables = _matched(exports, questionnaire)
        except SatisfactionError as fault:
            problems.append(fault)
            continue
        digest = read[os.path.abspath(path)]
        team = masked_within(entry.team) if entry else ""
        for export, sources, holding in tables:
            if not holding:
                if not _is_sheet_of_template(export):
                    others.append((file, export))
                    problems += _may_hold(file, export, sources, survey=survey)
                continue
            faults = missing_items(export, sources, questionnaire, needless=needless)
            problems += faults
            if export.rows.empty and not faults:
                empty.append((file, export, _is_template([table for table, *_rest in tables])))
            elif not faults:
                again = digest in digests
                export = _with_whole_numbers(export, sources, questionnaire)
                deliveries.append(Delivery(file, export, sources, team, digest, again))
        digests.add(digest)
    not_read = [passed.file for passed in unread if passed.stops]
    for file, export, is_template in empty:
        if is_template and deliveries:
            unread.append(Unread(file, NOT_FILLED_IN, stops=False))
        else:
            problems.append(_no_rows(export, not_read))
    return Reading(deliveries, others, unread, problems)


def _without_template(survey: Survey, passed: Unread) -> Unread:
    """Let a file that is not read stop nothing where it is a template of ours that nobody has filled in."""
    path = survey.folder / passed.file
    if passed.stops and path.suffix.lower() in WORKBOOKS:
        with suppress(SatisfactionError):  # what is no template stays what it was
            if _is_template(read_exports(path)):
                return Unread(passed.file, NOT_FILLED_IN, stops=False)
    return passed


def _matched(
    exports: list[Export], questionnaire: Questionnaire
) -> list[tuple[Export, dict[str, AnswerSource], bool]]:
    """Return the tables of a file with the items' columns, and whether each holds responses: half of the items, or the first."""
    sheets = masked_names(export.sheet for export in exports)
    named = [replace(export, sheet=name) for export, name in zip(exports, sheets, strict=True)]
    matched = [match_columns(export, questionnaire) for export in named]
    half = len(questionnaire.items) / 2
    holds = [len(sources) >= half for sources in matched]
    if holds and not any(holds):
        holds[0] = True
    tables = list(zip(named, matched, holds, strict=True))
    for export, sources, holding in tables:
        if holding:
            _refuse_nested(export, sources)
            refuse_second_columns(export, sources, questionnaire)
            refuse_other_labels(export, sources, questionnaire)
    return tables


def _no_rows(export: Export, not_read: list[str]) -> ResponsesError:
    hint = _("Export the file again, or take it away.")
    if not_read:
        hint = _(
            "{beside} beside it is not read: list it under `files`. Export the file again, or "
            "take it away.",
            beside=shortened(not_read),
        )
    text = _("The file has a header but no rows.")
    return ResponsesError("R103", text, where=header_place(export), hint=hint)


def _with_whole_numbers(
    export: Export, sources: dict[str, AnswerSource], questionnaire: Questionnaire
) -> Export:
    """Write identifiers that all end in .0, as programs export numbers, without it: 1001.0 and 1001 are one respondent."""
    notes = list(export.notes)
    rows = export.rows
    for name, source in sources.items():
        if source.column is None or not isinstance(questionnaire.items[name], TextItem):
            continue
        key = source.column.key
        texts = rows[key].str.strip()
        filled = texts[texts != ""]
        if len(filled) and filled.str.fullmatch(WITH_ZEROS).all():
            rows = rows.assign(**{key: texts.map(without_zeros)})
            notes.append(Note("F317", column=key, value=f"× {len(filled)}"))
    return replace(export, rows=rows, notes=tuple(notes))


def _is_template(exports: list[Export]) -> bool:
    """Tell a template of ours that nobody has filled in: its first sheet has no rows."""
    first, *others = exports
    return first.rows.empty and any(map(_is_sheet_of_template, others))


def _is_sheet_of_template(export: Export) -> bool:
    return is_template_sheet(export.sheet, [column.title for column in export.columns])


def _not_there(survey: Survey, unread: list[Unread]) -> list[SatisfactionError]:
    """Return the problems with the files as a whole: patterns without a file, and files not read that may hold answers."""
    problems: list[SatisfactionError] = []
    for pattern in survey.unmatched:
        problems.append(no_match(survey.folder, pattern))
    files = []
    for passed in unread:
        if passed.stops:
            files.append(_("{file} ({why})", file=passed.file, why=passed.why))
    if files:
        text = ngettext(
            "{n} file is not read that may hold responses: {files}.",
            "{n} files are not read that may hold responses: {files}.",
            len(files),
            files=semicolon_list(files),
        )
        hint = _(
            "List them under `files` in survey.yaml (or delete `files`: every table is "
            "read); save them as xlsx; take away what holds no responses, or name it "
            "under `ignore`."
        )
        problems.append(ResponsesError("R320", text, where=survey.folder / FOLDER, hint=hint))
    return problems


def _may_hold(
    file: str, export: Export, sources: dict[str, AnswerSource], *, survey: Survey
) -> list[SatisfactionError]:
    """Return the problem with a sheet that is not read and may hold answers.

    It does where it is wide enough, such as rows that go on without column names, or where half its columns are items and
    some of those are questions.
    """
    place = f"{file}#{export.sheet}"
    items = survey.questionnaire.items
    asked = [
        name for name in sources if not isinstance(items[name], TextItem | AreaItem | DateItem)
    ]
    wide = 2 * len(export.columns) >= len(items)
    wide |= len(asked) >= 2 and 2 * len(sources) >= len(export.columns) and not export.rows.empty
    ignored = survey.declared.ignore
    if not wide or place in ignored or any(fnmatchcase(place, pattern) for pattern in ignored):
        return []
    return [
        ResponsesError(
            "R325",
            _("The sheet may hold responses, but not under the questionnaire's column names."),
            where=header_place(export),
            available=[column.title for column in export.columns],
            hint=_(
                "Give it the row of column names that the other sheet has; where it holds no "
                "responses, take the sheet away or write '{place}' under `ignore` in survey.yaml.",
                place=place,
            ),
        )
    ]


def _refuse_nested(export: Export, sources: dict[str, AnswerSource]) -> None:
    """Refuse answers in a column of lists or records."""
    nested = {note.column for note in export.notes if note.rule == "F215"}
    for name, source in sources.items():
        if not nested.isdisjoint(source.keys):
            raise ResponsesError(
                "R440",
                _(
                    "The column of item '{name}' holds lists or records, which are not read.",
                    name=name,
                ),
                where=header_place(export),
                hint=_(
                    "Write the column as one text a respondent, such as 1;2;3, before it is exported."
                ),
            )


def respondents(deliveries: list[Delivery], questionnaire: Questionnaire) -> pd.DataFrame:
    """Bring all tables into one of text: a column an item, origin, paradata, and what sets a row aside as a whole.

    _aside is the rule that rejects the row before its answers are looked at (R215 the same file again, R219 totals), or
    empty; _surplus marks rows with more cells than names, _refused those that a reviewer rejected on the platform. Rows of
    totals have no answers.
    """
    parts = [_rows(delivery, questionnaire) for delivery in deliveries]
    raw = pd.concat(parts, ignore_index=True)
    for name, values in raw.items():
        if any(name not in part for part in parts):
            raw[name] = values.astype(object).where(values.notna(), "")
    for name, usual in (("_platform", "plain"), ("_team", "")):
        if (raw[name] == usual).all():
            raw = raw.drop(columns=name)
    return raw


def _rows(delivery: Delivery, questionnaire: Questionnaire) -> pd.DataFrame:
    export = delivery.export
    surplus = [note.row for note in export.notes if note.rule == "F201"]
    totals = sorted(note.row for note in export.notes if note.rule == "F202")
    refused: list[int] = []
    for reviewed in export.columns:
        if reviewed.role == "status":
            states = export.rows[reviewed.key].str.strip().str.casefold()
            refused += export.numbers[states.isin(NOT_APPROVED)].tolist()
    rows = gather(export, delivery.sources, questionnaire)
    used = set().union(*(source.keys for source in delivery.sources.values()))
    for role, name in PARADATA.items():
        column = next((column for column in export.columns if column.role == role), None)
        is_item = role == "interviewer" and column is not None and column.key in used
        if column is not None and not is_item:
            rows[name] = export.rows[column.key].to_numpy(dtype=object)
    rows["_row"] = export.numbers
    rows["_aside"] = "R215" if delivery.again else ""
    if totals:
        nothing = pd.DataFrame("", index=range(len(totals)), columns=rows.columns, dtype=object)
        nothing = nothing.assign(_row=np.array(totals), _aside="R219")
        rows = pd.concat([rows, nothing], ignore_index=True)
    return rows.assign(
        _file=delivery.file,
        _sheet=export.sheet,
        _surplus=rows["_row"].isin(surplus),
        _refused=rows["_row"].isin(refused),
        _id=rows[questionnaire.roles.respondent].map(str.strip),
        _platform=export.platform,
        _team=delivery.team,
    )


def former_answers(
    deliveries: list[Delivery], questionnaire: Questionnaire
) -> dict[str, list[tuple[str, pd.Series]]]:
    """Return the answers in columns of earlier versions, by item: the old name, and the texts in the order of `respondents`."""
    former: dict[str, list[tuple[str, pd.Series]]] = {}
    for name, item in questionnaire.items.items():
        for old in item.replaces:
            cells: list[str] = []
            for delivery in deliveries:
                export = delivery.export
                source = delivery.sources.get(name)
                column = source.former.get(old) if source else None
                totals = sum(note.rule == "F202" for note in export.notes)
                of_delivery = [""] * len(export.rows)
                if column:
                    of_delivery = export.rows[column.key].tolist()
                cells += [*of_delivery, *[""] * totals]
            texts = pd.Series(cells, dtype=object).str.strip()
            texts = texts.replace(SKIPPED, "")
            if (texts != "").any():
                former.setdefault(name, []).append((old, texts))
    return former


def log_reading(reading: Reading) -> pd.DataFrame:
    """Log what the reader noted of tables and of answers that were matched, and the files that are not read."""
    notes = []
    for file, export in reading.others:
        notes.append(TableNote(file, export.sheet, 0, "", "", "R213"))
    for delivery in reading.deliveries:
        file = delivery.file
        sheet = delivery.export.sheet
        used: set[str] = set()
        for name, source in delivery.sources.items():
            used |= source.keys
            if source.how == "split":
                titles = [column.title for column, _code in source.options]
                notes.append(TableNote(file, sheet, 0, name, "; ".join(titles), "R304"))
        odd_times = Counter[str]()
        for note in delivery.export.notes:
            if note.rule == "F208" and note.column not in used:
                odd_times[note.column] += 1
            of_answers = note.column in used and note.rule not in AS_RULES
            if of_answers or note.rule in OF_TABLES:
                of_note = (note.row, note.column, note.value, note.rule, note.text)
                notes.append(TableNote(file, sheet, *of_note))
        for column, times in odd_times.items():
            odd = f"× {times}"
            notes.append(TableNote(file, sheet, 0, column, odd, "F208", NOTES["F208"]))
    for passed in reading.unread:
        notes.append(TableNote(passed.file, "", 0, "", passed.why.zh, "R324"))
    return log_notes(notes)
