"""The instrument: items, scales, rates and indices, declared in YAML and read into one frozen record.

Everything that decides a published figure and is not an answer stands here: which answers are valid, which count,
how each special code enters the denominator, how answers score, which items make an index with which weights.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
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
    ItemBase,
    Knowledge,
    MultipleItem,
    NumberItem,
    Rate,
    SingleItem,
    Special,
    option_column,
)
from satisfaction.foundation.errors import QuestionnaireError, shortened
from satisfaction.foundation.language import Text, _
from satisfaction.foundation.pages import card
from satisfaction.foundation.shipped import questionnaires_in
from satisfaction.foundation.yaml import (
    Code,
    Label,
    Location,
    Name,
    Record,
    Statement,
    Words,
    fault,
    read_yaml,
    schema_of,
    validated,
)

CODES = (
    "satisfaction_codes"  # among the attributes of a frame of accepted responses: `coded_columns`
)
RESERVED = ("base_weight", "measure", "responded")  # columns the package adds beside the items


class CodedColumns(dict[str, dict[str, Any]]):
    """What coded columns are, by name; never changed.

    It travels among the attributes of a frame, and pandas copies those deeply with every column that is taken from it.
    """

    def __deepcopy__(self, _memo: dict[int, Any]) -> CodedColumns:
        return self


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
    """One version of one instrument; immutable once fielded.

    Examples
    --------
    >>> questionnaire = sat.read_questionnaire("questionnaires/small/1.yaml")
    >>> list(questionnaire.rates)
    ['awareness', 'participation', 'satisfaction']
    >>> {code: answer.score for code, answer in questionnaire.answers("overall").items()}
    {5: 100, 4: 75, 3: 50, 2: 25, 1: 0}
    >>> questionnaire.denominator("overall", questionnaire.rates["satisfaction"])["dont_know"]
    'out'
    """

    questionnaire: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    version: Annotated[str, Field(pattern=r"^[0-9A-Za-z][0-9A-Za-z.-]*$")]
    title: Words
    source: Statement
    universe: Words
    changes: list[Statement]
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

    def __repr__(self) -> str:
        return (
            f"Questionnaire({self.reference}: {len(self.items)} items, {len(self.rates)} rates, "
            f"{len(self.indices)} indices, ranked by {self.ranked})"
        )

    def _repr_html_(self) -> str:
        items = []
        for name, item in self.items.items():
            row = {"item": name, "type": item.type, "label": str(item)}
            answers = self.answers(name) if isinstance(item, SingleItem) else {}
            in_words = [f"{code} {answer}" for code, answer in answers.items()]
            row["answers"] = "; ".join(in_words)
            special = []
            for code, reason in self.special(name).items():
                special.append(f"{code} {reason} ({reason.denominator})")
            row["special"] = "; ".join(special)
            items.append(row)
        rates = []
        for name, rate in self.rates.items():
            row = {"rate": name, "label": str(rate), "items": ", ".join(rate.items)}
            ways = self.denominator(rate.items[0], rate)
            rates.append(row | ways)
        indices = []
        for name, index in self.indices.items():
            row = {"index": name, "label": str(index), "level": index.level}
            indices.append(row | {"weights": str(index.weights), "source": str(index.source)})
        facts = {
            _("source"): self.source,
            _("universe"): self.universe,
            _("ranked by"): self.ranked,
        }
        tables: dict[Text | str, Any] = {
            str(_("items")): pd.DataFrame(items),
            str(_("rates, with how they are counted")): pd.DataFrame(rates),
            str(_("indices")): pd.DataFrame(indices),
        }
        return card(f"{self.title} · {self.reference}", facts=facts, tables=tables)

    @property
    def reference(self) -> str:
        """Return 'name@version', the form a survey refers to."""
        return f"{self.questionnaire}@{self.version}"

    def items_of(self, *kinds: type[ItemBase]) -> list[str]:
        """Return the names of the items of some kinds, in the questionnaire's order."""
        items = self.items.items()
        return [name for name, item in items if isinstance(item, kinds)]

    @property
    def measures(self) -> list[str]:
        """Return the names of all rates, indices and topics."""
        return [*self.rates, *self.indices, *self.topics]

    def measures_of(self, scores: Collection[str | None]) -> set[str]:
        """Return the measures of persons that some scores are made of: themselves, or the parts of an index of areas."""
        needed: set[str] = set()
        for score in scores:
            index = self.indices.get(score or "")
            if index is not None and index.level == "area":
                needed |= index.weights.keys()
            elif score is not None:
                needed.add(score)
        return needed

    def answers(self, item: str) -> dict[int, Answer]:
        """Return the answers of a single item by code, from its scale or its own."""
        declared = self.items[item]
        assert isinstance(declared, SingleItem)
        return self.scales[declared.scale].answers if declared.scale else declared.answers

    def choices(self, item: str) -> Mapping[int, Label]:
        """Return the answers of a single item, or the options of a select-all item, by code; of other items none."""
        declared = self.items[item]
        return (
            self.answers(item)
            if isinstance(declared, SingleItem)
            else getattr(declared, "options", {})
        )

    def special(self, item: str) -> dict[int, Special]:
        """Return the special codes of a single or multiple item."""
        declared = self.items[item]
        if isinstance(declared, SingleItem) and declared.scale:
            return self.scales[declared.scale].special
        return getattr(declared, "special", {})

    def columns(self, item: str) -> list[str]:
        """Return the coded columns of an item: its own, and one for each option of a select-all item."""
        options = getattr(self.items[item], "options", ())
        return [item, *(option_column(item, code) for code in options)]

    def coded_columns(self) -> CodedColumns:
        """Say of every coded column whose mean would mean nothing what it is: a select-all item, and its special codes."""
        coded = CodedColumns()
        for name, item in self.items.items():
            select_all = isinstance(item, MultipleItem)
            special = list(self.special(name))
            if select_all or special:
                coded[name] = {"select_all": select_all, "special": special}
        return coded

    def overall_rates(self) -> list[str]:
        """Return the rates that may be the overall judgement: of one single item that is no topic."""
        judged = set(self.items_of(SingleItem)) - set(self.topics)
        rates = []
        for name, rate in self.rates.items():
            if len(rate.items) == 1 and judged.issuperset(rate.items):
                rates.append(name)
        return rates

    def credited(self, item: str, rate: Rate) -> MultipleItem:
        """Return a select-all item with the rule by which it earns credit for a rate: its own, or any option that counts."""
        declared = self.items[item]
        assert isinstance(declared, MultipleItem)
        if declared.knowledge:
            return declared
        options = {}
        for code, option in declared.options.items():
            correct = code in (rate.counts or ())
            options[code] = option.model_copy(update={"correct": correct})
        any_of_them = Knowledge(credit="at_least", least=1, wrong_allowed=len(options))
        return declared.model_copy(update={"options": options, "knowledge": any_of_them})

    def denominator(self, item: str, rate: Rate) -> dict[str, Denominator]:
        """Return how each way of not answering an item enters the denominator of a rate."""
        rule: dict[str, Denominator] = {"no_answer": "out", "skipped": "out"}
        for special in self.special(item).values():
            rule[special.reason] = special.denominator
        return rule | dict(rate.denominator)

    def rests_on(self, measure: str) -> set[str]:
        """Return the items that a rate, an index or an item rests on."""
        if measure in self.items:
            return {measure}
        if measure in self.rates:
            parts = list(self.rates[measure].items)
        else:
            parts = list(self.indices[measure].weights)
        return set().union(*map(self.rests_on, parts))

    @model_validator(mode="after")
    def _references_exist(self) -> Questionnaire:
        items = list(self.items)
        roles = self.roles
        singles = self.items_of(SingleItem)
        for name, item in self.items.items():
            others = [single for single in singles if single != name]
            _refuse_undeclared(("items", name, "asked_if"), item.asked_if, others)
            if isinstance(item, SingleItem) and item.scale:
                _refuse_undeclared(("items", name, "scale"), [item.scale], list(self.scales))
        _refuse_undeclared(("topics",), self.topics, singles)
        counted = singles + self.items_of(MultipleItem)
        for name, rate in self.rates.items():
            _refuse_undeclared(("rates", name, "items"), rate.items, counted)
        of_persons = [name for name, index in self.indices.items() if index.level == "person"]
        measured = [*self.topics, *self.rates, *of_persons]
        for name, index in self.indices.items():
            parts = singles if name in of_persons else measured
            _refuse_undeclared(("indices", name, "weights"), index.weights, parts)
        compared = self.items_of(SingleItem, NumberItem, DateItem)
        for name, constraint in self.constraints.items():
            _refuse_undeclared(("constraints", name, "check"), constraint.items(), compared)
        ranked = [*self.rates, *self.indices]
        _refuse_undeclared(("ranked",), [self.ranked], ranked)
        if self.overall:
            _refuse_undeclared(("overall",), [self.overall], self.overall_rates())
        _refuse_undeclared(("eligibility",), self.eligibility, singles)
        named = [roles.respondent, roles.area, roles.psu, roles.interview_date, roles.interviewer]
        named += [*roles.strata, *roles.calibration]
        _refuse_undeclared(("roles",), filter(None, named), items)
        of_areas = self.items_of(AreaItem, SingleItem)
        _refuse_undeclared(("roles", "area"), [roles.area], of_areas)
        for i, other in enumerate(self.comparable_with):
            _refuse_undeclared(
                ("comparable_with", i, "bridge_items"), other.bridge_items or [], items
            )
        return self

    @model_validator(mode="after")
    def _codes_complete(self) -> Questionnaire:
        """Refuse answers that a rate or an index needs and the scale leaves open, and conditions of codes that are none."""
        for name, rate in self.rates.items():
            credited = []  # select-all items that earn credit by their own rule
            for item in rate.items:
                if getattr(self.items[item], "knowledge", None):
                    credited.append(item)
            counted = [item for item in rate.items if item not in credited]
            if rate.counts is not None and not counted:
                raise fault(
                    "Q138",
                    _(
                        "Knowledge items are scored by `knowledge`; `counts` does not apply to them."
                    ),
                    at=("rates", name, "counts"),
                    hint=_("Remove `counts`."),
                )
            for item in counted:
                self._check_counts(name, item, rate)
        for name, asked in self.items.items():
            for item, codes in asked.asked_if.items():
                self._check_condition(item, codes, ("items", name, "asked_if", item))
        for item, codes in self.eligibility.items():
            self._check_condition(item, codes, ("eligibility", item))
        for item in self.topics:
            self._check_scores(item, ("topics",))
        for name, index in self.indices.items():
            for part in index.weights:
                if part in self.items:
                    self._check_scores(part, ("indices", name, "weights"))
        return self

    def _check_counts(self, rate: str, item: str, declared: Rate) -> None:
        """Refuse a rate of an item of which it is not clear which answers or options count."""
        asked = self.items[item]
        choices = self.choices(item)
        counts = {code: getattr(choice, "counts", None) for code, choice in choices.items()}
        if declared.counts is not None:
            unknown = [code for code in declared.counts if code not in counts]
            if unknown:
                raise fault(
                    "Q134",
                    _(
                        "counts names {unknown}, not answers of item '{item}'.",
                        unknown=unknown,
                        item=item,
                    ),
                    at=("rates", rate, "counts"),
                    available=counts,
                    hint=_("Use codes of the scale."),
                )
        elif isinstance(asked, MultipleItem):
            raise fault(
                "Q380",
                _(
                    "'{item}' is a select-all item; the rate must say which options count.",
                    item=item,
                ),
                at=("rates", rate),
                available=counts,
                hint=_(
                    "counts: [3] is the share who chose option 3; for a knowledge item write "
                    "`knowledge` in the item."
                ),
            )
        else:
            _refuse_open("Q132", "counts", item, values=counts, at=("rates", rate))

    def _check_scores(self, item: str, at: Location) -> None:
        answers = self.answers(item)
        scores = {code: answer.score for code, answer in answers.items()}
        _refuse_open("Q133", "score", item, values=scores, at=at)

    def _check_condition(self, item: str, codes: list[int], at: Location) -> None:
        known = [*self.answers(item), *self.special(item)]
        unknown = shortened(code for code in codes if code not in known)
        if unknown:
            raise fault(
                "Q136",
                _(
                    "The condition names {unknown}, not codes of item '{item}'.",
                    unknown=unknown,
                    item=item,
                ),
                at=at,
                available=known,
                hint=_("Use codes of the scale."),
            )

    @model_validator(mode="after")
    def _names_apart(self) -> Questionnaire:
        """Refuse a name that two things have, and a version that stands twice."""
        owners = dict.fromkeys(RESERVED, "the package")
        names = []
        for item in self.items:
            names += [("items", column) for column in self.columns(item)]
        names += [("rates", name) for name in self.rates]
        names += [("indices", name) for name in self.indices]
        for group, name in names:
            owner = "the package" if name.startswith("_") else owners.get(name)
            if owner:
                raise fault(
                    "Q135",
                    _("The name '{name}' is already used by {owner}.", name=name, owner=owner),
                    at=(group, name),
                    hint=_("Choose another name."),
                )
            owners[name] = group
        named = {self.reference}
        for i, other in enumerate(self.comparable_with):
            if other.version in named:
                raise fault(
                    "Q152",
                    _(
                        "{version} in comparable_with is this version itself or stands there already.",
                        version=other.version,
                    ),
                    at=("comparable_with", i),
                    hint=_("Remove it; a version is always comparable with itself."),
                )
            named.add(other.version)
        return self


def _refuse_undeclared(at: Location, names: Iterable[str], available: list[str]) -> None:
    """Refuse a reference to a name that is not among those that may be named there."""
    for name in names:
        if name not in available:
            raise fault(
                "Q131",
                _("'{name}' is referred to but not declared.", name=name),
                at=at,
                available=available,
                got=name,
                hint=_("Use a declared name, or declare it."),
            )


def _refuse_open(
    code: str, key: str, item: str, *, values: Mapping[int, object], at: Location
) -> None:
    """Refuse a scale with answers that leave a key open which is needed."""
    lacking = shortened(answer for answer, value in values.items() if value is None)
    if lacking:
        problem = _(
            "Answers {lacking} of item '{item}' declare no `{key}`.",
            lacking=lacking,
            item=item,
            key=key,
        )
        hint = _("Declare `{key}` for every answer of the scale.", key=key)
        raise fault(code, problem, at=at, hint=hint)


def read_questionnaire(path: str | Path) -> Questionnaire:
    """Read one questionnaire file.

    Raises
    ------
    QuestionnaireError
        For an unknown or missing key, codes that overlap or are missing, weights that do not add up, or a reference to
        nothing: with file and line, what is available and the way out.

    Examples
    --------
    >>> questionnaire = sat.read_questionnaire("questionnaires/small/1.yaml")
    >>> questionnaire
    Questionnaire(small@1: 18 items, 3 rates, 2 indices, ranked by topic_index)
    >>> questionnaire.ranked
    'topic_index'
    """
    return validated(read_yaml(Path(path), QuestionnaireError), Questionnaire, QuestionnaireError)


def questionnaires_above(path: Path) -> dict[str, Path]:
    """Return the questionnaires (questionnaires/NAME/VERSION.yaml in the folders above a path) by name@version.

    Of a version that stands twice the nearest one is taken.
    """
    files: dict[str, Path] = {}
    for folder in path.resolve().parents:
        files = questionnaires_in(folder / "questionnaires") | files
    return files


def json_schema() -> dict[str, Any]:
    """Return the JSON Schema of questionnaire files, for editors, with descriptions in the current language."""
    dialect = {"$schema": "https://json-schema.org/draft/2020-12/schema"}
    return dialect | schema_of(Questionnaire)
