"""The rank table and its summary: the kernels' results under the units' names, every convention declared."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from satisfaction.ranking import membership
from satisfaction.ranking import probability as bayes
from satisfaction.ranking.options import RULES, Options, tied_rank
from satisfaction.ranking.pairs import Pairs
from satisfaction.ranking.sets import RankSets
from satisfaction.ranking.units import Units
from satisfaction.sampling.design import NO_ERROR

TIES = "scores closer than 1e-9 are ties; {}; never rounded, ties at the cut never broken"
BY_POINT = (
    "不是概率样本，没有抽样误差：名次和名单只按估计值排列，其确定程度未知。 "
    "Not a probability sample, hence no sampling error: ranks and list follow the estimates alone; how certain they are is unknown."
)
PROBABILITIES = "normal empirical Bayes, {} tau2, se as if known, exact by quadrature"


def rank_table(
    units: Units,
    *,
    pairs: Pairs,
    sets: tuple[RankSets, RankSets],
    tests: membership.Membership,
    adjusted: membership.Membership | None,
    status: NDArray[np.object_],
    model: bayes.Posterior,
    options: Options,
) -> pd.DataFrame:
    """Assemble `Ranking.table`: one row a unit, in input order; sets are (marginal, simultaneous)."""
    marginal, simultaneous = sets
    columns: dict[str, NDArray[Any]] = {
        "rank": tied_rank(pairs, options.ties),
        "marginal_low": marginal.low,
        "marginal_high": marginal.high,
        "simultaneous_low": simultaneous.low,
        "simultaneous_high": simultaneous.high,
        "status": status,
        "p_in": tests.p_in,
        "p_out": tests.p_out,
        "probability_bottom": bayes.probability_bottom(model, options.bottom),
        "expected_rank": bayes.expected_rank(model),
        "reliability": model.reliability,
    }
    if adjusted is not None:
        columns |= {"p_in_adjusted": adjusted.p_in, "p_out_adjusted": adjusted.p_out}
    for kind, found in zip(("marginal", "simultaneous"), sets, strict=True):
        if found.simulation is not None:
            columns[f"{kind}_fragile"] = found.simulation.fragile
    head = {
        "unit": list(units.names),
        "estimate": units.estimate,
        "se": np.sqrt(np.diag(units.cov)),
    }
    return pd.DataFrame(
        head | {name: spread_out(values, units) for name, values in columns.items()}
    )


CERTAINTY = (
    "marginal_low", "marginal_high", "simultaneous_low", "simultaneous_high", "p_in", "p_out", "probability_bottom",
    "expected_rank", "reliability",
)  # fmt: skip
UNKNOWN = (
    "rankability", "tau2", "mu", "decidable_share", "expected_true_bottom", "established_listed", "list_p", "list_established",
)  # fmt: skip


def point_table(units: Units, pairs: Pairs, options: Options) -> pd.DataFrame:
    """Assemble `Ranking.table` for units whose errors are unknown: ranks of the estimates, the columns of certainty missing."""
    asked: tuple[str, ...] = CERTAINTY
    if options.multiplicity:
        asked = (*CERTAINTY, "p_in_adjusted", "p_out_adjusted")
    p = len(pairs.score)
    table = pd.DataFrame({"unit": list(units.names), "estimate": units.estimate, "se": np.nan})
    table["rank"] = spread_out(tied_rank(pairs, options.ties), units)
    for name in asked:
        whole = name.endswith(("_low", "_high"))
        table[name] = pd.array([pd.NA] * len(table), dtype="Int64") if whole else np.nan
    status = spread_out(np.full(p, "possible", dtype=object), units)
    table.insert(table.columns.get_loc("p_in"), "status", status)
    return table


def point_summary(
    units: Units, table: pd.DataFrame, *, pairs: Pairs, options: Options
) -> Mapping[str, Any]:
    """Assemble `Ranking.summary` for units whose errors are unknown: the point list, and None for what would be certain."""
    rows = table[units.ranked]
    summary = {
        "p": len(pairs.score),
        "not_ranked": tuple(table["unit"][~units.ranked]),
        **dict.fromkeys(UNKNOWN),
        **list_facts(rows["unit"], membership.point_list(pairs, options.bottom)),
        "critical_values": MappingProxyType({}),
        "se_from_limits": (),
        "zero_se": (),
        "df": NO_ERROR,
        "independent": True,
        "ties": TIES.format(RULES[options.ties]),
        "probabilities": NO_ERROR,
        "seed": None,
        "fragile": (),
        **options.conventions(units.selection, pairs),
        "marginal": NO_ERROR,
        "simultaneous": NO_ERROR,
        "membership": NO_ERROR,
    }
    return MappingProxyType(summary | {"notes": notes(summary)})


def list_facts(units: pd.Series, points: membership.PointList) -> dict[str, Any]:
    """Say which of the (p,) ranked units are listed, and which are tied at the cut."""
    listed, tied = tuple(units[points.listed]), tuple(units[points.tied])
    return {
        "listed": listed,
        "tied_at_cut": tied,
        "tie_at_cut": bool(tied),
        "list_size_low": len(listed),
        "list_size_high": len(listed) + len(tied),
    }


def spread_out(values: NDArray[Any], units: Units) -> pd.Series:
    """Place the ranked units' values in input order; the others get a missing value, or the words "not ranked"."""
    full = pd.Series(values, index=np.flatnonzero(units.ranked)).reindex(range(len(units.names)))
    if values.dtype == object:
        return full.astype(object).where(units.ranked, "not ranked")
    if values.dtype == bool:
        return full.astype("boolean")
    return full.astype("Int64") if np.issubdtype(values.dtype, np.integer) else full


def summarise(
    units: Units,
    table: pd.DataFrame,
    *,
    pairs: Pairs,
    sets: tuple[RankSets, RankSets],
    model: bayes.Posterior,
    options: Options,
) -> Mapping[str, Any]:
    """Assemble `Ranking.summary`: what holds for the table as a whole, and every convention that was used."""
    marginal, simultaneous = sets
    p, bottom, conventions = (
        len(pairs.score),
        options.bottom,
        options.conventions(units.selection, pairs),
    )
    points = membership.point_list(pairs, bottom)
    rows = table[units.ranked]
    listed = rows[points.listed]
    list_p = membership.verify_list(pairs, bottom)
    facts = {
        "p": p,
        "not_ranked": tuple(table["unit"][~units.ranked]),
        "rankability": model.rankability,
        "tau2": model.tau2,
        "mu": model.mu,
        "decidable_share": int((simultaneous.low - 1).sum()) / (p * (p - 1) / 2),
        **list_facts(rows["unit"], points),
        "expected_true_bottom": float(listed["probability_bottom"].sum()),
        "established_listed": int((listed["status"] == "established").sum()),
        "list_p": list_p,
        "list_established": list_p <= 1 - options.level,
        "critical_values": MappingProxyType(
            {"marginal": marginal.critical, "simultaneous": simultaneous.critical}
        ),
        "se_from_limits": units.se_from_limits,
        "zero_se": tuple(rows["unit"][pairs.se == 0]),
        "df": df_convention(pairs),
        "independent": pairs.independent,
        "ties": TIES.format(RULES[options.ties]),
        "probabilities": PROBABILITIES.format(options.between.upper()),
        "seed": None,
        "fragile": (),
    }
    summary = facts | conventions | simulated(rows["unit"].to_numpy(), sets)
    return MappingProxyType(summary | {"notes": notes(summary)})


def simulated(names: NDArray[Any], sets: tuple[RankSets, RankSets]) -> dict[str, Any]:
    """Say how max-t sets were made: form and errors; where simulated, seed, draws, Monte-Carlo error and fragile units."""
    kinds = dict(zip(("marginal", "simultaneous"), sets, strict=True))
    said: dict[str, Any] = {
        f"{kind}_method": found.method for kind, found in kinds.items() if found.method
    }
    runs = {kind: found.simulation for kind, found in kinds.items() if found.simulation is not None}
    if not runs:
        return said
    one, fragile = next(iter(runs.values())), np.any([run.fragile for run in runs.values()], axis=0)
    return said | {
        "seed": one.seed,
        "draws": one.draws,
        "monte_carlo_error": MappingProxyType({kind: run.error for kind, run in runs.items()}),
        "critical_steps": next((run.steps for run in runs.values() if run.steps), ()),
        "fragile": tuple(names[fragile]),
    }


def df_convention(pairs: Pairs) -> str:
    """Say how the se entered the tests."""
    if np.all(np.isinf(pairs.df)):
        return "se known: normal distribution"
    return f"se estimated: t with Satterthwaite df of each pair (units: {pairs.df.min():g} to {pairs.df.max():g})"


def notes(summary: Mapping[str, Any]) -> tuple[str, ...]:
    """Sentences, Chinese and English, that must accompany the table."""
    size, sure, whole = (
        summary["list_size_low"],
        summary["established_listed"],
        summary["list_established"],
    )
    said = (
        [BY_POINT]
        if summary["selection"] != "probability"
        else [
            f"名单中 {size} 个单位有 {sure} 个得到确认；整份名单{'得到确认' if whole else '不能确认'}。 "
            f"Units listed: {size}, of them established: {sure}; the list as a whole: {'' if whole else 'not '}established."
        ]
    )
    if summary["tie_at_cut"]:
        high = summary["list_size_high"]
        said.append(
            f"分界处并列：名单为 {size} 或 {high} 个。 Tie at the cut: the list has {size} or {high} units."
        )
    if not summary["independent"]:
        method = {"holm": "Holm", "maxt": "max-t"}[summary["marginal"]]
        said.append(
            f"单位之间相关：边际集合用 {method}，成员检验用 Bonferroni 形式，概率忽略相关。 Units are dependent: "
            f"{method} for marginal sets, Bonferroni form for membership; probabilities ignore the dependence."
        )
        if summary["simultaneous"] == "tukey":
            said.append(
                "相关单位的 Tukey 临界值为近似。 The Tukey critical value is approximate for dependent units."
            )
    if summary["fragile"]:
        named = ", ".join(summary["fragile"])
        said.append(
            f"名次界限在模拟误差之内: {named}。 Bounds within the error of the simulation: {named}."
        )
    if summary["se_from_limits"]:
        named = ", ".join(summary["se_from_limits"])
        said.append(
            f"标准误为 0，改由置信限得出: {named}。 se of 0 replaced by the se of the limits: {named}."
        )
    return tuple(said)
