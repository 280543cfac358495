"""Rates and indices: what may stand in a questionnaire's `rates` and `indices`."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Annotated, Literal

from pydantic import Field, model_validator

from ..io.yaml import Code, Label, Name, fault
from .items import Denominator, Missing

Weight = float | Annotated[str, Field(pattern=r"^[0-9]+/[1-9][0-9]*$")]


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

    @model_validator(mode="after")
    def _enough_items(self) -> Rate:
        _check_minimum(self.min_valid_items, len(self.items))
        return self


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
                "Q121",
                f"指数的权重之和为 {float(total):.12g}，须等于 1 且不为负。",
                f"The weights of the index add to {float(total):.12g}; they must add to 1, none negative.",
                at=("weights",),
                hint=('改正权重；三分之一可写作 "1/3"。', 'Correct the weights; a third may be written "1/3".'),
            )
        _check_minimum(self.min_valid_items, len(self.weights))
        return self

    def whole_weights(self) -> dict[str, int]:
        """Return the weights as the smallest whole numbers in the same proportion (exact arithmetic needs them)."""
        exact = {name: Fraction(str(weight)) for name, weight in self.weights.items()}
        common = math.lcm(*(weight.denominator for weight in exact.values()))
        whole = {name: int(weight * common) for name, weight in exact.items()}
        divisor = math.gcd(*whole.values())
        return {name: value // divisor for name, value in whole.items()}


def _check_minimum(least: int, items: int) -> None:
    if least > items:
        raise fault(
            "Q122",
            "min_valid_items 大于题目数。",
            "min_valid_items exceeds the number of items.",
            at=("min_valid_items",),
            hint=("改小 min_valid_items。", "Lower min_valid_items."),
        )
