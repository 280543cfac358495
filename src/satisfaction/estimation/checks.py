"""What a call of an estimator or a test may ask for."""

from __future__ import annotations

from numbers import Real

from satisfaction.foundation.errors import EstimatesError


def check_level(level: float) -> None:
    """Refuse a confidence level that is none.

    Raises
    ------
    EstimatesError
        E104.
    """
    if not isinstance(level, Real) or not 0 < level < 1:
        raise EstimatesError(
            "E104",
            f"置信水平 {level!r} 须为 0 与 1 之间的数。",
            f"A confidence level of {level!r} is not a number between 0 and 1.",
            where="level",
            hint=("例如写 0.95。", "Write 0.95, for instance."),
        )
