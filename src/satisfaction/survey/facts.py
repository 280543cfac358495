"""The tables of facts beside survey.yaml, checked against the questionnaire and against one another."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pandas as pd

from ..errors import SurveyError, shortened
from ..io.tables import read_table
from ..io.yaml import Document
from ..questionnaire import AreaItem, Questionnaire, SingleItem
from .declared import Margin, SurveyFile


def columns(table: str, questionnaire: Questionnaire) -> tuple[str, ...]:
    """Return the columns a table of facts must have."""
    roles = questionnaire.roles
    return {
        "areas": ("code", "name", "level", "parent", "valid_from", "valid_to"),
        "frame": (*roles.strata, "population"),
        "sample": (str(roles.psu), *roles.strata, "psu_probability", "person_probability", "planned"),
    }[table]


def read_facts(path: Path, wanted: tuple[str, ...]) -> pd.DataFrame:
    """Read a table as text and check its columns."""
    table = read_table(path)
    for column in wanted:
        if column not in table:
            raise SurveyError(
                "S131",
                f"表中没有列 '{column}'。",
                f"Column '{column}' not found.",
                where=f"{path} row 1",
                available=table.columns,
                got=column,
                hint=("补上或改正该列名。", "Add the column or correct its name."),
            )
    return table.map(str.strip)


def read_margin(path: Path, margin: Margin, questionnaire: Questionnaire) -> pd.DataFrame:
    """Read a margin: levels as text that the items know, each once, with their population."""
    table = read_facts(path, (*margin.by, "population"))
    counts = pd.to_numeric(table["population"], errors="coerce")
    wrong = table.index[~(np.isfinite(counts) & (counts >= 0))]
    _refuse_rows(path, wrong, "S133", "population 不是非负数", "`population` is no count")
    _refuse_rows(path, table.index[table[margin.by].duplicated()], "S134", "同一水平出现两次", "A level stands twice")
    for name in margin.by:
        if isinstance(questionnaire.items[name], SingleItem):
            known = [str(code) for code in questionnaire.answers(name)]
            unknown = table.index[~table[name].isin(known)]
            _refuse_rows(
                path, unknown, "S135", f"'{name}' 的水平不是该题的答案", f"A level of '{name}' is no answer of it", known
            )
    return table[margin.by].assign(population=counts.astype(float))


def _refuse_rows(path: Path, rows: pd.Index, code: str, zh: str, en: str, available: Iterable[str] = ()) -> None:
    if len(rows):
        listed = shortened(rows + 2)
        raise SurveyError(
            code,
            f"{zh}（第 {listed} 行）。",
            f"{en} (rows {listed}).",
            where=str(path),
            available=available,
            hint=("改正这些行。", "Correct these rows."),
        )


def check_declarations(document: Document, declared: SurveyFile, questionnaire: Questionnaire) -> None:
    """Refuse declarations that the questionnaire cannot serve."""
    roles = questionnaire.roles
    for name, margin in declared.margins.items():
        usable = [key for key, item in questionnaire.items.items() if isinstance(item, SingleItem | AreaItem)]
        if unknown := [item for item in margin.by if item not in usable]:
            raise SurveyError(
                "S132",
                f"边际 '{name}' 用到的 '{unknown[0]}' 不是问卷中的单选题或地区题。",
                f"Margin '{name}' uses '{unknown[0]}', which is no single or area item.",
                where=document.place(("margins", name, "by")),
                available=usable,
                got=unknown[0],
                hint=("改为单选题或地区题。", "Use a single or area item."),
            )
    if declared.areas is None and isinstance(questionnaire.items[roles.area], AreaItem):
        raise SurveyError(
            "S123",
            f"题目 '{roles.area}' 是地区代码，需要 areas 表。",
            f"Item '{roles.area}' is an area code; an `areas` table is needed.",
            where=str(document.path),
            hint=("声明 areas 表。", "Declare an `areas` table."),
        )
    if declared.sample is not None and roles.psu is None:
        raise SurveyError(
            "S124",
            "声明了 sample 表，但问卷的 roles 没有 psu。",
            "A `sample` table is declared, but the questionnaire has no role `psu`.",
            where=document.place(("sample",)),
            hint=("在问卷中声明 psu，或去掉 sample。", "Declare `psu` in the questionnaire, or remove `sample`."),
        )


def check_areas(areas: pd.DataFrame, ranked: str, path: Path) -> None:
    """Refuse a table of areas that is no tree with one top and the ranked level in it."""
    current = areas[areas["valid_to"] == ""]
    tops, codes = current.loc[current["parent"] == "", "code"], set(current["code"])
    lost = current[(current["parent"] != "") & ~current["parent"].isin(codes)]
    higher = dict(zip(current["code"], current["parent"], strict=True))
    circular = [code for code in codes if code not in lost["code"].to_numpy() and not _reaches_top(code, higher)]
    for wrong, zh, en in (
        (
            len(tops) != 1,
            f"须恰有一个没有上级的地区（现有 {len(tops)} 个）",
            f"exactly one area has no parent (found {len(tops)})",
        ),
        (len(lost), f"上级代码不存在: {shortened(lost['parent'])}", f"parents that do not exist: {shortened(lost['parent'])}"),
        (circular, f"上级成环: {shortened(circular)}", f"parents in a circle: {shortened(circular)}"),
        (ranked not in set(current["level"]), f"没有级别 '{ranked}'", f"there is no level '{ranked}'"),
        (current["code"].duplicated().any(), "现行代码重复", "a current code stands twice"),
    ):
        if wrong:
            raise SurveyError(
                "S146",
                f"地区表有误: {zh}。",
                f"The table of areas is not right: {en}.",
                where=str(path),
                available=sorted(set(current["level"])),
                hint=("改正地区表的 level 与 parent。", "Correct `level` and `parent` in the table of areas."),
            )


def _reaches_top(code: str, higher: dict[str, str]) -> bool:
    seen: set[str] = set()
    while code in higher and code not in seen:
        seen.add(code)
        code = higher[code]
    return code not in seen


def check_frame(frame: pd.DataFrame, sample: pd.DataFrame, *, strata: list[str], folder: Path) -> None:
    """Refuse a frame and a sample that do not have the same strata."""
    inhabited = frame[pd.to_numeric(frame["population"], errors="coerce") != 0]  # a stratum without people does not exist
    there, drawn = ({*table[strata].itertuples(index=False, name=None)} for table in (inhabited, sample))
    for code, missing, zh, en in (
        ("S144", there - drawn, "抽样框中的层没有样本", "Strata of the frame have no sample"),
        ("S145", drawn - there, "样本中的层不在抽样框中", "Strata of the sample are not in the frame"),
    ):
        if missing:
            listed = shortened(" / ".join(stratum) for stratum in sorted(missing))
            raise SurveyError(
                code,
                f"{zh}: {listed}。",
                f"{en}: {listed}.",
                where=f"{folder}: frame, sample",
                hint=("补全样本表，或改正抽样框。", "Complete the sample table, or correct the frame."),
            )
