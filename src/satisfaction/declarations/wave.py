"""What survey.yaml may say, as frozen records."""

from __future__ import annotations

import datetime
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, model_validator

from satisfaction.declarations.steps import BaseStep, NonresponseStep, Step, fault_in_steps
from satisfaction.foundation.yaml import Code, Label, Name, Record, fault

Selection = Literal["probability", "quota", "open_link"]
Level = Annotated[float, Field(gt=0.5, lt=1)]
AreaCode = Annotated[str, Field(pattern=r"^[0-9A-Za-z]{1,12}$")]
Wave = Annotated[str, Field(pattern=r"^[0-9A-Za-z-]+$")]
PATTERN = r"^[^/\\]"


class Table(Record):
    """A table of facts beside survey.yaml, with its source and the date it describes."""

    file: str
    source: str
    date: datetime.date


class Margin(Table):
    """Population counts by one or several items (column `population`)."""

    by: Annotated[list[Name], Field(min_length=1)]


class Quota(Table):
    """Planned interviews of every cell (column `planned`); the area is the first item of a cell."""

    by: Annotated[list[Name], Field(min_length=1)]


class Outcomes(Table):
    """What outcome codes mean (columns `code`, `disposition`).

    `cases` is a file with one row a sampled case, interviewed or not: the area's column and `outcome`. Without it the outcome
    column of the response files is used.
    """

    cases: str | None = None


class BackCheck(Table):
    """Re-interviews: the respondent's column, and `items` that do not change between two interviews, coded as in responses."""

    items: Annotated[list[Name], Field(min_length=1)]


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


class Collapse(Record):
    """A stratum that joins another one for the variance; values in the order of the questionnaire's strata."""

    stratum: Annotated[list[str | int], Field(min_length=1)]
    into: Annotated[list[str | int], Field(min_length=1)]


class Fielded(Record):
    """First and last day of interviews."""

    start: datetime.date
    end: datetime.date

    @model_validator(mode="after")
    def _in_order(self) -> Fielded:
        if self.end < self.start:
            raise fault(
                "S126",
                "调查期的结束日早于开始日。",
                "The fielding period ends before it starts.",
                at=("end",),
                hint=("改正日期。", "Correct the dates."),
            )
        return self


class FilesEntry(Record):
    """Response files by a pattern: the platform they were exported from (default: recognised) and the team."""

    pattern: Annotated[str, Field(pattern=PATTERN)]
    platform: str = "auto"
    team: str = ""


def _spelt_out(value: Any) -> Any:
    """Read a pattern that stands alone as an entry."""
    return {"pattern": value} if isinstance(value, str) else value


DEFAULT_FILES = "responses/**/*"
Numbering = Literal["survey", "area", "file", "row"]
Files = Annotated[FilesEntry, BeforeValidator(_spelt_out, json_schema_input_type=str | FilesEntry)]


class Simulated(Record):
    """Marks a wave whose answers nobody gave."""

    seed: int
    note: Label


class SurveyFile(Record):
    """What survey.yaml may say. Tables, margins and weighting may be absent; the pipeline then leaves those steps out.

    `overall` names the rate that asks for the overall judgement, where the questionnaire does not; without it the importance
    of topics is not estimated.
    Without `files` every table of a kind that is read is taken from responses/ and the folders below it; `ignore` names files
    there that hold no responses. `numbering` says within what the respondents' numbers are unique: the survey, the area (every
    county counts from 1), the file (a sheet of a workbook is one), or nothing ("row": the file and the row are the number).
    """

    survey: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    wave: Wave
    title: Label
    questionnaire: Annotated[str, Field(pattern=r"^[a-z0-9-]+@[0-9A-Za-z.-]+$")]
    selection: Selection
    selection_note: Label | None = None
    simulated: Simulated | None = None
    fielded: Fielded | None = None
    files: Annotated[list[Files], Field(min_length=1)] = [FilesEntry(pattern=DEFAULT_FILES)]
    ignore: list[Annotated[str, Field(pattern=PATTERN)]] = []
    numbering: Numbering = "survey"
    areas: Table | None = None
    frame: Table | None = None
    sample: Table | None = None
    nonrespondents: Table | None = None
    quota: Quota | None = None
    outcomes: Outcomes | None = None
    fieldwork: Checking = Checking()
    margins: dict[str, Margin] = {}
    weighting: list[Step] = []
    lonely_psu: Literal["fail", "adjust", "average", "certainty", "remove"] = "fail"
    collapse: list[Collapse] = []
    level: Level = 0.95
    overall: Name | None = None
    rules: str = "rules.yaml"

    @property
    def base(self) -> BaseStep | None:
        """Return the base step, if one is declared."""
        return next((step for step in self.weighting if isinstance(step, BaseStep)), None)

    @property
    def nonresponse(self) -> NonresponseStep | None:
        """Return the nonresponse step, if one is declared."""
        return next((step for step in self.weighting if isinstance(step, NonresponseStep)), None)

    @model_validator(mode="after")
    def _steps_possible(self) -> SurveyFile:
        tables = [
            name
            for name in ("frame", "sample", "nonrespondents")
            if getattr(self, name) is not None
        ]
        if found := fault_in_steps(self.weighting, tables=tables, margins=self.margins):
            raise found
        return self
