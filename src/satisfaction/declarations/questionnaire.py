"""The instrument: items, scales, rates and indices, declared in YAML and read into one frozen record.

Everything that decides a published figure and is not an answer stands here: which answers are valid, which count,
how each special code enters the denominator, how answers score, which items make an index with which weights.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Annotated, Any

import pandas as pd
from pydantic import Field, model_validator

from satisfaction.declarations.items import (
    Answer,
    AreaItem,
    Coded,
    Comparable,
    Constraint,
    DateItem,
    Denominator,
    Index,
    Item,
    Knowledge,
    MultipleItem,
    NumberItem,
    Rate,
    SingleItem,
    Special,
    option_column,
)
from satisfaction.foundation.errors import QuestionnaireError, shortened
from satisfaction.foundation.pages import card
from satisfaction.foundation.yaml import (
    Code,
    Label,
    Location,
    Name,
    Record,
    fault,
    read_yaml,
    validated,
)

CODES = (
    "satisfaction_codes"  # among the attributes of a frame of accepted responses: `coded_columns`
)
RESERVED = ("base_weight", "measure", "responded")  # columns the package adds beside the items


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
    comparable_with: list[Comparable] = []
    scales: dict[Name, Coded] = {}
    items: dict[Name, Item]
    topics: list[Name] = []
    rates: dict[Name, Rate] = {}
    indices: dict[Name, Index] = {}
    ranked: Name
    overall: Name | None = None
    roles: Roles
    eligibility: dict[Name, list[Code]] = {}
    constraints: dict[Name, Constraint] = {}

    def _repr_html_(self) -> str:
        items = [
            {
                "item": name,
                "type": one.type,
                "zh": one.zh,
                "en": one.en,
                "answers": "; ".join(f"{code} {a.zh}" for code, a in self.answers(name).items())
                if isinstance(one, SingleItem)
                else "",
                "special": "; ".join(
                    f"{code} {a.zh} ({a.denominator})" for code, a in self.special(name).items()
                ),
            }
            for name, one in self.items.items()
        ]
        rates = [
            {"rate": name, "zh": one.zh, "en": one.en, "items": ", ".join(one.items)}
            | self.denominator(one.items[0], one)
            for name, one in self.rates.items()
        ]
        indices = [
            {
                "index": name,
                "zh": one.zh,
                "en": one.en,
                "level": one.level,
                "weights": str(dict(one.weights)),
                "source": one.source,
            }
            for name, one in self.indices.items()
        ]
        tables = {
            "题目 items": items,
            "率（分母规则）rates (denominators)": rates,
            "指数 indices": indices,
        }
        facts = {"source": self.source, "universe": str(self.universe), "ranked": self.ranked}
        return card(
            f"{self.title} · {self.reference}",
            facts=facts,
            tables={name: pd.DataFrame(rows) for name, rows in tables.items()},
        )

    @property
    def reference(self) -> str:
        """Return 'name@version', the form a survey refers to."""
        return f"{self.questionnaire}@{self.version}"

    def answers(self, item: str) -> dict[int, Answer]:
        """Return the answers of a single item by code, from its scale or its own."""
        declared = self.items[item]
        assert isinstance(declared, SingleItem)
        return self.scales[declared.scale].answers if declared.scale else declared.answers

    def overall_rates(self) -> list[str]:
        """Return the rates that may be the overall judgement: of one single item that is no topic."""
        judged = set(self._singles()) - set(self.topics)
        return [
            name
            for name, rate in self.rates.items()
            if len(rate.items) == 1 and rate.items[0] in judged
        ]

    def columns(self, item: str) -> list[str]:
        """Return the coded columns of an item: its own, and one for each option of a select-all item."""
        return [
            item,
            *(option_column(item, code) for code in getattr(self.items[item], "options", ())),
        ]

    def credited(self, item: str, rate: Rate) -> MultipleItem:
        """Return a select-all item with the rule by which it earns credit for a rate: its own, or any option that counts."""
        declared = self.items[item]
        assert isinstance(declared, MultipleItem)
        if declared.knowledge:
            return declared
        counted = {
            code: one.model_copy(update={"correct": code in (rate.counts or ())})
            for code, one in declared.options.items()
        }
        any_of_them = Knowledge(credit="at_least", least=1, wrong_allowed=len(counted))
        return declared.model_copy(update={"options": counted, "knowledge": any_of_them})

    def coded_columns(self) -> dict[str, dict[str, Any]]:
        """Say of every coded column whose mean would mean nothing what it is: a select-all item, and its special codes."""
        return {
            name: {
                "select_all": isinstance(item, MultipleItem),
                "special": list(self.special(name)),
            }
            for name, item in self.items.items()
            if isinstance(item, MultipleItem) or self.special(name)
        }

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

    def rests_on(self, measure: str) -> set[str]:
        """Return the items that a rate, an index or an item rests on."""
        if measure in self.items:
            return {measure}
        parts = (
            self.rates[measure].items if measure in self.rates else self.indices[measure].weights
        )
        return set().union(*(self.rests_on(part) for part in parts))

    @model_validator(mode="after")
    def _references_exist(self) -> Questionnaire:
        for at, names, available in self._references():
            for name in names:
                if name not in available:
                    raise fault(
                        "Q131",
                        f"引用了不存在的名称 '{name}'。",
                        f"'{name}' is referred to but not declared.",
                        at=at,
                        available=available,
                        got=name,
                        hint=(
                            "改为已声明的名称，或先声明它。",
                            "Use a declared name, or declare it.",
                        ),
                    )
        return self

    def _references(self) -> Iterable[tuple[Location, Iterable[str], list[str]]]:
        """Yield every reference: where it stands, the names, and what may be named there."""
        items, roles = list(self.items), self.roles
        for name, item in self.items.items():
            yield (
                ("items", name, "asked_if"),
                item.asked_if,
                [single for single in self._singles() if single != name],
            )
            if isinstance(item, SingleItem) and item.scale:
                yield ("items", name, "scale"), [item.scale], list(self.scales)
        yield ("topics",), self.topics, self._singles()
        for name, rate in self.rates.items():
            yield ("rates", name, "items"), rate.items, self._singles() + self._multiples()
        measured = [
            *self.topics,
            *self.rates,
            *(k for k, index in self.indices.items() if index.level == "person"),
        ]
        for name, index in self.indices.items():
            yield (
                ("indices", name, "weights"),
                index.weights,
                self._singles() if index.level == "person" else measured,
            )
        compared = [
            name
            for name, item in self.items.items()
            if isinstance(item, SingleItem | NumberItem | DateItem)
        ]
        for name, one in self.constraints.items():
            yield ("constraints", name, "check"), one.items(), compared
        yield ("ranked",), [self.ranked], [*self.rates, *self.indices]
        yield ("overall",), [self.overall] if self.overall else [], self.overall_rates()
        yield ("eligibility",), self.eligibility, self._singles()
        named = [roles.respondent, roles.area, roles.psu, roles.interview_date, roles.interviewer]
        yield ("roles",), [*filter(None, named), *roles.strata, *roles.calibration], items
        areas = [
            name for name, item in self.items.items() if isinstance(item, AreaItem | SingleItem)
        ]
        yield ("roles", "area"), [roles.area], areas
        for i, other in enumerate(self.comparable_with):
            yield ("comparable_with", i, "bridge_items"), other.bridge_items or [], items

    def _knowledge(self, item: str) -> bool:
        return bool(getattr(self.items[item], "knowledge", None))

    def _singles(self) -> list[str]:
        return [name for name, item in self.items.items() if isinstance(item, SingleItem)]

    def _multiples(self) -> list[str]:
        return [name for name, item in self.items.items() if isinstance(item, MultipleItem)]

    @model_validator(mode="after")
    def _codes_complete(self) -> Questionnaire:
        for name, rate in self.rates.items():
            chosen = [
                item
                for item in rate.items
                if item in self._multiples() and not self._knowledge(item)
            ]
            if rate.counts is not None and not set(rate.items) & {*self._singles(), *chosen}:
                raise fault(
                    "Q138",
                    "知识题按 knowledge 计分，不能写 counts。",
                    "Knowledge items are scored by `knowledge`; `counts` does not apply to them.",
                    at=("rates", name, "counts"),
                    hint=("删去 counts。", "Remove `counts`."),
                )
            for item in [*(set(rate.items) & set(self._singles())), *chosen]:
                self._check_counts(name, item, rate)
        scored: list[tuple[tuple[str, ...], str]] = [(("topics",), item) for item in self.topics]
        for name, index in self.indices.items():
            scored += [
                (("indices", name, "weights"), item) for item in index.weights if item in self.items
            ]
        for at, item in scored:
            if lacking := [
                code for code, answer in self.answers(item).items() if answer.score is None
            ]:
                raise _lacking("Q133", "score", item, lacking, at)
        return self

    @model_validator(mode="after")
    def _conditions_possible(self) -> Questionnaire:
        places = [(("items", name, "asked_if"), item.asked_if) for name, item in self.items.items()]
        for at, conditions in [*places, (("eligibility",), self.eligibility)]:
            for item, codes in conditions.items():
                known = [*self.answers(item), *self.special(item)]
                if unknown := [code for code in codes if code not in known]:
                    raise fault(
                        "Q136",
                        f"条件中的编码 {shortened(unknown)} 不在题目 '{item}' 的量表内。",
                        f"The condition names {shortened(unknown)}, not codes of item '{item}'.",
                        at=(*at, item),
                        available=known,
                        hint=("改为量表内的编码。", "Use codes of the scale."),
                    )
        return self

    def _check_counts(self, rate: str, item: str, declared: Rate) -> None:
        one = self.items[item]
        known = list(one.options if isinstance(one, MultipleItem) else self.answers(item))
        if declared.counts is None and isinstance(one, MultipleItem):
            raise fault(
                "Q380",
                f"'{item}' 是多选题；率须写明哪些选项计入。",
                f"'{item}' is a select-all item; the rate must say which options count.",
                at=("rates", rate),
                available=known,
                hint=(
                    "例如 counts: [3] 是选了第 3 项的人所占比例；知识题请在题目里写 knowledge。",
                    "counts: [3] is the share who chose option 3; for a knowledge item write `knowledge` in the item.",
                ),
            )
        if declared.counts is None:
            if lacking := [
                code for code, answer in self.answers(item).items() if answer.counts is None
            ]:
                raise _lacking("Q132", "counts", item, lacking, ("rates", rate))
        elif unknown := [code for code in declared.counts if code not in known]:
            raise fault(
                "Q134",
                f"counts 中的编码 {unknown} 不在题目 '{item}' 的量表内。",
                f"counts names {unknown}, not answers of item '{item}'.",
                at=("rates", rate, "counts"),
                available=known,
                hint=("改为量表内的编码。", "Use codes of the scale."),
            )

    @model_validator(mode="after")
    def _names_apart(self) -> Questionnaire:
        seen: dict[str, str] = {}
        groups: dict[str, Iterable[str]] = {
            "items": [column for item in self.items for column in self.columns(item)], "rates": self.rates, "indices": self.indices,
        }  # fmt: skip
        for group, names in groups.items():
            for name in names:
                taken = (
                    "the package" if name.startswith("_") or name in RESERVED else seen.get(name)
                )
                if taken:
                    raise fault(
                        "Q135",
                        f"名称 '{name}' 已用于 {taken}。",
                        f"The name '{name}' is already used by {taken}.",
                        at=(group, name),
                        hint=("换一个名称。", "Choose another name."),
                    )
                seen[name] = group
        return self

    @model_validator(mode="after")
    def _versions_apart(self) -> Questionnaire:
        seen = {self.reference}
        for i, other in enumerate(self.comparable_with):
            if other.version in seen:
                raise fault(
                    "Q152",
                    f"comparable_with 中的 {other.version} 是本版本或已写过。",
                    f"{other.version} in comparable_with is this version itself or stands there already.",
                    at=("comparable_with", i),
                    hint=(
                        "删去该行；同一版本总是可比。",
                        "Remove it; a version is always comparable with itself.",
                    ),
                )
            seen.add(other.version)
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
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **Questionnaire.model_json_schema(),
    }


def _lacking(code: str, key: str, item: str, codes: list[int], at: tuple[str, ...]) -> Exception:
    return fault(
        code,
        f"题目 '{item}' 的答案 {shortened(codes)} 没有声明 {key}。",
        f"Answers {shortened(codes)} of item '{item}' declare no `{key}`.",
        at=at,
        hint=(f"在量表中为每个答案写明 {key}。", f"Declare `{key}` for every answer of the scale."),
    )
