"""Items, answers and special codes: what may stand in a questionnaire's `scales` and `items`."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Mapping
from typing import Annotated, Literal

import pandas as pd
from pydantic import BeforeValidator, Field, model_validator

from ..errors import shortened
from ..io.yaml import Code, Label, Name, Record, fault

ROUNDING = 8 * sys.float_info.epsilon  # what binary arithmetic changes a quotient by, relative to it
Reason = Literal["not_applicable", "dont_know", "refused"]
Missing = Literal["not_applicable", "dont_know", "refused", "no_answer", "skipped"]
Denominator = Literal["in", "out"]


class Answer(Label):
    """One answer of a scale: its labels, its score in points 0-100, and whether it counts for a rate.

    `aliases` are other spellings of it in files.
    """

    aliases: list[str] = []
    score: Annotated[int, Field(ge=0, le=100)] | None = None
    counts: bool | None = None


class Special(Label):
    """A code that is no answer: why, and whether such a person stays in the denominator."""

    aliases: list[str] = []
    reason: Reason
    denominator: Denominator


class Option(Label):
    """One option of a select-all item; `correct` only where the item tests knowledge."""

    aliases: list[str] = []
    correct: bool | None = None


class Coded(Record):
    """Answers and special codes; shared by scales and by items that carry their own."""

    answers: Annotated[dict[Code, Answer], Field(min_length=2)]
    special: dict[Code, Special] = {}

    @model_validator(mode="after")
    def _codes_apart(self) -> Coded:
        _apart(self.answers, self.special)
        return self


Spelt = Annotated[str, BeforeValidator(str)]  # an old code as a file shows it


class Replaced(Record):
    """A column of an earlier version of the item; `crosswalk` gives the new code of every old one, none: the same codes."""

    crosswalk: Annotated[dict[Spelt, Code], Field(min_length=1)] | None = None


class ItemBase(Label):
    """What every item has: labels, whether a row without it is unusable, and when it is asked.

    A column of a file belongs to the item by its name, an alias, a label or its `number` in the form ("3", "3(1)");
    `replaces` names the columns of earlier versions.
    """

    number: str | None = None
    aliases: list[str] = []
    replaces: dict[str, Replaced] = {}
    required: bool = False
    asked_if: dict[Name, Annotated[list[Code], Field(min_length=1)]] = {}
    wording: Label | None = None


class TextItem(ItemBase):
    """Free text kept as it is: identifiers, PSU and interviewer codes."""

    type: Literal["text"]
    unique: bool = False


class DateItem(ItemBase):
    """A calendar date."""

    type: Literal["date"]


class NumberItem(ItemBase):
    """A number within a declared range, a whole multiple of `step` (0.5: halves are allowed).

    Where a survey takes its base weights from the item and no step is declared, any number above zero is allowed.
    """

    type: Literal["number"]
    low: int
    high: int
    step: Annotated[float, Field(gt=0, le=1)] = 1

    def allows(self, numbers: pd.Series, *, weight: bool) -> pd.Series:
        """Return which numbers are in range and multiples of the step, but for what binary arithmetic rounds."""
        in_range = numbers.between(self.low, self.high)
        if weight and "step" not in self.model_fields_set:
            return in_range & (numbers > 0)
        steps = numbers / self.step
        return in_range & ((steps - steps.round()).abs() <= ROUNDING * steps.abs())


class AreaItem(ItemBase):
    """A six-digit area code, checked against the survey's table of areas."""

    type: Literal["area"]


class SingleItem(ItemBase):
    """One answer from a scale (by name) or from answers of its own."""

    type: Literal["single"]
    scale: str | None = None
    answers: dict[Code, Answer] = {}
    special: dict[Code, Special] = {}

    @model_validator(mode="after")
    def _one_source(self) -> SingleItem:
        if (self.scale is None) == (not self.answers):
            raise fault(
                "Q111",
                "单选题须且只须写 scale 或 answers 之一。",
                "A single item needs either `scale` or `answers`, not both.",
                hint=("写 scale: <量表名>，或列出 answers。", "Write scale: <name>, or list the answers."),
            )
        _apart(self.answers, self.special)
        return self


class Knowledge(Record):
    """How a select-all item earns credit.

    all: every correct option and no wrong one earns 1, else 0. at_least: 1 from `least` correct options on, if at most
    `wrong_allowed` wrong ones are chosen. share: (correct - wrong) / number of correct options, not below 0.
    """

    credit: Literal["all", "at_least", "share"]
    least: Annotated[int, Field(ge=1)] | None = None
    wrong_allowed: Annotated[int, Field(ge=0)] = 0


class MultipleItem(ItemBase):
    """Select all that apply; in a file one column, options joined by the separator."""

    type: Literal["multiple"]
    options: Annotated[dict[Code, Option], Field(min_length=2)]
    special: dict[Code, Special] = {}
    knowledge: Knowledge | None = None
    separator: str = ";"
    max_selected: Annotated[int, Field(ge=1)] | None = None

    @model_validator(mode="after")
    def _knowledge_complete(self) -> MultipleItem:
        _apart(self.options, self.special)
        marked = [option.correct for option in self.options.values()]
        if self.knowledge and (None in marked or True not in marked):
            raise fault(
                "Q112",
                "知识题的每个选项都须写明 correct: true 或 false，且至少一个为 true。",
                "Every option of a knowledge item needs correct: true or false, at least one true.",
                at=("options",),
                hint=("补全 correct。", "Complete `correct`."),
            )
        if self.knowledge and (self.knowledge.credit == "at_least") != (self.knowledge.least is not None):
            raise fault(
                "Q113",
                "credit: at_least 须写 least，其他规则不写。",
                "credit: at_least needs `least`; the others do not take it.",
                at=("knowledge",),
                hint=("补上或删去 least。", "Add or remove `least`."),
            )
        return self


Item = Annotated[TextItem | DateItem | NumberItem | AreaItem | SingleItem | MultipleItem, Field(discriminator="type")]


def option_column(item: str, code: int) -> str:
    """Return the column that holds 1 where an option of a select-all item was chosen, 0 where not, null if unanswered."""
    return f"{item}_{code}"


def _apart(answers: Iterable[int], special: Mapping[int, Special]) -> None:
    """Refuse a code with two meanings, and a reason with two rules."""
    if both := sorted(set(answers) & set(special)):
        raise fault(
            "Q101",
            f"编码 {shortened(both)} 既是答案又是特殊码。",
            f"Code {shortened(both)} is both an answer and a special code.",
            at=("special",),
            hint=("为特殊码另选编码。", "Choose another code for the special one."),
        )
    rules: dict[str, str] = {}
    for code, one in special.items():
        if rules.setdefault(one.reason, one.denominator) != one.denominator:
            raise fault(
                "Q102",
                f"特殊码 {code} 与同一原因 '{one.reason}' 的另一编码分母规则不同。",
                f"Special code {code} and another code of reason '{one.reason}' differ in `denominator`.",
                at=("special", code),
                hint=("使同一原因的规则一致。", "Give one reason one rule."),
            )
