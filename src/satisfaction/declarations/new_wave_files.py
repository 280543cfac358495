"""What a new wave's folder holds: the text of survey.yaml and rules.yaml, and workbooks to fill in."""

from __future__ import annotations

import itertools
import re
import textwrap
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from satisfaction.declarations.facts import DISPOSITIONS, current_areas
from satisfaction.declarations.items import AreaItem, DateItem, MultipleItem, NumberItem, SingleItem
from satisfaction.declarations.questionnaire import Questionnaire
from satisfaction.declarations.rules import Rules
from satisfaction.declarations.wave import DEFAULT_FILES, SurveyFile
from satisfaction.foundation.errors import shortened
from satisfaction.foundation.language import Text, _
from satisfaction.foundation.workbooks import FIRST_TITLES, NOTES, TemplateColumn, write_template
from satisfaction.foundation.yaml import FILL_IN, SOURCE, Record, yaml_text

OPTIONAL = "#: "  # in front of every line of a block that is not declared yet
TO_FILL = "YYYY-MM-DD"
SOURCED = {"source": SOURCE, "date": TO_FILL}
START = """\
# 一期调查（wave）的声明。逐块说明见注释；以“#: ”开头的块未启用，去掉这三个字符即启用。
# The declarations of one wave. Comments explain every block; one whose lines begin with "#: " is off until you take that away.
"""
RULES_START = """\
# 名单与异常答卷的规则；未查到公开的官方规则，请写上本次采用的规则及其来源。
# How the list is made and what happens to faulty answers. No official rule was found publicly: state yours and its source.
# list_size: 名单长度 length of the list; minimum_n: 参与排名的最少答卷数 answers an area needs to be ranked
# minimum_df, minimum_deff: 自身误差的自由度或设计效应低于此数的地区，名次的确定程度改按上级地区的设计效应推算
#   areas whose own error has less: how certain their rank is follows from the design effect of a larger area
"""
ALWAYS_ACTIVE = (
    "survey",
    "title",
    "questionnaire",
    "selection",
    "files",
    "numbering",
    "lonely_psu",
    "level",
    "rules",
)


def _comments(record: type[Record]) -> dict[str, tuple[str, str]]:
    """Return what is said of the keys of a declaration, in Chinese and in English."""
    comments = {}
    for key, declared in record.model_fields.items():
        if declared.description:
            zh, en = declared.description.splitlines()
            comments[key] = (zh, en)
    return comments


COMMENTS = _comments(SurveyFile)
RULE_COMMENTS = _comments(Rules)


def _block(comment: tuple[str, str], data: dict[str, Any], *, active: bool) -> str:
    lines = yaml_text(data).rstrip("\n")
    if not active:
        lines = textwrap.indent(lines, OPTIONAL)
    zh, en = comment
    return f"\n# {zh}\n# {en}\n{lines}\n"


def rules_yaml(rules: Mapping[str, Any], *, ranked: str, text: str = "") -> str:
    """Return rules.yaml: what is declared (as `text`, where it has one), then what else may stand there, as examples that are off."""
    label = dict(zip(("zh", "en"), FILL_IN, strict=True))
    examples: dict[str, Any] = {
        "thresholds": [{"measure": ranked, "below": 60, **label, "source": SOURCE}],
        "escalation": {"steps": [{"listed_in_a_row": 1, **label}], "source": SOURCE},
        "suppression": {
            "minimum_n": 30,
            "minimum_psus": 3,
            "complementary": "smallest",
            "source": SOURCE,
        },
    }
    if not text:
        text = RULES_START + yaml_text(dict(rules))
    for key, example in examples.items():
        if key not in rules:
            text += _block(RULE_COMMENTS[key], {key: example}, active=False)
    return text


def survey_yaml(questionnaire: Questionnaire, declared: Mapping[str, Any], *, name: str) -> str:
    """Return survey.yaml: the declared blocks, then the others as examples that are off."""
    roles = questionnaire.roles
    quarter = re.search(r"(\d{4})q([1-4])$", name)
    wave = f"{quarter[1]}Q{quarter[2]}" if quarter else name
    margins = {}
    for margin, item in margin_items(questionnaire).items():
        margins[margin] = {"file": f"margin_{margin}.xlsx", "by": [roles.area, item], **SOURCED}
    weighting: list[dict[str, Any]] = []
    cells = list(dict.fromkeys([roles.area, *roles.calibration]))
    blocks: dict[str, Any] = {
        "survey": name,
        "title": {"zh": f"居民满意度调查 {wave}", "en": f"Resident survey {wave}"},
        "questionnaire": questionnaire.reference,
        "selection": "quota",
        "fielded": {"start": TO_FILL, "end": TO_FILL},
        "files": [DEFAULT_FILES],
        "ignore": ["responses/readme.txt"],
        "numbering": "survey",
        "areas": {"file": "areas.xlsx", **SOURCED},
        "quota": {"file": "quotas.xlsx", "by": cells, **SOURCED},
        "outcomes": {"file": "outcomes.xlsx", **SOURCED},
        "margins": margins,
        "weighting": weighting,
        "lonely_psu": "fail",
        "level": 0.95,
        "rules": "rules.yaml",
    }
    if roles.strata:
        blocks["frame"] = {"file": "frame.xlsx", **SOURCED}
        base = {"step": "base"}
        if not roles.psu:
            base["source"] = "frame"
        weighting.append(base)
    if roles.psu:
        blocks["sample"] = {"file": "sample.xlsx", **SOURCED}
    if margins:
        raking = {"step": "calibration", "method": "raking", "margins": list(margins)}
        weighting.append(raking)
    if roles.calibration:
        reinterviews = {"file": "backcheck.xlsx", "items": roles.calibration, **SOURCED}
        blocks["fieldwork"] = {"backcheck": reinterviews}
    if questionnaire.overall is None:
        blocks["overall"] = next(iter(questionnaire.overall_rates()), None)
    blocks |= declared
    active = {*ALWAYS_ACTIVE, *declared}
    if isinstance(questionnaire.items[roles.area], AreaItem):
        active.add("areas")
    text = START
    for key, comment in COMMENTS.items():
        if blocks.get(key):
            data = {key: blocks[key]}
            if key == "survey":
                data["wave"] = wave
            text += _block(comment, data, active=key in active)
    return text


def margin_items(questionnaire: Questionnaire) -> dict[str, str]:
    """Return the items to calibrate by within areas, by the names of their margins."""
    area = questionnaire.roles.area
    return {f"{area}_{item}": item for item in questionnaire.roles.calibration if item != area}


NOT_COUNTED = "在第一张表中填写，第 1 行不要改动；“示例”表不计入。 Fill in the first sheet, leave row 1 as it is; the example sheet is not counted."
OF_ONE_SAMPLE = ("sample", "nonrespondents")  # an earlier wave hands on their columns, no rows
POPULATION = TemplateColumn("population", _("population"), kind="number", example="12345")
PLANNED = TemplateColumn("planned", _("planned interviews"), kind="number", example="20")
CHANCES = [
    TemplateColumn("psu_probability", _("inclusion probability of the PSU"), example="0.05"),
    TemplateColumn(
        "person_probability",
        _("inclusion probability of a person within the PSU"),
        example="0.05",
    ),
]
AREA_COLUMNS = [
    TemplateColumn("code", _("six-digit code"), example="520102"),
    TemplateColumn("name", _("name"), example="南明区"),
    TemplateColumn("name_en", _("name in English"), example="Nanming"),
    TemplateColumn("level", _("level, county for instance"), example="county"),
    TemplateColumn("parent", _("code of the area above"), example="520100"),
    TemplateColumn("valid_from", _("valid from"), example="2010-11-01"),
    TemplateColumn("valid_to", _("valid to; empty while valid")),
]
UNITS_IN_ALL = TemplateColumn(
    "units_in_all",
    _(
        "how many areas of the surveyed level it has, surveyed or not; totals are "
        "named for what they cover"
    ),
)
OUTCOME_COLUMNS = [
    TemplateColumn(
        "code",
        _("outcome code as the telephone system exports it"),
        example="3",
    ),
    TemplateColumn("zh", _("meaning"), example="无法接通"),
    TemplateColumn("en", _("meaning in English"), example="cannot be reached"),
    TemplateColumn(
        "disposition",
        _("AAPOR category"),
        kind="key",
        choices={code: f"{zh} {en}" for code, (zh, en) in DISPOSITIONS.items()},
        example="UH",
    ),
]


@dataclass(frozen=True, slots=True)
class NewWaveSource:
    """What the new folder is made from: a questionnaire, the tables at hand by name, and declarations taken over."""

    questionnaire: Questionnaire
    tables: Mapping[str, pd.DataFrame] = field(repr=False)
    declared: Mapping[str, Any] = field(repr=False)

    def codes(self, item: str) -> dict[str, str]:
        """Return what a drop-down for an item offers: codes and their meaning."""
        declared = self.questionnaire.items[item]
        if isinstance(declared, AreaItem) and "areas" in self.tables:
            current = current_areas(self.tables["areas"], item)
            return dict(zip(current["code"], current["name"], strict=True))
        meanings: dict[int, Any] = {}
        if isinstance(declared, SingleItem):
            meanings |= self.questionnaire.answers(item)
        elif isinstance(declared, MultipleItem):
            meanings |= declared.options
        meanings |= self.questionnaire.special(item)
        return {str(code): str(meaning) for code, meaning in meanings.items()}

    def column(self, name: str) -> TemplateColumn:
        """Return an item's column: its labels, its codes, and a plausible example."""
        item = self.questionnaire.items[name]
        text = (item.wording or item).text
        if isinstance(item, DateItem):
            return TemplateColumn(name, text, kind="date", example="2026-10-08")
        if isinstance(item, NumberItem):
            return TemplateColumn(
                name,
                text,
                kind="number",
                example=str(item.low),
                low=item.low,
                high=item.high,
            )
        codes = self.codes(name)
        kind: Literal["code", "key", "text"] = "text"
        example = next(iter(codes), "A-0001")
        if isinstance(item, MultipleItem):
            example = item.separator.join(list(codes)[:2])
        elif isinstance(item, SingleItem):
            kind = "code"
        elif codes:
            kind = "key"
        return TemplateColumn(name, text, kind=kind, choices=codes, example=example)


def write_blank_responses(plan: NewWaveSource, folder: Path) -> None:
    """Write responses/responses.xlsx: a column an item, in the questionnaire's order."""
    questionnaire = plan.questionnaire
    title = questionnaire.title
    required = [name for name, item in questionnaire.items.items() if item.required]
    notes = [
        f"{FIRST_TITLES[NOTES]}：{title.zh}（{questionnaire.reference}）",
        f"Template of responses: {title.en} ({questionnaire.reference})",
        "在“数据”表中一行填一份答卷，第 1 行的列名不要改动。 One row a respondent in the first sheet; leave row 1 as it is.",
        "单选题从下拉框选编码；多选题填编码，用分号隔开，如 1;3。 Choose codes from the drop-downs; select-all answers are codes with semicolons: 1;3.",
        "没有答案的留空；“示例”表不计入。 Leave empty what was not answered; the example sheet is not counted.",
        "不要填写姓名、电话、住址、证件号码。 No names, telephone numbers, addresses or identity numbers.",
        f"必填 required: {shortened(required, 99)}",
        "填好后运行 then run: satisfaction check <文件夹 folder>",
    ]
    columns = [plan.column(name) for name in questionnaire.items]
    write_template(folder / "responses" / "responses.xlsx", columns, notes=notes)


def write_tables(plan: NewWaveSource, folder: Path) -> None:
    """Write the workbooks of the tables of facts, each with the rows that are known already."""
    questionnaire = plan.questionnaire
    roles = questionnaire.roles
    written = set()

    def write(
        name: str, columns: list[TemplateColumn], note: str, rows: list[list[str]] | None = None
    ) -> None:
        written.add(name)
        table = plan.tables.get(name)
        if table is not None:
            known = {column.name: column for column in (*columns, UNITS_IN_ALL)}
            columns = [
                known.get(header, TemplateColumn(header, Text(header)))
                for header in map(str, table)
            ]
            rows = None if name in OF_ONE_SAMPLE else table.to_numpy().tolist()
        notes = [note, NOT_COUNTED]
        write_template(folder / f"{name}.xlsx", columns, notes=notes, rows=rows or [])

    def write_cells(name: str, items: list[str], count: TemplateColumn, note: str) -> None:
        """Write every combination of the items' codes, its count left empty; no rows where a code is not known."""
        cells = [plan.column(item) for item in items]
        levels = []
        for cell in cells:
            special = {str(code) for code in questionnaire.special(cell.name)}
            levels.append([code for code in cell.choices or {} if code not in special])
        rows = [[*codes, ""] for codes in itertools.product(*levels)]
        write(name, [*cells, count], note, rows)

    write(
        "areas",
        AREA_COLUMNS,
        "地区表；最高一级的 parent 留空。 Table of areas; the top one has no parent.",
    )
    cells = list(dict.fromkeys([roles.area, *roles.calibration]))
    write_cells(
        "quotas",
        cells,
        PLANNED,
        "配额：每个单元的计划份数。 Quotas: planned interviews of every cell.",
    )
    write(
        "outcomes",
        OUTCOME_COLUMNS,
        "联系结果编码归入 AAPOR 类别，由调查组决定。 Which AAPOR category each outcome code belongs to; the team decides.",
    )
    if roles.calibration:
        write(
            "backcheck",
            [plan.column(name) for name in (roles.respondent, *roles.calibration)],
            "回访：编号与再次询问的、不会变的题目。survey.yaml 的 numbering 为 area 或 file 时，编号写全，如 520121:7。 "
            "Re-interviews: number, and items that do not change. Where `numbering` in survey.yaml is area or file, write the "
            "number in full, as in 520121:7.",
        )
    if roles.strata:
        write_cells(
            "frame",
            roles.strata,
            POPULATION,
            "抽样框：各层人口。 Sampling frame: population of every stratum.",
        )
    if roles.psu:
        sampled = [plan.column(name) for name in (roles.psu, *roles.strata)]
        write(
            "sample",
            [*sampled, *CHANCES, PLANNED],
            "样本：各初级单元及其入样概率。 Sample: PSUs and their inclusion probabilities.",
        )
    if "margins" not in plan.declared:
        for name, item in margin_items(questionnaire).items():
            note = "校准边际：总体人数。 Calibration margin: population counts."
            write_cells(f"margin_{name}", [roles.area, item], POPULATION, note)
    for name in plan.tables.keys() - written:
        write(name, [], "沿用上期的列。 Columns as in the earlier wave.")
