"""What survey.yaml declares, checked against the questionnaire it is fielded with.

What rules.yaml declares, checked against the areas, the questionnaire and the earlier rankings.
"""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from satisfaction.declarations.history import missing_between, period_of
from satisfaction.declarations.items import AreaItem, NumberItem, SingleItem
from satisfaction.declarations.questionnaire import Questionnaire
from satisfaction.declarations.rules import Target, Threshold
from satisfaction.declarations.steps import BaseStep, NonresponseStep, TrimmingStep
from satisfaction.declarations.wave import SurveyFile
from satisfaction.foundation.errors import SurveyError, shortened
from satisfaction.foundation.yaml import Document, Location

if TYPE_CHECKING:
    from satisfaction.declarations.survey import Survey


SMALLEST_FACTOR = (
    1  # an item that a weight is multiplied with or divided by never makes it zero or infinite
)


def check_declarations(
    document: Document, declared: SurveyFile, questionnaire: Questionnaire
) -> None:
    """Refuse declarations that the questionnaire cannot serve.

    Raises
    ------
    SurveyError
        S123, S124 tables that lack or need a role, S132 an item of a margin or of the quota, S136 a quota without the area,
        S163 an item of a weighting step or of a check of the fieldwork, S168 a stratum to be collapsed that is none, S340 an overall rate that is none.
    """
    _check_tables(document, declared, questionnaire)
    _check_cells(document, declared, questionnaire)
    for at, items, usable, zh, en in (
        *_items_of_steps(declared, questionnaire),
        *_items_of_checks(declared, questionnaire),
    ):
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
            hint=(
                "写由一道单选题、且不是 topics 的题算出的率。",
                "Name a rate of one single item that is no topic.",
            ),
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
            hint=(
                "在问卷中声明 psu，或去掉 sample。",
                "Declare `psu` in the questionnaire, or remove `sample`.",
            ),
        )


def _check_cells(document: Document, declared: SurveyFile, questionnaire: Questionnaire) -> None:
    """Refuse margins and quotas by what does not part respondents into groups, and quotas that do not begin with the area."""
    groups, area, quota = _groups(questionnaire), questionnaire.roles.area, declared.quota
    cells: list[tuple[Location, str, str, list[str]]] = [
        (("margins", name, "by"), f"边际 '{name}' ", f"Margin '{name}'", margin.by)
        for name, margin in declared.margins.items()
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
    return [
        key for key, item in questionnaire.items.items() if isinstance(item, SingleItem | AreaItem)
    ]


def _items_of_steps(
    declared: SurveyFile, questionnaire: Questionnaire
) -> Iterator[tuple[Location, list[str], list[str], str, str]]:
    """Yield the items every step names: where, which, what may stand there and how that is called."""
    groups = _groups(questionnaire)
    numbers = {
        key: item for key, item in questionnaire.items.items() if isinstance(item, NumberItem)
    }
    for position, step in enumerate(declared.weighting):
        at: Location = ("weighting", position)
        if isinstance(step, BaseStep):
            named = {
                "multiply": step.multiply,
                "divide": step.divide,
                "column": list(filter(None, [step.column])),
            }
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
            yield (
                (*at, "within"),
                step.within or [],
                groups,
                "单选题或地区题",
                "single or area item",
            )


def _items_of_checks(
    declared: SurveyFile, questionnaire: Questionnaire
) -> Iterator[tuple[Location, list[str], list[str], str, str]]:
    """Yield the items the fieldwork's checks name, as `_items_of_steps` does."""
    singles = [key for key, item in questionnaire.items.items() if isinstance(item, SingleItem)]
    if declared.fieldwork.backcheck is not None:
        yield (
            ("fieldwork", "backcheck", "items"),
            declared.fieldwork.backcheck.items,
            singles,
            "单选题",
            "single item",
        )
    if declared.fieldwork.modes is not None:
        yield (
            ("fieldwork", "modes", "item"),
            [declared.fieldwork.modes.item],
            singles,
            "单选题",
            "single item",
        )


def _check_collapse(document: Document, declared: SurveyFile, questionnaire: Questionnaire) -> None:
    strata, merged = questionnaire.roles.strata, [pair.stratum for pair in declared.collapse]
    for position, pair in enumerate(declared.collapse):
        wrong = [
            len(pair.stratum) != len(strata),
            len(pair.into) != len(strata),
            pair.stratum == pair.into,
        ]
        if any(wrong) or pair.into in merged or merged.count(pair.stratum) > 1:
            raise SurveyError(
                "S168",
                f"collapse 中的层须写出 {strata} 的值，各层只合并一次，且不并入又被合并的层。",
                f"A stratum in `collapse` gives the values of {strata}, is merged once, and not into one that is merged itself.",
                where=document.place(("collapse", position)),
                available=strata,
                hint=("改正该项。", "Correct the entry."),
            )


POINTS = 100.0


def check_rules(survey: Survey, document: Document) -> None:
    """Refuse rules that this survey cannot serve.

    Raises
    ------
    SurveyError
        S141 a target of an area that is not ranked, S142 a target outside the number of places, S171 and S179 a rise since a wave or rank that is not there, S172 a larger area that is none, S173 and S174
        thresholds, S178 areas of earlier rankings that nobody knows, S181 escalation without earlier rankings, S182 a rise
        between questionnaires that are not comparable, S341-S343 waves missing from the earlier rankings.
    """
    ranked = survey.ranked_areas()
    for position, threshold in enumerate(survey.rules.thresholds):
        _check_threshold(survey, document, ("thresholds", position), threshold)
    _check_history(survey, document)
    for code, position, target in _targets(survey):
        at: Location = ("targets", code, position)
        _check_places(document, at, target, code=code, ranked=ranked)
        if target.first_in is not None:
            _check_first_in(survey, document, (*at, "first_in"), target=target, code=code)
        if target.rise is not None:
            _check_rise(survey, document, (*at, "rise"), target=target, code=code)


def _targets(survey: Survey) -> Iterator[tuple[str, int, Target]]:
    for code, targets in survey.rules.targets.items():
        for position, target in enumerate(targets):
            yield code, position, target


def _check_places(
    document: Document, at: Location, target: Target, *, code: str, ranked: list[str]
) -> None:
    if code not in ranked:
        raise SurveyError(
            "S141",
            f"targets 中的地区 '{code}' 不参与排名。",
            f"Target area '{code}' is not ranked.",
            where=document.place(at),
            available=ranked,
            got=code,
            hint=("改为参与排名的地区代码。", "Use the code of a ranked area."),
        )
    for kind in ("top", "rise"):
        if (places := getattr(target, kind)) is not None and places >= len(ranked):
            raise SurveyError(
                "S142",
                f"目标名次 {places} 须小于 {len(ranked)}。",
                f"A target of {places} places must be below {len(ranked)}.",
                where=document.place((*at, kind)),
                hint=(f"改小 {kind}。", f"Lower `{kind}`."),
            )


def _check_first_in(
    survey: Survey, document: Document, at: Location, *, target: Target, code: str
) -> None:
    """Refuse what is neither the whole nor the level right above the ranked one, and an area that lies in none such."""
    levels = survey.levels()
    parent = survey.parents().get(code, "")
    possible = [survey.whole()]
    if len(survey.area_levels()) > 1 and levels.get(parent) == survey.area_levels()[1]:
        possible.insert(0, levels[parent])
    if target.first_in not in possible:
        raise SurveyError(
            "S172",
            f"'{code}' 不能在 '{target.first_in}' 内排名。",
            f"'{code}' is not ranked within a '{target.first_in}'.",
            where=document.place(at),
            available=possible,
            got=str(target.first_in),
            hint=("改为它所在的上一级。", "Name the level it lies in."),
        )


def _check_rise(
    survey: Survey, document: Document, at: Location, *, target: Target, code: str
) -> None:
    earlier = survey.earlier_waves()
    since = target.since or next(reversed(earlier), "")
    if since not in earlier:
        raise SurveyError(
            "S171",
            f"没有{f'期次 {since} ' if since else '前期'}的公布名次，无法检验上升目标。",
            f"There is no published ranking of {f'wave {since}' if since else 'an earlier wave'} to rise from.",
            where=document.place(at),
            available=earlier,
            got=since,
            hint=(
                "在 history 的文件中补上该期排名。",
                "Add that wave's ranking to the file of `history`.",
            ),
        )
    if survey.published_rank(code, since) is None:
        raise SurveyError(
            "S179",
            f"'{code}' 在 {since} 没有公布名次。",
            f"'{code}' has no published rank in {since}.",
            where=document.place(at),
            hint=(
                "改用有名次的期次 since，或去掉该目标。",
                "Name another wave in `since`, or remove the target.",
            ),
        )
    _check_instrument(survey, document, at)


def _check_instrument(survey: Survey, document: Document, at: Location) -> None:
    """Refuse a rise since rankings that were made with a questionnaire which this one does not declare comparable."""
    history, now = survey.rules.history, survey.questionnaire
    items = now.rests_on(now.ranked)
    bridges = (
        one
        for one in now.comparable_with
        if one.bridge_items is None or items <= set(one.bridge_items)
    )
    possible = [now.reference, *(one.version for one in bridges)]
    if history and history.questionnaire and history.questionnaire not in possible:
        raise SurveyError(
            "S182",
            f"前期排名用的问卷 {history.questionnaire} 未声明与 {now.reference} 可比。",
            f"The earlier rankings used {history.questionnaire}, which {now.reference} does not declare comparable.",
            where=document.place(at),
            available=possible,
            got=history.questionnaire,
            hint=(
                "去掉上升目标，或在问卷中写 comparable_with。",
                "Remove the target, or write `comparable_with` in the questionnaire.",
            ),
        )


def _check_threshold(
    survey: Survey, document: Document, at: Location, threshold: Threshold
) -> None:
    questionnaire, measure = survey.questionnaire, threshold.measure
    known = [*questionnaire.rates, *questionnaire.indices, *questionnaire.topics]
    if measure not in known:
        raise SurveyError(
            "S173",
            f"没有指标 '{measure}'。",
            f"There is no measure '{measure}'.",
            where=document.place((*at, "measure")),
            available=known,
            got=measure,
            hint=(
                "改为问卷中的率、指数或项目。",
                "Use a rate, index or topic of the questionnaire.",
            ),
        )
    share = measure in questionnaire.rates
    top = 1.0 if share else POINTS
    if not 0 < threshold.below < top:
        unit_zh, unit_en = ("比例 0-1", "a share 0-1") if share else ("分数 0-100", "points 0-100")
        raise SurveyError(
            "S174",
            f"'{measure}' 的界限是{unit_zh}，不能是 {threshold.below:g}。",
            f"A threshold of '{measure}' is {unit_en}, which {threshold.below:g} is not.",
            where=document.place((*at, "below")),
            hint=(f"写 0 与 {top:g} 之间的数。", f"Write a number between 0 and {top:g}."),
        )


def _check_history(survey: Survey, document: Document) -> None:
    if survey.history is not None:
        known = (
            list(survey.area_names()) if survey.areas is None else sorted(set(survey.areas["code"]))
        )
        if unknown := sorted(set(survey.history["code"]) - set(known)):
            raise SurveyError(
                "S178",
                f"历次排名中的地区 '{unknown[0]}' 不存在。",
                f"Area '{unknown[0]}' of the earlier rankings does not exist.",
                where=document.place(("history", "file")),
                available=known,
                got=unknown[0],
                hint=(
                    "改正代码；已撤销的地区须留在地区表中。",
                    "Correct the code; an area that ended stays in the table of areas.",
                ),
            )
    escalation = survey.rules.escalation
    if escalation and survey.history is None and escalation.steps[-1].listed_in_a_row > 1:
        raise SurveyError(
            "S181",
            "escalation 要数连续期次，需要 history。",
            "Escalation counts waves in a row; it needs `history`.",
            where=document.place(("escalation",)),
            hint=(
                "声明 history，或只保留第一步。",
                "Declare `history`, or keep the first step alone.",
            ),
        )
    if escalation and survey.history is not None:
        _check_gaps(survey, document)


def _check_gaps(survey: Survey, document: Document) -> None:
    """Refuse to count waves in a row over a wave that is missing from the earlier rankings, unless that is declared."""
    assert survey.rules.history is not None
    at: Location = ("history", "gaps")
    gaps = survey.rules.history.gaps
    declared = [gap.wave for gap in gaps or []]
    waves = [*survey.earlier_waves(), survey.declared.wave]
    missing: list[str] = []
    for earlier, later in pairwise(waves):
        between = missing_between(earlier, later)
        if between is None and gaps is None:
            raise SurveyError(
                "S342",
                f"由名称看不出 {earlier} 与 {later} 之间有没有缺期，无法数连续期次。",
                f"The names do not tell whether a wave is missing between {earlier} and {later}: waves in a row cannot be counted.",
                where=document.place(("history",)),
                hint=(
                    "期次写成 2026Q3、2026H1 或 2026-07；若历次排名齐全，在 history 中写 gaps: []。",
                    "Name waves as 2026Q3, 2026H1 or 2026-07; where no ranking is missing, write `gaps: []` under `history`.",
                ),
            )
        missing += between or []
    known = {period_of(wave) for wave in declared}
    lacking = [wave for wave in missing if period_of(wave) not in known]
    if lacking:
        example = f"gaps: [{{wave: {lacking[0]}, source: ...}}]"
        raise SurveyError(
            "S341",
            f"历次排名缺少 {shortened(lacking)}，不能数连续在名单上的期次。",
            f"The earlier rankings lack {shortened(lacking)}: waves on the list in a row cannot be counted.",
            where=document.place(("history", "file")),
            available=waves,
            hint=(
                f"在 history 的文件中补上该期排名；若该期没有开展，在 history 中写 {example}，注明依据。",
                f"Add that wave's ranking to the file of `history`; if it did not take place, write {example} under `history`.",
            ),
        )
    wrong = [
        wave
        for wave in declared
        if wave in waves or (period_of(wave) and period_of(wave) not in map(period_of, missing))
    ]
    if wrong:
        raise SurveyError(
            "S343",
            f"gaps 中的 {wrong[0]} 不是历次排名中缺少的期次。",
            f"{wrong[0]} of `gaps` is no wave that the earlier rankings lack.",
            where=document.place(at),
            available=missing,
            got=wrong[0],
            hint=("删去该项，或改正期次名称。", "Remove it, or correct the name of the wave."),
        )
