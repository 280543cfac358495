"""The questionnaire on paper: A4, Chinese first, English beside it, boxes to tick, skips said where they apply."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import groupby

from satisfaction.declarations.items import ItemBase, MultipleItem, SingleItem, Special
from satisfaction.declarations.questionnaire import Questionnaire
from satisfaction.foundation.pages import fill

SMALLEST_GRID = 3  # fewer questions of one scale in a row are asked one by one
WIDEST_GRID = 9  # more codes do not fit across the page


@dataclass(frozen=True, slots=True)
class _Choice:
    """One box: its code, its label, and whether it is read out."""

    code: int
    zh: str
    en: str
    special: bool


@dataclass(frozen=True, slots=True)
class _Question:
    """One question as printed: its number, and the questions and codes it depends on."""

    number: int
    name: str
    kind: str
    zh: str
    en: str
    required: bool
    low: int | None
    high: int | None
    choices: tuple[_Choice, ...]
    only_if: tuple[tuple[str, str], ...]
    stops: tuple[str, ...]
    scale: str | None


def printable_html(questionnaire: Questionnaire) -> str:
    """Return the questionnaire as one self-contained page to be printed on A4.

    Identifiers, date, interviewer, area and PSU stand in a head that the interviewer fills in; there is no field for a
    name, address or telephone number. Three or more questions in a row on one scale form a grid.
    """
    head = [name for name in questionnaire.items if name in _head(questionnaire)]
    asked = [name for name in questionnaire.items if name not in head]
    numbers = {name: number for number, name in enumerate(asked, start=1)}
    questions = [_question(questionnaire, name, numbers) for name in asked]
    values = {
        "questionnaire": questionnaire,
        "head": [(name, questionnaire.items[name]) for name in head],
        "blocks": list(_blocks(questions)),
    }
    return fill("form.html", values)


def _head(questionnaire: Questionnaire) -> set[str]:
    """Return the items the interviewer fills in before asking; a single item is asked, even where it is a role."""
    roles = questionnaire.roles
    named = {roles.respondent, roles.area, roles.psu, roles.interview_date, roles.interviewer}
    return {
        name
        for name in named
        if name and not isinstance(questionnaire.items[name], SingleItem | MultipleItem)
    }


def _question(questionnaire: Questionnaire, name: str, numbers: dict[str, int]) -> _Question:
    item: ItemBase = questionnaire.items[name]
    asked = item.wording or item
    options = (
        questionnaire.answers(name)
        if isinstance(item, SingleItem)
        else getattr(item, "options", {})
    )
    coded = {**options, **questionnaire.special(name)}
    eligible = questionnaire.eligibility.get(name)
    return _Question(
        numbers[name],
        name,
        questionnaire.items[name].type,
        asked.zh,
        asked.en,
        item.required,
        getattr(item, "low", None),
        getattr(item, "high", None),
        tuple(
            _Choice(code, one.zh, one.en, isinstance(one, Special)) for code, one in coded.items()
        ),
        tuple(
            (_number(numbers, other), " / ".join(map(str, codes)))
            for other, codes in item.asked_if.items()
        ),
        tuple(str(code) for code in coded if eligible is not None and code not in eligible),
        getattr(item, "scale", None),
    )


def _number(numbers: dict[str, int], name: str) -> str:
    return f"Q{numbers[name]}" if name in numbers else name


def _blocks(questions: list[_Question]) -> Iterable[tuple[str, list[_Question]]]:
    """Yield the questions one by one, or those of one scale in a row as a grid."""

    def together(question: _Question) -> object:
        alone = (
            question.scale is None
            or question.only_if
            or question.stops
            or len(question.choices) > WIDEST_GRID
        )
        return question.number if alone else question.scale

    for _, run in groupby(questions, key=together):
        alike = list(run)
        if len(alike) >= SMALLEST_GRID:
            yield "grid", alike
        else:
            yield from (("single", [question]) for question in alike)
