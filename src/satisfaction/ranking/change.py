"""Change between two waves: of the score, of the score relative to the field, and of the rank.

Three answers that are never mixed: tests of the score's change (`relative_change`, t, p), guaranteed bounds of the rank's
change (`rise_low` ... `all_high`), and probabilities under a model (`expected_rise`, `probability_rise`, `shrunk_change`).

Did a score change more or less than the field? t tests from the covariance of both waves.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from scipy import special

from satisfaction.estimation.intervals import satterthwaite, satterthwaite_of_blocks
from satisfaction.estimation.multiplicity import benjamini_hochberg, holm
from satisfaction.foundation.errors import RankingError, one_of
from satisfaction.ranking import change_probability as bivariate
from satisfaction.ranking import rise
from satisfaction.ranking.pairs import TIE, Floats, Pairs, competition_rank
from satisfaction.ranking.rise import BOUNDS, Bounds
from satisfaction.ranking.sets import SIMULTANEOUS
from satisfaction.ranking.table import df_convention, spread_out
from satisfaction.ranking.two_waves import (
    Comparability,
    Waves,
    require_comparable,
    waves_from_arrays,
    waves_from_estimates,
)
from satisfaction.ranking.units import Selection

NO_ERROR = 1e-12  # a se under this is rounding


def tests_of_change(waves: Waves) -> dict[str, Floats]:
    """Test each ranked unit's change relative to the mean change of all of them; missing without a probability sample."""
    p, kept = int(waves.kept.sum()), waves.kept
    centred = np.eye(p) - 1 / p
    matrix = np.hstack([centred, -centred])
    score = np.concatenate([waves.after.estimate[kept], waves.before.estimate[kept]])
    df = np.concatenate([waves.after.df[kept], waves.before.df[kept]])
    cov = waves.covariance()
    relative, se = matrix @ score, np.sqrt(np.maximum(np.sum((matrix @ cov) * matrix, axis=1), 0.0))
    if waves.shared_psus:
        freedom = shared_freedom(waves, matrix, cov, df)
    else:
        freedom = satterthwaite(matrix**2 * np.diag(cov), df)
    found = {"change": score[:p] - score[p:], "relative_change": relative, "se": se, "df": freedom}
    if waves.selection != "probability":
        unknown = np.full(p, np.nan)
        return found | dict.fromkeys(("se", "df", "t", "p", "p_bh", "p_holm"), unknown)
    return found | two_sided(relative, se, freedom)


def shared_freedom(waves: Waves, matrix: Floats, cov: Floats, df: Floats) -> Floats:
    """Degrees of freedom of (k, 2p) combinations of waves that share PSUs: a unit's two estimates are one block."""
    both = np.flatnonzero(np.concatenate([waves.kept, waves.kept]))
    one_each = np.arange(len(both))
    return satterthwaite_of_blocks(
        sp.csr_array(matrix), cov, domain=one_each, df=df, members=waves.members.of(both)
    )


def two_sided(difference: Floats, se: Floats, df: Floats) -> dict[str, Floats]:
    """Test (p,) differences by t, adjusted over all of them; a difference under 1e-9 is none."""
    difference = np.where(np.abs(difference) < TIE, 0.0, difference)
    exact = np.where(difference == 0, 0.0, np.copysign(np.inf, difference))
    t = np.divide(difference, se, out=exact, where=(se > NO_ERROR) & (difference != 0))
    p = 2 * special.stdtr(df, -np.abs(t))
    return {
        "t": t,
        "p": p,
        "p_bh": benjamini_hochberg(p),
        "p_holm": holm(p),
    }


DRAWS, SEED = 20_000, 20_260_101
MODEL = "bivariate normal empirical Bayes, REML covariance between units, sampling covariance as if known"
CERTAINTY = (
    "rise_low", "rise_high", "all_low", "all_high", "shrunk_change", "shrunk_sd", "expected_rise", "probability_rise",
)  # fmt: skip
NOT_BOTH = (
    "两期不都是概率样本，没有抽样误差：变化有多确定未知。",
    "Not both waves are probability samples, hence no sampling error: how certain the changes are is unknown.",
)
DEPENDENT = "ignore the covariance between units"


@dataclass(frozen=True, slots=True, eq=False)
class RankChange:
    """Change of scores and ranks between two waves, as returned by `rank_change`.

    Attributes
    ----------
    table : DataFrame
        One row a unit, in the later wave's order. Tests: unit, before, after (scores), change, relative_change (minus the
        mean change of the ranked units), se, df, t, p, p_bh, p_holm (of relative_change, two-sided). Ranks: rank_before,
        rank_after, rise (places gained; negative = lost). Guarantees: rise_low, rise_high (one unit named beforehand, each
        bound at `level`), all_low, all_high (whole table at once, at `level`). Model: shrunk_change (posterior mean of
        relative_change), shrunk_sd, expected_rise, probability_rise (at least `places`).
    summary : mapping
        What holds for the table as a whole, and every declared convention.
    waves, pairs, posterior
        What the table was made from; pairs are (before, after); scores in `pairs` and `posterior` are turned so that larger
        is better.
    rise_frequency : (p, 2p - 1)
        Share of posterior draws in which a ranked unit rose by -(p - 1) ... p - 1 places.
    after_frequency : (p, p)
        Share of posterior draws in which its later rank is 1 ... p.
    """

    table: pd.DataFrame
    summary: Mapping[str, Any]
    waves: Waves = field(repr=False)
    pairs: tuple[Pairs, Pairs] = field(repr=False)
    posterior: bivariate.Bivariate = field(repr=False)
    rise_frequency: Floats = field(repr=False)
    after_frequency: Floats = field(repr=False)

    def probability_rise(self, places: int) -> pd.Series:
        """P(rank before - rank after >= places), by unit; a negative number asks about "fell by no more than"."""
        p = len(self.after_frequency)
        start = int(np.clip(places + p - 1, 0, 2 * p - 1))
        return self._by_unit(self.rise_frequency[:, start:].sum(axis=1))

    def probability_top(self, places: int) -> pd.Series:
        """P(rank after <= places), by unit, given both waves."""
        return self._by_unit(self.after_frequency[:, : max(int(places), 0)].sum(axis=1))

    def most_improved(self, count: int = 10) -> pd.DataFrame:
        """The units whose published rank rose most, raw and shrunk side by side; ties at the cut stay in."""
        columns = [
            "unit",
            "rise",
            "expected_rise",
            "relative_change",
            "shrunk_change",
            "probability_rise",
            "rise_low",
            "rise_high",
        ]
        ranked = self.table[self.table["rise"].notna()]
        least = ranked["rise"].nlargest(count).min()
        chosen = ranked.loc[ranked["rise"] >= least, columns]
        return chosen.sort_values("rise", ascending=False, kind="stable").reset_index(drop=True)

    def _by_unit(self, values: Floats) -> pd.Series:
        return spread_out(values, self.waves.after).set_axis(list(self.waves.after.names))


def rank_change(
    later: Any,
    earlier: Any,
    *,
    comparable: bool | Comparability | None = None,
    measure: str | None = None,
    se: object = None,
    cov: object = None,
    df: object = None,
    names: Iterable[object] | None = None,
    higher_is_better: bool = True,
    level: float = 0.95,
    places: int = 5,
    bounds: Bounds = "simes",
    selection: Selection = "probability",
    ranked: object = None,
    draws: int = DRAWS,
    seed: int = SEED,
) -> RankChange:
    """Compare scores and ranks of the same units in two waves.

    Parameters
    ----------
    later, earlier : Estimates or (p,) array
        Estimates of one measure by the same areas (shared PSUs give the covariance), or numbers in the same order.
    comparable : bool or Comparability
        Whether the measure means the same in both waves: what `comparability` found, or the caller's word. Must be given.
    measure : str, optional
        Which measure, where the Estimates have several.
    se : (2, p) array, optional
        Standard errors, later wave first; units and waves are then independent. For arrays: exactly one of se and cov.
    cov : (2p, 2p) array, optional
        Sampling covariance, later wave first.
    df : scalar or (2, p) array, optional
        Degrees of freedom of the se, later wave first; None = se known.
    names : (p,) of str, optional
        Default "1" ... "p".
    higher_is_better : bool
        Whether rank 1 is the largest estimate. Changes of scores keep their sign; a rise is always an improvement.
    level : float
        Of the bounds, between 0.5 and 1.
    places : int
        For the column probability_rise, between 1 and p - 1.
    bounds : {"simes", "dunnett"}
        Rank bounds for one named unit: counts by closed testing, or the largest difference (independent units only).
    selection : {"probability", "quota", "open_link"}
        Without two probability samples there are no tests, guarantees and probabilities: their columns are missing.
    ranked : (p,) bool array, optional
        Units that take part, in the later wave's order; the others keep their row.
    draws, seed : int
        Of the posterior.

    Returns
    -------
    RankChange

    Raises
    ------
    RankingError
        K101-K112 for what is ranked, K141 and K142 for waves that may not be compared, K143-K145 for the two waves,
        K146-K149 for options.

    Notes
    -----
    Guarantees use half of the error for each wave, so they hold whatever the waves share (projection: Mogstad, Romano, Shaikh
    and Wilhelm 2024; counts: Goeman and Solari 2011). Model: the bivariate form of Laird and Louis (1989).
    """
    declared = require_comparable(comparable)
    waves = read_waves(
        later,
        earlier,
        measure=measure,
        se=se,
        cov=cov,
        df=df,
        names=names,
        ranked=ranked,
        selection=selection,
    )
    check_options(int(waves.kept.sum()), level=level, places=places, bounds=bounds, draws=draws)
    sign = 1.0 if higher_is_better else -1.0
    conventions = {
        "level": level, "places": places, "higher_is_better": higher_is_better, "selection": waves.selection, "bounds": bounds,
        "comparable": declared, "draws": draws, "seed": seed,
    }  # fmt: skip
    return compare_waves(waves, sign, conventions)


def compare_waves(waves: Waves, sign: float, conventions: Mapping[str, Any]) -> RankChange:
    """Assemble the change of two waves; conventions are those of `rank_change`."""
    pairs, places = waves.pairs(sign), conventions["places"]
    if conventions["selection"] != "probability":
        return _changed_by_point(waves, pairs, conventions)
    conventions = dict(conventions) | {"bounds": usable_bounds(conventions["bounds"], pairs)}
    model = posterior_of(waves, sign)
    drawn = bivariate.rank_draws(
        model.mean, model.cov, draws=conventions["draws"], seed=conventions["seed"]
    )
    p = len(model.mean)
    rises = bivariate.frequencies(drawn[:, :, 0] - drawn[:, :, 1], 1 - p, p - 1)
    columns = {
        **tests_of_change(waves),
        **ranks(pairs),
        **guarantees(pairs, conventions),
        **shrunk(model, sign),
        "expected_rise": bivariate.expected_rise(model),
        "probability_rise": rises[:, p - 1 + places :].sum(axis=1),
    }
    table = change_table(waves, columns)
    summary = summarise(waves, table, pairs=pairs, model=model, conventions=conventions)
    return RankChange(
        table, summary, waves, pairs, model, rises, bivariate.frequencies(drawn[:, :, 1], 1, p)
    )


def _changed_by_point(
    waves: Waves, pairs: tuple[Pairs, Pairs], conventions: Mapping[str, Any]
) -> RankChange:
    """Assemble the change of two waves of which one has no design error: scores and ranks, and nothing of their certainty."""
    p = int(waves.kept.sum())
    unknown = np.full(p, np.nan)
    columns = {**tests_of_change(waves), **ranks(pairs), **dict.fromkeys(CERTAINTY, unknown)}
    table = change_table(waves, columns)
    none = "none: not both samples are probability samples"
    summary = {
        "p": p,
        "not_ranked": tuple(table["unit"][~waves.kept]),
        "relation": waves.relation,
        "shared_psus": waves.shared_psus,
        "rising": int((table["rise"] >= conventions["places"]).sum()),
        **dict.fromkeys(("guaranteed_rising", "expected_rising", "correlation", "between")),
        "ties": "scores closer than 1e-9 are ties; competition ranks (1 2 2 4)",
        "se_from_limits": (),
        **conventions,
        **dict.fromkeys(("df", "tests", "guaranteed", "probabilities", "bounds"), none),
    }
    notes = (
        f"{summary['rising']} 个单位名次上升至少 {conventions['places']} 位；{NOT_BOTH[0]} "
        f"Units whose rank rose by {conventions['places']} or more: {summary['rising']}. {NOT_BOTH[1]}",
    )
    model = bivariate.Bivariate(
        np.full((2, 2), np.nan),
        np.full(2, np.nan),
        np.full((p, 2), np.nan),
        np.full((p, 2, 2), np.nan),
        np.nan,
    )
    rises, after = np.full((p, 2 * p - 1), np.nan), np.full((p, p), np.nan)
    return RankChange(
        table, MappingProxyType(summary | {"notes": notes}), waves, pairs, model, rises, after
    )


def read_waves(later: Any, earlier: Any, *, measure: str | None, **arrays: Any) -> Waves:
    """Read two waves from Estimates, or from arrays."""
    is_estimates = [hasattr(one, "contributions") for one in (later, earlier)]
    if not any(is_estimates):
        return waves_from_arrays(later, earlier, **arrays)
    if not all(is_estimates) or any(
        arrays[name] is not None for name in ("se", "cov", "df", "names")
    ):
        raise RankingError(
            "K146",
            "两期须同为 Estimates（已带 se、cov、df、名称）或同为数组。",
            "Give two Estimates (they bring se, cov, df and names) or two arrays.",
            where="later, earlier",
            hint=(
                "用 estimate 估计两期，不再给 se、cov、df、names。",
                "Estimate both waves and leave out se, cov, df and names.",
            ),
        )
    chosen = [one if measure is None else one.of(measure) for one in (later, earlier)]
    measures = [tuple(dict.fromkeys(one.table["measure"])) for one in chosen]
    if measures[0] != measures[1] or len(measures[0]) != 1:
        raise RankingError(
            "K147",
            "两期须为同一个指标。",
            "Both waves must be estimates of one and the same measure.",
            where="measure",
            available=dict.fromkeys(name for one in measures for name in one),
            hint=("用 measure= 选定一个指标。", "Choose one with measure=."),
        )
    return waves_from_estimates(*chosen, ranked=arrays["ranked"], selection=arrays["selection"])


def check_options(p: int, *, level: float, places: int, bounds: str, draws: int) -> None:
    """Refuse options out of range."""
    one_of(bounds, BOUNDS, argument="bounds", error=RankingError, code="K148")
    whole = all(
        isinstance(number, (int, np.integer)) and not isinstance(number, bool)
        for number in (places, draws)
    )
    if not whole or not 0.5 < level < 1 or not 1 <= places < p or draws < 1_000:
        raise RankingError(
            "K149",
            f"level={level}、places={places} 或 draws={draws} 超出范围：level 在 0.5 与 1 之间，places 为 1 到 {p - 1} 的整数，draws 至少 1000。",
            f"level={level}, places={places} or draws={draws} is out of range: level between 0.5 and 1, places a whole number "
            f"from 1 to {p - 1}, draws at least 1000.",
            where="level, places, draws",
        )


def usable_bounds(asked: str, pairs: tuple[Pairs, Pairs]) -> str:
    """The largest difference of dependent units has no such integral: counts replace it."""
    return asked if all(one.independent for one in pairs) else "simes"


def posterior_of(waves: Waves, sign: float) -> bivariate.Bivariate:
    """Posterior of the ranked units, earlier wave first, larger = better."""
    score = np.column_stack([waves.before.estimate, waves.after.estimate])[waves.kept]
    return bivariate.fit(sign * score, waves.sampling())


def ranks(pairs: tuple[Pairs, Pairs]) -> dict[str, Any]:
    """Published ranks of both waves and places gained."""
    before, after = (competition_rank(one) for one in pairs)
    return {"rank_before": before, "rank_after": after, "rise": before - after}


def guarantees(pairs: tuple[Pairs, Pairs], conventions: Mapping[str, Any]) -> dict[str, Any]:
    """Bounds of the rise for one named unit and for the whole table; each wave has half of the error."""
    half = (1 - conventions["level"]) / 2
    low, high = rise.project(*(BOUNDS[conventions["bounds"]](one, half) for one in pairs))
    joint = "tukey" if all(one.independent for one in pairs) else "holm"
    sets = [SIMULTANEOUS[joint](one, half) for one in pairs]
    all_low, all_high = rise.project(*((one.low, one.high) for one in sets))
    found = {"rise_low": low, "rise_high": high, "all_low": all_low, "all_high": all_high}
    return found


def shrunk(model: bivariate.Bivariate, sign: float) -> dict[str, Floats]:
    """Posterior mean and sd of each unit's relative change, in the direction of the scores."""
    p, moved = len(model.mean), model.mean[:, 1] - model.mean[:, 0]
    variance = np.array([-1.0, 1.0]) @ model.cov @ np.array([-1.0, 1.0])
    pooled = variance * (1 - 2 / p) + variance.sum() / p**2
    return {
        "shrunk_change": sign * (moved - moved.mean()),
        "shrunk_sd": np.sqrt(np.maximum(pooled, 0.0)),
    }


def change_table(waves: Waves, columns: Mapping[str, Any]) -> pd.DataFrame:
    """Put the ranked units' columns under their names; whole numbers stay whole."""
    head = {
        "unit": list(waves.after.names),
        "before": waves.before.estimate,
        "after": waves.after.estimate,
    }
    table = pd.DataFrame(
        head
        | {name: spread_out(np.asarray(values), waves.after) for name, values in columns.items()}
    )
    return table.astype(dict.fromkeys(("rise_low", "rise_high", "all_low", "all_high"), "Int64"))


def summarise(
    waves: Waves,
    table: pd.DataFrame,
    *,
    pairs: tuple[Pairs, Pairs],
    model: bivariate.Bivariate,
    conventions: Mapping[str, Any],
) -> Mapping[str, Any]:
    """Assemble `RankChange.summary`."""
    before, after = pairs
    independent = before.independent and after.independent
    form = (
        "largest difference"
        if conventions["bounds"] == "dunnett"
        else f"counts ({'Simes' if independent else 'Bonferroni'})"
    )
    joint = "Tukey-Kramer" if independent else "Holm"
    facts = {
        "p": len(after.score),
        "not_ranked": tuple(table["unit"][~waves.kept]),
        "relation": waves.relation,
        "shared_psus": waves.shared_psus,
        "independent": independent,
        "between": model.between.tolist(),
        "correlation": model.correlation,
        "rising": int((table["rise"] >= conventions["places"]).sum()),
        "guaranteed_rising": int((table["rise_low"] >= conventions["places"]).sum()),
        "expected_rising": float(table["probability_rise"].sum()),
        "df": {
            "before": df_convention(before),
            "after": df_convention(after),
            "change": "Satterthwaite",
        },
        "ties": "scores closer than 1e-9 are ties; competition ranks (1 2 2 4)",
        "tests": "two-sided t of the change minus the mean change of the ranked units; Benjamini-Hochberg and Holm over them",
        "guaranteed": (
            f"rise_low, rise_high: one unit named beforehand, each bound at the level, {form}, half of the error a wave; "
            f"all_low, all_high: all units at once, {joint}, half of the error a wave; any relation of the waves"
        ),
        "probabilities": MODEL if independent else f"{MODEL}; {DEPENDENT}",
        "monte_carlo_error": 0.5 / conventions["draws"] ** 0.5,
        "se_from_limits": tuple(
            dict.fromkeys(waves.before.se_from_limits + waves.after.se_from_limits)
        ),
    }
    summary = facts | dict(conventions)
    return MappingProxyType(summary | {"notes": notes(summary)})


def notes(summary: Mapping[str, Any]) -> tuple[str, ...]:
    """Sentences, Chinese and English, that must accompany the table."""
    m, seen, sure, expected = (
        summary[name] for name in ("places", "rising", "guaranteed_rising", "expected_rising")
    )
    said = [
        f"{seen} 个单位名次上升至少 {m} 位；模型估计真正上升的约 {expected:.1f} 个；有保证的 {sure} 个。 "
        f"Units whose rank rose by {m} or more: {seen}; expected under the model: {expected:.1f}; guaranteed: {sure}."
    ]
    if not summary["independent"]:
        said.append("单位之间相关：概率忽略相关。 Units are dependent: probabilities ignore it.")
    if summary["relation"].startswith("unknown"):
        said.append(
            "两期协方差未知：概率按独立计算。 Covariance of the waves unknown: probabilities take them as independent."
        )
    return tuple(said)
