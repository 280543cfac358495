"""Ranks of answers by how often they are named ("the most-named problem"): exact for independent
respondents.

Given that j or k was named, the count of j is binomial with probability 1/2 where both are equally
common, whatever the other answers: every pair has an exact test, and sets follow from the pairs as
everywhere in this package.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Literal, TypeAlias, get_args

import numpy as np
import pandas as pd
from scipy import special

from satisfaction.estimation.multiplicity import holm
from satisfaction.foundation.errors import RankingError, one_of
from satisfaction.foundation.figures import Brief
from satisfaction.foundation.language import N_, _
from satisfaction.ranking.pairs import Bools, Floats, Ints, integer_rank
from satisfaction.ranking.units import numbered_names

Correction: TypeAlias = Literal["holm", "bonferroni"]
Direction: TypeAlias = Literal["two-sided", "best", "worst"]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class CountRanking(Brief):
    """Answers ranked by how often they are named, as returned by `rank_counts`.

    Attributes
    ----------
    table : DataFrame
        One row an answer, in input order: answer, count, share (0-1), rank (1 = named most; ties
        share the better rank), marginal_low, marginal_high (for one answer named beforehand),
        simultaneous_low, simultaneous_high (for all at once, or those asked for).
    summary : mapping
        answers, named, level, correction, direction, method, null.
    """

    table: pd.DataFrame
    summary: Mapping[str, Any]


def rank_counts(
    counts: object,
    *,
    names: Iterable[object] | None = None,
    level: float = 0.95,
    correction: Correction = "holm",
    direction: Direction = "two-sided",
    jointly: Iterable[object] | None = None,
) -> CountRanking:
    """Rank answers by their counts, with exact rank sets.

    For respondents selected independently who name one answer each. Counts from a clustered or
    weighted sample are not binomial: there, estimate the shares and give the Estimates to `rank`,
    whose covariance knows the design.

    Parameters
    ----------
    counts : (p,) of whole numbers
        How many respondents named each answer.
    names : (p,) of str, optional
        Default "1" ... "p".
    level : float
        Confidence of the sets, between 0.5 and 1.
    correction : {"holm", "bonferroni"}
        Over the ordered pairs of a set's family: p(p-1) at once, or the 2(p-1) of one answer.
    direction : {"two-sided", "best", "worst"}
        "best": only the better end of a set is bounded (the worse one is p); "worst": the other way
        round.
    jointly : iterable of names, optional
        The answers that the simultaneous sets speak of; default all. Fewer answers, narrower sets.

    Returns
    -------
    CountRanking

    Raises
    ------
    RankingError
        K180 for counts that are not whole numbers >= 0 of at least two answers, K181 for names (of
        `jointly` too), K182 for an option.

    Notes
    -----
    Bazylik, Mogstad, Romano, Shaikh and Wilhelm (2025); csranks' `csranks_multinom` with the
    correction it is asked for (version 1.2.3 always takes Holm's for marginal sets).

    Examples
    --------
    >>> ranking = sat.rank_counts([60, 30, 28], names=["parking", "noise", "litter"])
    >>> ranking.table[["answer", "share", "rank", "simultaneous_low", "simultaneous_high"]].round(3)
        answer  share  rank  simultaneous_low  simultaneous_high
    0  parking  0.508     1                 1                  1
    1    noise  0.254     2                 2                  3
    2   litter  0.237     3                 2                  3
    """
    number = _read_counts(counts)
    labels = _read_names(names, len(number))
    one_of(correction, get_args(Correction), argument="correction", error=RankingError, code="K182")
    one_of(direction, get_args(Direction), argument="direction", error=RankingError, code="K182")
    if not 0.5 < level < 1:
        raise RankingError(
            "K182",
            _("level lies between 0.5 and 1."),
            where="level",
            got=str(level),
        )
    chosen = _read_choice(jointly, labels)
    p_better = exact_p_values(number)
    better = (number > number[:, None]).sum(axis=1)
    tied = (number[:, None] == number).sum(axis=1)
    table = pd.DataFrame({"answer": labels, "count": number})
    table["share"] = number / max(int(number.sum()), 1)
    table["rank"] = integer_rank(better, tied, 0.0).astype(np.int64)
    low = np.empty(len(number), dtype=np.int64)
    high = np.empty(len(number), dtype=np.int64)
    for answer, alone in enumerate(np.eye(len(number), dtype=bool)):
        lows, highs = _rank_sets(
            p_better, alone, 1 - level, correction=correction, direction=direction
        )
        low[answer] = lows[answer]
        high[answer] = highs[answer]
    table["marginal_low"] = low
    table["marginal_high"] = high
    low, high = _rank_sets(p_better, chosen, 1 - level, correction=correction, direction=direction)
    table["simultaneous_low"] = pd.array(low, dtype="Int64")
    table["simultaneous_high"] = pd.array(high, dtype="Int64")
    table.loc[~chosen, ["simultaneous_low", "simultaneous_high"]] = pd.NA
    summary = {
        "answers": len(number),
        "named": int(number.sum()),
        "level": level,
        "correction": correction,
        "direction": direction,
        "method": N_(
            "exact binomial test of every ordered pair, given that one of the two was named"
        ),
        "null": N_("row is not named more often than column"),
        "assumes": N_("respondents selected independently, one answer each"),
    }
    return CountRanking(table, MappingProxyType(summary))


def exact_p_values(counts: Ints) -> Floats:
    """One-sided p-value of "row is not more common than column", (p, p): P(X >= row), X
    binomial(row + column, 1/2).
    """
    row = counts[:, None].astype(float)
    column = counts.astype(float)
    p_values: Floats = np.where(row > 0, special.betainc(np.maximum(row, 1), column + 1, 0.5), 1.0)
    return p_values


def _rank_sets(
    p_better: Floats, chosen: Bools, alpha: float, *, correction: Correction, direction: Direction
) -> tuple[Ints, Ints]:
    """Rank sets of the chosen answers, all of them at once: two (p,), of which only the chosen
    entries hold.

    The family are the ordered pairs that bound a chosen answer from the sides asked for, each pair
    once.
    """
    p = len(chosen)
    family = np.zeros((p, p), dtype=bool)
    if direction != "worst":
        family |= chosen
    if direction != "best":
        family |= chosen[:, None]
    np.fill_diagonal(family, False)
    p_values = p_better[family]
    better = np.zeros((p, p), dtype=bool)
    if correction == "holm":
        better[family] = holm(p_values) <= alpha
    else:
        better[family] = p_values <= alpha / len(p_values)
    low = 1 + better.sum(axis=0)
    high = p - better.sum(axis=1)
    if direction == "worst":
        low = np.ones(p, dtype=np.int64)
    if direction == "best":
        high = np.full(p, p)
    return low, high


def _read_counts(counts: object) -> Ints:
    """Read counts, refused unless whole numbers >= 0 of at least two answers."""
    values = np.asarray(counts)
    fine = values.ndim == 1 and len(values) >= 2 and values.dtype.kind in "iuf"
    if not fine or not np.all(np.isfinite(values) & (values >= 0) & (values == np.floor(values))):
        raise RankingError(
            "K180",
            _("counts are whole numbers >= 0 of at least two answers."),
            where="counts",
            hint=_("For weighted totals use estimate and rank."),
        )
    whole: Ints = values.astype(np.int64)
    return whole


def _read_names(names: Iterable[object] | None, p: int) -> tuple[str, ...]:
    """Read names, refused unless one an answer and all different."""
    labels = numbered_names(names, p)
    if len(labels) != p or len(set(labels)) != p:
        raise RankingError(
            "K181",
            _("names are {p} different names.", p=p),
            where="names",
            hint=_("One name an answer."),
        )
    return labels


def _read_choice(jointly: Iterable[object] | None, labels: tuple[str, ...]) -> Bools:
    """Read which answers are meant, (p,) bool."""
    wanted = set(labels) if jointly is None else {str(name) for name in jointly}
    if not wanted or not wanted <= set(labels):
        raise RankingError(
            "K181",
            _("jointly names answers that there are."),
            where="jointly",
            available=labels,
            got=", ".join(sorted(wanted - set(labels))),
            hint=_("Choose from the names available."),
        )
    return np.array([name in wanted for name in labels])
