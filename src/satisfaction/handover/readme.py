"""README.txt of a hand-over: what the files and columns are, the design, the recipe and the conventions; two languages."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from ..design import SurveyDesign
from ..measures import Measure
from .recipe import repeatable
from .rows import ROLES, Column, Rows

UNITS = {
    "rate": "份额 share 0-1",
    "score": "分 points 0-100",
    "index": "分 points 0-100",
    "column": "该列自身的单位 the column's own unit",
}
FILES = (
    "respondents.csv  一行一人（有无应答者表时含无应答者），UTF-8，RFC 4180，数值 17 位有效数字",
    "                 one row a sampled person (nonrespondents too, where the recipe has them); numbers with 17 significant digits",
    "survey.R         在 R 中重做同一设计、校准与各域均值 the same design, calibration and means by domain in R",
    "expected.csv     本软件的估计值与标准误，供核对 our estimates and standard errors, to compare with",
)
PERSONS = (
    "这是逐人数据：不含问卷编号、访问员、日期与任何文字答案，但单元、地区与分组仍可能指向个人；只交给参与本调查的同事，不公布。",
    "This is respondent-level data. It holds no respondent number, interviewer, date or text, but units, areas and groups may still "
    "point to a person: for colleagues of the survey only, not for publication.",
)
DF = (
    "自由度与区间不同：本软件按域计自由度（域内初级单元数减层数），R 按设计计；只比较估计值与标准误。",
    "df and intervals differ: ours are the domain's (PSUs minus strata), R's the design's; compare estimates and standard errors only.",
)
CREDIT = {
    "none": ("没有加权步骤；标准误即线性化。", "No weighting step; standard errors are linearized."),
    "single": (
        "单一校准：survey.R 用 calibrate 或 postStratify 重做，标准误计入校准。",
        "A single calibration: survey.R repeats it with calibrate or postStratify; standard errors credit it.",
    ),
    "several": (
        "多个加权步骤：expected.csv 的 se 为公布的标准误（重复样本重做全部步骤），se_fixed 把最终权数当作固定的，R 给出的是后者。",
        "Several weighting steps: se of expected.csv is published (replicates replay all steps), se_fixed treats the final weights as "
        "fixed, which is what R gives.",
    ),
}


@dataclass(frozen=True, slots=True)
class About:
    """What a hand-over says about its survey.

    Attributes
    ----------
    title : str
    mark : str
        What every row must say about the sample; empty for a real probability sample.
    labels : mapping
        Source column -> label.
    notes : tuple of str
    steps : tuple of dict
        Records of the weighting steps, where there are more than the design's own (a base step).
    """

    title: str = "survey"
    mark: str = ""
    labels: Mapping[str, str] = field(default_factory=dict)
    notes: tuple[str, ...] = ()
    steps: tuple[dict[str, Any], ...] = ()


def readme_text(
    design: SurveyDesign, rows: Rows, about: About, *, measures: Iterable[Measure], conventions: Mapping[str, Any], call: str
) -> str:
    """Return the text of README.txt.

    Parameters
    ----------
    design : SurveyDesign
    rows : Rows
    about : About
    measures : iterable of Measure
    conventions : mapping
        Of the estimates in expected.csv.
    call : str
        The design in R.
    """
    own = {measure.name: measure for measure in measures}
    credit = "none" if design.weighting is None else "single" if repeatable(design) else "several"
    sections: list[tuple[str, Iterable[str]]] = [
        (about.title, [*filter(None, [about.mark]), *PERSONS]),
        ("文件 Files", FILES),
        ("respondents.csv 的列 Columns of respondents.csv", [_column(column, about, own) for column in rows.columns]),
        ("expected.csv 的列 Columns of expected.csv", _expected(credit)),
        ("抽样设计 Design", call.splitlines()),
        ("加权 Weighting", [*CREDIT[credit], *_steps(about.steps or (design.weighting.log if design.weighting else ()))]),
        ("约定 Conventions", [*(f"{name}: {_shown(value)}" for name, value in conventions.items()), *DF]),
    ]
    sections += [("说明 Notes", about.notes)] if about.notes else []
    return "\n".join(line for title, lines in sections for line in (title, "=" * 60, *lines, ""))


def _column(column: Column, about: About, measures: Mapping[str, Measure]) -> str:
    measure = measures.get(column.source) if column.role == "measure" else None
    label = str(measure.label) if measure and measure.label else about.labels.get(column.source, "")
    renamed = f" [{column.source}]" if column.source and column.source not in (column.name, "_one") else ""
    words = [str(ROLES[column.role]), label, UNITS[measure.kind] if measure else ""]
    return f"{column.name}{renamed} ({column.kind}): {' — '.join(' '.join(word.split()) for word in words if word)}"


def _expected(credit: str) -> Iterator[str]:
    yield "level, code: 域所在的列与编码；(all) 为全部 the domain's column and code; (all) for all together"
    yield "measure: 指标 the measure's column"
    yield "estimate, se: 估计值与标准误，单位同指标；无有效答案为空 estimate and standard error in the measure's unit; empty without valid answers"
    if credit == "several":
        yield "se_fixed: 权数视为固定的标准误 standard error with the weights taken as fixed"
    yield "n: 有效答案数 valid answers"


def _steps(records: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield one line a step: its options as the log holds them, numbers as they are."""
    for number, record in enumerate(records, start=1):
        options = [f"{name}={_shown(value)}" for name, value in record.items() if not isinstance(value, dict) and name != "step"]
        margins = [f"margins={' , '.join(record['margins'])}"] if "margins" in record else []
        yield f"{number}. {record['step']}: {'; '.join([*options, *margins])}"


def _shown(value: Any) -> str:
    if isinstance(value, list | tuple):
        return " ".join(map(_shown, value)) or "-"
    if isinstance(value, float):
        return f"{value:.6g}"
    return "-" if value is None else str(value)
