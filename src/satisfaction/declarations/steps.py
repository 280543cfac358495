"""The weighting steps survey.yaml may declare, and what cannot stand together in them."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Annotated, Literal

from pydantic import Field, model_validator
from pydantic_core import PydanticCustomError

from satisfaction.foundation.yaml import Location, Name, Record, fault

Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]


class BaseStep(Record):
    """Base weight of every sampled person.

    inclusion: 1 / (psu_probability x person_probability), from the sample table. frame: the frame's population of the
    stratum, shared among the persons sampled in it in proportion to the items of `multiply` over those of `divide`; a
    missing value counts as 1. column: the item `column` holds it.
    """

    step: Literal["base"]
    source: Literal["inclusion", "frame", "column"] = "inclusion"
    multiply: list[Name] = []
    divide: list[Name] = []
    column: Name | None = None

    @property
    def items(self) -> tuple[str, ...]:
        """Return the items that the base weight is made from."""
        return tuple(dict.fromkeys([*self.multiply, *self.divide, *filter(None, [self.column])]))

    @model_validator(mode="after")
    def _keys_of_the_source(self) -> BaseStep:
        wrong = [
            name
            for name in ("multiply", "divide")
            if getattr(self, name) and self.source != "frame"
        ]
        wrong += ["column"] if (self.column is None) == (self.source == "column") else []
        if wrong:
            raise fault(
                "S164",
                f"base 步骤的 {wrong[0]} 与 source: {self.source} 不相配。",
                f"`{wrong[0]}` of the base step does not go with source: {self.source}.",
                at=(wrong[0],),
                available=("frame: multiply, divide", "column: column"),
                hint=(
                    "multiply、divide 只配 source: frame；source: column 须写且只有它写 column。",
                    "`multiply` and `divide` go with source: frame; source: column, and no other, needs `column`.",
                ),
            )
        return self


class NonresponseStep(Record):
    """The weight of sampled persons who did not answer is given to those who did, by items known for both."""

    step: Literal["nonresponse"]
    method: Literal["classes", "propensity"] = "classes"
    by: Annotated[list[Name], Field(min_length=1)]


class CalibrationStep(Record):
    """Calibration of the weights to declared margins."""

    step: Literal["calibration"]
    method: Literal["poststratify", "raking", "linear", "logit"] = "raking"
    margins: Annotated[list[str], Field(min_length=1)]
    bounds: tuple[float, float] | None = None
    tolerance: Annotated[float, Field(gt=0, lt=0.01)] = 1e-10

    @model_validator(mode="after")
    def _bounds_fit(self) -> CalibrationStep:
        example = ("例如写 bounds: [0.3, 3]。", "Write bounds: [0.3, 3], for instance.")
        if self.method == "logit" and self.bounds is None:
            raise fault(
                "S159",
                "logit 校准须写 bounds。",
                "Logit calibration needs `bounds`.",
                at=("method",),
                hint=example,
            )
        if self.method == "poststratify" and self.bounds is not None:
            raise fault(
                "S159",
                "事后分层的因子由边际决定，不能写 bounds。",
                "Post-stratification takes no `bounds`: its margin decides the factors.",
                at=("bounds",),
                available=("raking", "linear", "logit"),
                hint=("删去 bounds，或改用其他方法。", "Remove `bounds`, or use another method."),
            )
        if self.bounds is not None and not 0 <= self.bounds[0] < 1 < self.bounds[1] < float("inf"):
            raise fault(
                "S160",
                "bounds 须满足 0 <= 下界 < 1 < 上界。",
                "`bounds` must hold 0 <= low < 1 < high.",
                at=("bounds",),
                hint=example,
            )
        return self


class TrimmingStep(Record):
    """Weights beyond bounds are cut and the excess given to the others.

    `lower` and `upper` are multiples of the respondents' median or mean weight, or (relative_to: none) weights. `within`
    absent: the items of the last calibration; empty: all respondents together.
    """

    step: Literal["trimming"]
    lower: Positive | None = None
    upper: Positive | None = None
    relative_to: Literal["median", "mean", "none"] = "median"
    within: list[Name] | None = None
    spread: Literal["cell", "equal"] = "cell"

    @model_validator(mode="after")
    def _bounded(self) -> TrimmingStep:
        if self.lower is None and self.upper is None:
            raise fault(
                "S161",
                "trimming 步骤没有上界也没有下界。",
                "The trimming step has neither an upper nor a lower bound.",
                hint=("写 upper: 4，或去掉该步骤。", "Write upper: 4, or remove the step."),
            )
        if self.lower is not None and self.upper is not None and self.lower >= self.upper:
            raise fault(
                "S162",
                "trimming 的 lower 须小于 upper。",
                "`lower` of the trimming step must be below `upper`.",
                at=("lower",),
                hint=("改正界限。", "Correct the bounds."),
            )
        return self


Step = Annotated[
    BaseStep | NonresponseStep | CalibrationStep | TrimmingStep, Field(discriminator="step")
]


def fault_in_steps(
    steps: Sequence[BaseStep | NonresponseStep | CalibrationStep | TrimmingStep],
    *,
    tables: Collection[str],
    margins: Collection[str],
) -> PydanticCustomError | None:
    """Return the first fault in a list of steps: their order, and the tables and margins they need."""
    for position, step in enumerate(steps):
        at: Location = ("weighting", position)
        found = _out_of_order(step, position, [earlier.step for earlier in steps[:position]])
        if found is None and isinstance(step, BaseStep):
            found = _base_without_table(step, at, tables)
        if found is None and isinstance(step, NonresponseStep) and "nonrespondents" not in tables:
            found = fault(
                "S157",
                "nonresponse 步骤需要 nonrespondents 表。",
                "The nonresponse step needs a `nonrespondents` table.",
                at=at,
                hint=(
                    "声明 nonrespondents，或去掉该步骤。",
                    "Declare `nonrespondents`, or remove the step.",
                ),
            )
        if found is None and isinstance(step, CalibrationStep):
            found = _unknown_margin(step, at, margins)
        if found is not None:
            return found
    if "nonrespondents" in tables and not any(isinstance(step, NonresponseStep) for step in steps):
        return fault(
            "S166",
            "声明了 nonrespondents 表，但没有 nonresponse 步骤用到它。",
            "A `nonrespondents` table is declared, but no nonresponse step uses it.",
            at=("nonrespondents",),
            hint=(
                "在 weighting 中加上 nonresponse 步骤，或去掉该表。",
                "Add a nonresponse step, or remove the table.",
            ),
        )
    return None


def _out_of_order(step: Record, position: int, earlier: list[str]) -> PydanticCustomError | None:
    at: Location = ("weighting", position)
    if isinstance(step, BaseStep) and position > 0:
        return fault(
            "S150",
            "base 须是第一个步骤，且只有一个。",
            "The base step comes first, and once.",
            at=at,
            hint=("把 base 移到最前。", "Move `base` to the top."),
        )
    if isinstance(step, NonresponseStep) and set(earlier) - {"base"}:
        return fault(
            "S158",
            "nonresponse 须紧接 base，且只有一个。",
            "The nonresponse step comes right after the base step, and once.",
            at=at,
            hint=(
                "把 nonresponse 移到 calibration 与 trimming 之前。",
                "Move it above calibration and trimming.",
            ),
        )
    return None


def _base_without_table(
    step: BaseStep, at: Location, tables: Collection[str]
) -> PydanticCustomError | None:
    if step.source == "inclusion" and "sample" not in tables:
        return fault(
            "S121",
            "base 步骤需要 sample 表。",
            "The base step needs a `sample` table.",
            at=at,
            hint=("声明 sample，或去掉该步骤。", "Declare `sample`, or remove the step."),
        )
    if step.source == "frame" and "frame" not in tables:
        return fault(
            "S165",
            "source: frame 的 base 步骤需要 frame 表。",
            "A base step with source: frame needs a `frame` table.",
            at=at,
            hint=("声明 frame，或换一个 source。", "Declare `frame`, or choose another source."),
        )
    return None


def _unknown_margin(
    step: CalibrationStep, at: Location, margins: Collection[str]
) -> PydanticCustomError | None:
    for margin in step.margins:
        if margin not in margins:
            return fault(
                "S122",
                f"没有名为 '{margin}' 的边际表。",
                f"There is no margin named '{margin}'.",
                at=(*at, "margins"),
                available=margins,
                got=margin,
                hint=("在 margins 中声明它。", "Declare it under `margins`."),
            )
    return None
