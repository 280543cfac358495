"""What survey.yaml may say, as frozen records; the weighting steps among them."""

from __future__ import annotations

import datetime
from collections.abc import Mapping
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator, model_validator

from satisfaction.declarations.items import AtLeastOne, Names
from satisfaction.foundation.language import LANGUAGES, N_, Language, Text, _
from satisfaction.foundation.yaml import (
    Code,
    Location,
    Name,
    Record,
    Statement,
    Words,
    fault,
    short_form,
)

Selection = Literal["probability", "quota", "open_link"]
Level = Annotated[float, Field(gt=0.5, lt=1)]
AreaCode = Annotated[str, Field(pattern=r"^[0-9A-Za-z]{1,12}$")]
Wave = Annotated[str, Field(pattern=r"^[0-9A-Za-z-]+$")]
Reference = Annotated[str, Field(pattern=r"^[a-z0-9-]+@[0-9A-Za-z.-]+$")]  # name@version
StratumValues = Annotated[list[str | int], Field(min_length=1)]
PATTERN = r"^[^/\\]"


class Table(Record):
    """A table of facts beside survey.yaml, with its source and the date it describes."""

    file: str
    source: Statement
    date: datetime.date


class Margin(Table):
    """Population counts by one or several items (column `population`)."""

    by: Names


class Quota(Table):
    """Planned interviews of every cell (column `planned`); the area is the first item of a cell."""

    by: Names


class Outcomes(Table):
    """What outcome codes mean (columns `code`, `disposition`).

    `cases` is a file with one row a sampled case, interviewed or not: the area's column and `outcome`. Without it the outcome
    column of the response files is used.
    """

    cases: str | None = None


class BackCheck(Table):
    """Re-interviews: the respondent's column, and `items` that do not change between two interviews, coded as in responses."""

    items: Names


class Modes(Record):
    """Two ways of interviewing: the item that says which, the code under suspicion (face to face) and the other one."""

    item: Name
    compared: tuple[Code, Code]


class Checking(Record):
    """What the checks of the fieldwork compare with; each may be absent.

    `earlier` is the folder of the wave before, seen from this survey's folder.
    """

    backcheck: BackCheck | None = None
    modes: Modes | None = None
    earlier: str | None = None


class Testing(Record):
    """What is tested and written to tests.csv and reliability.csv.

    `measures`: default the ranked one. `groups`: items that part respondents; default single items without scores that are
    known of nine in ten and have two to six answers. `pairs`: all areas with one another in the ranked measure. `rest`: every
    area with all others together; default as `pairs`. `change`: every area and all together since the wave that `earlier`
    names last, where its respondents are there.
    """

    measures: Names | None = None
    groups: list[Name] | None = None
    pairs: bool = True
    rest: bool | None = None
    change: bool = True
    regression: bool = True
    reliability: bool = True

    @property
    def against_rest(self) -> bool:
        """Return whether every area is compared with all others together."""
        return self.pairs if self.rest is None else self.rest


USUAL_TESTS = Testing(groups=[], pairs=False, rest=True, regression=False)
"""What is tested where survey.yaml does not say."""
NO_TESTS = Testing(
    groups=[], pairs=False, rest=False, change=False, regression=False, reliability=False
)
NO_TESTS_WORD = "none"


class Collapse(Record):
    """A stratum that joins another one for the variance; values in the order of the questionnaire's strata."""

    stratum: StratumValues
    into: StratumValues


class EarlierWave(Record):
    """A wave before this one: the folder of its survey, or of one of its file sets, seen from this survey's folder.

    Of a survey the file set that was handed over is read, or the newest one of `revision`. `accepted` is the source by which
    another questionnaire or another set of areas is accepted where a step of escalation or a target counts on it.
    """

    survey: str
    revision: AtLeastOne | None = None
    accepted: Statement | None = None


class Fielded(Record):
    """First and last day of interviews."""

    start: datetime.date
    end: datetime.date

    @model_validator(mode="after")
    def _in_order(self) -> Fielded:
        if self.end < self.start:
            raise fault(
                "S126",
                _("The fielding period ends before it starts."),
                at=("end",),
                hint=_("Correct the dates."),
            )
        return self


class FilesEntry(Record):
    """Response files by a pattern: the platform they were exported from (default: recognised) and the team."""

    pattern: Annotated[str, Field(pattern=PATTERN)]
    platform: str = "auto"
    team: str = ""


DEFAULT_FILES = "responses/**/*"
Numbering = Literal["survey", "area", "file", "row"]
Files = Annotated[FilesEntry, short_form("pattern", FilesEntry)]


class Simulated(Record):
    """Marks a wave whose answers nobody gave."""

    seed: int
    note: Words


Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class ReplicateTable(Table):
    """Replicate weights made elsewhere: one row a respondent, the respondent's column and one column a replicate.

    Columns `weight`, `final_weight` and `mark` are passed over. V = scale sum_r rscale_r (theta_r - centre)^2, as in R's
    `svrepdesign(combined.weights = TRUE)`: `rscales` is a file with the column `rscale`, one row a replicate in the order of
    the columns (absent: all 1); mse: the centre is the full-sample estimate, else the mean of the replicates; df absent: the
    rank of the weights minus 1.
    """

    scale: Positive
    rscales: str | None = None
    mse: bool = False
    df: AtLeastOne | None = None


class BaseStep(Record):
    """Base weight of every sampled person.

    inclusion: 1 / (psu_probability x person_probability), from the sample table. frame: the frame's population of the
    stratum, shared among the persons sampled in it in proportion to the items of `multiply` over those of `divide`; a
    missing value counts as 1. column: the item `column` holds it. table: the file `table` holds final weights made elsewhere,
    one row a respondent (the respondent's column and `weight`); errors take them as fixed, unless `replicates` holds
    replicate weights: these then stand for strata, PSUs and fpc.
    """

    step: Literal["base"]
    source: Literal["inclusion", "frame", "column", "table"] = "inclusion"
    multiply: list[Name] = []
    divide: list[Name] = []
    column: Name | None = None
    table: Table | None = None
    replicates: ReplicateTable | None = None

    @property
    def items(self) -> tuple[str, ...]:
        """Return the items that the base weight is made from."""
        items = [*self.multiply, *self.divide]
        if self.column is not None:
            items.append(self.column)
        return tuple(dict.fromkeys(items))

    @property
    def files(self) -> list[str]:
        """Return the files of weights made elsewhere."""
        files = []
        if self.table is not None:
            files.append(self.table.file)
        if self.replicates is not None:
            files.append(self.replicates.file)
            if self.replicates.rscales is not None:
                files.append(self.replicates.rscales)
        return files

    @model_validator(mode="after")
    def _keys_of_the_source(self) -> BaseStep:
        wrong = None
        if self.multiply and self.source != "frame":
            wrong = "multiply"
        elif self.divide and self.source != "frame":
            wrong = "divide"
        elif (self.column is None) == (self.source == "column"):
            wrong = "column"
        elif (self.table is None) == (self.source == "table"):
            wrong = "table"
        elif self.replicates is not None and self.source != "table":
            wrong = "replicates"
        if wrong is not None:
            raise fault(
                "S164",
                _(
                    "`{wrong}` of the base step does not go with source: {source}.",
                    wrong=wrong,
                    source=self.source,
                ),
                at=(wrong,),
                available=("frame: multiply, divide", "column: column", "table: table, replicates"),
                hint=_(
                    "`multiply` and `divide` go with source: frame; source: column, and no "
                    "other, needs `column`; so does source: table `table`."
                ),
            )
        return self


class NonresponseStep(Record):
    """The weight of sampled persons who did not answer is given to those who did, by items known for both."""

    step: Literal["nonresponse"]
    method: Literal["classes", "propensity"] = "classes"
    by: Names


class CalibrationStep(Record):
    """Calibration of the weights to declared margins.

    `margins` absent: those of the items that the questionnaire calibrates by (`roles.calibration`), see `default_margins`.
    """

    step: Literal["calibration"]
    method: Literal["poststratify", "raking", "linear", "logit"] = "raking"
    margins: Annotated[list[str], Field(min_length=1)] | None = None
    bounds: tuple[float, float] | None = None
    tolerance: Annotated[float, Field(gt=0, lt=0.01)] = 1e-10

    @model_validator(mode="after")
    def _bounds_fit(self) -> CalibrationStep:
        example = _("Write bounds: [0.3, 3], for instance.")
        if self.method == "logit" and self.bounds is None:
            raise fault(
                "S159",
                _("Logit calibration needs `bounds`."),
                at=("method",),
                hint=example,
            )
        if self.method == "poststratify" and self.bounds is not None:
            raise fault(
                "S159",
                _("Post-stratification takes no `bounds`: its margin decides the factors."),
                at=("bounds",),
                available=("raking", "linear", "logit"),
                hint=_("Remove `bounds`, or use another method."),
            )
        low, high = self.bounds or (0, 2)
        around_one = 0 <= low < 1 < high < float("inf")
        problem = _("`bounds` must hold 0 <= low < 1 < high.")
        _refuse(not around_one, "S160", problem, at=("bounds",), hint=example)
        return self


class TrimmingStep(Record):
    """Weights beyond bounds are cut and the excess given to the others.

    `lower` and `upper` are multiples of a median or mean weight, or (relative_to: none) weights: of the respondents of each
    cell of `within` where it is written, otherwise of all respondents. The excess stays in the cell. `within` absent: the
    items of the last calibration keep their sums (spread: equal: all respondents together); empty: all respondents together.
    `strict`: with spread: equal, a weight that was ever outside stays at its bound.
    """

    step: Literal["trimming"]
    lower: Positive | None = None
    upper: Positive | None = None
    relative_to: Literal["median", "mean", "none"] = "median"
    within: list[Name] | None = None
    spread: Literal["cell", "equal"] = "cell"
    strict: bool = False

    @model_validator(mode="after")
    def _bounded(self) -> TrimmingStep:
        if self.lower is None and self.upper is None:
            raise fault(
                "S161",
                _("The trimming step has neither an upper nor a lower bound."),
                hint=_("Write upper: 4, or remove the step."),
            )
        lower = self.lower or 0
        upper = self.upper or float("inf")
        problem = _("`lower` of the trimming step must be below `upper`.")
        _refuse(lower >= upper, "S162", problem, at=("lower",), hint=_("Correct the bounds."))
        return self


Step = Annotated[
    BaseStep | NonresponseStep | CalibrationStep | TrimmingStep, Field(discriminator="step")
]


class SelectionModel(Record):
    """A model of who answers, for a wave whose respondents were not drawn: estimates under its name, never an error of sampling.

    The population is known by `margins`, or by a wave that was drawn: `reference` with `by`. `methods`: calibration (a linear
    model of the answers), inverse_propensity (a model of who answers), doubly_robust (both).
    """

    margins: Annotated[list[str], Field(min_length=1)] | None = Field(
        default=None,
        description=N_("populations by area and items; absent: all margins that hold the area"),
    )
    reference: Annotated[str, Field(min_length=1)] | None = Field(
        default=None,
        description=N_(
            "in place of margins: folder of a wave whose respondents were drawn; they stand for "
            "the population with their final weights"
        ),
    )
    by: Names | None = Field(
        default=None,
        description=N_(
            "with reference: single items that both questionnaires ask with the same answers"
        ),
    )
    methods: Annotated[
        list[Literal["calibration", "inverse_propensity", "doubly_robust"]], Field(min_length=1)
    ] = ["calibration", "inverse_propensity", "doubly_robust"]
    source: Statement = Field(
        description=N_("who decided to use a model, and why it may hold"),
    )

    @model_validator(mode="after")
    def _one_population(self) -> SelectionModel:
        by_wave = self.reference is not None
        half = by_wave != (self.by is not None)
        if half or (by_wave and self.margins is not None):
            raise fault(
                "S527",
                _(
                    "The population is known by `margins`, or by `reference` together with `by`; "
                    "not by both."
                ),
                available=("margins: [...]", "reference: ../wave, by: [sex, age_group]"),
                hint=_("Write one of the two."),
            )
        return self


class SurveyFile(Record):
    """What survey.yaml may say. Tables, margins and weighting may be absent; the pipeline then leaves those steps out.

    What a key means, in both languages: its `description`, which the JSON Schema and the comments of a new wave's file share.
    `numbering`: a sheet of a workbook is a file; with "row" the file and the row are the respondent's number.
    """

    survey: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")] = Field(
        description=N_("name of the survey and its wave"),
    )
    wave: Wave
    title: Words = Field(
        description=N_("title; stands in every output"),
    )
    questionnaire: Reference = Field(
        description=N_("questionnaire@version, see questionnaires/"),
    )
    selection: Selection = Field(
        description=N_(
            "how respondents were selected: probability | quota | open_link; with the last "
            "two no rank is established"
        ),
    )
    selection_note: Words | None = Field(
        default=None,
        description=N_("how respondents were selected, in words; printed in the report"),
    )
    selection_model: SelectionModel | None = Field(
        default=None,
        description=N_(
            "quota and open_link only: a model of who answers, by margins, or by reference: (folder of "
            "a wave that was drawn) with by: (items of both); its estimates and errors are published "
            "under its name; give source"
        ),
    )
    simulated: Simulated | None = None
    fielded: Fielded | None = Field(
        default=None,
        description=N_("first and last day of interviews; others are rejected"),
    )
    files: Annotated[list[Files], Field(min_length=1)] = Field(
        default=[FilesEntry(pattern=DEFAULT_FILES)],
        description=N_(
            "files of responses: every table in responses/ and below it; a run stops on a "
            "table that is not among them"
        ),
    )
    ignore: list[Annotated[str, Field(pattern=PATTERN)]] = Field(
        default=[],
        description=N_("files in responses/, and sheets (file#sheet), that hold no responses"),
    )
    numbering: Numbering = Field(
        default="survey",
        description=N_(
            "within what the respondents' numbers are unique: survey | area | file | row (no "
            "numbers: file and row)"
        ),
    )
    areas: Table | None = Field(
        default=None,
        description=N_(
            "table of areas: code, name, level, parent, and name_en where English pages shall have it; give source and date"
        ),
    )
    frame: Table | None = Field(
        default=None,
        description=N_("sampling frame: population of every stratum"),
    )
    sample: Table | None = Field(
        default=None,
        description=N_("sampled PSUs with their inclusion probabilities; the base step needs them"),
    )
    nonrespondents: Table | None = Field(
        default=None,
        description=N_("sampled persons without answers; the nonresponse step needs them"),
    )
    quota: Quota | None = Field(
        default=None,
        description=N_(
            "quota: planned interviews of every cell, by area first; satisfaction fieldwork "
            "reports progress against it"
        ),
    )
    outcomes: Outcomes | None = Field(
        default=None,
        description=N_(
            "AAPOR categories of outcome codes, for response rates; cases: a file of all "
            "sampled cases (area, outcome), optional"
        ),
    )
    fieldwork: Checking = Field(
        default=Checking(),
        description=N_(
            "what checks of the fieldwork compare with: re-interviews, modes of interview, "
            "the wave before"
        ),
    )
    earlier: list[Annotated[EarlierWave, short_form("survey", EarlierWave)]] = Field(
        default=[],
        description=N_(
            "waves before this one, oldest first: ranks and lists are read from the file set "
            "handed over (satisfaction verify ... --handed-over), or from that of `revision`"
        ),
    )
    margins: dict[str, Margin] = Field(
        default={},
        description=N_("population counts for calibration, one file a margin"),
    )
    weighting: list[Step] = Field(
        default=[],
        description=N_("weighting steps in order: base, nonresponse, calibration, trimming"),
    )
    lonely_psu: Literal["fail", "adjust", "average", "certainty", "remove"] = Field(
        default="fail",
        description=N_(
            "what to do with a stratum of one PSU: fail | adjust | average | certainty | remove"
        ),
    )
    collapse: list[Collapse] = Field(
        default=[],
        description=N_("strata that join another one for the variance"),
    )
    level: Level = Field(
        default=0.95,
        description=N_("confidence level"),
    )
    overall: Name | None = Field(
        default=None,
        description=N_(
            "rate of the overall judgement, for the importance of topics; without it none is "
            "called strong or weak"
        ),
    )
    tests: (
        Annotated[
            Testing,
            BeforeValidator(
                lambda value: NO_TESTS if value is False or value == NO_TESTS_WORD else value,
                json_schema_input_type=Testing | Literal[False, "none"],
            ),
        ]
        | None
    ) = Field(
        default=None,
        description=N_(
            "what is tested and written to tests.csv and reliability.csv; default: areas against "
            "the rest, change since the wave before, reliability; {} adds pairs of areas, groups "
            "and regression; none: nothing"
        ),
    )
    languages: Annotated[tuple[Language, ...], Field(min_length=1)] = Field(
        default=LANGUAGES,
        description=N_(
            "languages of a set's pages, workbooks and pictures: zh, en; the first one has the "
            "plain file names"
        ),
    )
    rules: str = Field(
        default="rules.yaml",
        description=N_("rules of the ranking"),
    )

    def __repr__(self) -> str:
        steps = ", ".join(step.step for step in self.weighting)
        return (
            f"SurveyFile({self.survey}, wave {self.wave}, {self.questionnaire}, {self.selection}, "
            f"weighting: {steps or 'none'})"
        )

    @field_validator("languages")
    @classmethod
    def _once(cls, languages: tuple[Language, ...]) -> tuple[Language, ...]:
        if len(set(languages)) < len(languages):
            raise fault(
                "S184",
                _("A language stands twice."),
                at=("languages",),
                got=", ".join(languages),
                hint=_("Name every language once."),
            )
        return languages

    @property
    def base(self) -> BaseStep | None:
        """Return the base step, if one is declared."""
        for step in self.weighting:
            if isinstance(step, BaseStep):
                return step
        return None

    @property
    def tested(self) -> Testing:
        """Return what is tested: as declared, else the usual; nothing where respondents were not drawn."""
        if self.selection != "probability":
            return NO_TESTS
        return self.tests or USUAL_TESTS

    @property
    def nonresponse(self) -> NonresponseStep | None:
        """Return the nonresponse step, if one is declared."""
        for step in self.weighting:
            if isinstance(step, NonresponseStep):
                return step
        return None

    @model_validator(mode="after")
    def _model_possible(self) -> SurveyFile:
        """Refuse a model of who answers where chance drew the respondents, or of margins that are not declared."""
        model = self.selection_model
        if model is None:
            return self
        if self.selection == "probability":
            raise fault(
                "S521",
                _("`selection_model` is for waves whose respondents were not drawn."),
                at=("selection_model",),
                available=("selection: quota", "selection: open_link"),
                hint=_("Remove it: a probability sample has an error of its own."),
            )
        for margin in model.margins or ():
            if margin not in self.margins:
                raise _no_margin(margin, ("selection_model", "margins"), self.margins)
        return self

    @model_validator(mode="after")
    def _steps_possible(self) -> SurveyFile:
        """Refuse steps out of order, and steps whose tables or margins are not declared."""
        earlier: set[str] = set()
        for position, step in enumerate(self.weighting):
            at: Location = ("weighting", position)
            if isinstance(step, BaseStep):
                _refuse(
                    position > 0,
                    "S150",
                    _("The base step comes first, and once."),
                    at=at,
                    hint=_("Move `base` to the top."),
                )
                _refuse(
                    step.source == "inclusion" and self.sample is None,
                    "S121",
                    _("The base step needs a `sample` table."),
                    at=at,
                    hint=_("Declare `sample`, or remove the step."),
                )
                _refuse(
                    step.source == "frame" and self.frame is None,
                    "S165",
                    _("A base step with source: frame needs a `frame` table."),
                    at=at,
                    hint=_("Declare `frame`, or choose another source."),
                )
                _refuse(
                    step.source == "table" and self.nonrespondents is not None,
                    "S526",
                    _("Final weights made elsewhere are those of respondents alone."),
                    at=at,
                    hint=_("Remove `nonrespondents` and the nonresponse step."),
                )
            elif isinstance(step, NonresponseStep):
                _refuse(
                    bool(earlier - {"base"}),
                    "S158",
                    _("The nonresponse step comes right after the base step, and once."),
                    at=at,
                    hint=_("Move it above calibration and trimming."),
                )
                _refuse(
                    self.nonrespondents is None,
                    "S157",
                    _("The nonresponse step needs a `nonrespondents` table."),
                    at=at,
                    hint=_("Declare `nonrespondents`, or remove the step."),
                )
            elif isinstance(step, CalibrationStep):
                for margin in step.margins or ():
                    if margin not in self.margins:
                        raise _no_margin(margin, (*at, "margins"), self.margins)
            earlier.add(step.step)
        _refuse(
            self.nonrespondents is not None and "nonresponse" not in earlier,
            "S166",
            _("A `nonrespondents` table is declared, but no nonresponse step uses it."),
            at=("nonrespondents",),
            hint=_("Add a nonresponse step, or remove the table."),
        )
        return self


def _refuse(wrong: bool, code: str, text: Text, *, at: Location, hint: Text) -> None:
    """Refuse a declaration that is wrong, with what to do."""
    if wrong:
        raise fault(code, text, at=at, hint=hint)


def _no_margin(margin: str, at: Location, declared: Mapping[str, Margin]) -> Exception:
    return fault(
        "S122",
        _("There is no margin named '{margin}'.", margin=margin),
        at=at,
        available=declared,
        got=margin,
        hint=_("Declare it under `margins`."),
    )
