"""The instrument: items, scales, rates and indices, declared in YAML and read into one frozen record.

Everything that decides a published figure and is not an answer stands here: which answers are valid, which count,
how each special code enters the denominator, how answers score, which items make an index with which weights.
"""

from __future__ import annotations

import math
from collections.abc import Iterable
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, model_validator

from .errors import QuestionnaireError, shortened
from .io.yaml import Code, Label, Name, Record, fault, read_yaml, validated

Reason = Literal["not_applicable", "dont_know", "refused"]
Missing = Literal["not_applicable", "dont_know", "refused", "no_answer", "skipped"]
Denominator = Literal["in", "out"]
Weight = float | Annotated[str, Field(pattern=r"^[0-9]+/[1-9][0-9]*$")]


class Answer(Label):
    """One answer of a scale: its labels, its score in points 0-100, and whether it counts for a rate."""

    score: Annotated[int, Field(ge=0, le=100)] | None = None
    counts: bool | None = None


class Special(Label):
    """A code that is no answer: why, and whether such a person stays in the denominator."""

    reason: Reason
    denominator: Denominator


class Option(Label):
    """One option of a select-all item; `correct` only where the item tests knowledge."""

    correct: bool | None = None


class Coded(Record):
    """Answers and special codes; shared by scales and by items that carry their own."""

    answers: Annotated[dict[Code, Answer], Field(min_length=2)]
    special: dict[Code, Special] = {}

    @model_validator(mode="after")
    def _codes_apart(self) -> Coded:
        _apart(self.answers, self.special)
        return self


class ItemBase(Label):
    """What every item has: labels, whether a row without it is unusable, and when it is asked."""

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
    """A whole number within a declared range."""

    type: Literal["number"]
    low: int
    high: int


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
                "Q111", "单选题须且只须写 scale 或 answers 之一。", "A single item needs either `scale` or `answers`, not both.",
                hint=("写 scale: <量表名>，或列出 answers。", "Write scale: <name>, or list the answers."),
            )  # fmt: skip
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

    @model_validator(mode="after")
    def _knowledge_complete(self) -> MultipleItem:
        _apart(self.options, self.special)
        marked = [option.correct for option in self.options.values()]
        if self.knowledge and (None in marked or True not in marked):
            raise fault(
                "Q112", "知识题的每个选项都须写明 correct: true 或 false，且至少一个为 true。",
                "Every option of a knowledge item needs correct: true or false, at least one true.", at=("options",),
                hint=("补全 correct。", "Complete `correct`."),
            )  # fmt: skip
        if self.knowledge and (self.knowledge.credit == "at_least") != (self.knowledge.least is not None):
            raise fault(
                "Q113", "credit: at_least 须写 least，其他规则不写。", "credit: at_least needs `least`; the others do not take it.",
                at=("knowledge",), hint=("补上或删去 least。", "Add or remove `least`."),
            )  # fmt: skip
        return self


Item = Annotated[TextItem | DateItem | NumberItem | AreaItem | SingleItem | MultipleItem, Field(discriminator="type")]


class Rate(Label):
    """A share of answers that count.

    Over several items a person's value is the mean of the credits of their valid items; a person with fewer than
    `min_valid_items` leaves the denominator. `counts` and `denominator` replace the scale's own declarations.
    """

    items: Annotated[list[Name], Field(min_length=1)]
    combine: Literal["mean_of_items"] = "mean_of_items"
    min_valid_items: Annotated[int, Field(ge=1)] = 1
    counts: list[Code] | None = None
    denominator: dict[Missing, Denominator] = {}
    source: str | None = None


class Index(Label):
    """A score of 0-100 points with declared weights that add to one.

    level person: weighted mean of a person's valid item scores, weights renormalised over them, if at least
    `min_valid_items` are valid. level area: the weighted sum of an area's estimates (items, rates in percent, indices).
    """

    level: Literal["person", "area"] = "person"
    weights: Annotated[dict[Name, Weight], Field(min_length=1)]
    min_valid_items: Annotated[int, Field(ge=1)] = 1
    source: str

    @model_validator(mode="after")
    def _weights_add_up(self) -> Index:
        exact = [Fraction(str(weight)) for weight in self.weights.values()]
        if (total := sum(exact, Fraction(0))) != 1 or min(exact) < 0:
            raise fault(
                "Q121", f"指数的权重之和为 {float(total):.12g}，须等于 1 且不为负。",
                f"The weights of the index add to {float(total):.12g}; they must add to 1, none negative.", at=("weights",),
                hint=('改正权重；三分之一可写作 "1/3"。', 'Correct the weights; a third may be written "1/3".'),
            )  # fmt: skip
        if self.min_valid_items > len(self.weights):
            raise fault(
                "Q122", "min_valid_items 大于指数的题目数。", "min_valid_items exceeds the number of items.", at=("min_valid_items",),
                hint=("改小 min_valid_items。", "Lower min_valid_items."),
            )  # fmt: skip
        return self

    def whole_weights(self) -> dict[str, int]:
        """Return the weights as the smallest whole numbers in the same proportion (exact arithmetic needs them)."""
        exact = {name: Fraction(str(weight)) for name, weight in self.weights.items()}
        common = math.lcm(*(weight.denominator for weight in exact.values()))
        whole = {name: int(weight * common) for name, weight in exact.items()}
        divisor = math.gcd(*whole.values())
        return {name: value // divisor for name, value in whole.items()}


class Roles(Record):
    """Which items identify the respondent, the area, and the parts of the sample design."""

    respondent: Name
    area: Name
    strata: list[Name] = []
    psu: Name | None = None
    calibration: list[Name] = []
    interview_date: Name | None = None
    interviewer: Name | None = None


class Questionnaire(Record):
    """One version of one instrument; immutable once fielded."""

    questionnaire: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    version: Annotated[str, Field(pattern=r"^[0-9A-Za-z][0-9A-Za-z.-]*$")]
    title: Label
    source: str
    universe: Label
    changes: list[str]
    scales: dict[Name, Coded] = {}
    items: dict[Name, Item]
    topics: list[Name] = []
    rates: dict[Name, Rate] = {}
    indices: dict[Name, Index] = {}
    ranked: Name
    roles: Roles
    eligibility: dict[Name, list[Code]] = {}

    @property
    def reference(self) -> str:
        """Return 'name@version', the form a survey refers to."""
        return f"{self.questionnaire}@{self.version}"

    def answers(self, item: str) -> dict[int, Answer]:
        """Return the answers of a single item by code, from its scale or its own."""
        declared = self.items[item]
        assert isinstance(declared, SingleItem)
        return self.scales[declared.scale].answers if declared.scale else declared.answers

    def special(self, item: str) -> dict[int, Special]:
        """Return the special codes of a single or multiple item."""
        declared = self.items[item]
        if isinstance(declared, SingleItem) and declared.scale:
            return self.scales[declared.scale].special
        return getattr(declared, "special", {})

    def denominator(self, item: str, rate: Rate) -> dict[str, Denominator]:
        """Return how each way of not answering an item enters the denominator of a rate."""
        rule: dict[str, Denominator] = {"no_answer": "out", "skipped": "out"}
        rule |= {special.reason: special.denominator for special in self.special(item).values()}
        return rule | {str(reason): way for reason, way in rate.denominator.items()}

    @model_validator(mode="after")
    def _references_exist(self) -> Questionnaire:
        for at, names, available in self._references():
            for name in names:
                if name not in available:
                    raise fault(
                        "Q131", f"引用了不存在的名称 '{name}'。", f"'{name}' is referred to but not declared.", at=at,
                        available=available, got=name, hint=("改为已声明的名称，或先声明它。", "Use a declared name, or declare it."),
                    )  # fmt: skip
        return self

    def _references(self) -> Iterable[tuple[tuple[str, ...], Iterable[str], list[str]]]:
        """Yield every reference: where it stands, the names, and what may be named there."""
        items, roles = list(self.items), self.roles
        for name, item in self.items.items():
            yield ("items", name, "asked_if"), item.asked_if, [single for single in self._singles() if single != name]
            if isinstance(item, SingleItem) and item.scale:
                yield ("items", name, "scale"), [item.scale], list(self.scales)
        yield ("topics",), self.topics, self._singles()
        for name, rate in self.rates.items():
            yield ("rates", name, "items"), rate.items, self._singles() + self._knowledge()
        measured = [*self._singles(), *self.rates, *(k for k, index in self.indices.items() if index.level == "person")]
        for name, index in self.indices.items():
            yield ("indices", name, "weights"), index.weights, self._singles() if index.level == "person" else measured
        yield ("ranked",), [self.ranked], [*self.rates, *self.indices]
        yield ("eligibility",), self.eligibility, self._singles()
        named = [roles.respondent, roles.area, roles.psu, roles.interview_date, roles.interviewer]
        yield ("roles",), [*filter(None, named), *roles.strata, *roles.calibration], items

    def _singles(self) -> list[str]:
        return [name for name, item in self.items.items() if isinstance(item, SingleItem)]

    def _knowledge(self) -> list[str]:
        return [name for name, item in self.items.items() if isinstance(item, MultipleItem) and item.knowledge]

    @model_validator(mode="after")
    def _codes_complete(self) -> Questionnaire:
        for name, rate in self.rates.items():
            for item in set(rate.items) & set(self._singles()):
                self._check_counts(name, item, rate)
        scored = [(("topics",), item) for item in self.topics]
        for name, index in self.indices.items():
            scored += [(("indices", name, "weights"), item) for item in index.weights if item in self.items]
        for at, item in scored:
            if lacking := [code for code, answer in self.answers(item).items() if answer.score is None]:
                raise _lacking("Q133", "score", item, lacking, at)
        return self

    def _check_counts(self, rate: str, item: str, declared: Rate) -> None:
        answers = self.answers(item)
        if declared.counts is None:
            if lacking := [code for code, answer in answers.items() if answer.counts is None]:
                raise _lacking("Q132", "counts", item, lacking, ("rates", rate))
        elif unknown := [code for code in declared.counts if code not in answers]:
            raise fault(
                "Q134", f"counts 中的编码 {unknown} 不在题目 '{item}' 的量表内。", f"counts names {unknown}, not answers of item '{item}'.",
                at=("rates", rate, "counts"), available=answers, hint=("改为量表内的编码。", "Use codes of the scale."),
            )  # fmt: skip

    @model_validator(mode="after")
    def _names_apart(self) -> Questionnaire:
        seen: dict[str, str] = {}
        for group, names in {"items": self.items, "rates": self.rates, "indices": self.indices}.items():
            for name in names:
                if name in seen:
                    raise fault(
                        "Q135", f"名称 '{name}' 已用于 {seen[name]}。", f"The name '{name}' is already used under {seen[name]}.",
                        at=(group, name), hint=("换一个名称。", "Choose another name."),
                    )  # fmt: skip
                seen[name] = group
        return self


def read_questionnaire(path: str | Path) -> Questionnaire:
    """Read one questionnaire file.

    Raises
    ------
    QuestionnaireError
        For an unknown or missing key, codes that overlap or are missing, weights that do not add up, or a reference to
        nothing: with file and line, what is available and the way out.
    """
    return validated(read_yaml(Path(path), QuestionnaireError), Questionnaire, QuestionnaireError)


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of questionnaire files, for editors."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Questionnaire.model_json_schema()}


def _apart(answers: Iterable[int], special: Iterable[int]) -> None:
    if both := sorted(set(answers) & set(special)):
        raise fault(
            "Q101", f"编码 {shortened(both)} 既是答案又是特殊码。", f"Code {shortened(both)} is both an answer and a special code.",
            at=("special",), hint=("为特殊码另选编码。", "Choose another code for the special one."),
        )  # fmt: skip


def _lacking(code: str, key: str, item: str, codes: list[int], at: tuple[str, ...]) -> Exception:
    return fault(
        code, f"题目 '{item}' 的答案 {shortened(codes)} 没有声明 {key}。", f"Answers {shortened(codes)} of item '{item}' declare no `{key}`.",
        at=at, hint=(f"在量表中为每个答案写明 {key}。", f"Declare `{key}` for every answer of the scale."),
    )  # fmt: skip

