"""Response files as delivered: read by platform, known by their hash, with team and time of submission."""

from __future__ import annotations

import os
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from satisfaction.collection.matching import (
    Source,
    gather,
    match_columns,
    matched_table,
    missing_items,
    place,
)
from satisfaction.collection.platforms import read_exports
from satisfaction.collection.platforms.export import SKIPPED, Column, Export, Role
from satisfaction.declarations.delivered import FOLDER, Unread
from satisfaction.declarations.questionnaire import Questionnaire
from satisfaction.declarations.survey import Survey
from satisfaction.foundation.errors import ResponsesError, SatisfactionError, number_of, shortened
from satisfaction.foundation.files import matching, no_match, path_below, recorded
from satisfaction.foundation.grids import WORKBOOKS
from satisfaction.foundation.personal import masked_names, masked_within
from satisfaction.foundation.workbooks import is_template_sheet

NOT_FILLED_IN = ("模板尚未填写", "a template that nobody has filled in")
PARADATA: dict[Role, str] = {
    "started": "_started", "ended": "_ended", "duration": "_seconds", "interviewer": "_interviewer", "device": "_device", "ip": "_ip",
    "outcome": "_outcome", "submitted": "_submitted",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Delivery:
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
    sources: dict[str, Source]
    team: str
    digest: str
    again: bool


@dataclass(frozen=True, slots=True)
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
    for a column with two meanings, R320 for files not read that may hold answers, F103 for a pattern without a file.
    """
    folder, questionnaire = survey.folder, survey.questionnaire
    unread = [_looked_into(one, survey) for one in survey.unread]
    reading = Reading([], [], unread, _not_there(survey, unread))
    entries = {
        path: one
        for one in reversed(survey.declared.files)
        for path in matching(folder, one.pattern)
    }
    empty: list[tuple[str, Export, bool]] = []
    seen: set[str] = set()
    names = dict(
        zip(
            survey.files,
            masked_names(file_name(path, survey) for path in survey.files),
            strict=True,
        )
    )
    for path in tqdm(survey.files, desc="答卷文件 response files", disable=None, leave=False):
        entry, file = entries.get(path), names[path]
        try:
            with recorded() as read:
                exports = read_exports(path, platform=entry.platform if entry else "auto")
            digest = read[os.path.abspath(path)]
            sheets = masked_names(export.sheet for export in exports)
            exports = [
                replace(export, sheet=sheet) for export, sheet in zip(exports, sheets, strict=True)
            ]
            matched = [(export, match_columns(export, questionnaire)) for export in exports]
            holding = [
                pair for pair in matched if 2 * len(pair[1]) >= len(questionnaire.items)
            ] or matched[:1]
            for export, sources in holding:
                _refuse_nested(export, sources)
        except SatisfactionError as fault:
            reading.problems.append(fault)
            continue
        kept = [id(export) for export, _ in holding]
        passed = [export for export in exports if id(export) not in kept]
        reading.others.extend((file, export) for export in passed)
        for export, sources in holding:
            faults = missing_items(export, sources, questionnaire, needless=_needless(survey))
            reading.problems.extend(faults)
            if faults:
                continue
            if export.rows.empty:
                empty.append((file, export, _is_template(exports)))
                continue
            team = masked_within(entry.team) if entry else ""
            reading.deliveries.append(Delivery(file, export, sources, team, digest, digest in seen))
        seen.add(digest)
    for file, export, is_template in empty:
        if is_template and reading.deliveries:
            reading.unread.append(Unread(file, *NOT_FILLED_IN, stops=False))
        else:
            reading.problems.append(
                _no_rows(export, [one.file for one in reading.unread if one.stops])
            )
    return reading


def _is_template(exports: list[Export]) -> bool:
    """Tell a template of ours that nobody has filled in: its first sheet has no rows."""
    beside = (
        is_template_sheet(one.sheet, [column.title for column in one.columns])
        for one in exports[1:]
    )
    return exports[0].rows.empty and any(beside)


def _looked_into(one: Unread, survey: Survey) -> Unread:
    """Let a file that is not read pass where it is a template that nobody has filled in."""
    path = survey.folder / one.file
    if one.stops and path.suffix.lower() in WORKBOOKS:
        with suppress(SatisfactionError):
            if _is_template(read_exports(path)):
                return Unread(one.file, *NOT_FILLED_IN, stops=False)
    return one


def _not_there(survey: Survey, unread: list[Unread]) -> list[SatisfactionError]:
    """Return the problems with the files as a whole: patterns without a file, and files not read that may hold answers."""
    problems: list[SatisfactionError] = [
        no_match(survey.folder, pattern) for pattern in survey.unmatched
    ]
    if left := [one for one in unread if one.stops]:
        zh = "；".join(f"{one.file}（{one.zh}）" for one in left)
        en = "; ".join(f"{one.file} ({one.en})" for one in left)
        problems.append(
            ResponsesError(
                "R320",
                f"{len(left)} 个文件没有读取，其中可能有答卷: {zh}。",
                f"{number_of(len(left), 'file')} not read that may hold responses: {en}.",
                where=str(survey.folder / FOLDER),
                hint=(
                    "在 survey.yaml 的 files 中列入（或删去 files，读取全部表格）；另存为 xlsx；不是答卷的移走，或写入 ignore。",
                    "List them under `files` in survey.yaml (or delete `files`: every table is read); save them as xlsx; "
                    "take away what holds no responses, or name it under `ignore`.",
                ),
            )
        )
    return problems


def _needless(survey: Survey) -> tuple[str, ...]:
    return (survey.questionnaire.roles.respondent,) if survey.declared.numbering == "row" else ()


def _no_rows(export: Export, beside: list[str]) -> ResponsesError:
    zh, en = "", ""
    if beside:
        zh = f"同一处的 {shortened(beside)} 没有读取：在 files 中列入。 "
        en = f"{shortened(beside)} beside it is not read: list it under `files`. "
    return ResponsesError(
        "R103",
        "文件只有表头，没有数据行。",
        "The file has a header but no rows.",
        where=place(export),
        hint=(f"{zh}重新导出该文件，或移走它。", f"{en}Export the file again, or take it away."),
    )


def _refuse_nested(export: Export, sources: dict[str, Source]) -> None:
    """Refuse answers in a column of lists or records."""
    nested = {note.column for note in export.notes if note.rule == "F215"}
    for name, source in sources.items():
        if any(column.key in nested for column, _ in source.columns()):
            raise ResponsesError(
                "R440",
                f"题目 '{name}' 的列是列表或结构，无法读取。",
                f"The column of item '{name}' holds lists or records, which are not read.",
                where=place(export),
                hint=(
                    "导出前把每份答卷的该列写成一个文本，如 1;2;3。",
                    "Write the column as one text a respondent, such as 1;2;3, before it is exported.",
                ),
            )


def file_name(path: Path, survey: Survey) -> str:
    """Return a response file's name as the log shows it: its path below the survey folder."""
    return path_below(survey.folder, path)


def respondents(deliveries: list[Delivery], questionnaire: Questionnaire) -> pd.DataFrame:
    """Bring all tables into one of text: a column an item, origin, paradata, and what sets a row aside as a whole.

    _aside is the rule that rejects the row before its answers are looked at (R215 the same file again, R219 totals), or
    empty; _surplus marks rows with more cells than names. Rows of totals have no answers.
    """
    parts = [_rows(delivery, questionnaire) for delivery in deliveries]
    raw = pd.concat(parts, ignore_index=True)
    added = [name for name in raw if any(name not in part for part in parts)]
    raw[added] = raw[added].astype(object).where(raw[added].notna(), "")
    return raw.drop(
        columns=[
            name
            for name, usual in (("_platform", "plain"), ("_team", ""))
            if (raw[name] == usual).all()
        ]
    )


def _rows(delivery: Delivery, questionnaire: Questionnaire) -> pd.DataFrame:
    export = delivery.export
    surplus = {note.row for note in export.notes if note.rule == "F201"}
    totals = [note.row for note in export.notes if note.rule == "F202"]
    items = gather(export, delivery.sources, questionnaire)
    used = {column.key for source in delivery.sources.values() for column, _ in source.columns()}
    recorded = {
        name: export.rows[column.key].to_numpy(dtype=object)
        for role, name in PARADATA.items()
        if (column := _recorded(export, role))
        and (column.key not in used or role not in ("interviewer",))
    }
    rows = items.assign(**recorded, _row=export.numbers, _aside="R215" if delivery.again else "")
    if totals:
        last = pd.DataFrame("", index=range(len(totals)), columns=rows.columns, dtype=object)
        rows = pd.concat(
            [rows, last.assign(_row=np.array(sorted(totals)), _aside="R219")], ignore_index=True
        )
    return rows.assign(
        _file=delivery.file,
        _sheet=export.sheet,
        _surplus=rows["_row"].isin(surplus),
        _id=rows[questionnaire.roles.respondent].map(str.strip),
        _platform=export.platform,
        _team=delivery.team,
    )


def _recorded(export: Export, role: Role) -> Column | None:
    return next((column for column in export.columns if column.role == role), None)


def former_answers(
    deliveries: list[Delivery], questionnaire: Questionnaire
) -> dict[str, list[tuple[str, pd.Series]]]:
    """Return the answers in columns of earlier versions, by item: the old name, and the texts in the order of `respondents`."""
    found: dict[str, list[tuple[str, pd.Series]]] = {}
    for name, item in questionnaire.items.items():
        for old in item.replaces:
            parts = []
            for delivery in deliveries:
                export = delivery.export
                column = (
                    delivery.sources[name].former.get(old) if name in delivery.sources else None
                )
                totals = sum(note.rule == "F202" for note in export.notes)
                cells = export.rows[column.key].tolist() if column else [""] * len(export.rows)
                parts += [*cells, *[""] * totals]
            texts = pd.Series(parts, dtype=object).str.strip().replace(SKIPPED, "")
            if (texts != "").any():
                found.setdefault(name, []).append((old, texts))
    return found


def columns_table(
    deliveries: list[Delivery], others: list[tuple[str, Export]], questionnaire: Questionnaire
) -> pd.DataFrame:
    """Return what every column was matched to, and the columns of tables that were not read."""
    tables = [
        matched_table(one.export, one.sources, questionnaire, file=one.file) for one in deliveries
    ]
    tables += [matched_table(export, {}, questionnaire, file=file) for file, export in others]
    return pd.concat(tables, ignore_index=True)


def titles_by_item(deliveries: list[Delivery]) -> dict[str, set[str]]:
    """Return the titles of the columns that each item was read from."""
    found: dict[str, set[str]] = {}
    for delivery in deliveries:
        for name, source in delivery.sources.items():
            found.setdefault(name, set()).update(column.title for column, _ in source.columns())
    return found
