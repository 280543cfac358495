"""The rank table and its summary: the kernels' results under the units' names, every convention declared."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from satisfaction.ranking import bayes, membership
from satisfaction.ranking.pairs import Pairs, competition_rank
from satisfaction.ranking.sets import RankSets
from satisfaction.ranking.units import Units

TIES = "scores closer than 1e-9 are ties; competition ranks (1 2 2 4); never rounded, ties at the cut never broken"
PROBABILITIES = "normal empirical Bayes, REML tau2, se as if known, exact by quadrature"


def rank_table(
    units: Units,
    *,
    pairs: Pairs,
    sets: tuple[RankSets, RankSets],
    tests: membership.Membership,
    status: NDArray[np.object_],
    model: bayes.Posterior,
    bottom: int,
) -> pd.DataFrame:
    """Assemble `Ranking.table`: one row a unit, in input order; sets are (marginal, simultaneous)."""
    marginal, simultaneous = sets
    columns = {
        "rank": competition_rank(pairs),
        "marginal_low": marginal.low,
        "marginal_high": marginal.high,
        "simultaneous_low": simultaneous.low,
        "simultaneous_high": simultaneous.high,
        "status": status,
        "p_in": tests.p_in,
        "p_out": tests.p_out,
        "probability_bottom": bayes.probability_bottom(model, bottom),
        "expected_rank": bayes.expected_rank(model),
        "reliability": model.reliability,
    }
    head = {"unit": list(units.names), "estimate": units.estimate, "se": np.sqrt(np.diag(units.cov))}
    return pd.DataFrame(head | {name: spread_out(values, units) for name, values in columns.items()})


def spread_out(values: NDArray[Any], units: Units) -> pd.Series:
    """Place the ranked units' values in input order; the others get a missing value, or the words "not ranked"."""
    full = pd.Series(values, index=np.flatnonzero(units.ranked)).reindex(range(len(units.names)))
    if values.dtype == object:
        return full.astype(object).where(units.ranked, "not ranked")
    return full.astype("Int64") if np.issubdtype(values.dtype, np.integer) else full


def summarise(
    units: Units,
    table: pd.DataFrame,
    *,
    pairs: Pairs,
    sets: tuple[RankSets, RankSets],
    model: bayes.Posterior,
    conventions: Mapping[str, Any],
) -> Mapping[str, Any]:
    """Assemble `Ranking.summary`: what holds for the table as a whole, and every convention that was used."""
    marginal, simultaneous = sets
    p, bottom = len(pairs.score), conventions["bottom"]
    points = membership.point_list(pairs, bottom)
    rows = table[units.ranked]
    listed, tied = rows[points.listed], rows[points.tied]
    list_p = membership.verify_list(pairs, bottom)
    facts = {
        "p": p,
        "not_ranked": tuple(table["unit"][~units.ranked]),
        "rankability": model.rankability,
        "tau2": model.tau2,
        "mu": model.mu,
        "decidable_share": int((simultaneous.low - 1).sum()) / (p * (p - 1) / 2),
        "listed": tuple(listed["unit"]),
        "tied_at_cut": tuple(tied["unit"]),
        "tie_at_cut": bool(len(tied)),
        "list_size_low": len(listed),
        "list_size_high": len(listed) + len(tied),
        "expected_true_bottom": float(listed["probability_bottom"].sum()),
        "established_listed": int((listed["status"] == "established").sum()),
        "list_p": list_p,
        "list_established": units.selection == "probability" and list_p <= 1 - conventions["level"],
        "critical_values": MappingProxyType({"marginal": marginal.critical, "simultaneous": simultaneous.critical}),
        "se_from_limits": units.se_from_limits,
        "zero_se": tuple(rows["unit"][pairs.se == 0]),
        "df": df_convention(pairs),
        "independent": pairs.independent,
        "ties": TIES,
        "probabilities": PROBABILITIES,
        "seed": None,
        "fragile": (),
    }
    summary = facts | dict(conventions)
    return MappingProxyType(summary | {"notes": notes(summary)})


def df_convention(pairs: Pairs) -> str:
    """Say how the se entered the tests."""
    if np.all(np.isinf(pairs.df)):
        return "se known: normal distribution"
    return f"se estimated: t with Satterthwaite df of each pair (units: {pairs.df.min():g} to {pairs.df.max():g})"


def notes(summary: Mapping[str, Any]) -> tuple[str, ...]:
    """Sentences, Chinese and English, that must accompany the table."""
    size, sure, whole = summary["list_size_low"], summary["established_listed"], summary["list_established"]
    said = [
        f"名单中 {size} 个单位有 {sure} 个得到确认；整份名单{'得到确认' if whole else '不能确认'}。 "
        f"Units listed: {size}, of them established: {sure}; the list as a whole: {'' if whole else 'not '}established."
    ]
    if summary["tie_at_cut"]:
        high = summary["list_size_high"]
        said.append(f"分界处并列：名单为 {size} 或 {high} 个。 Tie at the cut: the list has {size} or {high} units.")
    if not summary["independent"]:
        said.append(
            "单位之间相关：边际集合用 Holm，成员检验用 Bonferroni 形式，概率忽略相关。 Units are dependent: "
            "Holm for marginal sets, Bonferroni form for membership; probabilities ignore the dependence."
        )
        if summary["simultaneous"] == "tukey":
            said.append("相关单位的 Tukey 临界值为近似。 The Tukey critical value is approximate for dependent units.")
    if summary["selection"] != "probability":
        said.append("非概率样本：基于模型，无设计误差，不作确认或排除。 Model-based, no design error: nothing is established.")
    if summary["se_from_limits"]:
        named = ", ".join(summary["se_from_limits"])
        said.append(f"标准误为 0，改由置信限得出: {named}。 se of 0 replaced by the se of the limits: {named}.")
    return tuple(said)
