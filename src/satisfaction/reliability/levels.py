"""The one check the assessments share."""

from __future__ import annotations

from ..errors import EstimatesError


def check_level(level: float) -> None:
    """Refuse a confidence level that is none.

    Raises
    ------
    EstimatesError
        E104.
    """
    if not 0 < level < 1:
        raise EstimatesError(
            "E104",
            f"置信水平 {level} 须在 0 与 1 之间。",
            f"A confidence level of {level} is not between 0 and 1.",
            where="level",
            hint=("例如写 0.95。", "Write 0.95, for instance."),
        )
