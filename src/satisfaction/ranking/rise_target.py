"""The target "rose by at least m places since an earlier wave": met, not met, or not decidable."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal, Protocol, TypeAlias

import numpy as np
import pandas as pd

from satisfaction.foundation.errors import RankingError, one_of, shortened
from satisfaction.ranking import change_probability as bivariate
from satisfaction.ranking import rise
from satisfaction.ranking.change import DRAWS, MODEL, SEED, posterior_of
from satisfaction.ranking.membership import Membership, untested
from satisfaction.ranking.pairs import TIE, Floats, Ints, Pairs, competition_rank
from satisfaction.ranking.probability import Posterior
from satisfaction.ranking.two_waves import Waves, pairs_of, require_comparable, waves_from_units
from satisfaction.ranking.units import Units

Base: TypeAlias = Literal["published", "estimated"]
TIES = "competition ranks (1 2 2 4) in both waves, whatever rule the tables use"
BASES = {
    "published": "the earlier published rank is a number; only the new rank is uncertain; the error counts over both waves",
    "estimated": "both ranks are uncertain; half of the error a wave, any relation of the waves",
}


class Ranked(Protocol):
    """What a ranking must have: see `satisfaction.Ranking`."""

    @property
    def table(self) -> pd.DataFrame: ...  # noqa: D102
    @property
    def summary(self) -> Mapping[str, Any]: ...  # noqa: D102
    @property
    def units(self) -> Units: ...  # noqa: D102
    @property
    def pairs(self) -> Pairs: ...  # noqa: D102
    @property
    def posterior(self) -> Posterior: ...  # noqa: D102
    @property
    def source(self) -> Any: ...  # noqa: D102


def rise_target(
    later: Ranked,
    places: int,
    *,
    since: Ranked | Mapping[str, int] | None,
    base: Base,
    comparable: object,
) -> tuple[Membership, Floats, dict[str, Any]]:
    """Test whether each ranked unit rose by at least `places` since an earlier wave.

    Parameters
    ----------
    later : Ranking
    places : int
        Between 1 and p - 1.
    since : Ranking, or mapping unit -> published rank
        The earlier wave; a mapping only for base "published".
    base : {"published", "estimated"}
        Whether the earlier rank is a number or itself uncertain.
    comparable : bool or Comparability
        As for `rank_change`.

    Returns
    -------
    tests : Membership
        p_in: "rose", p_out: "did not", (p,), in the order of the ranked units; nan without a probability sample.
    probability : (p,)
        That it rose, under the model.
    declared : dict
        Method and conventions.

    Raises
    ------
    RankingError
        K141, K142, K145 for waves that cannot be compared, K150 for base, K151 for `since`, K152 for ranks that are none.
    """
    one_of(base, BASES, argument="base", error=RankingError, code="K150")
    declared = {
        "base": base,
        "meaning": BASES[base],
        "comparable": require_comparable(comparable),
        "draws": DRAWS,
        "seed": SEED,
    }
    declared["ties"] = TIES
    if isinstance(since, Mapping) and base == "published":
        found, used = since_numbers(later, places, since), later.summary["selection"]
        declared |= {
            "probabilities": "as of the ranking: the later wave alone, the goal a number",
            "relation": None,
        }
    elif hasattr(since, "units"):
        waves = waves_of(later, since)
        used = waves.selection
        if used == "probability":
            found = since_ranking(later, waves, places, since=since, base=base)
        else:
            found = untested(len(later.pairs.score)), np.full(len(later.pairs.score), np.nan)
        declared |= {"probabilities": MODEL, "relation": waves.relation}
    else:
        raise no_earlier_wave(since, base)
    tests, probability = found
    p_values = "partial conjunction, Simes or (dependent units) Bonferroni form, monotone; one unit, one side"
    declared |= {"membership": p_values, "selection": used}
    return tests, probability, declared


def since_numbers(
    later: Ranked, places: int, since: Mapping[str, int]
) -> tuple[Membership, Floats]:
    """Test a rise since published ranks, given by unit."""
    goal = published_ranks(later, since) - places
    known = later.posterior
    variance = (
        np.maximum(known.sd, 100 * TIE) ** 2
    )  # where nothing differs every order is as likely, as in `bayes`
    drawn = bivariate.rank_draws(
        known.mean[:, None], variance[:, None, None], draws=DRAWS, seed=SEED
    )
    tests = Membership(*rise.new_rank_tests(rise.rank_claims(later.pairs), goal))
    return tests, np.mean(drawn[:, :, 0] <= goal, axis=0)


def since_ranking(
    later: Ranked, waves: Waves, places: int, *, since: Any, base: Base
) -> tuple[Membership, Floats]:
    """Test a rise since an earlier ranking, with base published or estimated."""
    sign = 1.0 if later.summary["higher_is_better"] else -1.0
    model = posterior_of(waves, sign)
    drawn = bivariate.rank_draws(model.mean, model.cov, draws=DRAWS, seed=SEED)
    after = rise.rank_claims(later.pairs)
    if base == "published":
        goal = competition_rank(pairs_of(waves.before, sign)) - places
        return Membership(*rise.new_rank_tests(after, goal)), np.mean(
            drawn[:, :, 1] <= goal, axis=0
        )
    before = rise.rank_claims(pairs_of(waves.before, sign))
    tests = Membership(*rise.change_tests(before, after, places))
    return tests, np.mean(drawn[:, :, 0] - drawn[:, :, 1] >= places, axis=0)


def waves_of(later: Ranked, since: Any) -> Waves:
    """Put two rankings side by side; their Estimates, if they were made from them, give the covariance."""
    if later.summary["higher_is_better"] != since.summary["higher_is_better"]:
        raise RankingError(
            "K151",
            "两次排名的方向不同。",
            "The two rankings go in opposite directions.",
            where="since",
            hint=(
                "两期用相同的 higher_is_better 排名。",
                "Rank both waves with the same higher_is_better.",
            ),
        )
    return waves_from_units(later.units, since.units, sources=(later.source, since.source))


def published_ranks(later: Ranked, since: Mapping[str, Any]) -> Ints:
    """Read the earlier ranks of the ranked units, (p,) whole numbers from 1 to p."""
    p = len(later.pairs.score)
    names = [
        name for name, ranked in zip(later.units.names, later.units.ranked, strict=True) if ranked
    ]
    found = [since.get(name) for name in names]
    wrong = [name for name, rank in zip(names, found, strict=True) if not is_rank(rank, p)]
    if wrong:
        raise RankingError(
            "K152",
            f"前期没有这些单位的名次（1 到 {p} 的整数）: {shortened(wrong)}",
            f"The earlier wave has no rank (a whole number from 1 to {p}) for: {shortened(wrong)}",
            where="since",
            hint=("给出每个参与排名单位的名次。", "Give a rank for every unit that is ranked."),
        )
    return np.array(found, dtype=np.int64)


def is_rank(value: Any, p: int) -> bool:
    """Whether a value is a whole number from 1 to p."""
    return (
        isinstance(value, (int, np.integer))
        and not isinstance(value, bool)
        and bool(1 <= value <= p)
    )


def no_earlier_wave(since: object, base: str) -> RankingError:
    """Say what `since` must be."""
    return RankingError(
        "K151",
        f"since 须为前期的 Ranking；base='published' 时也可为 {{单位: 名次}}。现为 {type(since).__name__}。",
        f"since must be the earlier Ranking, or with base='published' {{unit: rank}}; it is {type(since).__name__}.",
        where="since",
        got=base,
        hint=(
            "用 rank 排名前期，再作为 since 给出。",
            "Rank the earlier wave and give that ranking as since.",
        ),
    )
