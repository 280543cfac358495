"""Comparisons between two items, or an item and a number: what must hold for the answers of one respondent."""

from __future__ import annotations

import re
from typing import Literal, TypeAlias, get_args

from pydantic import model_validator

from ..io.yaml import Label, fault

Operator: TypeAlias = Literal["<=", ">=", "==", "!=", "<", ">"]
COMPARISON = re.compile(r"\s*(?P<left>[A-Za-z_]\w*)\s*(?P<op><=|>=|==|!=|<|>)\s*(?P<right>[A-Za-z_]\w*|-?\d+)\s*")
TURNED: dict[Operator, Operator] = {"<=": ">=", ">=": "<=", "<": ">", ">": "<", "==": "==", "!=": "!="}


class Constraint(Label):
    """A comparison that must hold where both sides are answered: `check: adults <= household_size`; what it means in words."""

    check: str

    @property
    def left(self) -> str:
        """Return the item on the left."""
        return self._part("left")

    @property
    def right(self) -> str | int:
        """Return the item, or the number, on the right."""
        text = self._part("right")
        return text if text.isidentifier() else int(text)

    @property
    def operator(self) -> Operator:
        """Return the operator."""
        return next(one for one in get_args(Operator) if one == self._part("op"))

    def items(self) -> list[str]:
        """Return the items that are compared."""
        return [self.left, *([self.right] if isinstance(self.right, str) else [])]

    def _part(self, name: str) -> str:
        found = COMPARISON.fullmatch(self.check)
        assert found is not None
        return found[name]

    @model_validator(mode="after")
    def _readable(self) -> Constraint:
        if not COMPARISON.fullmatch(self.check):
            raise fault(
                "Q161",
                f"不能读懂的比较 '{self.check}'。",
                f"The comparison '{self.check}' cannot be read.",
                at=("check",),
                available=["a <= b", "a >= 18"],
                hint=("写作“题目 运算符 题目或整数”。", "Write: item, operator, item or whole number."),
            )
        return self
