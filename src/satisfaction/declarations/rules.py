"""What rules.yaml may say, as frozen records: how ranks are made, and what follows from them."""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from satisfaction.declarations.items import AtLeastOne
from satisfaction.declarations.wave import AreaCode, Level, Reference, Wave
from satisfaction.foundation.language import N_, NOTHING, _
from satisfaction.foundation.personal import NO_ANSWER
from satisfaction.foundation.yaml import Label, Name, Record, Statement, fault

Side = Literal["last", "first"]
DIGITS = range(7)


def _digits(value: Any) -> Any:
    """Refuse in one message what is neither "off" nor a number of digits."""
    if value == "off" or (type(value) is int and value in DIGITS):
        return value
    raise fault(
        "S183",
        _("round_before_ranking is `off` or a whole number from 0 to 6."),
        available=("off", *DIGITS),
        got=value,
        hint=_("Write `off`, or the number of decimal places."),
    )


class RankingRules(Record):
    """How the ranking list is made; data, with a source, because no official rule was found.

    `minimum_reliability` is compared with tau2 / (tau2 + se2) of a first ranking of all areas with `minimum_n` answers; the
    areas under it are left out of the second and final one. `round_before_ranking` counts decimal places of the estimate as
    published (points 0-100, or a share 0-1), half away from zero. `minimum_df` and `minimum_deff` are the floor under an
    area's own error: below it the ranking takes the error from the design effect of the next larger area.

    `prior` is the shape of the true values in the model of probabilities and grades: normal as they are (`identity`), or,
    for rates, normal on the `logit` or `arcsine` scale or of any shape (`nonparametric`); `auto` is `logit` for a rate and
    `identity` for a score. `wrongly_ordered` is what grades promise: the largest expected share of pairs in the wrong order,
    over the pairs in different grades.
    """

    list_size: AtLeastOne = 10
    side: Side = "last"
    minimum_n: AtLeastOne = 30
    minimum_reliability: Annotated[float, Field(ge=0, lt=1)] = 0.0
    minimum_df: Annotated[int, Field(ge=0)] = 8
    minimum_deff: Annotated[float, Field(ge=0, le=1)] = 0.3
    ties: Literal["competition", "modified", "dense", "fractional"] = "competition"
    round_before_ranking: Annotated[
        Literal["off"] | Annotated[int, Field(ge=DIGITS[0], le=DIGITS[-1])],
        BeforeValidator(_digits),
    ] = "off"
    multiplicity: Literal["one", "holm", "bh"] = "one"
    level: Level = 0.95
    prior: Literal["auto", "identity", "logit", "arcsine", "nonparametric"] = "auto"
    wrongly_ordered: Annotated[float, Field(gt=0, lt=0.5)] = 0.05
    tie_break: Name | None = Field(
        default=None,
        description=N_("the score by which areas of equal score are ordered, the higher one first"),
    )
    source: Statement


class UnknownAnswers(Record):
    """How many answers that nobody knows an item of a file may have before a run stops.

    It stops at more than `count` of them that are also more than the `share` of the item's answers in the file, and where
    one of them stands `repeated` times or more.
    """

    count: Annotated[int, Field(ge=0)] = 3
    share: Annotated[float, Field(ge=0, le=1)] = 0.03
    repeated: AtLeastOne = 3


class ResponseRules(Record):
    """What happens to a row or an answer that breaks a rule.

    `actions` changes it for a rule by its identifier; `responses.rules.ALLOWED` says what a rule may do. `empty` are the
    words that stand for no answer where the item does not have them as an answer; capitals do not count.
    """

    unknown_area: Literal["stop", "reject_row"] = "stop"
    outside_scale: Literal["blank_item", "reject_row"] = "blank_item"
    unknown_answers: UnknownAnswers = UnknownAnswers()
    reversed_scale: Literal["stop", "note"] = Field(
        default="stop",
        description=N_("what happens where the ends of a scale seem to be exchanged in a file"),
    )
    empty: list[str] = ["NA", "N/A", "NaN", "NULL", "-", "—", "——", "/", NO_ANSWER]
    actions: dict[str, Literal["reject_row", "blank_item", "warn"]] = {}


class Threshold(Label):
    """A consequence of an area's measure lying below a value: shares 0-1 for rates, points 0-100 for the rest.

    It acts on the list only where `on_list` says so: `listed`, an area below the value is listed whatever its rank; `spared`,
    an area at the value or above is not listed by its rank. Being listed goes before being spared.
    """

    measure: Name
    below: float
    source: Statement
    on_list: Literal["listed", "spared"] | None = Field(
        default=None,
        description=N_(
            "what the threshold does to the list, if anything: listed (below it, whatever the "
            "rank) or spared (at or above it, whatever the rank)"
        ),
    )


class Target(Record):
    """What an area has been set: a rank among the first `top`, a `rise` in places, or to be `first_in` a larger area.

    A rise counts from the rank published for the wave `since`, by default the last one before this; a rise of 0 is to hold
    that rank or a better one.
    """

    top: AtLeastOne | None = None
    rise: Annotated[int, Field(ge=0)] | None = None
    first_in: str | None = None
    since: Wave | None = None
    source: Statement = NOTHING

    @model_validator(mode="after")
    def _one_kind(self) -> Target:
        kinds = ("top", "rise", "first_in")
        declared = [kind for kind in kinds if getattr(self, kind) is not None]
        since_without_rise = self.since is not None and self.rise is None
        if len(declared) != 1 or since_without_rise:
            raise fault(
                "S170",
                _("A target has exactly one of top, rise and first_in; `since` belongs to rise."),
                available=kinds,
                hint=_("Write several targets as a list."),
            )
        return self


class Gap(Record):
    """A wave of which there is no ranking, and why: waves in a row are counted across it."""

    wave: Wave
    source: Statement


class History(Record):
    """Rankings of earlier waves, as they were published; `questionnaire` says with which instrument, if another one.

    The table is for ranks that no file set holds; those that one holds are read by `earlier` in survey.yaml. `gaps` names the waves that did not take place. Written, even empty, it says that no other wave is missing; that is needed
    only where the names of the waves do not tell (2026Q3, 2026H1, 2026-07 and 2026 do).
    """

    file: str | None = None
    source: Statement | None = None
    gaps: list[Gap] | None = None
    questionnaire: Reference | None = None

    @model_validator(mode="after")
    def _sourced(self) -> History:
        says_nothing = self.file is None and self.gaps is None
        if says_nothing or (self.file is None) != (self.source is None):
            raise fault(
                "S372",
                _("`history` has a `file` with its `source`, or `gaps`, or both."),
                hint=_("Write what is missing, or remove `history`."),
            )
        return self


class LowMeasure(Record):
    """A measure below a value: shares 0-1 for rates, points 0-100 for the rest."""

    measure: Name
    below: float


TRIGGERS = ("listed_in_a_row", "listed_in_a_year", "fall", "rank_from", "low")


class EscalationStep(Label):
    """A step of the ladder and the one thing that triggers it.

    `listed_in_a_row`, `listed_in_a_year`: so many waves on the list, this one included. `fall`: so many places behind the
    rank published for the wave before. `rank_from`: this rank or a worse one. `low`: a measure proven to be below a value.
    """

    listed_in_a_row: AtLeastOne | None = None
    listed_in_a_year: AtLeastOne | None = None
    fall: AtLeastOne | None = None
    rank_from: Annotated[int, Field(ge=2)] | None = None
    low: LowMeasure | None = None

    @model_validator(mode="after")
    def _one_trigger(self) -> EscalationStep:
        declared = [name for name in TRIGGERS if getattr(self, name) is not None]
        if len(declared) != 1:
            raise fault(
                "S374",
                _("A step of escalation has exactly one trigger."),
                available=TRIGGERS,
                got=", ".join(declared),
                hint=_("Write every trigger as a step; two steps may have the same words."),
            )
        return self

    @property
    def trigger(self) -> str:
        """Return the key that triggers it."""
        return next(name for name in TRIGGERS if getattr(self, name) is not None)

    @property
    def counts_earlier(self) -> bool:
        """Whether it rests on earlier waves."""
        waves = max(self.listed_in_a_row or 1, self.listed_in_a_year or 1)
        return waves > 1 or self.fall is not None


class Release(Label):
    """When an area that was listed is released: off the list for so many waves, this one included, and well enough placed."""

    off_list: AtLeastOne = 1
    rank_at_most: AtLeastOne | None = None


class Escalation(Record):
    """The ladder: steps from the mildest to the severest, and what releases an area that was listed.

    An area is on the last step whose trigger applies to it.
    """

    steps: Annotated[list[EscalationStep], Field(min_length=1)]
    release: Release | None = None
    source: Statement

    @property
    def counts_earlier(self) -> bool:
        """Whether any step, or the release, rests on earlier waves."""
        of_steps = any(step.counts_earlier for step in self.steps)
        return of_steps or self.release is not None

    @property
    def is_ladder(self) -> bool:
        """Whether it says more than what follows from waves in a row."""
        in_a_row = [step.listed_in_a_row for step in self.steps]
        return None in in_a_row or self.release is not None

    @model_validator(mode="after")
    def _rising(self) -> Escalation:
        for trigger in ("listed_in_a_row", "listed_in_a_year"):
            declared = [getattr(step, trigger) for step in self.steps]
            waves = [count for count in declared if count is not None]
            if waves != sorted(set(waves)):
                raise fault(
                    "S180",
                    _("`{trigger}` rises from step to step.", trigger=trigger),
                    at=("steps",),
                    hint=_("Order the steps by their number of waves, each once."),
                )
        return self


Targets = Annotated[
    list[Target],
    Field(min_length=1),
    BeforeValidator(
        lambda value: [value] if isinstance(value, dict) else value,
        json_schema_input_type=Target | list[Target],
    ),
]


class SuppressionRules(Record):
    """Which estimates are too small to be published.

    A cell (area and measure) with fewer valid answers than `minimum_n`, or from fewer PSUs than `minimum_psus`, is blank in
    everything that is published. `complementary`: "smallest" also withholds, where a blank cell could be calculated from
    the others, the smallest of those; "off" does not.
    """

    minimum_n: AtLeastOne
    minimum_psus: AtLeastOne = 1
    complementary: Literal["smallest", "off"] = "smallest"
    source: Statement


class FurtherRanking(RankingRules):
    """A ranking beside the one under `ranking`: by which score, and what follows from it.

    `score` is an index, a rate or a topic of the questionnaire, `combined` (the score of combined.yaml), or one of its
    components. Keys of `ranking` that are not written here are as they are there; targets, thresholds, history and
    escalation are this ranking's alone. With `main: true` it is *the* ranking of the wave, and the other stands beside it.
    `name` begins the names of its files; by default the score.
    """

    score: Name
    name: Name | None = None
    main: bool = False
    source: Statement = NOTHING
    thresholds: list[Threshold] = []
    targets: dict[AreaCode, Targets] = {}
    history: History | None = None
    escalation: Escalation | None = None

    @property
    def title(self) -> str:
        """Return what its files begin with."""
        return self.name or self.score

    def under(self, general: RankingRules) -> RankingRules:
        """Return the rules of this ranking: what it says, and else what holds in general."""
        written = self.model_fields_set & set(RankingRules.model_fields)
        return general.model_copy(update={name: getattr(self, name) for name in written})


class Rules(Record):
    """What rules.yaml may say."""

    ranking: RankingRules
    rankings: list[FurtherRanking] = Field(
        default=[],
        description=N_(
            "further rankings, each by a score of its own: an index, a rate, a topic, `combined` "
            "or a component of combined.yaml; `main: true` makes one of them the ranking of the wave"
        ),
    )
    responses: ResponseRules = ResponseRules()
    thresholds: list[Threshold] = Field(
        default=[],
        description=N_("thresholds: rates as shares 0-1, scores and indices in points 0-100"),
    )
    targets: dict[AreaCode, Targets] = {}
    history: History | None = None
    escalation: Escalation | None = Field(
        default=None,
        description=N_(
            "the ladder: what follows from waves on the list, a fall, a rank or a low measure, and "
            "what releases an area; what counts earlier waves needs `earlier` or `history`"
        ),
    )
    suppression: SuppressionRules | None = Field(
        default=None,
        description=N_(
            "small cells are not published: figures on fewer answers stay empty, and what "
            "others would give away"
        ),
    )

    def alone(self) -> Rules:
        """Return the rules for another score of which nothing is declared: the list, and no more."""
        return self.of(FurtherRanking(score="combined"))

    def of(self, further: FurtherRanking) -> Rules:
        """Return the rules of one of `rankings`, as if they were all."""
        of_ranking = ("thresholds", "targets", "history", "escalation")
        alone = {key: getattr(further, key) for key in of_ranking}
        alone |= {"ranking": further.under(self.ranking), "rankings": []}
        return self.model_copy(update=alone)

    def __repr__(self) -> str:
        return (
            f"Rules({self.ranking!r}, {len(self.thresholds)} thresholds, "
            f"targets of {len(self.targets)} areas)"
        )
