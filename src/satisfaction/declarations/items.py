"""The parts of a questionnaire: scales and items, rates and indices, constraints, comparable versions."""

from __future__ import annotations

import math
import re
import sys
from collections.abc import Iterable, Mapping
from fractions import Fraction
from typing import Annotated, Literal, TypeAlias, TypeVar

import narwhals as nw
import pandas as pd
from pydantic import BeforeValidator, Field, model_validator

from satisfaction.foundation.errors import shortened
from satisfaction.foundation.language import _
from satisfaction.foundation.yaml import (
    Code,
    Label,
    Name,
    Record,
    Statement,
    Words,
    fault,
    short_form,
)

# what binary arithmetic changes a quotient by, relative to it
ROUNDING = 8 * sys.float_info.epsilon
Numbers = TypeVar("Numbers", pd.Series, nw.Expr)
Names = Annotated[list[Name], Field(min_length=1)]
AtLeastOne = Annotated[int, Field(ge=1)]
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
    wording: Words | None = None


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

    def allows(self, numbers: Numbers, *, weight: bool) -> Numbers:
        """Return which numbers are in range and multiples of the step, but for what binary arithmetic rounds.

        Parameters
        ----------
        numbers : Series or narwhals.Expr
        weight : bool
            Whether the item holds base weights, which need no step but are positive.
        """
        in_range = (numbers >= self.low) & (numbers <= self.high)
        if weight and "step" not in self.model_fields_set:
            return in_range & (numbers > 0)
        steps = numbers / self.step
        distance = (steps - steps.round()).abs()
        return in_range & (distance <= ROUNDING * steps.abs())


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
                _("A single item needs either `scale` or `answers`, not both."),
                hint=_("Write scale: <name>, or list the answers."),
            )
        _apart(self.answers, self.special)
        return self


class Knowledge(Record):
    """How a select-all item earns credit.

    all: every correct option and no wrong one earns 1, else 0. at_least: 1 from `least` correct options on, if at most
    `wrong_allowed` wrong ones are chosen. share: (correct - wrong) / number of correct options, not below 0.
    """

    credit: Literal["all", "at_least", "share"]
    least: AtLeastOne | None = None
    wrong_allowed: Annotated[int, Field(ge=0)] = 0


class MultipleItem(ItemBase):
    """Select all that apply; in a file one column, options joined by the separator."""

    type: Literal["multiple"]
    options: Annotated[dict[Code, Option], Field(min_length=2)]
    special: dict[Code, Special] = {}
    knowledge: Knowledge | None = None
    separator: str = ";"
    max_selected: AtLeastOne | None = None

    @model_validator(mode="after")
    def _knowledge_complete(self) -> MultipleItem:
        _apart(self.options, self.special)
        marked = [option.correct for option in self.options.values()]
        if self.knowledge is None:
            return self
        if None in marked or True not in marked:
            raise fault(
                "Q112",
                _(
                    "Every option of a knowledge item needs correct: true or false, at least one true."
                ),
                at=("options",),
                hint=_("Complete `correct`."),
            )
        needs_least = self.knowledge.credit == "at_least"
        if needs_least != (self.knowledge.least is not None):
            raise fault(
                "Q113",
                _("credit: at_least needs `least`; the others do not take it."),
                at=("knowledge",),
                hint=_("Add or remove `least`."),
            )
        return self


Item = Annotated[
    TextItem | DateItem | NumberItem | AreaItem | SingleItem | MultipleItem,
    Field(discriminator="type"),
]


def option_column(item: str, code: int) -> str:
    """Return the column that holds 1 where an option of a select-all item was chosen, 0 where not, null if unanswered."""
    return f"{item}_{code}"


def _apart(answers: Iterable[int], special: Mapping[int, Special]) -> None:
    """Refuse a code with two meanings, and a reason with two rules."""
    both = sorted(set(answers) & set(special))
    if both:
        raise fault(
            "Q101",
            _("Code {both} is both an answer and a special code.", both=shortened(both)),
            at=("special",),
            hint=_("Choose another code for the special one."),
        )
    rules: dict[str, str] = {}
    for code, answer in special.items():
        if rules.setdefault(answer.reason, answer.denominator) != answer.denominator:
            raise fault(
                "Q102",
                _(
                    "Special code {code} and another code of reason '{reason}' differ in `denominator`.",
                    code=code,
                    reason=answer.reason,
                ),
                at=("special", code),
                hint=_("Give one reason one rule."),
            )


Weight = float | Annotated[str, Field(pattern=r"^[0-9]+/[1-9][0-9]*$")]


class Rate(Label):
    """A share of answers that count.

    Over several items a person's value is the mean of the credits of their valid items; a person with fewer than
    `min_valid_items` leaves the denominator. `counts` and `denominator` replace the scale's own declarations.
    """

    items: Names
    combine: Literal["mean_of_items"] = "mean_of_items"
    min_valid_items: AtLeastOne = 1
    counts: list[Code] | None = None
    denominator: dict[Missing, Denominator] = {}
    source: Statement | None = None

    @model_validator(mode="after")
    def _enough_items(self) -> Rate:
        _check_minimum(self.min_valid_items, len(self.items))
        return self


class Index(Label):
    """A score of 0-100 points with declared weights that add to one.

    level person: weighted mean of a person's valid item scores, weights renormalised over them, if at least
    `min_valid_items` are valid. level area: the weighted sum of an area's estimates (items, rates in percent, indices).
    """

    level: Literal["person", "area"] = "person"
    weights: Annotated[dict[Name, Weight], Field(min_length=1)]
    min_valid_items: AtLeastOne = 1
    source: Statement

    @model_validator(mode="after")
    def _weights_add_up(self) -> Index:
        exact = [Fraction(str(weight)) for weight in self.weights.values()]
        total = sum(exact, Fraction(0))
        if total != 1 or min(exact) < 0:
            raise fault(
                "Q121",
                _(
                    "The weights of the index add to {total:.12g}; they must add to 1, none negative.",
                    total=float(total),
                ),
                at=("weights",),
                hint=_('Correct the weights; a third may be written "1/3".'),
            )
        _check_minimum(self.min_valid_items, len(self.weights))
        return self

    def whole_weights(self) -> dict[str, int]:
        """Return the weights as the smallest whole numbers in the same proportion (exact arithmetic needs them)."""
        exact = [Fraction(str(weight)) for weight in self.weights.values()]
        common = math.lcm(*(weight.denominator for weight in exact))
        whole = [int(weight * common) for weight in exact]
        divisor = math.gcd(*whole)
        smallest = [weight // divisor for weight in whole]
        return dict(zip(self.weights, smallest, strict=True))


def _check_minimum(least: int, items: int) -> None:
    if least > items:
        raise fault(
            "Q122",
            _("min_valid_items exceeds the number of items."),
            at=("min_valid_items",),
            hint=_("Lower min_valid_items."),
        )


Operator: TypeAlias = Literal["<=", ">=", "==", "!=", "<", ">"]
COMPARISON = re.compile(
    r"\s*(?P<left>[A-Za-z_]\w*)\s*(?P<op><=|>=|==|!=|<|>)\s*(?P<right>[A-Za-z_]\w*|-?\d+)\s*"
)
TURNED: dict[Operator, Operator] = {
    "<=": ">=",
    ">=": "<=",
    "<": ">",
    ">": "<",
    "==": "==",
    "!=": "!=",
}


class Constraint(Label):
    """A comparison that must hold where both sides are answered: `check: adults <= household_size`; what it means in words."""

    check: str

    @property
    def left(self) -> str:
        """Return the item on the left."""
        return self._part("left")

    @property
    def right(self) -> str | int:
        """Return the item, or the number, on the right."""
        text = self._part("right")
        return text if text.isidentifier() else int(text)

    @property
    def operator(self) -> Operator:
        """Return the operator."""
        written = self._part("op")
        return next(operator for operator in TURNED if operator == written)

    def items(self) -> list[str]:
        """Return the items that are compared."""
        if isinstance(self.right, str):
            return [self.left, self.right]
        return [self.left]

    def _part(self, name: str) -> str:
        parts = COMPARISON.fullmatch(self.check)
        assert parts is not None
        return parts[name]

    @model_validator(mode="after")
    def _readable(self) -> Constraint:
        if not COMPARISON.fullmatch(self.check):
            raise fault(
                "Q161",
                _("The comparison '{check}' cannot be read.", check=self.check),
                at=("check",),
                available=["a <= b", "a >= 18"],
                hint=_("Write: item, operator, item or whole number."),
            )
        return self


REFERENCE = re.compile(r"[a-z0-9][a-z0-9-]*@[0-9A-Za-z][0-9A-Za-z.-]*")


class ComparableVersion(Record):
    """A questionnaire declared comparable: in every measure, or in those that rest on `bridge_items` alone."""

    version: str
    bridge_items: Names | None = None
    note: Words | None = None
    source: Statement | None = None

    @model_validator(mode="after")
    def _names_a_version(self) -> ComparableVersion:
        if not REFERENCE.fullmatch(self.version):
            raise fault(
                "Q151",
                _(
                    "'{version}' is no version of a questionnaire; write name@version.",
                    version=self.version,
                ),
                at=("version",),
                hint=_("For example civilised-city@2026-1."),
            )
        return self

    def __str__(self) -> str:
        return "; ".join(str(part) for part in (self.version, self.note, self.source) if part)


Comparable = Annotated[ComparableVersion, short_form("version", ComparableVersion)]
