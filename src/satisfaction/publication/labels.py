"""What every published table shares: names, marks, words for statuses, and 12 significant digits."""

from __future__ import annotations

from typing import Any

import pandas as pd

from satisfaction.declarations.questionnaire import Questionnaire
from satisfaction.declarations.survey import Survey
from satisfaction.foundation.yaml import Label

DIGITS = 12
STATUS = {
    "established": Label(zh="已确认属于", en="established"),
    "possible": Label(zh="不能确定", en="possible"),
    "excluded": Label(zh="已排除", en="excluded"),
    "not ranked": Label(zh="样本不足，不排名", en="not ranked"),
}
BELOW = {
    "established": Label(zh="已确认低于", en="established"),
    "possible": Label(zh="不能确定", en="possible"),
    "excluded": Label(zh="已排除低于", en="excluded"),
}
VERDICT = {
    "met": Label(zh="已达到", en="met"),
    "not met": Label(zh="未达到", en="not met"),
    "not decidable": Label(zh="无法判断", en="not decidable"),
    "not ranked": Label(zh="不排名", en="not ranked"),
}


def twelve_digits(table: pd.DataFrame) -> pd.DataFrame:
    """Round every float column to 12 significant digits, the unit of 'identical' between machines."""
    floats = {
        name: table[name].map(lambda x: float(f"{x:.{DIGITS}g}"))
        for name in table.select_dtypes("float")
    }
    return table.assign(**floats)


def area_labels(survey: Survey) -> dict[str, Label]:
    """Return the names of all areas, and of all together, as figures bear them.

    The total of an area of which only a part was surveyed is named for what it covers, never for the area.
    """
    if survey.areas is None:
        return survey.area_names() | {whole_code(survey): Label(zh="全部", en="all")}
    names, whole = survey.area_names(), whole_code(survey)
    for code, (have, of) in survey.coverage().items():
        if have < of:
            names[code] = _partial(survey, names[code], have, of, is_whole=code == whole)
    return names


def _partial(survey: Survey, name: Label, have: int, of: int, *, is_whole: bool) -> Label:
    unit, plural = (
        ("县", "counties") if survey.questionnaire.roles.area == "county" else ("地区", "areas")
    )
    every = f"全{name.zh[-1]}" if name.zh[-1] in "省市州区县" else f"{name.zh}共"
    if not have:
        return Label(
            zh=f"{name.zh}（{of} 个{unit}均无答卷）",
            en=f"{name.en} (none of {of} {plural} has answers)",
        )
    inside_zh = "" if is_whole else name.zh
    inside_en = "" if is_whole else f" of {name.en}"
    together = f"the {have} surveyed {plural}{inside_en} together (of {of})"
    if have == 1:
        together = f"the one surveyed of {of} {plural}{inside_en}"
    return Label(
        zh=f"本次调查的{inside_zh} {have} 个{unit}合计（{every} {of} 个{unit}）", en=together
    )


def whole_code(survey: Survey) -> str:
    """Return the code that all areas together carry."""
    return (
        "all"
        if survey.areas is None
        else str(survey.areas.loc[survey.areas["parent"] == "", "code"].iloc[0])
    )


def measure_labels(questionnaire: Questionnaire) -> dict[str, tuple[str, Label]]:
    """Return kind and label of every published measure."""
    groups: dict[str, dict[str, Any]] = {
        "rate": dict(questionnaire.rates),
        "score": {name: questionnaire.items[name] for name in questionnaire.topics},
        "index": dict(questionnaire.indices),
    }
    return {
        name: (kind, Label(zh=one.zh, en=one.en))
        for kind, group in groups.items()
        for name, one in group.items()
    }


def mark(survey: Survey) -> str:
    """Return what every row must say about the sample, in both languages; empty for a real probability sample."""
    return str(survey.marks or "")


def labelled(table: pd.DataFrame, labels: dict[str, Label], *, key: str, into: str) -> pd.DataFrame:
    """Add the Chinese and English labels of a column's values as `into`_zh and `into`_en."""
    words = {
        f"{into}_{side}": table[key].map({k: getattr(label, side) for k, label in labels.items()})
        for side in ("zh", "en")
    }
    return table.assign(**words)


def published(survey: Survey, table: pd.DataFrame, columns: list[str]) -> pd.DataFrame:
    """Add survey, wave, names by `code` and the mark; put columns in order; keep 12 digits."""
    table = labelled(
        table.assign(survey=survey.name, wave=survey.declared.wave),
        area_labels(survey),
        key="code",
        into="name",
    )
    return twelve_digits(table.assign(mark=mark(survey))[["survey", "wave", *columns, "mark"]])
