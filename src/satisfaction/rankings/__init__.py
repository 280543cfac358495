"""What rules.yaml makes of the estimates: what is withheld, rankings under declared rules, and the verdicts that follow from them.

Reading order: `suppression` (cells that are not published), `floor` (the errors that ranks rest on), `main` (the ranking of
the areas, with its list), `rounding` (ranks of rounded scores), `within` (every level of areas within its parents), then the
verdicts: `targets`, `thresholds`, `escalation`. The methods are in `ranking/`.
"""

from __future__ import annotations

from .escalation import listed_in_a_row, standing
from .floor import Floored, floored
from .main import rank_by_rules
from .suppression import SHIELD, SMALL, Suppressed, suppressed_cells, withhold
from .targets import target_verdicts
from .thresholds import below_tests, threshold_verdicts
from .within import LeftOut, Rankings, rank_within

__all__ = [
    "SHIELD",
    "SMALL",
    "Floored",
    "LeftOut",
    "Rankings",
    "Suppressed",
    "below_tests",
    "floored",
    "listed_in_a_row",
    "rank_by_rules",
    "rank_within",
    "standing",
    "suppressed_cells",
    "target_verdicts",
    "threshold_verdicts",
    "withhold",
]
