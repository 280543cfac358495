"""What survey.yaml declares, checked against the questionnaire it is fielded with."""

from __future__ import annotations

from collections.abc import Iterator

from ..errors import SurveyError
from ..io.yaml import Document, Location
from ..questionnaire import AreaItem, NumberItem, Questionnaire, SingleItem
from .declared import SurveyFile
from .steps import BaseStep, NonresponseStep, TrimmingStep

SMALLEST_FACTOR = 1  # an item that a weight is multiplied with or divided by never makes it zero or infinite


def check_declarations(document: Document, declared: SurveyFile, questionnaire: Questionnaire) -> None:
    """Refuse declarations that the questionnaire cannot serve.

    Raises
    ------
    SurveyError
        S123, S124 tables that lack or need a role, S132 an item of a margin or of the quota, S136 a quota without the area,
        S163 an item of a weighting step or of a check of the fieldwork, S168 a stratum to be collapsed that is none, S340 an overall rate that is none.
    """
    _check_tables(document, declared, questionnaire)
    _check_cells(document, declared, questionnaire)
    for at, items, usable, zh, en in (*_items_of_steps(declared, questionnaire), *_items_of_checks(declared, questionnaire)):
        if unknown := [item for item in items if item not in usable]:
            raise SurveyError(
                "S163",
                f"{at[-1]} 中的 '{unknown[0]}' 不是问卷中的{zh}。",
                f"'{unknown[0]}' under `{at[-1]}` is no {en} of the questionnaire.",
                where=document.place(at),
                available=usable,
                got=unknown[0],
                hint=(f"改为{zh}。", f"Name a {en}."),
            )
    _check_collapse(document, declared, questionnaire)
    possible = questionnaire.overall_rates()
    if declared.overall is not None and declared.overall not in possible:
        raise SurveyError(
            "S340",
            f"'{declared.overall}' 不能作总体评价的率。",
            f"'{declared.overall}' cannot be the rate of the overall judgement.",
            where=document.place(("overall",)),
            available=possible,
            got=declared.overall,
            hint=("写由一道单选题、且不是 topics 的题算出的率。", "Name a rate of one single item that is no topic."),
        )


def _check_tables(document: Document, declared: SurveyFile, questionnaire: Questionnaire) -> None:
    roles = questionnaire.roles
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


def _check_cells(document: Document, declared: SurveyFile, questionnaire: Questionnaire) -> None:
    """Refuse margins and quotas by what does not part respondents into groups, and quotas that do not begin with the area."""
    groups, area, quota = _groups(questionnaire), questionnaire.roles.area, declared.quota
    cells: list[tuple[Location, str, str, list[str]]] = [
        (("margins", name, "by"), f"边际 '{name}' ", f"Margin '{name}'", margin.by) for name, margin in declared.margins.items()
    ]
    if quota is not None:
        cells.append((("quota", "by"), "配额", "The quota", quota.by))
    for at, zh, en, by in cells:
        if unknown := [item for item in by if item not in groups]:
            raise SurveyError(
                "S132",
                f"{zh}用到的 '{unknown[0]}' 不是问卷中的单选题或地区题。",
                f"{en} uses '{unknown[0]}', which is no single or area item.",
                where=document.place(at),
                available=groups,
                got=unknown[0],
                hint=("改为单选题或地区题。", "Use a single or area item."),
            )
    if quota is not None and quota.by[0] != area:
        raise SurveyError(
            "S136",
            f"配额的 by 须以地区 '{area}' 开头。",
            f"`by` of the quota must begin with the area, '{area}'.",
            where=document.place(("quota", "by")),
            available=[area],
            got=quota.by[0],
            hint=(f"把 '{area}' 写在最前。", f"Write '{area}' first."),
        )


def _groups(questionnaire: Questionnaire) -> list[str]:
    return [key for key, item in questionnaire.items.items() if isinstance(item, SingleItem | AreaItem)]


def _items_of_steps(
    declared: SurveyFile, questionnaire: Questionnaire
) -> Iterator[tuple[Location, list[str], list[str], str, str]]:
    """Yield the items every step names: where, which, what may stand there and how that is called."""
    groups = _groups(questionnaire)
    numbers = {key: item for key, item in questionnaire.items.items() if isinstance(item, NumberItem)}
    for position, step in enumerate(declared.weighting):
        at: Location = ("weighting", position)
        if isinstance(step, BaseStep):
            named = {"multiply": step.multiply, "divide": step.divide, "column": list(filter(None, [step.column]))}
            for key, items in named.items():
                if key == "column":
                    usable = [one for one, item in numbers.items() if item.low >= 0]
                    zh, en = "最小值不低于 0 的数值题", "number item without negative numbers"
                else:
                    usable = [one for one, item in numbers.items() if item.low >= SMALLEST_FACTOR]
                    zh, en = "最小值不低于 1 的数值题", "number item of 1 or more"
                yield (*at, key), items, usable, zh, en
        elif isinstance(step, NonresponseStep):
            yield (*at, "by"), step.by, groups, "单选题或地区题", "single or area item"
        elif isinstance(step, TrimmingStep):
            yield (*at, "within"), step.within or [], groups, "单选题或地区题", "single or area item"


def _items_of_checks(
    declared: SurveyFile, questionnaire: Questionnaire
) -> Iterator[tuple[Location, list[str], list[str], str, str]]:
    """Yield the items the fieldwork's checks name, as `_items_of_steps` does."""
    singles = [key for key, item in questionnaire.items.items() if isinstance(item, SingleItem)]
    if declared.fieldwork.backcheck is not None:
        yield ("fieldwork", "backcheck", "items"), declared.fieldwork.backcheck.items, singles, "单选题", "single item"
    if declared.fieldwork.modes is not None:
        yield ("fieldwork", "modes", "item"), [declared.fieldwork.modes.item], singles, "单选题", "single item"


def _check_collapse(document: Document, declared: SurveyFile, questionnaire: Questionnaire) -> None:
    strata, merged = questionnaire.roles.strata, [pair.stratum for pair in declared.collapse]
    for position, pair in enumerate(declared.collapse):
        wrong = [len(pair.stratum) != len(strata), len(pair.into) != len(strata), pair.stratum == pair.into]
        if any(wrong) or pair.into in merged or merged.count(pair.stratum) > 1:
            raise SurveyError(
                "S168",
                f"collapse 中的层须写出 {strata} 的值，各层只合并一次，且不并入又被合并的层。",
                f"A stratum in `collapse` gives the values of {strata}, is merged once, and not into one that is merged itself.",
                where=document.place(("collapse", position)),
                available=strata,
                hint=("改正该项。", "Correct the entry."),
            )
