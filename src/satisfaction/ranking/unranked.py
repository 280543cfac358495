"""A table of units of which none is ranked, because there is nothing to rank them with: rows without ranks, and the reason."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd

from satisfaction.foundation.errors import RankingError
from satisfaction.ranking.options import RULES, Options
from satisfaction.ranking.pairs import compare
from satisfaction.ranking.probability import Posterior
from satisfaction.ranking.rank import Ranking
from satisfaction.ranking.sets import RankSets
from satisfaction.ranking.table import PROBABILITIES, TIES
from satisfaction.ranking.units import Units

PLACES = ("rank", "marginal_low", "marginal_high", "simultaneous_low", "simultaneous_high")
FIGURES = ("p_in", "p_out", "probability_bottom", "expected_rank", "reliability")
NONE = np.empty(0)
NOTE = (
    "有答卷的地区不足两个，没有可比的名次：不排名，不出名单。 "
    "Fewer than two areas have answers: there is nothing to compare, so no ranks and no list."
)


def nothing_ranked(units: Units, options: Options, *, source: Any) -> Ranking:
    """Return a `Ranking` in which every unit keeps its row and none has a rank; `units.ranked` is False throughout."""
    places = {name: pd.array([pd.NA] * len(units.names), dtype="Int64") for name in PLACES}
    figures = dict.fromkeys(FIGURES, np.nan)
    if options.multiplicity:
        figures |= {"p_in_adjusted": np.nan, "p_out_adjusted": np.nan}
    se = np.sqrt(np.diag(units.cov))
    table = pd.DataFrame(
        {"unit": list(units.names), "estimate": units.estimate, "se": se, **places}
    )
    table = table.assign(status="not ranked", **figures)
    pairs = compare(NONE, cov=np.empty((0, 0)), df=NONE)
    nowhere = NONE.astype(int)
    sets = (
        RankSets(nowhere, nowhere),
        RankSets(nowhere, nowhere, better=np.empty((0, 0), dtype=bool)),
    )
    model = Posterior(np.nan, np.nan, NONE, NONE, NONE, np.nan)
    facts = {
        "p": 0,
        "not_ranked": units.names,
        "rankability": np.nan,
        "tau2": np.nan,
        "mu": np.nan,
        "decidable_share": np.nan,
        "listed": (),
        "tied_at_cut": (),
        "tie_at_cut": False,
        "list_size_low": 0,
        "list_size_high": 0,
        "expected_true_bottom": np.nan,
        "established_listed": 0,
        "list_p": np.nan,
        "list_established": False,
        "critical_values": MappingProxyType({"marginal": None, "simultaneous": None}),
        "se_from_limits": (),
        "zero_se": (),
        "df": "nothing is ranked",
        "independent": True,
        "ties": TIES.format(RULES[options.ties]),
        "probabilities": PROBABILITIES.format(options.between.upper()),
        "seed": None,
        "fragile": (),
    }
    summary = facts | options.conventions(units.selection, pairs) | {"notes": (NOTE,)}
    return Ranking(table, MappingProxyType(summary), units, pairs, model, source, sets, options)


def require_ranks(ranking: Ranking, *, where: str) -> None:
    """Refuse to go on without ranks where the question is about ranks.

    Raises
    ------
    RankingError
        K341.
    """
    if not ranking.ranks_any:
        raise RankingError(
            "K341",
            "有答卷的地区不足两个，没有名次，这里要回答的问题不存在。",
            "Fewer than two areas have answers: there are no ranks, and what is asked here is about ranks.",
            where=where,
            hint=(
                "一个地区可用 run、report、fieldwork、rolling，与官方调查对照用 trial。",
                "One area can use run, report, fieldwork and rolling; beside an official survey, trial.",
            ),
        )
