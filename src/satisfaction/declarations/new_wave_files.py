"""The text of survey.yaml and rules.yaml of a new wave.

The workbooks of a new wave: responses, areas, quotas, outcome codes, frame, sample and margins.
"""

from __future__ import annotations

import itertools
import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pandas as pd

from satisfaction.declarations.facts import DISPOSITIONS
from satisfaction.declarations.items import AreaItem, DateItem, MultipleItem, NumberItem, SingleItem
from satisfaction.declarations.questionnaire import Questionnaire
from satisfaction.declarations.wave import DEFAULT_FILES
from satisfaction.foundation.errors import shortened
from satisfaction.foundation.workbooks import FIRST_TITLES, NOTES, TemplateColumn, write_template
from satisfaction.foundation.yaml import FILL_IN, SOURCE, yaml_text

OPTIONAL = "#: "  # in front of every line of a block that is not declared yet
TO_FILL = "YYYY-MM-DD"
START = """\
# 一期调查（wave）的声明。逐块说明见注释；以“#: ”开头的块未启用，去掉这三个字符即启用。
# The declarations of one wave. Comments explain every block; one whose lines begin with "#: " is off until you take that away.
"""
COMMENTS = {
    "survey": ("调查与期次的名称", "name of the survey and its wave"),
    "title": ("标题，出现在每个输出中", "title; stands in every output"),
    "questionnaire": (
        "问卷@版本，见 questionnaires/",
        "questionnaire@version, see questionnaires/",
    ),
    "selection": (
        "如何选出受访者: probability 概率抽样 | quota 配额 | open_link 开放链接；后两种不作“已确认”的名次判断",
        "how respondents were selected: probability | quota | open_link; with the last two no rank is established",
    ),
    "selection_note": (
        "选取方式的说明，印在报告中",
        "how respondents were selected, in words; printed in the report",
    ),
    "fielded": (
        "访问起止日期；期外的答卷被拒收",
        "first and last day of interviews; others are rejected",
    ),
    "files": (
        "答卷文件：缺省读取 responses/ 及其子文件夹中的全部表格；没有列入的表格会使 run 停止",
        "files of responses: every table in responses/ and below it; a run stops on a table that is not among them",
    ),
    "ignore": ("responses/ 中不是答卷的文件", "files in responses/ that hold no responses"),
    "numbering": (
        "答卷编号在何范围内不重复: survey 全调查 | area 每个地区各自编号 | file 每个文件各自编号 | row 没有编号，以文件与行号代替",
        "within what the respondents' numbers are unique: survey | area | file | row (no numbers: file and row)",
    ),
    "areas": (
        "地区表：代码、名称、级别、上级；写明来源与日期",
        "table of areas: code, name, level, parent; give source and date",
    ),
    "frame": ("抽样框：各层人口", "sampling frame: population of every stratum"),
    "sample": (
        "样本表：各初级单元及其入样概率；base 步骤需要",
        "sampled PSUs with their inclusion probabilities; the base step needs them",
    ),
    "nonrespondents": (
        "已抽中而未答的人；nonresponse 步骤需要",
        "sampled persons without answers; the nonresponse step needs them",
    ),
    "quota": (
        "配额：每个单元的计划份数，by 以地区开头；satisfaction fieldwork 据此报告进度",
        "quota: planned interviews of every cell, by area first; satisfaction fieldwork reports progress against it",
    ),
    "outcomes": (
        "结果编码归入 AAPOR 类别，用于应答率；cases: 每个样本一行的联系记录（地区列与 outcome），可不写",
        "AAPOR categories of outcome codes, for response rates; cases: a file of all sampled cases (area, outcome), optional",
    ),
    "fieldwork": (
        "实施检查所用：回访 backcheck、访问方式 modes、上期调查 earlier",
        "what checks of the fieldwork compare with: re-interviews, modes of interview, the wave before",
    ),
    "margins": (
        "校准用的总体数字，每个边际一个文件",
        "population counts for calibration, one file a margin",
    ),
    "weighting": (
        "加权步骤，依次执行: base, nonresponse, calibration, trimming",
        "weighting steps in order: base, nonresponse, calibration, trimming",
    ),
    "lonely_psu": (
        "只有一个初级单元的层如何处理",
        "what to do with a stratum of one PSU: fail | adjust | average | certainty | remove",
    ),
    "collapse": ("方差估计时并入别层的层", "strata that join another one for the variance"),
    "level": ("置信水平", "confidence level"),
    "overall": (
        "总体评价的率：各项目的重要性按它估计；不写则不判断优势与短板",
        "rate of the overall judgement, for the importance of topics; without it none is called strong or weak",
    ),
    "rules": ("排名规则", "rules of the ranking"),
}
RULES_START = """\
# 名单与异常答卷的规则；未查到公开的官方规则，请写上本次采用的规则及其来源。
# How the list is made and what happens to faulty answers. No official rule was found publicly: state yours and its source.
# list_size: 名单长度 length of the list; minimum_n: 参与排名的最少答卷数 answers an area needs to be ranked
# minimum_df, minimum_deff: 自身误差的自由度或设计效应低于此数的地区，名次的确定程度改按上级地区的设计效应推算
#   areas whose own error has less: how certain their rank is follows from the design effect of a larger area
"""
RULES_OFF: dict[str, tuple[str, str]] = {
    "thresholds": (
        "界线: 率写 0-1，得分与指数写 0-100",
        "thresholds: rates as shares 0-1, scores and indices in points 0-100",
    ),
    "escalation": (
        "连续在名单上的期数与措施；多于 1 期时需要 history",
        "what follows from waves on the list in a row; more than one needs `history`",
    ),
    "suppression": (
        "小单元不公布: 答卷少于 minimum_n 的数字留空，可由其他数字算出的也留空",
        "small cells are not published: figures on fewer answers stay empty, and what others would give away",
    ),
}


def rules_yaml(rules: Mapping[str, Any], *, ranked: str, text: str = "") -> str:
    """Return rules.yaml: what is declared (as `text`, where it has one), then what else may stand there, as examples that are off."""
    label = dict(zip(("zh", "en"), FILL_IN, strict=True))
    off: dict[str, Any] = {
        "thresholds": [{"measure": ranked, "below": 60, **label, "source": SOURCE}],
        "escalation": {"steps": [{"listed_in_a_row": 1, **label}], "source": SOURCE},
        "suppression": {
            "minimum_n": 30,
            "minimum_psus": 3,
            "complementary": "smallest",
            "source": SOURCE,
        },
    }
    text = text or RULES_START + yaml_text(dict(rules))
    for key, words in RULES_OFF.items():
        if key not in rules:
            lines = "\n".join(
                OPTIONAL + line for line in yaml_text({key: off[key]}).rstrip("\n").split("\n")
            )
            text += f"\n# {words[0]}\n# {words[1]}\n{lines}\n"
    return text


def survey_yaml(questionnaire: Questionnaire, declared: Mapping[str, Any], *, name: str) -> str:
    """Return survey.yaml: the declared blocks, then the others as examples that are off."""
    wave = f"{found[1]}Q{found[2]}" if (found := re.search(r"(\d{4})q([1-4])$", name)) else name
    roles, groups = questionnaire.roles, margin_items(questionnaire)
    table = {"source": SOURCE, "date": TO_FILL}
    margins = {
        n: {"file": f"margin_{n}.xlsx", "by": [roles.area, item], **table}
        for n, item in groups.items()
    }
    base = {"step": "base"} if roles.psu else {"step": "base", "source": "frame"}
    raking = (
        [{"step": "calibration", "method": "raking", "margins": list(margins)}] if margins else []
    )
    blocks: dict[str, Any] = {
        "survey": name,
        "title": {"zh": f"居民满意度调查 {wave}", "en": f"Resident survey {wave}"},
        "questionnaire": questionnaire.reference,
        "selection": "quota",
        "fielded": {"start": TO_FILL, "end": TO_FILL},
        "files": [DEFAULT_FILES],
        "ignore": ["responses/readme.txt"],
        "numbering": "survey",
        "areas": {"file": "areas.xlsx", **table},
        "frame": {"file": "frame.xlsx", **table} if roles.strata else None,
        "sample": {"file": "sample.xlsx", **table} if roles.psu else None,
        "quota": {
            "file": "quotas.xlsx",
            "by": list(dict.fromkeys([roles.area, *roles.calibration])),
            **table,
        },
        "outcomes": {"file": "outcomes.xlsx", **table},
        "fieldwork": {"backcheck": {"file": "backcheck.xlsx", "items": roles.calibration, **table}}
        if roles.calibration
        else None,
        "margins": margins,
        "weighting": [*([base] if roles.strata else []), *raking],
        "lonely_psu": "fail",
        "level": 0.95,
        "overall": next(iter(questionnaire.overall_rates()), None)
        if questionnaire.overall is None
        else None,
        "rules": "rules.yaml",
    } | {key: value for key, value in declared.items() if key in COMMENTS}
    active = {
        "survey",
        "title",
        "questionnaire",
        "selection",
        "files",
        "numbering",
        "lonely_psu",
        "level",
        "rules",
        *declared,
    }
    active |= {"areas"} if isinstance(questionnaire.items[roles.area], AreaItem) else set()
    text = START
    for key in COMMENTS:
        if blocks.get(key):
            body = yaml_text(
                {key: blocks[key]} | ({"wave": wave} if key == "survey" else {})
            ).rstrip("\n")
            lines = (
                body if key in active else "\n".join(OPTIONAL + line for line in body.split("\n"))
            )
            text += f"\n# {COMMENTS[key][0]}\n# {COMMENTS[key][1]}\n{lines}\n"
    return text


def margin_items(questionnaire: Questionnaire) -> dict[str, str]:
    """Return the items to calibrate by within areas, by the names of their margins."""
    area = questionnaire.roles.area
    return {f"{area}_{item}": item for item in questionnaire.roles.calibration if item != area}


PROBABILITIES = {
    "psu_probability": ("初级单元入样概率", "inclusion probability of the PSU"),
    "person_probability": (
        "单元内个人入样概率",
        "inclusion probability of a person within the PSU",
    ),
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
    write_template(
        folder / "responses" / "responses.xlsx",
        [_column(plan, name) for name in items],
        notes=notes,
    )


def write_tables(plan: Plan, folder: Path) -> None:
    """Write the workbooks of the tables of facts, each with the rows that are known already."""
    roles = plan.questionnaire.roles
    population = TemplateColumn(
        "population", "人口数", "population", kind="number", example="12345"
    )
    planned = TemplateColumn(
        "planned", "计划完成份数", "planned interviews", kind="number", example="20"
    )
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
            "回访：编号与再次询问的、不会变的题目。survey.yaml 的 numbering 为 area 或 file 时，编号写全，如 520121:7。 "
            "Re-interviews: number, and items that do not change. Where `numbering` in survey.yaml is area or file, write the "
            "number in full, as in 520121:7.",
        )
    if strata:
        templates["frame"] = (
            [*strata, population],
            "抽样框：各层人口。 Sampling frame: population of every stratum.",
        )
    if roles.psu:
        chance = [TemplateColumn(c, *said, example="0.05") for c, said in PROBABILITIES.items()]
        psu = [_column(plan, roles.psu), *strata, *chance, planned]
        templates["sample"] = (
            psu,
            "样本：各初级单元及其入样概率。 Sample: PSUs and their inclusion probabilities.",
        )
    for name, item in (
        margin_items(plan.questionnaire).items() if "margins" not in plan.declared else ()
    ):
        columns = [_column(plan, roles.area), _column(plan, item), population]
        templates[f"margin_{name}"] = (
            columns,
            "校准边际：总体人数。 Calibration margin: population counts.",
        )
    for name in dict.fromkeys([*templates, *plan.tables]):
        columns, note = templates.get(name, ([], "沿用上期的列。 Columns as in the earlier wave."))
        if name in plan.tables:
            known = {column.name: column for column in (*columns, UNITS_IN_ALL)}
            columns = [
                known.get(column, TemplateColumn(column, column, ""))
                for column in map(str, plan.tables[name])
            ]
        write_template(
            folder / f"{name}.xlsx",
            columns,
            notes=[note, NOT_COUNTED],
            rows=_rows(plan, name, columns),
        )


def _column(plan: Plan, name: str) -> TemplateColumn:
    """Return an item's column: its labels, its codes, and a plausible example."""
    item, codes = plan.questionnaire.items[name], plan.codes(name)
    asked = item.wording or item
    if isinstance(item, DateItem):
        return TemplateColumn(name, asked.zh, asked.en, kind="date", example="2026-10-08")
    if isinstance(item, NumberItem):
        return TemplateColumn(
            name,
            asked.zh,
            asked.en,
            kind="number",
            example=str(item.low),
            low=item.low,
            high=item.high,
        )
    if isinstance(item, MultipleItem):
        listed = {str(code): str(one) for code, one in {**item.options, **item.special}.items()}
        example = item.separator.join(map(str, [*item.options][:2]))
        return TemplateColumn(name, asked.zh, asked.en, choices=listed, example=example)
    example = next(iter(codes), "A-0001")
    kind: Literal["code", "key", "text"] = (
        "code" if isinstance(item, SingleItem) else "key" if codes else "text"
    )
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
    levels = [
        [code for code in cell.choices or {} if code not in special[cell.name]] for cell in cells
    ]
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
    return [
        TemplateColumn(name, zh, en, example=example) for name, (zh, en, example) in said.items()
    ]


def _outcome_columns() -> list[TemplateColumn]:
    dispositions = {code: f"{zh} {en}" for code, (zh, en) in DISPOSITIONS.items()}
    return [
        TemplateColumn(
            "code",
            "结果编码，与电话系统导出的一致",
            "outcome code as the telephone system exports it",
            example="3",
        ),
        TemplateColumn("zh", "含义", "meaning", example="无法接通"),
        TemplateColumn("en", "英文含义", "meaning in English", example="cannot be reached"),
        TemplateColumn(
            "disposition",
            "AAPOR 类别",
            "AAPOR category",
            kind="key",
            choices=dispositions,
            example="UH",
        ),
    ]
