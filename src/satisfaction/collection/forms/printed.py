"""The questionnaire on paper: A4, in one language, boxes to tick, skips said where they apply."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import groupby

from satisfaction.declarations.items import MultipleItem, SingleItem, Special
from satisfaction.declarations.questionnaire import Questionnaire
from satisfaction.foundation.language import Language, Text, use
from satisfaction.foundation.pages import fill
from satisfaction.foundation.yaml import Label

SMALLEST_GRID = 3  # fewer questions of one scale in a row are asked one by one
WIDEST_GRID = 9  # more codes do not fit across the page


@dataclass(frozen=True, slots=True)
class _Choice:
    """One box: its code, its label, and whether it is read out."""

    code: int
    label: Text
    special: bool


@dataclass(frozen=True, slots=True)
class _Question:
    """One question as printed: its number, and the questions and codes it depends on."""

    number: int
    name: str
    kind: str
    wording: Text
    required: bool
    low: int | None
    high: int | None
    choices: tuple[_Choice, ...]
    only_if: tuple[tuple[str, str], ...]
    stops: tuple[str, ...]
    scale: str | None


def printable_html(questionnaire: Questionnaire, language: Language = "zh") -> str:
    """Return the questionnaire as one self-contained page to be printed on A4, in one language.

    Identifiers, date, interviewer, area and PSU stand in a head that the interviewer fills in; there is no field for a
    name, address or telephone number. Three or more questions in a row on one scale form a grid.
    """
    named = _head(questionnaire)
    head = [name for name in questionnaire.items if name in named]
    asked = [name for name in questionnaire.items if name not in named]
    numbers = {name: number for number, name in enumerate(asked, start=1)}
    questions = [_question(questionnaire, name, numbers) for name in asked]
    values = {
        "questionnaire": questionnaire,
        "head": [(name, questionnaire.items[name]) for name in head],
        "blocks": list(_blocks(questions)),
    }
    with use(language):
        return fill("form.html", values)


def _head(questionnaire: Questionnaire) -> set[str]:
    """Return the items the interviewer fills in before asking; a single item is asked, even where it is a role."""
    roles = questionnaire.roles
    named = {roles.respondent, roles.area, roles.psu, roles.interview_date, roles.interviewer}
    chosen = set(questionnaire.items_of(SingleItem, MultipleItem))
    return {name for name in named if name and name not in chosen}


def _question(questionnaire: Questionnaire, name: str, numbers: dict[str, int]) -> _Question:
    item = questionnaire.items[name]
    asked = item.wording or item
    if isinstance(item, SingleItem):
        options: Mapping[int, Label] = questionnaire.answers(name)
    else:
        options = getattr(item, "options", {})
    coded = {**options, **questionnaire.special(name)}
    choices = []
    for code, answer in coded.items():
        choices.append(_Choice(code, answer.text, isinstance(answer, Special)))
    only_if = []
    for other, codes in item.asked_if.items():
        only_if.append((_number(numbers, other), " / ".join(map(str, codes))))
    eligible = questionnaire.eligibility.get(name, coded)
    stops = [str(code) for code in coded if code not in eligible]
    return _Question(
        number=numbers[name],
        name=name,
        kind=item.type,
        wording=asked.text,
        required=item.required,
        low=getattr(item, "low", None),
        high=getattr(item, "high", None),
        choices=tuple(choices),
        only_if=tuple(only_if),
        stops=tuple(stops),
        scale=getattr(item, "scale", None),
    )


def _number(numbers: dict[str, int], name: str) -> str:
    if name not in numbers:
        return name
    return f"Q{numbers[name]}"


def _blocks(questions: list[_Question]) -> Iterable[tuple[str, list[_Question]]]:
    """Yield the questions one by one, or those of one scale in a row as a grid."""

    def together(question: _Question) -> object:
        """Return what neighbours in a grid share: their scale; a question that must stand alone has its number."""
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
