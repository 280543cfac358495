"""What rules.yaml makes of the estimates: what is withheld, rankings under declared rules, and the verdicts that follow from them.

Reading order: `suppression` (cells that are not published), `main` (the ranking of the areas, with its list), `rounding` (ranks of rounded scores), `within` (every level
of areas within its parents), then the verdicts: `targets`, `thresholds`, `escalation`. The methods are in `ranking/`.
"""

from __future__ import annotations

from .escalation import listed_in_a_row, standing
from .main import rank_by_rules
from .suppression import SHIELD, SMALL, Suppressed, suppressed_cells, withhold
from .targets import target_verdicts
from .thresholds import below_tests, threshold_verdicts
from .within import LeftOut, Rankings, rank_within

__all__ = [
    "SHIELD",
    "SMALL",
    "LeftOut",
    "Rankings",
    "Suppressed",
    "below_tests",
    "listed_in_a_row",
    "rank_by_rules",
    "rank_within",
    "standing",
    "suppressed_cells",
    "target_verdicts",
    "threshold_verdicts",
    "withhold",
]
