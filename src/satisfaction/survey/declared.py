"""What survey.yaml and rules.yaml may say, as frozen records."""

from __future__ import annotations

import datetime
from typing import Annotated, Literal

from pydantic import Field, model_validator

from ..io.yaml import Label, Name, Record, fault

Selection = Literal["probability", "quota", "open_link"]
Level = Annotated[float, Field(gt=0.5, lt=1)]
AreaCode = Annotated[str, Field(pattern=r"^[0-9A-Za-z]{1,12}$")]


class Table(Record):
    """A table of facts beside survey.yaml, with its source and the date it describes."""

    file: str
    source: str
    date: datetime.date


class Margin(Table):
    """Population counts by one or several items (column `population`)."""

    by: Annotated[list[Name], Field(min_length=1)]


class BaseStep(Record):
    """Base weight = 1 / (psu_probability x person_probability), from the sample table."""

    step: Literal["base"]


class CalibrationStep(Record):
    """Calibration of the weights to declared margins."""

    step: Literal["calibration"]
    method: Literal["poststratify", "raking", "linear"] = "raking"
    margins: Annotated[list[str], Field(min_length=1)]
    tolerance: Annotated[float, Field(gt=0, lt=0.01)] = 1e-10


Step = Annotated[BaseStep | CalibrationStep, Field(discriminator="step")]


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


class Simulated(Record):
    """Marks a wave whose answers nobody gave."""

    seed: int
    note: Label


class SurveyFile(Record):
    """What survey.yaml may say. Tables, margins and weighting may be absent; the pipeline then leaves those steps out."""

    survey: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$")]
    wave: Annotated[str, Field(pattern=r"^[0-9A-Za-z-]+$")]
    title: Label
    questionnaire: Annotated[str, Field(pattern=r"^[a-z0-9-]+@[0-9A-Za-z.-]+$")]
    selection: Selection
    selection_note: Label | None = None
    simulated: Simulated | None = None
    fielded: Fielded | None = None
    files: Annotated[list[Annotated[str, Field(pattern=r"^[^/\\]")]], Field(min_length=1)]
    areas: Table | None = None
    frame: Table | None = None
    sample: Table | None = None
    margins: dict[str, Margin] = {}
    weighting: list[Step] = []
    lonely_psu: Literal["fail", "adjust", "average", "certainty", "remove"] = "fail"
    level: Level = 0.95
    rules: str = "rules.yaml"

    @model_validator(mode="after")
    def _steps_have_tables(self) -> SurveyFile:
        for position, step in enumerate(self.weighting):
            if isinstance(step, BaseStep) and self.sample is None:
                raise fault(
                    "S121",
                    "base 步骤需要 sample 表。",
                    "The base step needs a `sample` table.",
                    at=("weighting", position),
                    hint=("声明 sample，或去掉该步骤。", "Declare `sample`, or remove the step."),
                )
            for margin in step.margins if isinstance(step, CalibrationStep) else ():
                if margin not in self.margins:
                    raise fault(
                        "S122",
                        f"没有名为 '{margin}' 的边际表。",
                        f"There is no margin named '{margin}'.",
                        at=("weighting", position, "margins"),
                        available=self.margins,
                        got=margin,
                        hint=("在 margins 中声明它。", "Declare it under `margins`."),
                    )
        return self


class RankingRules(Record):
    """How the ranking list is made; data, with a source, because no official rule was found."""

    list_size: Annotated[int, Field(ge=1)] = 10
    side: Literal["last"] = "last"
    minimum_n: Annotated[int, Field(ge=1)] = 30
    ties: Literal["competition"] = "competition"
    round_before_ranking: Literal["off"] = "off"
    level: Level = 0.95
    source: str


class ResponseRules(Record):
    """What happens to a row or an answer that breaks a rule."""

    unknown_area: Literal["stop", "reject_row"] = "stop"
    outside_scale: Literal["blank_item", "reject_row"] = "blank_item"


class Target(Record):
    """A rank an area has been set: among the first `top`."""

    top: Annotated[int, Field(ge=1)]


class Rules(Record):
    """What rules.yaml may say."""

    ranking: RankingRules
    responses: ResponseRules = ResponseRules()
    targets: dict[AreaCode, Target] = {}
