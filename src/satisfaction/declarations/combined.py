"""What combined.yaml and an assessment's file may say, as frozen records; and the files it names, read."""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Literal, Self, TypeAlias

import pandas as pd
from pydantic import Field, model_validator

from satisfaction.declarations.area_names import read_area_table
from satisfaction.foundation.errors import RankingError
from satisfaction.foundation.figures import Brief
from satisfaction.foundation.language import N_, Text, _
from satisfaction.foundation.yaml import (
    Label,
    Location,
    Name,
    Record,
    Statement,
    Words,
    fault,
    read_yaml,
    validated,
)

COMBINED = "combined"
"""The name of the combined score where scores are named."""

TOTAL = 1e-9
Normalisation: TypeAlias = Literal[
    "none", "minmax", "zscore", "goalposts", "share-of-best", "percentile-rank"
]
Aggregation: TypeAlias = Literal["arithmetic", "geometric"]
Points = Annotated[float, Field(ge=0)]
PointsClass: TypeAlias = Literal["dead", "difficult", "winnable"]
Effect: TypeAlias = Literal["zero", "cap", "exclude"]


class EarlierPoints(Record):
    """What an assessment came to in an earlier wave: its sheet of lost points, and the points of inspection visited."""

    wave: str = Field(description=N_("the earlier wave"))
    lost: str = Field(description=N_("its sheet of lost points, as `lost`"))
    sites: str | None = Field(
        default=None, description=N_("its points of inspection visited, as `sites`")
    )
    source: Statement = Field(description=N_("where the sheets come from"))


class LastingError(Record):
    """The part of a component's error that an area keeps from wave to wave: the same sites, the same inspectors.

    Of two waves that declare shares s and t the errors of an area are correlated by the root of s t.
    """

    share: Annotated[float, Field(gt=0, le=1)] = Field(
        description=N_("share of the variance of the error that stays, 0 to 1")
    )
    source: Statement = Field(description=N_("where the share comes from"))


class Component(Label):
    """One part of the combined score: a measure of the survey, a file of scores, or an assessment by points.

    `measure`: of the questionnaire. `file`: columns `code`, `score`, and `se` where the scores have one. `assessment`: a tree
    of items (a YAML file) whose lost points stand in `lost` (columns `code`, `item`, `points`, `reason`). In place of `code` a
    column `name` will do: names of areas in full, or short ones that one area alone has. Scores are points 0-100 once
    `normalise` has been applied; `goalposts` are the worst and the best value for that method.
    """

    weight: Annotated[float, Field(gt=0, le=1)]
    source: Statement
    measure: Name | None = None
    file: str | None = None
    assessment: str | None = None
    lost: str | None = None
    sites: str | None = Field(
        default=None,
        description=N_(
            "the points of inspection visited: code, item, site, kind, score, possible, and "
            "population where the number of sites of the kind is known"
        ),
    )
    earlier: list[EarlierPoints] = Field(
        default=[],
        description=N_("the sheets of earlier waves, oldest first; lost points are followed"),
    )
    date: datetime.date | None = None
    normalise: Normalisation = "none"
    goalposts: tuple[float, float] | None = None
    exact: Statement | None = Field(
        default=None,
        description=N_(
            "the source by which the score counts as it is, without an error; a score without an "
            "error that names none is taken as exact, and nothing is established by it"
        ),
    )

    lasting: LastingError | None = Field(
        default=None,
        description=N_(
            "what of the error an area keeps from wave to wave; without it the errors of different "
            "waves are independent"
        ),
    )

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
        if self.assessment is None and (self.sites or self.earlier):
            raise fault(
                "K374",
                _("`sites` and `earlier` go with `assessment`."),
                hint=_("Remove them, or name the assessment's file."),
            )
        if self.lasting is not None and self.file is None:
            raise fault(
                "K319",
                _(
                    "`lasting` goes with `file`: the survey's errors are known from its sampling units."
                ),
                hint=_("Remove it."),
            )
        if (self.normalise == "goalposts") != (self.goalposts is not None):
            raise fault(
                "K302",
                _("`goalposts` goes with `normalise: goalposts`."),
                hint=_("Add goalposts: [worst, best], or remove it."),
            )
        return self


class ComparableScores(Record):
    """An earlier wave whose scores may be compared with these, although combined.yaml says otherwise there."""

    wave: str = Field(description=N_("the earlier wave"))
    note: Words | None = Field(default=None, description=N_("why the scores may be compared"))
    source: Statement = Field(description=N_("who declares that the scores may be compared"))

    def __str__(self) -> str:
        return "; ".join(str(part) for part in (self.wave, self.note, self.source) if part)


class Alternatives(Record):
    """What might have been decided otherwise, as far as it is worth asking: `satisfaction stability` ranks in each way."""

    weights: list[dict[Name, Annotated[float, Field(gt=0, le=1)]]] = Field(
        default=[], description=N_("other weights of all components, each set adding up to 1")
    )
    normalise: list[Literal["none", "minmax", "zscore", "share-of-best", "percentile-rank"]] = (
        Field(default=[], description=N_("other scales, each for all components"))
    )
    aggregation: list[Aggregation] = Field(
        default=[], description=N_("other ways to put the components together")
    )
    source: Statement = Field(description=N_("who names these alternatives"))


class CombinedFile(Record):
    """What combined.yaml may say: the parts, their weights (which add up to 1), and how they are put together."""

    title: Words
    source: Statement
    aggregation: Aggregation = "arithmetic"
    above: Literal["mean"] | None = Field(
        default=None,
        description=N_(
            "what a larger area scores in a component whose file has no row of its own for it: "
            "mean, of the areas in it, each counted once"
        ),
    )
    components: Annotated[dict[Name, Component], Field(min_length=2)]
    comparable_with: list[ComparableScores] | None = Field(
        default=None,
        description=N_(
            "earlier waves with other components, weights or scales whose scores may be compared "
            "with these"
        ),
    )
    alternatives: Alternatives | None = Field(
        default=None,
        description=N_("weights, scales and aggregations under which ranks are tried as well"),
    )

    def __repr__(self) -> str:
        return f"CombinedFile({self.title}: {', '.join(self.components)})"

    @model_validator(mode="after")
    def _weights_complete(self) -> CombinedFile:
        declared = {name: component.weight for name, component in self.components.items()}
        sets: list[tuple[Mapping[str, float], Location]] = [(declared, ("components",))]
        if self.alternatives is not None:
            for number, others in enumerate(self.alternatives.weights):
                sets.append((others, ("alternatives", "weights", number)))
        for weights, at in sets:
            if weights.keys() != declared.keys():
                raise fault(
                    "K318",
                    _("A set of weights names every component, and no other."),
                    at=at,
                    available=declared,
                    hint=_("Name each component once."),
                )
            total = sum(weights.values())
            if abs(total - 1) > TOTAL:
                raise fault(
                    "K303",
                    _("The weights of the components add up to {total:g}, not 1.", total=total),
                    at=at,
                    hint=_("Correct the weights."),
                )
        return self


class LowerMark(Record):
    """A lower mark of a measure, and the points that reaching it gives."""

    at_least: float = Field(description=N_("share 0-1 of a rate, points 0-100 of a score or index"))
    points: Points = Field(description=N_("points that reaching the mark gives"))


class AssessmentItem(Label):
    """A branch with items of its own, or a leaf with points and the department that answers for them.

    A leaf loses the points that the sheet names. With `measure` it gets its points where that measure of the survey reaches
    `at_least` (a share 0-1 of a rate, points 0-100 of a score or an index); with `sites: true` it gets the share of them that
    the points of inspection get; with `bonus: true` the sheet names the points gained instead.
    """

    points: Points | None = None
    department: str | None = None
    items: dict[Name, AssessmentItem] | None = Field(default=None, repr=False)
    measure: Name | None = Field(
        default=None, description=N_("the survey's measure that decides whether the points are got")
    )
    at_least: float | None = Field(
        default=None, description=N_("the measure at which all points are got")
    )
    partly: list[LowerMark] = Field(
        default=[], description=N_("lower marks that give fewer points, the highest first")
    )
    sites: bool = Field(default=False, description=N_("scored at sampled points of inspection"))
    bonus: bool = Field(
        default=False, description=N_("points gained beyond the others, not among the possible")
    )
    points_class: PointsClass | None = Field(
        default=None,
        description=N_(
            "what lost points of this item are unless the sheet says otherwise: dead (cannot be "
            "got), difficult or winnable"
        ),
    )

    @model_validator(mode="after")
    def _scored_in_one_way(self) -> AssessmentItem:
        if (self.items is None) == (self.points is None):
            raise fault(
                "K304",
                _("An item has either items below it or points."),
                hint=_("Give points to items at the lowest level."),
            )
        ways = [self.measure is not None, self.sites]
        scored_otherwise = any(ways) or self.bonus or self.points_class is not None
        branch_scored = self.items and scored_otherwise
        if sum(ways) > 1 or (self.sites and self.bonus) or branch_scored:
            raise fault(
                "K371",
                _(
                    "`measure`, `sites`, `bonus` and `points_class` stand at items with points; "
                    "`sites` goes with neither `measure` nor `bonus`."
                ),
                hint=_("Keep one way of scoring an item."),
            )
        marked = self.at_least is not None
        if (self.measure is not None) != marked or (self.partly and not marked):
            raise fault(
                "K372",
                _("`measure` goes with `at_least`, and `partly` with both."),
                hint=_("Say at which value of the measure the points are got."),
            )
        marks = [step.at_least for step in self.steps]
        points = [step.points for step in self.steps]
        falls = all(high > low for high, low in pairwise(marks))
        if not falls or points != sorted(set(points), reverse=True):
            raise fault(
                "K373",
                _(
                    "The marks of `partly` lie below `at_least`, falling, with fewer and fewer points."
                ),
                hint=_("Order the marks from the highest to the lowest."),
            )
        return self

    @property
    def steps(self) -> tuple[LowerMark, ...]:
        """Return the marks of a measure with their points, the highest first; none where no measure decides."""
        if self.at_least is None:
            return ()
        full = LowerMark(at_least=self.at_least, points=self.points or 0.0)
        return (full, *self.partly)

    def leaves(self, path: tuple[str, ...]) -> Iterator[tuple[tuple[str, ...], AssessmentItem]]:
        """Yield the leaves below, each with the names that lead to it."""
        if self.items is None:
            yield path, self
        for name, item in (self.items or {}).items():
            yield from item.leaves((*path, name))

    def branches(self, path: str, label: Text) -> dict[str, Text]:
        """Return the words of this item, which is at a path of names, and of those below it."""
        words = {path: label}
        for name, item in (self.items or {}).items():
            within = _("{branch} / {item}", branch=label, item=item.text)
            words |= item.branches(f"{path} / {name}", within)
        return words


class Veto(Label):
    """An item of the negative list: one occurrence decides.

    `zero`: the assessment scores 0. `cap`: at most `cap` points out of 100. `exclude`: the area is not ranked.
    """

    effect: Effect
    cap: Points | None = None
    source: Statement

    @model_validator(mode="after")
    def _cap_given(self) -> Self:
        if (self.effect == "cap") != (self.cap is not None):
            raise fault(
                "K305",
                _("`cap` goes with effect: cap, and only with it."),
                hint=_("Add or remove `cap`."),
            )
        return self


class Precondition(Veto):
    """What an area must have before it is assessed: its `effect` is what follows where it has not.

    The sheet states it (`state`: met, not met), or a `measure` of the survey reaches `at_least`. One that nobody states is
    neither met nor not met, and has no effect.
    """

    measure: Name | None = Field(default=None, description=N_("the survey's measure that decides"))
    at_least: float | None = Field(
        default=None, description=N_("the measure at which the precondition is met")
    )

    @model_validator(mode="after")
    def _mark_given(self) -> Precondition:
        if (self.measure is None) != (self.at_least is None):
            raise fault(
                "K372",
                _("`measure` goes with `at_least`, and `partly` with both."),
                hint=_("Say at which value of the measure the points are got."),
            )
        return self


class Assessment(Record):
    """An assessment system: a tree of items with points, from which points are lost, and a negative list."""

    title: Words
    source: Statement
    items: Annotated[dict[Name, AssessmentItem], Field(min_length=1)]
    veto: dict[Name, Veto] = {}
    preconditions: dict[Name, Precondition] = Field(
        default={}, description=N_("what an area must have before it is assessed")
    )
    levels: list[Words] = Field(
        default=[], description=N_("what the levels of the tree are called, from the top")
    )
    not_applicable: Literal["tree", "branch"] | None = Field(
        default=None,
        description=N_(
            "who takes over the points of items that do not apply in an area: tree, all others in "
            "proportion to their points; branch, first the others of the same branch"
        ),
    )
    bonus_most: Points | None = Field(
        default=None, description=N_("the most bonus points that count; default all")
    )
    score_most: Points | None = Field(
        default=None, description=N_("the highest score, bonus points included; default none")
    )

    def __repr__(self) -> str:
        return f"Assessment({self.title}: {len(self.leaves())} items, {len(self.veto)} vetoes)"

    def leaves(self) -> dict[str, tuple[tuple[str, ...], AssessmentItem]]:
        """Return the leaves by their own name: the names that lead to each, and the item."""
        leaves = {}
        for name, item in self.items.items():
            for path, leaf in item.leaves((name,)):
                leaves[path[-1]] = (path, leaf)
        return leaves

    def branches(self) -> dict[str, Text]:
        """Return the words of the branches, by the names that lead to each with " / " between, as tables have them."""
        words: dict[str, Text] = {}
        for name, item in self.items.items():
            words |= item.branches(name, item.text)
        return words

    @property
    def at_sites(self) -> list[str]:
        """Return the leaves that are scored at points of inspection."""
        return [name for name, (_path, leaf) in self.leaves().items() if leaf.sites]

    @property
    def measures(self) -> tuple[str, ...]:
        """Return the survey's measures that decide about points or preconditions."""
        names = [leaf.measure for _path, leaf in self.leaves().values()]
        names += [condition.measure for condition in self.preconditions.values()]
        return tuple(dict.fromkeys(name for name in names if name))

    @model_validator(mode="after")
    def _names_apart(self) -> Assessment:
        names = [*self.veto, *self.preconditions]
        points = 0.0
        for name, item in self.items.items():
            for path, leaf in item.leaves((name,)):
                names.append(path[-1])
                if not leaf.bonus:
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


# ---- read

# what tells the sheet of a workbook that is meant, beside the area's code or name
SCORE_WANTED = ("score",)
LOST_WANTED = ("item", "points")
SITE_WANTED = ("item", "site", "score")


@dataclass(frozen=True, slots=True, repr=False)
class CombinedInputs(Brief):
    """combined.yaml with the files it names.

    Attributes
    ----------
    path : Path
    declared : CombinedFile
    assessments : mapping of str to Assessment
        By component.
    tables : mapping of str to DataFrame
        Scores, or points lost, by component: text, as they stand in the file.
    sites : mapping of str to DataFrame
        Points of inspection visited, by component, in the same way.
    awaited : mapping of str to str
        Components whose files are not there yet, and the first such file.
    """

    path: Path
    declared: CombinedFile
    assessments: Mapping[str, Assessment]
    tables: Mapping[str, pd.DataFrame]
    sites: Mapping[str, pd.DataFrame]
    awaited: Mapping[str, str]

    @property
    def labels(self) -> dict[str, Text]:
        """Return what the combined score and its components are called, by name."""
        labels = {COMBINED: self.declared.title.text}
        for name, component in self.declared.components.items():
            labels[name] = component.text
        return labels

    def file_of(self, component: str) -> Path:
        """Return where the scores or the points lost of a component stand."""
        declared = self.declared.components[component]
        return self.path.parent / str(declared.file or declared.lost)


def read_combined_inputs(path: Path, *, areas: pd.DataFrame | None = None) -> CombinedInputs:
    """Read combined.yaml and the files that it names and that are there.

    Parameters
    ----------
    path : Path
    areas : DataFrame, optional
        Table of the areas that the files may name (column `name`) in place of their codes.

    Raises
    ------
    RankingError
        K301-K307 and K371-K374 for what combined.yaml or an assessment's file says, K381 where items are scored at points of
        inspection and no table of them is named.
    """
    declared = validated(read_yaml(path, RankingError), CombinedFile, RankingError)
    assessments = {}
    tables = {}
    sites = {}
    awaited = {}
    for name, component in declared.components.items():
        named = (component.assessment, component.file, component.lost, component.sites)
        files = [file for file in named if file]
        missing = [file for file in files if not (path.parent / file).is_file()]
        if missing:
            awaited[name] = missing[0]
            continue
        if component.assessment is not None:
            system = path.parent / component.assessment
            tree = validated(read_yaml(system, RankingError), Assessment, RankingError)
            if tree.at_sites and component.sites is None:
                raise RankingError(
                    "K381",
                    _(
                        "Item '{item}' is scored at points of inspection, and combined.yaml names "
                        "no table of them.",
                        item=tree.at_sites[0],
                    ),
                    where=system,
                    hint=_("Add `sites` to the component."),
                )
            assessments[name] = tree
        if component.sites is not None:
            sites[name] = read_area_table(path.parent / component.sites, areas, SITE_WANTED)
        if component.measure is None:
            table = path.parent / str(component.file or component.lost)
            wanted = SCORE_WANTED if component.file else LOST_WANTED
            tables[name] = read_area_table(table, areas, wanted)
    return CombinedInputs(
        path,
        declared,
        MappingProxyType(assessments),
        MappingProxyType(tables),
        MappingProxyType(sites),
        MappingProxyType(awaited),
    )
