"""What rules.yaml declares, checked against the areas, the questionnaire and the earlier rankings."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import pairwise
from typing import TYPE_CHECKING

from ..errors import SurveyError, shortened
from ..io.yaml import Document, Location
from .history import missing_between, period_of
from .rules import Target, Threshold

if TYPE_CHECKING:
    from . import Survey

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


def _check_places(document: Document, at: Location, target: Target, *, code: str, ranked: list[str]) -> None:
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


def _check_first_in(survey: Survey, document: Document, at: Location, *, target: Target, code: str) -> None:
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


def _check_rise(survey: Survey, document: Document, at: Location, *, target: Target, code: str) -> None:
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
            hint=("在 history 的文件中补上该期排名。", "Add that wave's ranking to the file of `history`."),
        )
    if survey.published_rank(code, since) is None:
        raise SurveyError(
            "S179",
            f"'{code}' 在 {since} 没有公布名次。",
            f"'{code}' has no published rank in {since}.",
            where=document.place(at),
            hint=("改用有名次的期次 since，或去掉该目标。", "Name another wave in `since`, or remove the target."),
        )
    _check_instrument(survey, document, at)


def _check_instrument(survey: Survey, document: Document, at: Location) -> None:
    """Refuse a rise since rankings that were made with a questionnaire which this one does not declare comparable."""
    history, now = survey.rules.history, survey.questionnaire
    items = now.rests_on(now.ranked)
    bridges = (one for one in now.comparable_with if one.bridge_items is None or items <= set(one.bridge_items))
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


def _check_threshold(survey: Survey, document: Document, at: Location, threshold: Threshold) -> None:
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
            hint=("改为问卷中的率、指数或项目。", "Use a rate, index or topic of the questionnaire."),
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
        known = list(survey.area_names()) if survey.areas is None else sorted(set(survey.areas["code"]))
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
            hint=("声明 history，或只保留第一步。", "Declare `history`, or keep the first step alone."),
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
    wrong = [wave for wave in declared if wave in waves or (period_of(wave) and period_of(wave) not in map(period_of, missing))]
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
