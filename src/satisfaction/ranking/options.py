"""What can be asked of a ranking, checked, and said in words.

The published rank where units are tied: the usual conventions, all from one formula.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias, get_args

import numpy as np

from satisfaction.estimation.intervals import check_level
from satisfaction.foundation.errors import RankingError, one_of
from satisfaction.ranking import max_t as maxt
from satisfaction.ranking.membership import Form, Multiplicity, form_used
from satisfaction.ranking.pairs import TIE, Floats, Ints, Pairs
from satisfaction.ranking.probability import Between
from satisfaction.ranking.sets import MARGINAL, SIMULTANEOUS, Marginal, RankSets, Simultaneous

Ties: TypeAlias = Literal["competition", "modified", "dense", "fractional"]
SHARES = {"competition": 0.0, "modified": 1.0, "fractional": 0.5}
"""Share of the places that tied units occupy together which is counted before each of them."""
RULES = {
    "competition": "competition ranks (1 2 2 4)",
    "modified": "modified competition ranks (1 3 3 4)",
    "dense": "dense ranks (1 2 2 3), which may lie outside the rank sets: those count units, not distinct scores",
    "fractional": "fractional ranks (1 2.5 2.5 4)",
}


def tied_rank(pairs: Pairs, ties: Ties) -> Ints | Floats:
    """Ranks of p units under a tie rule, (p,); whole numbers unless "fractional"."""
    if ties == "dense":
        return dense_rank(pairs)
    ranks = integer_rank(np.sum(pairs.t < 0, axis=1), np.sum(pairs.t == 0, axis=1), SHARES[ties])
    whole: Ints = ranks.astype(np.int64)
    return ranks if ties == "fractional" else whole


def integer_rank(better: Ints, tied: Ints, share: float) -> Floats:
    """Rank from how many are better and how many are level, the unit itself included (csranks' `irank`, share = omega)."""
    ranks: Floats = better + share * tied + 1 - share
    return ranks


def dense_rank(pairs: Pairs) -> Ints:
    """Rank among distinct scores: 1 + the number of better groups of ties."""
    order = np.argsort(-pairs.score, kind="stable")
    new = pairs.t[order[:-1], order[1:]] > 0
    ranks = np.empty(len(order), dtype=np.int64)
    ranks[order] = np.append(1, 1 + np.cumsum(new))
    return ranks


def rank_against(score: Floats, field: Floats, *, share: float = 0.0) -> Floats:
    """Rank that each of (n,) scores would have among a (m,) field it is not part of (csranks' `irank_against`).

    Where would this county have stood last year? With share 1 and a score unlike any in the field, that is the number of
    better ones, without the place of its own.
    """
    ahead = field - score[:, None]
    return integer_rank(np.sum(ahead >= TIE, axis=1), np.sum(np.abs(ahead) < TIE, axis=1), share)


FORMS = {
    "simes": "Simes form",
    "bonferroni": "Bonferroni form",
    "dunnett": "Dunnett form (the comparisons with the largest se stand for those that may be false)",
}
FAMILIES = {
    "holm": "Holm: family-wise error over the units of the table, p_in and p_out each for itself",
    "bh": "Benjamini-Hochberg: false discovery rate over the units of the table, p_in and p_out each for itself",
}


@dataclass(frozen=True, slots=True)
class Options:
    """Options of `satisfaction.rank`, under the same names."""

    level: float
    bottom: int
    higher_is_better: bool
    marginal: Marginal
    simultaneous: Simultaneous
    membership: Form
    multiplicity: Multiplicity | None
    ties: Ties
    between: Between
    draws: int
    seed: int
    step_down: bool

    def sets(self, pairs: Pairs) -> tuple[RankSets, RankSets]:
        """Compute marginal and simultaneous sets."""
        simulated = {"draws": self.draws, "seed": self.seed, "step_down": self.step_down}
        asked = (MARGINAL, self.marginal_used(pairs)), (SIMULTANEOUS, self.simultaneous)
        marginal, simultaneous = (
            kernels[name](pairs, 1 - self.level, **(simulated if name == "maxt" else {}))
            for kernels, name in asked
        )
        return marginal, simultaneous

    def marginal_used(self, pairs: Pairs) -> Marginal:
        """Simes needs independent units; Holm replaces it otherwise."""
        return "holm" if self.marginal == "simes" and not pairs.independent else self.marginal

    def conventions(self, units_selection: str, pairs: Pairs) -> dict[str, Any]:
        """Declare every option; those that came later only where they are used."""
        form = f"partial conjunction, {FORMS[form_used(pairs, self.membership)]}"
        declared = {
            "level": self.level,
            "bottom": self.bottom,
            "higher_is_better": self.higher_is_better,
            "selection": units_selection,
            "marginal": self.marginal_used(pairs),
            "marginal_asked": self.marginal,
            "simultaneous": self.simultaneous,
            "membership": f"{form}, one unit, one side",
        }
        if self.membership != "simes":
            declared["membership_asked"] = self.membership
        if self.multiplicity:
            declared["multiplicity"] = FAMILIES[self.multiplicity]
        return declared


def check_options(options: Options) -> None:
    """Refuse what cannot be asked; K113-K115, K117-K119, K122-K124."""
    # at a lower level a unit could be proven both in and out
    check_level(options.level, above=0.5, error=RankingError, code="K115")
    known: dict[str, tuple[str, str, Iterable[str]]] = {
        "K113": ("marginal", options.marginal, MARGINAL),
        "K114": ("simultaneous", options.simultaneous, SIMULTANEOUS),
        "K117": ("membership", options.membership, FORMS),
        "K119": ("ties", options.ties, get_args(Ties)),
        "K122": ("between", options.between, get_args(Between)),
    }
    if options.multiplicity is not None:
        known["K118"] = ("multiplicity", options.multiplicity, FAMILIES)
    for code, (argument, value, names) in known.items():
        one_of(value, names, argument=argument, error=RankingError, code=code)
    check_simulation(options.draws, options.seed)


def check_simulation(draws: object, seed: object) -> None:
    """Refuse too few draws, and a seed that is none."""
    if not is_whole(draws) or draws < maxt.FEWEST:  # type: ignore[operator]
        raise RankingError(
            "K123",
            f"draws={draws} 太少，至少 {maxt.FEWEST} 次模拟。",
            f"draws={draws} is too few; at least {maxt.FEWEST} are needed.",
            where="draws",
            hint=(f"用默认的 {maxt.DRAWS} 次。", f"Use the default of {maxt.DRAWS}."),
        )
    if not is_whole(seed) or seed < 0:  # type: ignore[operator]
        raise RankingError(
            "K124",
            f"seed={seed} 应为非负整数。",
            f"seed={seed} is not a whole number from 0 on.",
            where="seed",
        )


def is_whole(value: object) -> bool:
    """Whether a value is a whole number."""
    return isinstance(value, int | np.integer) and not isinstance(value, bool)


def check_places(places: int, p: int, *, argument: str, code: str) -> None:
    """Refuse a number of places that leaves nobody inside or nobody outside."""
    if not is_whole(places) or not 0 < places < p:
        raise RankingError(
            code,
            f"{argument}={places} 应为 1 到 {p - 1} 之间的整数（参与排名的单位共 {p} 个）。",
            f"{argument}={places} is not a whole number from 1 to {p - 1} ({p} units are ranked).",
            where=argument,
        )
