"""Response files as delivered: read by platform, known by their hash, with team and time of submission."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import pandas as pd
from tqdm import tqdm

from ..errors import ResponsesError
from ..io.files import recorded
from ..io.personal import masked_names, masked_within
from ..io.platforms import SKIPPED, Column, Export, Role, read_exports
from ..questionnaire import Questionnaire
from ..survey import Survey
from .matching import Source, gather, match_columns, matched_table, missing_items, place

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


def read_deliveries(survey: Survey) -> tuple[list[Delivery], list[tuple[str, Export]]]:
    """Read all response files; returns the tables of respondents, and those without the questionnaire's columns.

    Raises
    ------
    InputFileError
        For a file that cannot be read or is empty.
    ResponsesError
        R101 a column is missing, R103 no rows, R106 a column with two meanings, R440 answers in a column of lists.
    """
    entries = {path: one for one in reversed(survey.declared.files) for path in survey.folder.glob(one.pattern)}
    found: list[Delivery] = []
    others: list[tuple[str, Export]] = []
    seen: set[str] = set()
    names = dict(zip(survey.files, masked_names(file_name(path, survey) for path in survey.files), strict=True))
    for path in tqdm(survey.files, desc="答卷文件 response files", disable=None, leave=False):
        entry = entries.get(path)
        with recorded() as read:
            exports = read_exports(path, platform=entry.platform if entry else "auto")
        digest = read[os.path.abspath(path)]
        sheets = masked_names(export.sheet for export in exports)
        exports = [replace(export, sheet=sheet) for export, sheet in zip(exports, sheets, strict=True)]
        holding, passed = _holding(exports, survey.questionnaire)
        file, team = names[path], masked_within(entry.team) if entry else ""
        found += [Delivery(file, export, sources, team, digest, digest in seen) for export, sources in holding]
        others += [(file, export) for export in passed]
        seen.add(digest)
    return found, others


def _holding(exports: list[Export], questionnaire: Questionnaire) -> tuple[list[tuple[Export, dict[str, Source]]], list[Export]]:
    """Part the tables that hold respondents from the others (a workbook may carry notes), and check their columns."""
    matched = [(export, match_columns(export, questionnaire)) for export in exports]
    holding = [pair for pair in matched if 2 * len(pair[1]) >= len(questionnaire.items)] or matched[:1]
    for export, sources in holding:
        missing_items(export, sources, questionnaire)
        _refuse_nested(export, sources)
        if export.rows.empty:
            raise ResponsesError(
                "R103",
                "文件只有表头，没有数据行。",
                "The file has a header but no rows.",
                where=place(export),
                hint=("重新导出该文件，或从 files 中去掉它。", "Export the file again, or take it out of `files`."),
            )
    kept = [id(export) for export, _ in holding]
    return holding, [export for export, _ in matched if id(export) not in kept]


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
    """Return a response file's path below the survey folder."""
    return os.path.relpath(path, survey.folder).replace(os.sep, "/")


def respondents(deliveries: list[Delivery], questionnaire: Questionnaire) -> pd.DataFrame:
    """Bring all tables into one of text: a column an item, origin, paradata, and what sets a row aside as a whole.

    _aside is the rule that rejects the row before its answers are looked at (R215 the same file again, R219 totals), or
    empty; _surplus marks rows with more cells than names. Rows of totals have no answers.
    """
    parts = [_rows(delivery, questionnaire) for delivery in deliveries]
    raw = pd.concat(parts, ignore_index=True)
    added = [name for name in raw if any(name not in part for part in parts)]
    raw[added] = raw[added].astype(object).where(raw[added].notna(), "")
    return raw.drop(columns=[name for name, usual in (("_platform", "plain"), ("_team", "")) if (raw[name] == usual).all()])


def _rows(delivery: Delivery, questionnaire: Questionnaire) -> pd.DataFrame:
    export = delivery.export
    surplus = {note.row for note in export.notes if note.rule == "F201"}
    totals = [note.row for note in export.notes if note.rule == "F202"]
    items = gather(export, delivery.sources, questionnaire)
    used = {column.key for source in delivery.sources.values() for column, _ in source.columns()}
    recorded = {
        name: export.rows[column.key].to_numpy(dtype=object)
        for role, name in PARADATA.items()
        if (column := _recorded(export, role)) and (column.key not in used or role not in ("interviewer",))
    }
    rows = items.assign(**recorded, _row=export.numbers, _aside="R215" if delivery.again else "")
    if totals:
        last = pd.DataFrame("", index=range(len(totals)), columns=rows.columns, dtype=object)
        rows = pd.concat([rows, last.assign(_row=np.array(sorted(totals)), _aside="R219")], ignore_index=True)
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


def former_answers(deliveries: list[Delivery], questionnaire: Questionnaire) -> dict[str, list[tuple[str, pd.Series]]]:
    """Return the answers in columns of earlier versions, by item: the old name, and the texts in the order of `respondents`."""
    found: dict[str, list[tuple[str, pd.Series]]] = {}
    for name, item in questionnaire.items.items():
        for old in item.replaces:
            parts = []
            for delivery in deliveries:
                export, column = delivery.export, delivery.sources[name].former.get(old)
                totals = sum(note.rule == "F202" for note in export.notes)
                cells = export.rows[column.key].tolist() if column else [""] * len(export.rows)
                parts += [*cells, *[""] * totals]
            texts = pd.Series(parts, dtype=object).str.strip().replace(SKIPPED, "")
            if (texts != "").any():
                found.setdefault(name, []).append((old, texts))
    return found


def columns_table(deliveries: list[Delivery], others: list[tuple[str, Export]], questionnaire: Questionnaire) -> pd.DataFrame:
    """Return what every column was matched to, and the columns of tables that were not read."""
    tables = [matched_table(one.export, one.sources, questionnaire, file=one.file) for one in deliveries]
    tables += [matched_table(export, {}, questionnaire, file=file) for file, export in others]
    return pd.concat(tables, ignore_index=True)


def titles_by_item(deliveries: list[Delivery]) -> dict[str, set[str]]:
    """Return the titles of the columns that each item was read from."""
    found: dict[str, set[str]] = {}
    for delivery in deliveries:
        for name, source in delivery.sources.items():
            found.setdefault(name, set()).update(column.title for column, _ in source.columns())
    return found
