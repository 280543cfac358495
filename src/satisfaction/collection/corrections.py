"""Rejected rows to the team and back: a workbook to correct, and a log of corrections that only grows and is replayed."""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pandas as pd

from satisfaction.collection.account import Step, log_events, shown
from satisfaction.collection.wordings import without_zeros
from satisfaction.declarations.questionnaire import Questionnaire
from satisfaction.declarations.survey import CORRECTIONS_FILE, Survey
from satisfaction.foundation.errors import (
    ResponsesError,
    SatisfactionError,
    place_of,
    require_names,
    shortened,
)
from satisfaction.foundation.figures import Brief
from satisfaction.foundation.files import copy_file, free_name, new_file
from satisfaction.foundation.language import N_, Text, _, current, pgettext, readers_language, use
from satisfaction.foundation.personal import is_personal, masked, masked_within
from satisfaction.foundation.tables import read_table, read_tables, unguarded, write_csv
from satisfaction.foundation.workbooks import write_marked

if TYPE_CHECKING:
    from satisfaction.collection.responses import Responses


KEYS = ("file", "sheet", "row")
CORRECTIONS = (*KEYS, "id", "column", "old", "new", "by", "date", "reason")
DATA = pgettext("name of a sheet", "data")
AS_READ = "as_read"  # hidden, for this program
TITLES = {
    "file": _("file"),
    "sheet": _("sheet"),
    "row": _("row"),
    "state": _("state"),
    "problem": _("problem"),
    "reason": _("reason of the correction"),
    "mark": _("mark"),
}
"""Headings of the columns before and behind the questionnaire's own."""
ROW_HINT = _("See that the file is still listed and file, sheet, row are unchanged.")
OLD_HINT = _("Run `satisfaction check --rejected` again and correct the new workbook.")
CELL = 32_767  # characters that a workbook's cell holds
CUT_HINT = _(
    "The answer has more than 32,767 characters, more than a workbook's cell "
    "holds; correct it in the response file."
)
LOG_HINT = _(
    "Put the response file back if it was exchanged; else `satisfaction "
    "corrections FOLDER --set-aside` moves such rows to a file beside."
)


@dataclass(frozen=True, slots=True, repr=False)
class Corrected(Brief):
    """What became of a corrected workbook.

    Attributes
    ----------
    added : DataFrame
        The corrections recorded: file, sheet, row, id, column, old, new, by, date, reason.
    repeated : int
        Changed cells that had been recorded before.
    still : DataFrame
        What the rules say of the corrected rows now, as log entries; empty where all is well.
    """

    added: pd.DataFrame
    repeated: int
    still: pd.DataFrame


Key = tuple[str, str, str]  # file, sheet, row
Cells = dict[Key, Mapping[str, str]]


def write_rejected(
    responses: Responses, questionnaire: Questionnaire, path: Path, *, mark: str = ""
) -> None:
    """Write the workbook for the team in the current language, the faulty cells marked; the same responses give the same bytes.

    The sheet in view has one row a row with something rejected or blanked: place, state, what is wrong, a column for the
    reason of a correction, then the questionnaire's columns as they were read (personal data masked); the hidden sheet
    `as_read` holds the same cells, to tell later what was corrected. `mark`, if any, stands in a last column.

    Raises
    ------
    ExportError
        X420 where something lies at `path`.
    """
    rejected = responses.to_correct.reset_index(drop=True)
    keys = rejected[list(KEYS)].assign(row=rejected["row"].astype(str))
    items = responses.as_read.reset_index(drop=True)[list(questionnaire.items)]
    rejected_keys = _keys(responses.rejected.astype({"row": str}))
    with use(current() or readers_language()):
        states = []
        for key in _keys(keys):
            state = _("answers blanked")
            if key in rejected_keys:
                state = pgettext("of a row", "rejected")
            states.append(str(state))
        about = pd.DataFrame({"state": states}, index=keys.index)
        about["problem"] = list(map(str, map(Text, rejected["zh"], rejected["en"])))
        about["reason"] = ""
        data = pd.concat([keys, about, items], axis=1)
        # the places of faulty cells, from 0, without the header
        places = {key: row for row, key in enumerate(_keys(keys))}
        columns = {name: column for column, name in enumerate(data)}
        marked = set()
        for event in responses.log.itertuples():
            key = (event.file, event.sheet, str(event.row))
            is_fault = event.action in ("reject_row", "blank_item", "warn")
            if is_fault and key in places and event.column in columns:
                marked.add((places[key], columns[event.column]))
        if mark:
            data["mark"] = mark
        headings = {name: str(title) for name, title in TITLES.items()}
        sheets = {str(DATA): data.rename(columns=headings)}
        sheets[AS_READ] = pd.concat([keys, items], axis=1)
        with new_file(path) as scratch:
            write_marked(scratch, sheets, marked=marked)


def _keys(table: pd.DataFrame) -> list[Key]:
    """Return file, sheet and row of every line of a table."""
    return list(table[list(KEYS)].itertuples(index=False, name=None))


def replay(raw: pd.DataFrame, survey: Survey) -> Step:
    """Carry out the survey's corrections on the rows as read, in the order they were made; each is logged.

    Raises
    ------
    ResponsesError
        R107 a log without its columns, R108 a row or column that does not exist, R109 an old value that is not there,
        R110 a value that looks like personal data, R112 a row that is another respondent's now.
    """
    path = survey.folder / CORRECTIONS_FILE
    if not path.is_file():
        return Step(raw)
    return _replay_rows(raw, read_log(path), where=str(path), questionnaire=survey.questionnaire)


def read_log(path: Path) -> pd.DataFrame:
    """Return the corrections of a log as they were recorded.

    Raises
    ------
    ResponsesError
        R107.
    """
    table = unguarded(read_table(path))
    not_there = N_("The corrections log lacks column '{name}'.")
    header = f"{path} row 1"
    require_names(
        CORRECTIONS, table, ResponsesError, code="R107", text=not_there, where=header, hint=LOG_HINT
    )
    return table[list(CORRECTIONS)]


def _replay_rows(
    raw: pd.DataFrame,
    corrections: pd.DataFrame,
    *,
    where: str,
    questionnaire: Questionnaire,
    first: int = 2,
) -> Step:
    """Carry out corrections, the first of which stands in row `first` of the log."""
    # an earlier version recorded names of files and sheets as they were
    files = corrections["file"].map(masked_within)
    sheets = corrections["sheet"].map(masked_within)
    corrections = corrections.assign(file=files, sheet=sheets)
    raw = raw.copy()
    ids_as_read = raw["_id"].copy()
    places = _places(raw, set(_keys(corrections)))
    entries = []
    for number, line in enumerate(corrections.itertuples(index=False), start=first):
        of_line = f"{where} row {number}"
        key = (line.file, line.sheet, line.row)
        at = places.get(key)
        if at is None or line.column not in questionnaire.items:
            raise _no_such_row(of_line, key, line.column, hint=LOG_HINT)
        ids = (ids_as_read[at], raw.loc[at, "_id"])  # an earlier line may have corrected it
        if not any(_is_respondent(line.id, known, questionnaire) for known in ids):
            at = _moved_to(raw, line, now=raw.loc[at, "_id"], where=of_line)
        present = raw.loc[at, line.column]
        if masked(present) != masked(line.old):  # what counts as personal may have grown since
            raise _old_differs(of_line, line.column, line.old, present=present, hint=LOG_HINT)
        _refuse_personal(of_line, line.column, line.new)
        concerned = pd.Series(raw.index == at, index=raw.index)
        change = f"{shown(present)} → {shown(line.new)}"
        entries.append(log_events(raw, concerned, line.column, values=change, rule="R216"))
        raw.loc[at, line.column] = line.new
        if line.column == questionnaire.roles.respondent:
            raw.loc[at, "_id"] = line.new.strip()
    return Step(raw, tuple(entries))


def _is_respondent(recorded: str, present: str, questionnaire: Questionnaire) -> bool:
    """Tell whether a row is the respondent of a correction; nobody knows where none was recorded or either is a stand-in."""
    if not recorded or without_zeros(masked(recorded)) == without_zeros(shown(present)):
        return True
    stand_in = re.compile(rf"{questionnaire.roles.respondent} \d+")  # counted anew in every reading
    return bool(stand_in.fullmatch(recorded) or stand_in.fullmatch(present))


def _moved_to(raw: pd.DataFrame, line: Any, *, now: str, where: str) -> int:
    """Return where the respondent of a correction stands now in its file, with the answer that was corrected.

    Raises
    ------
    ResponsesError
        R112 where that is no row or several.
    """
    in_file = (raw["_file"] == line.file) & (raw["_sheet"] == line.sheet)
    same = raw[in_file & (raw["_id"] == line.id)]
    same = same[same[line.column].map(masked) == masked(line.old)]
    if len(same) == 1:
        return int(same.index[0])
    raise ResponsesError(
        "R112",
        _(
            "Row {row} of {file} is respondent '{now}' now; the correction is of '{id}', and no "
            "single row of theirs holds '{old}' under '{column}'.",
            row=line.row,
            file=line.file,
            now=shown(now),
            id=shown(line.id),
            old=shown(line.old),
            column=line.column,
        ),
        where=where,
        hint=LOG_HINT,
    )


def _places(raw: pd.DataFrame, wanted: set[Key]) -> dict[Key, int]:
    """Return where the rows wanted stand in the raw table."""
    files = {file for file, _sheet, _row in wanted}
    rows = {row for _file, _sheet, row in wanted}
    origin = raw[["_file", "_sheet", "_row"]].astype({"_row": str}).set_axis(KEYS, axis="columns")
    near = origin[origin["file"].isin(files) & origin["row"].isin(rows)]
    return dict(zip(_keys(near), map(int, near.index), strict=True))


def add_corrections(
    survey: Survey, corrected: Path, raw: pd.DataFrame, *, by: str, on: datetime.date
) -> tuple[pd.DataFrame, int]:
    """Append the changed cells of a corrected workbook to the survey's corrections log.

    Parameters
    ----------
    survey : Survey
    corrected : Path
        The workbook that `write_rejected` wrote, with corrected cells in sheet `data`.
    raw : DataFrame
        The rows as read, earlier corrections carried out.
    by : str
        Who corrected.
    on : date

    Returns
    -------
    (DataFrame, int)
        The corrections appended, empty where no cell was changed; and how many changed cells had been recorded before.

    Raises
    ------
    ResponsesError
        R108, R109, R110 as in `replay`, R109 also for a row that is another respondent's now; R111
        for a workbook without its sheets or key columns, R420 for one row with two corrections of
        one cell, R421 for corrections that could not be replayed as written. Nothing is written
        then.
    """
    data, as_read = _corrected_sheets(corrected, survey.questionnaire)
    changes = _changed_cells(data, as_read, survey.questionnaire, where=str(corrected))
    places = _places(raw, {change.key for change in changes})
    path = survey.folder / CORRECTIONS_FILE
    earlier = pd.DataFrame(columns=list(CORRECTIONS))
    if path.is_file():
        earlier = read_log(path)
    cells = earlier[[*KEYS, "column", "new"]]
    recorded = set(cells.itertuples(index=False, name=None))
    respondent = survey.questionnaire.roles.respondent
    renamed = set(_keys(earlier[earlier["column"] == respondent]))
    rows = []
    repeated = 0
    for key, column, old, new, reason in changes:
        file, _sheet, row = key
        where = f"{corrected} {DATA}: {file} row {row}"
        if key not in places:
            raise _no_such_row(where, key, column)
        present = raw.loc[places[key], column]
        if masked(present) != masked(old):
            if (*key, column, new) in recorded:  # the same workbook handed in again
                repeated += 1
                continue
            hint = CUT_HINT if len(present) > CELL else OLD_HINT
            raise _old_differs(where, column, old, present=present, hint=hint)
        number = as_read[key].get(respondent, "")
        number_now = raw.loc[places[key], respondent]
        if key not in renamed and masked(number.strip()) != masked(number_now.strip()):
            raise _old_differs(where, respondent, number, present=number_now)
        _refuse_personal(where, column, new)
        change = (shown(raw.loc[places[key], "_id"]), column, old, new)
        rows.append((*key, *change, masked(by), on.isoformat(), masked(reason)))
    added = pd.DataFrame(rows, columns=list(CORRECTIONS), dtype=object)
    if len(added):
        whole = added
        if len(earlier):
            whole = pd.concat([earlier, added], ignore_index=True)
        with new_file(path, replace=True) as scratch:
            again = _written(whole, scratch, corrected)
            last = again.tail(len(added))
            _replay_rows(raw, last, where=str(corrected), questionnaire=survey.questionnaire)
    return added, repeated


def _written(log: pd.DataFrame, path: Path, corrected: Path) -> pd.DataFrame:
    """Write a corrections log and return it as it reads back; R421 where that is not the same."""
    write_csv(log, path)
    again = read_log(path)
    if not again.equals(log):
        raise ResponsesError(
            "R421",
            _("The corrections would not read back as they were written; nothing was written."),
            where=corrected,
            hint=_("Look for unusual characters in the corrected cells."),
        )
    return again


def set_aside(
    survey: Survey, raw: pd.DataFrame, *, on: datetime.date
) -> tuple[Path, list[SatisfactionError]]:
    """Keep of a log only the corrections that can be replayed; the log as it was lies in a dated file beside.

    Parameters
    ----------
    survey : Survey
    raw : DataFrame
        The rows as read, no correction carried out.
    on : date

    Returns
    -------
    (Path, list of SatisfactionError)
        Where the old log lies, and why each row was left out; without such a row nothing is written.
    """
    path = survey.folder / CORRECTIONS_FILE
    kept: list[pd.DataFrame] = []
    faults: list[SatisfactionError] = []
    try:
        log = read_log(path)
    except SatisfactionError as fault:
        log = pd.DataFrame(columns=list(CORRECTIONS), dtype=object)
        faults = [fault]
    for line in range(len(log)):
        row = log.iloc[[line]]
        try:
            replayed = _replay_rows(
                raw, row, where=str(path), questionnaire=survey.questionnaire, first=line + 2
            )
        except ResponsesError as fault:
            faults.append(fault)
        else:
            raw = replayed.table
            kept.append(row)
    aside = free_name(path.with_stem(f"{path.stem}-{on.isoformat()}"))
    if faults:
        with new_file(aside) as scratch:
            copy_file(path, scratch)
        remaining = pd.concat([log.head(0), *kept], ignore_index=True)
        with new_file(path, replace=True) as scratch:
            write_csv(remaining, scratch)
    return aside, faults


def _corrected_sheets(path: Path, questionnaire: Questionnaire) -> tuple[pd.DataFrame, Cells]:
    """Return sheet `data` and the cells of sheet `as_read` by row."""
    names: dict[str, str] = {}
    for name, title in TITLES.items():
        names |= {title.zh: name, title.en: name}
    sheets = {}
    for table in read_tables(path):
        sheets[table.sheet] = table.cells.rename(columns=names)
    data_name = next((name for name in DATA if name in sheets), str(DATA))
    needed = (data_name, AS_READ)
    lacking = [sheet for sheet in needed if sheet not in sheets]
    for sheet in needed:
        columns = sheets.get(sheet, KEYS)
        lacking += [f"{sheet}: {name}" for name in KEYS if name not in columns]
    if lacking:
        raise ResponsesError(
            "R111",
            _(
                "The workbook lacks {lacking}; its rows cannot be found again.",
                lacking=shortened(lacking),
            ),
            where=path,
            available=list(sheets),
            hint=_(
                "Correct the workbook that `satisfaction check --rejected` wrote; keep its "
                "sheets and first columns."
            ),
        )
    before: Cells = {}
    as_read = sheets[AS_READ]
    items = [name for name in questionnaire.items if name in as_read]
    for key, row in zip(_keys(as_read), as_read.to_dict("records"), strict=True):
        before[key] = {name: row[name] for name in items}
    return sheets[data_name], before


class _Change(NamedTuple):
    """A cell of the workbook that is not as it was read."""

    key: Key
    column: str
    old: str
    new: str
    reason: str


def _changed_cells(
    data: pd.DataFrame, as_read: Cells, questionnaire: Questionnaire, *, where: str
) -> list[_Change]:
    """Return the cells that were changed; a row that stands twice must say the same."""
    changes: dict[tuple[Key, str], _Change] = {}
    first: dict[tuple[Key, str], int] = {}
    for number, row in zip(data.index, data.to_dict("records"), strict=True):
        key = (row["file"], row["sheet"], row["row"])
        if key not in as_read:
            raise _no_such_row(f"{where} {DATA}", key, "")
        for name in questionnaire.items:
            old = as_read[key].get(name, "")
            new = row.get(name, old)
            if new.strip() == old.strip():
                continue
            cell = (key, name)
            change = _Change(key, name, old, new, row.get("reason", ""))
            earlier = changes.setdefault(cell, change)
            if earlier.new.strip() != new.strip():
                interview = place_of(row["file"], row["sheet"], f"row {row['row']}")
                raise ResponsesError(
                    "R420",
                    _(
                        "Rows {rows} and {rows2} of the workbook are one interview ({interview}); "
                        "'{column}' is '{one}' in one, '{other}' in the other.",
                        rows=first[cell],
                        rows2=number,
                        interview=shown(interview),
                        column=name,
                        one=shown(earlier.new),
                        other=shown(new),
                    ),
                    where=f"{where} {DATA}",
                    hint=_("Find out which is right and keep one of the rows."),
                )
            first.setdefault(cell, number)
    return list(changes.values())


def _no_such_row(where: str, key: Key, column: str, *, hint: Text = ROW_HINT) -> ResponsesError:
    file, sheet, row = key
    at = place_of(file, sheet, f"row {row}", column)
    return ResponsesError(
        "R108",
        _("There is no {shown} among the responses.", shown=shown(at)),
        where=where,
        hint=hint,
    )


def _old_differs(
    where: str, column: str, old: str, *, present: str, hint: Text = OLD_HINT
) -> ResponsesError:
    return ResponsesError(
        "R109",
        _(
            "'{column}' was '{shown}' when it was corrected and is '{shown2}' now.",
            column=column,
            shown=shown(old),
            shown2=shown(present),
        ),
        where=where,
        hint=hint,
    )


def _refuse_personal(where: str, column: str, new: str) -> None:
    if is_personal(new):
        raise ResponsesError(
            "R110",
            _(
                "The new value of '{column}' looks like personal data and is not recorded.",
                column=column,
            ),
            where=where,
            hint=_("Use a number that is not personal."),
        )
