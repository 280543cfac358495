"""The text of survey.yaml and rules.yaml of a new wave."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ..io.yaml import FILL_IN, SOURCE
from ..io.yaml_text import yaml_text
from ..questionnaire import AreaItem, Questionnaire
from ..survey import DEFAULT_FILES

OPTIONAL = "#: "  # in front of every line of a block that is not declared yet
TO_FILL = "YYYY-MM-DD"
START = """\
# 一期调查（wave）的声明。逐块说明见注释；以“#: ”开头的块未启用，去掉这三个字符即启用。
# The declarations of one wave. Comments explain every block; one whose lines begin with "#: " is off until you take that away.
"""
COMMENTS = {
    "survey": ("调查与期次的名称", "name of the survey and its wave"),
    "title": ("标题，出现在每个输出中", "title; stands in every output"),
    "questionnaire": ("问卷@版本，见 questionnaires/", "questionnaire@version, see questionnaires/"),
    "selection": (
        "如何选出受访者: probability 概率抽样 | quota 配额 | open_link 开放链接；后两种不作“已确认”的名次判断",
        "how respondents were selected: probability | quota | open_link; with the last two no rank is established",
    ),
    "selection_note": ("选取方式的说明，印在报告中", "how respondents were selected, in words; printed in the report"),
    "fielded": ("访问起止日期；期外的答卷被拒收", "first and last day of interviews; others are rejected"),
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
    "margins": ("校准用的总体数字，每个边际一个文件", "population counts for calibration, one file a margin"),
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
    "thresholds": ("界线: 率写 0-1，得分与指数写 0-100", "thresholds: rates as shares 0-1, scores and indices in points 0-100"),
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
        "suppression": {"minimum_n": 30, "minimum_psus": 3, "complementary": "smallest", "source": SOURCE},
    }
    text = text or RULES_START + yaml_text(dict(rules))
    for key, words in RULES_OFF.items():
        if key not in rules:
            lines = "\n".join(OPTIONAL + line for line in yaml_text({key: off[key]}).rstrip("\n").split("\n"))
            text += f"\n# {words[0]}\n# {words[1]}\n{lines}\n"
    return text


def survey_yaml(questionnaire: Questionnaire, declared: Mapping[str, Any], *, name: str) -> str:
    """Return survey.yaml: the declared blocks, then the others as examples that are off."""
    wave = f"{found[1]}Q{found[2]}" if (found := re.search(r"(\d{4})q([1-4])$", name)) else name
    roles, groups = questionnaire.roles, margin_items(questionnaire)
    table = {"source": SOURCE, "date": TO_FILL}
    margins = {n: {"file": f"margin_{n}.xlsx", "by": [roles.area, item], **table} for n, item in groups.items()}
    base = {"step": "base"} if roles.psu else {"step": "base", "source": "frame"}
    raking = [{"step": "calibration", "method": "raking", "margins": list(margins)}] if margins else []
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
        "quota": {"file": "quotas.xlsx", "by": list(dict.fromkeys([roles.area, *roles.calibration])), **table},
        "outcomes": {"file": "outcomes.xlsx", **table},
        "fieldwork": {"backcheck": {"file": "backcheck.xlsx", "items": roles.calibration, **table}}
        if roles.calibration
        else None,
        "margins": margins,
        "weighting": [*([base] if roles.strata else []), *raking],
        "lonely_psu": "fail",
        "level": 0.95,
        "overall": next(iter(questionnaire.overall_rates()), None) if questionnaire.overall is None else None,
        "rules": "rules.yaml",
    } | {key: value for key, value in declared.items() if key in COMMENTS}
    active = {"survey", "title", "questionnaire", "selection", "files", "numbering", "lonely_psu", "level", "rules", *declared}
    active |= {"areas"} if isinstance(questionnaire.items[roles.area], AreaItem) else set()
    text = START
    for key in COMMENTS:
        if blocks.get(key):
            body = yaml_text({key: blocks[key]} | ({"wave": wave} if key == "survey" else {})).rstrip("\n")
            lines = body if key in active else "\n".join(OPTIONAL + line for line in body.split("\n"))
            text += f"\n# {COMMENTS[key][0]}\n# {COMMENTS[key][1]}\n{lines}\n"
    return text


def margin_items(questionnaire: Questionnaire) -> dict[str, str]:
    """Return the items to calibrate by within areas, by the names of their margins."""
    area = questionnaire.roles.area
    return {f"{area}_{item}": item for item in questionnaire.roles.calibration if item != area}
