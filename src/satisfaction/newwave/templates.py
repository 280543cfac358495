"""The workbooks of a new wave: responses, areas, quotas, outcome codes, frame, sample and margins."""

from __future__ import annotations

import itertools
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from ..errors import shortened
from ..io.workbooks import FIRST_TITLES, NOTES, TemplateColumn, write_template
from ..questionnaire import AreaItem, DateItem, MultipleItem, NumberItem, Questionnaire, SingleItem
from ..survey import DISPOSITIONS
from .declarations import margin_items

PROBABILITIES = {
    "psu_probability": ("初级单元入样概率", "inclusion probability of the PSU"),
    "person_probability": ("单元内个人入样概率", "inclusion probability of a person within the PSU"),
}
NOT_COUNTED = "在第一张表中填写，第 1 行不要改动；“示例”表不计入。 Fill in the first sheet, leave row 1 as it is; the example sheet is not counted."
UNITS_IN_ALL = TemplateColumn(
    "units_in_all",
    "下辖的调查级地区总数（含未调查的）；合计的名称据此写明覆盖范围",
    "how many areas of the surveyed level it has, surveyed or not; totals are named for what they cover",
)


@dataclass(frozen=True, slots=True)
class Plan:
    """What the new folder is made from: a questionnaire, the tables at hand by name, and declarations taken over."""

    questionnaire: Questionnaire
    tables: Mapping[str, pd.DataFrame]
    declared: Mapping[str, Any]

    def codes(self, item: str) -> dict[str, str]:
        """Return what a drop-down for an item offers."""
        declared = self.questionnaire.items[item]
        if isinstance(declared, SingleItem):
            known = self.questionnaire.answers(item) | self.questionnaire.special(item)
            return {str(code): str(one) for code, one in known.items()}
        if isinstance(declared, AreaItem) and "areas" in self.tables:
            areas = self.tables["areas"]
            current = areas[(areas["level"] == item) & (areas["valid_to"] == "")]
            return dict(zip(current["code"], current["name"], strict=True))
        return {}


def write_responses(plan: Plan, folder: Path) -> None:
    """Write responses/responses.xlsx: a column an item, in the questionnaire's order."""
    items = plan.questionnaire.items
    notes = [
        f"{FIRST_TITLES[NOTES]}：{plan.questionnaire.title.zh}（{plan.questionnaire.reference}）",
        f"Template of responses: {plan.questionnaire.title.en} ({plan.questionnaire.reference})",
        "在“数据”表中一行填一份答卷，第 1 行的列名不要改动。 One row a respondent in the first sheet; leave row 1 as it is.",
        "单选题从下拉框选编码；多选题填编码，用分号隔开，如 1;3。 Choose codes from the drop-downs; select-all answers are codes with semicolons: 1;3.",
        "没有答案的留空；“示例”表不计入。 Leave empty what was not answered; the example sheet is not counted.",
        "不要填写姓名、电话、住址、证件号码。 No names, telephone numbers, addresses or identity numbers.",
        f"必填 required: {shortened((name for name, item in items.items() if item.required), 99)}",
        "填好后运行 then run: satisfaction check <文件夹 folder>",
    ]
    write_template(folder / "responses" / "responses.xlsx", [_column(plan, name) for name in items], notes=notes)


def write_tables(plan: Plan, folder: Path) -> None:
    """Write the workbooks of the tables of facts, each with the rows that are known already."""
    roles = plan.questionnaire.roles
    population = TemplateColumn("population", "人口数", "population", kind="number", example="12345")
    planned = TemplateColumn("planned", "计划完成份数", "planned interviews", kind="number", example="20")
    cells = [_column(plan, name) for name in dict.fromkeys([roles.area, *roles.calibration])]
    strata = [_column(plan, name) for name in roles.strata]
    templates: dict[str, tuple[list[TemplateColumn], str]] = {
        "areas": (_area_columns(), "地区表；最高一级的 parent 留空。 Table of areas; the top one has no parent."),
        "quotas": ([*cells, planned], "配额：每个单元的计划份数。 Quotas: planned interviews of every cell."),
        "outcomes": (_outcome_columns(), "联系结果编码归入 AAPOR 类别，由调查组决定。 Which AAPOR category each outcome code belongs to; the team decides."),
    }  # fmt: skip
    if roles.calibration:
        again = [_column(plan, name) for name in (roles.respondent, *roles.calibration)]
        templates["backcheck"] = (
            again,
            "回访：编号与再次询问的、不会变的题目。 Re-interviews: number, and items that do not change.",
        )
    if strata:
        templates["frame"] = ([*strata, population], "抽样框：各层人口。 Sampling frame: population of every stratum.")
    if roles.psu:
        chance = [TemplateColumn(c, *said, example="0.05") for c, said in PROBABILITIES.items()]
        psu = [_column(plan, roles.psu), *strata, *chance, planned]
        templates["sample"] = (psu, "样本：各初级单元及其入样概率。 Sample: PSUs and their inclusion probabilities.")
    for name, item in margin_items(plan.questionnaire).items() if "margins" not in plan.declared else ():
        columns = [_column(plan, roles.area), _column(plan, item), population]
        templates[f"margin_{name}"] = (columns, "校准边际：总体人数。 Calibration margin: population counts.")
    for name in dict.fromkeys([*templates, *plan.tables]):
        columns, note = templates.get(name, ([], "沿用上期的列。 Columns as in the earlier wave."))
        if name in plan.tables:
            known = {column.name: column for column in (*columns, UNITS_IN_ALL)}
            columns = [known.get(column, TemplateColumn(column, column, "")) for column in map(str, plan.tables[name])]
        write_template(folder / f"{name}.xlsx", columns, notes=[note, NOT_COUNTED], rows=_rows(plan, name, columns))


def _column(plan: Plan, name: str) -> TemplateColumn:
    """Return an item's column: its labels, its codes, and a plausible example."""
    item, codes = plan.questionnaire.items[name], plan.codes(name)
    asked = item.wording or item
    if isinstance(item, DateItem):
        return TemplateColumn(name, asked.zh, asked.en, kind="date", example="2026-10-08")
    if isinstance(item, NumberItem):
        return TemplateColumn(name, asked.zh, asked.en, kind="number", example=str(item.low), low=item.low, high=item.high)
    if isinstance(item, MultipleItem):
        listed = {str(code): str(one) for code, one in {**item.options, **item.special}.items()}
        example = item.separator.join(map(str, [*item.options][:2]))
        return TemplateColumn(name, asked.zh, asked.en, choices=listed, example=example)
    example = next(iter(codes), "A-0001")
    kind: Literal["code", "key", "text"] = "code" if isinstance(item, SingleItem) else "key" if codes else "text"
    return TemplateColumn(name, asked.zh, asked.en, kind=kind, choices=codes, example=example)


def _rows(plan: Plan, name: str, columns: list[TemplateColumn]) -> list[list[str]]:
    """Return the rows a template begins with: the table at hand, or every combination of codes with its count left empty."""
    if name in plan.tables and name not in ("sample", "nonrespondents"):
        return [list(row) for row in plan.tables[name].itertuples(index=False)]
    *cells, last = columns
    if (
        name in ("areas", "outcomes", "sample", "backcheck")
        or last.kind != "number"
        or not all(column.choices for column in cells)
    ):
        return []
    special = {cell.name: set(map(str, plan.questionnaire.special(cell.name))) for cell in cells}
    levels = [[code for code in cell.choices or {} if code not in special[cell.name]] for cell in cells]
    return [[*combination, ""] for combination in itertools.product(*levels)]


def _area_columns() -> list[TemplateColumn]:
    said = {
        "code": ("六位代码", "six-digit code", "520102"),
        "name": ("名称", "name", "南明区"),
        "name_en": ("英文名称", "name in English", "Nanming"),
        "level": ("级别，如 county", "level, county for instance", "county"),
        "parent": ("上级代码", "code of the area above", "520100"),
        "valid_from": ("启用日期", "valid from", "2010-11-01"),
        "valid_to": ("停用日期，现行的留空", "valid to; empty while valid", ""),
    }
    return [TemplateColumn(name, zh, en, example=example) for name, (zh, en, example) in said.items()]


def _outcome_columns() -> list[TemplateColumn]:
    dispositions = {code: f"{zh} {en}" for code, (zh, en) in DISPOSITIONS.items()}
    return [
        TemplateColumn("code", "结果编码，与电话系统导出的一致", "outcome code as the telephone system exports it", example="3"),
        TemplateColumn("zh", "含义", "meaning", example="无法接通"),
        TemplateColumn("en", "英文含义", "meaning in English", example="cannot be reached"),
        TemplateColumn("disposition", "AAPOR 类别", "AAPOR category", kind="key", choices=dispositions, example="UH"),
    ]
