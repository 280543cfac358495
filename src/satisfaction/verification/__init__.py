"""Is a file set what its inputs give, and what differs between two sets?

`differences` finds where two files differ, `verify` recomputes a set from its inputs, `compare` explains what changed between
two sets, `words` says both in Chinese and English.
"""

from __future__ import annotations

from .compare import Comparison, compare
from .differences import Difference, first_difference
from .verify import Verification, verify
from .words import comparison_lines, verification_lines

__all__ = [
    "Comparison",
    "Difference",
    "Verification",
    "compare",
    "comparison_lines",
    "first_difference",
    "verification_lines",
    "verify",
]
