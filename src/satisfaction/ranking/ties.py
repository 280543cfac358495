"""The published rank where units are tied: the usual conventions, all from one formula."""

from __future__ import annotations

from typing import Literal, TypeAlias

import numpy as np

from satisfaction.ranking.pairs import TIE, Floats, Ints, Pairs

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
