"""What combined.yaml and an assessment's file may say, as frozen records."""

from __future__ import annotations

import datetime
from collections.abc import Iterator
from typing import Annotated, Literal, TypeAlias

from pydantic import Field, model_validator

from satisfaction.foundation.language import _
from satisfaction.foundation.yaml import Label, Name, Record, Statement, Words, fault

TOTAL = 1e-9
Normalisation: TypeAlias = Literal[
    "none", "minmax", "zscore", "goalposts", "share-of-best", "percentile-rank"
]
Aggregation: TypeAlias = Literal["arithmetic", "geometric"]
Points = Annotated[float, Field(ge=0)]


class Component(Label):
    """One part of the combined score: a measure of the survey, a file of scores, or an assessment by points.

    `measure`: of the questionnaire. `file`: columns `code`, `score`, and `se` where the scores have one. `assessment`: a tree
    of items (a YAML file) whose lost points stand in `lost` (columns `code`, `item`, `points`, `reason`). Scores are points
    0-100 once `normalise` has been applied; `goalposts` are the worst and the best value for that method.
    """

    weight: Annotated[float, Field(gt=0, le=1)]
    source: Statement
    measure: Name | None = None
    file: str | None = None
    assessment: str | None = None
    lost: str | None = None
    date: datetime.date | None = None
    normalise: Normalisation = "none"
    goalposts: tuple[float, float] | None = None

    @model_validator(mode="after")
    def _one_kind(self) -> Component:
        kinds = ("measure", "file", "assessment")
        sources = [kind for kind in kinds if getattr(self, kind) is not None]
        if len(sources) != 1 or (self.assessment is None) != (self.lost is None):
            raise fault(
                "K301",
                _(
                    "A component has exactly one of measure, file and assessment; `assessment` "
                    "goes with `lost`."
                ),
                available=kinds,
                hint=_("Keep one of them."),
            )
        if (self.normalise == "goalposts") != (self.goalposts is not None):
            raise fault(
                "K302",
                _("`goalposts` goes with `normalise: goalposts`."),
                hint=_("Add goalposts: [worst, best], or remove it."),
            )
        return self


class CombinedFile(Record):
    """What combined.yaml may say: the parts, their weights (which add up to 1), and how they are put together."""

    title: Words
    source: Statement
    aggregation: Aggregation = "arithmetic"
    components: Annotated[dict[Name, Component], Field(min_length=2)]

    @model_validator(mode="after")
    def _weights_complete(self) -> CombinedFile:
        total = sum(component.weight for component in self.components.values())
        if abs(total - 1) > TOTAL:
            raise fault(
                "K303",
                _("The weights of the components add up to {total:g}, not 1.", total=total),
                at=("components",),
                hint=_("Correct the weights."),
            )
        return self


class AssessmentItem(Label):
    """A branch with items of its own, or a leaf with points and the department that answers for them."""

    points: Points | None = None
    department: str | None = None
    items: dict[Name, AssessmentItem] | None = None

    @model_validator(mode="after")
    def _branch_or_leaf(self) -> AssessmentItem:
        if (self.items is None) == (self.points is None):
            raise fault(
                "K304",
                _("An item has either items below it or points."),
                hint=_("Give points to items at the lowest level."),
            )
        return self

    def leaves(self, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], AssessmentItem]]:
        """Yield the leaves below, each with the names that lead to it."""
        if self.items is None:
            yield path, self
        for name, item in (self.items or {}).items():
            yield from item.leaves((*path, name))


class Veto(Label):
    """An item of the negative list: one occurrence decides.

    `zero`: the assessment scores 0. `cap`: at most `cap` points out of 100. `exclude`: the area is not ranked.
    """

    effect: Literal["zero", "cap", "exclude"]
    cap: Points | None = None
    source: Statement

    @model_validator(mode="after")
    def _cap_given(self) -> Veto:
        if (self.effect == "cap") != (self.cap is not None):
            raise fault(
                "K305",
                _("`cap` goes with effect: cap, and only with it."),
                hint=_("Add or remove `cap`."),
            )
        return self


class Assessment(Record):
    """An assessment system: a tree of items with points, from which points are lost, and a negative list."""

    title: Words
    source: Statement
    items: Annotated[dict[Name, AssessmentItem], Field(min_length=1)]
    veto: dict[Name, Veto] = {}

    def __repr__(self) -> str:
        return f"Assessment({self.title}: {len(self.leaves())} items, {len(self.veto)} vetoes)"

    def leaves(self) -> dict[str, tuple[tuple[str, ...], AssessmentItem]]:
        """Return the leaves by their own name: the names that lead to each, and the item."""
        leaves = {}
        for name, item in self.items.items():
            for path, leaf in item.leaves((name,)):
                leaves[path[-1]] = (path, leaf)
        return leaves

    @model_validator(mode="after")
    def _names_apart(self) -> Assessment:
        names = list(self.veto)
        points = 0.0
        for name, item in self.items.items():
            for path, leaf in item.leaves((name,)):
                names.append(path[-1])
                points += leaf.points or 0
        twice = {name for name in names if names.count(name) > 1}
        if twice:
            raise fault(
                "K306",
                _("The item '{twice}' stands twice.", twice=min(twice)),
                at=("items",),
                got=min(twice),
                hint=_("Give every lowest item and veto a name of its own."),
            )
        if points <= 0:
            raise fault(
                "K307",
                _("The points add up to 0."),
                at=("items",),
                hint=_("Declare points."),
            )
        return self
