"""Points of an assessment at every level of its tree: what is got, what is lost, what could still be got.

All arrays have one row an area (p) and one column a leaf of the tree (L), in the tree's order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
import scipy.stats as st

from satisfaction.composite.normalising import Array
from satisfaction.declarations.assessment_tables import CLASSES, PointsSheet
from satisfaction.declarations.combined import Assessment, AssessmentItem, Veto
from satisfaction.foundation.errors import RankingError
from satisfaction.foundation.language import _

TIED = 1e-9
"""A measure this close to a mark has reached it: closer scores are ties everywhere in this package."""
UNCLASSED = ""


@dataclass(frozen=True, slots=True, eq=False)
class Measured:
    """A measure of the survey, of p areas, as items that it decides need it.

    Attributes
    ----------
    estimate : (p,)
        Share 0-1 of a rate, points 0-100 of a score or an index; NaN where an area has none.
    errors : (U, p), sparse, or None
        Contributions of the sampling units to its covariance, V = D'D; None without a probability sample.
    lent : (K, p), sparse, or None
        What the rules add to its errors, independent of `errors`.
    df : (p,)
        Of its variances.
    """

    estimate: Array
    errors: Any
    lent: Any
    df: Array

    def __repr__(self) -> str:
        return f"Measured({len(self.estimate)} areas)"

    @property
    def se(self) -> Array:
        """Return the standard errors, (p,); NaN without a probability sample."""
        if self.errors is None:
            return np.full(len(self.estimate), np.nan)
        return np.asarray(np.sqrt(squares(self.errors) + squares(self.lent)))

    def probability_at_least(self, mark: float) -> Array:
        """Return how probable it is, (p,), that a value drawn around the estimate reaches a mark.

        By t with the estimate's df; NaN where there is no error.
        """
        distance = self.estimate - mark + TIED
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.asarray(st.t.cdf(distance / self.se, np.where(self.df > 0, self.df, np.nan)))


def squares(rows: Any) -> Any:
    """Return the sums of squares of the columns, (p,), of sparse or dense rows; 0 of no rows."""
    if rows is None:
        return 0.0
    squared = rows.multiply(rows) if sp.issparse(rows) else rows**2
    return np.asarray(squared.sum(axis=0)).ravel()


@dataclass(frozen=True, slots=True, eq=False)
class SiteShares:
    """What the points of inspection visited come to.

    Attributes
    ----------
    share : (p, L)
        Share of the points got, kinds weighted by their number of sites; NaN where no site was visited.
    rows : (S, L), sparse
        Contributions of the S sites to the covariance of an area's shares, V = D'D over the area's sites.
    area : (S,) int
        The row of the site's area.
    kind : (S,) int
        Its kind within the area, numbered over all areas.
    single : (p, L) bool
        Where a kind rests on one site: its error is not known and not contained.
    alike : (p, L) bool
        Where several sites were visited and all got the same share: the se of 0 is no certainty.
    """

    share: Array
    rows: Any
    area: Array
    kind: Array
    single: Array
    alike: Array

    def __repr__(self) -> str:
        return f"SiteShares({len(self.area)} sites)"


def site_weights(table: pd.DataFrame) -> pd.Series:
    """Return what each row of a table of sites counts in the share of its area and item; they add up to 1 there.

    Kinds by their numbers of sites where all of the area and item are known, else by the sites visited: the plain mean.
    """
    cell = [table["code"], table["item"]]
    n = table.groupby(["code", "item", "kind"], sort=False)["score"].transform("size")
    known = table["population"].notna().groupby(cell).transform("all")
    represented = table["population"].where(known, n) / n
    return represented / represented.groupby(cell).transform("sum")


def site_shares(table: pd.DataFrame, areas: Sequence[str], leaves: Sequence[str]) -> SiteShares:
    """Estimate the shares of points that sites get, by area and leaf, with their sampling errors.

    Parameters
    ----------
    table : DataFrame
        As `read_sites` returns it.
    areas, leaves : sequence of str
        Rows and columns of the result.

    Notes
    -----
    Kinds of sites are strata: share = sum_k W_k mean_k, W_k by the kinds' numbers of sites where all of the area and leaf are
    known, else by the sites visited (the plain mean). A site contributes W_k sqrt((1 - f_k) n_k / (n_k - 1)) (y - mean_k) / n_k,
    so that the sum of squares over sites is the variance of a stratified mean, and sites visited for several leaves carry the
    covariance of these. A kind of which every site was visited has no sampling error.
    """
    size = (len(areas), len(leaves))
    area, leaf = cells(table, areas, leaves)
    value = (table["score"] / table["possible"]).to_numpy(float)
    rows = table[["kind", "site"]].assign(area=area, leaf=leaf, value=value)
    of_kind = rows.groupby(["area", "leaf", "kind"], sort=False)["value"]
    n = of_kind.transform("size")
    weight = site_weights(table).to_numpy(float)
    fraction = (n / table["population"].astype(float)).fillna(0.0)
    inflation = np.sqrt((1 - fraction) * n / (n - 1).clip(lower=1))
    deviation = value - of_kind.transform("mean")
    contribution = np.where(n > 1, weight * inflation * deviation, 0.0)

    sampled = fraction < 1
    rows = rows.assign(part=weight * value, moved=contribution != 0, sampled=sampled)
    rows["single"] = (n == 1) & sampled
    by_leaf = rows.groupby(["area", "leaf"])
    seen = by_leaf[["single", "moved", "sampled"]].any()
    at = tuple(seen.index.to_frame().to_numpy(int).T)
    share = np.full(size, np.nan)
    share[at] = by_leaf["part"].sum()
    single = np.zeros(size, dtype=bool)
    single[at] = seen["single"]
    alike = np.zeros(size, dtype=bool)
    alike[at] = seen["sampled"] & ~seen["moved"] & ~seen["single"]

    site = ["area", "kind", "site"]
    number = rows.groupby(site, sort=False).ngroup()
    sites = rows[~number.duplicated()]
    kind = sites.groupby(["area", "kind"], sort=False).ngroup()
    places = (number.to_numpy(int), leaf)
    matrix = sp.coo_array((contribution, places), shape=(len(sites), len(leaves)))
    return SiteShares(
        share, matrix.tocsr(), sites["area"].to_numpy(int), kind.to_numpy(int), single, alike
    )


def cells(
    entries: pd.DataFrame, areas: Sequence[str], leaves: Sequence[str]
) -> tuple[Array, Array]:
    """Return the rows and the columns that entries of a sheet stand for, by their `code` and `item`."""
    rows = pd.Index(areas).get_indexer(entries["code"])
    columns = pd.Index(leaves).get_indexer(entries["item"])
    return rows, columns


@dataclass(frozen=True, eq=False)
class TreeScores:
    """An assessment of p areas, leaf by leaf.

    Attributes
    ----------
    tree : Assessment
    areas, leaves : tuple of str
        Rows and columns.
    paths : tuple of tuple of str
        The names that lead to each leaf.
    applies : (p, L) bool
    based : (p, L)
        Points of the leaf in the area after points of items that do not apply were taken over; 0 where it does not apply.
        Over the ordinary leaves they add up to the points of the whole tree in every area. Bonus items keep their points.
    got : (p, L)
        Points got of `based`; NaN where the item awaits a measure or a site.
    lost_by_class : mapping of str to (p, L)
        `based` - `got` of ordinary leaves by class of points: dead, difficult, winnable and "" (unclassed).
    measures : mapping of str to Measured
    sites : SiteShares or None
    cap : (p,)
        The highest score that vetoes and preconditions leave; inf where none does.
    cap_stated : (p,)
        The same without preconditions that a measure decides.
    excluded : (p,) bool
        Areas that a veto or an unmet precondition takes out of the ranking.
    vetoes : tuple of str
        By area: vetoes that occurred and preconditions not met, "; " between.
    sheet : PointsSheet
        That it was scored by.
    """

    tree: Assessment
    areas: tuple[str, ...]
    leaves: tuple[str, ...]
    paths: tuple[tuple[str, ...], ...]
    applies: Array
    based: Array
    got: Array
    lost_by_class: Mapping[str, Array]
    measures: Mapping[str, Measured]
    sites: SiteShares | None
    cap: Array
    cap_stated: Array
    excluded: Array
    vetoes: tuple[str, ...]
    sheet: PointsSheet

    def __repr__(self) -> str:
        return f"TreeScores({len(self.areas)} areas, {len(self.leaves)} leaves)"

    @cached_property
    def items(self) -> list[AssessmentItem]:
        """Return the leaves' declarations, in order."""
        return [leaf for _path, leaf in self.tree.leaves().values()]

    @property
    def is_drawn(self) -> bool:
        """Whether a measure or points of inspection decide about points, so that the score has errors."""
        if self.tree.measures:
            return True
        return any(leaf.sites for leaf in self.items)

    @property
    def partly_exact(self) -> Array:
        """Tell of which areas points rest on a sheet, or on sites without an error, (p,) bool: exact as handed in."""
        by_sheet = [leaf.measure is None and not leaf.sites for leaf in self.items]
        has_points = self.based > 0
        exact = np.asarray(has_points[:, by_sheet].any(axis=1))
        if self.sites is not None:
            unknown = has_points & (self.sites.single | self.sites.alike)
            exact = exact | np.asarray(unknown.any(axis=1))
        return exact

    @cached_property
    def ordinary(self) -> Array:
        """Tell which leaves are no bonus items, (L,)."""
        return np.array([not leaf.bonus for leaf in self.items])

    @property
    def total(self) -> float:
        """Return the points of the whole tree, bonus items apart."""
        ordinary = [leaf.points for leaf in self.items if not leaf.bonus]
        return float(sum(filter(None, ordinary)))

    @cached_property
    def lost(self) -> Array:
        """Return the points lost, (p, L); 0 of bonus items, NaN where an item is awaited."""
        missed = self.based - self.got
        return np.where(self.ordinary, missed, 0.0)

    @property
    def scores(self) -> Array:
        """Return the scores 0-100 (beyond, with bonus points), (p,); NaN where an item is awaited."""
        return self.scores_with(np.zeros(len(self.areas)))

    def scores_with(self, gained: Array) -> Array:
        """Return the scores, (p,), were so many more points got."""
        kept = self.got[:, self.ordinary].sum(axis=1) + gained
        bonus = self.got[:, ~self.ordinary].sum(axis=1)
        return points_to_score(self.tree, kept, bonus, total=self.total, cap=self.cap)

    @property
    def site_variance(self) -> Array:
        """Return the variance of the points got at sites, (p,): what the sites' sampling contributes."""
        totals = self.site_totals
        area = np.zeros(0, dtype=int)
        if self.sites is not None:
            area = self.sites.area
        return np.bincount(area, weights=totals**2, minlength=len(self.areas))

    @property
    def site_totals(self) -> Array:
        """Return what each site contributes to the points of its area, (S,)."""
        if self.sites is None:
            return np.zeros(0)
        ordinary = np.where(self.ordinary, self.based, 0.0)
        weighted = self.sites.rows.multiply(ordinary[self.sites.area])
        return np.asarray(weighted.sum(axis=1)).ravel()

    @property
    def site_df(self) -> Array:
        """Return the df of `site_variance`, (p,), by Satterthwaite over the kinds; inf where there is no variance."""
        p = len(self.areas)
        if self.sites is None:
            return np.full(p, np.inf)
        kind = self.sites.kind
        variance = np.bincount(kind, weights=self.site_totals**2)
        freedom = np.maximum(np.bincount(kind) - 1, 1)
        area_of_kind = np.zeros(len(variance), dtype=int)
        area_of_kind[kind] = self.sites.area
        fourth = np.bincount(area_of_kind, weights=variance**2 / freedom, minlength=p)
        squared = self.site_variance**2
        df = np.divide(squared, fourth, out=np.full(p, np.inf), where=fourth > 0)
        return np.asarray(df)


def points_to_score(
    tree: Assessment, kept: Array, bonus: Array, *, total: float, cap: Array
) -> Array:
    """Return scores 0-100 from points got and bonus points, (..., p): bonus and score cut at their highest, then vetoes."""
    if tree.bonus_most is not None:
        bonus = np.minimum(bonus, tree.bonus_most)
    score = (kept + bonus) / total * 100
    if tree.score_most is not None:
        score = np.minimum(score, tree.score_most)
    return np.asarray(np.minimum(score, cap))


def step_points(leaf: AssessmentItem, value: Array) -> Array:
    """Return the points, as declared, that values of a leaf's measure give; NaN where there is no value."""
    points = np.zeros(np.shape(value))
    for step in reversed(leaf.steps):
        reached = value >= step.at_least - TIED
        points = np.where(reached, step.points, points)
    known = np.isfinite(value)
    return np.asarray(np.where(known, points, np.nan))


def score_tree(
    tree: Assessment,
    sheet: PointsSheet,
    areas: Sequence[str],
    *,
    sites: pd.DataFrame | None = None,
    measures: Mapping[str, Measured] | None = None,
) -> TreeScores:
    """Score an assessment at its leaves.

    Parameters
    ----------
    tree : Assessment
    sheet : PointsSheet
        As `read_sheet` returns it. From an item of an area no more is taken off than it has, and no more gained.
    areas : sequence of str
    sites : DataFrame, optional
        As `read_sites` returns it. Without it, items scored at sites are awaited.
    measures : mapping of str to Measured, optional
        Those that decide about items or preconditions; items of others are awaited.
    """
    measures = measures or {}
    declared = tree.leaves()
    leaves = tuple(declared)
    paths = tuple(path for path, _leaf in declared.values())
    items = [leaf for _path, leaf in declared.values()]
    applies = np.ones((len(areas), len(leaves)), dtype=bool)
    applies[cells(sheet.absent, areas, leaves)] = False
    based = based_points(tree, applies)
    points = np.array([leaf.points or 0.0 for leaf in items])
    factor = np.divide(based, points, out=np.zeros_like(based), where=points > 0)

    lost_by_class = _taken_off(tree, sheet.lost, areas, factor=factor)
    got = based - sum(lost_by_class.values())
    got[:, [leaf.bonus for leaf in items]] = 0.0
    gained = within_item(sheet.gained, tree)
    np.add.at(got, cells(gained, areas, leaves), gained["counted"].to_numpy(float))

    visited = None
    if sites is not None and len(sites):
        visited = site_shares(sites, areas, leaves)
    for place, leaf in enumerate(items):
        if leaf.measure is None and not leaf.sites:
            continue
        shares = {"based": based[:, place], "factor": factor[:, place]}
        scored = _decided_points(leaf, place, measures=measures, visited=visited, **shares)
        got[:, place] = np.where(applies[:, place], scored, 0.0)
        if not leaf.bonus:
            name = leaf.points_class or UNCLASSED
            lost_by_class[name][:, place] = based[:, place] - got[:, place]

    cap, excluded, vetoes = _sanctions(tree, sheet, areas, measures=measures)
    cap_stated, _excluded, _vetoes = _sanctions(tree, sheet, areas, measures={})
    return TreeScores(
        tree,
        tuple(areas),
        leaves,
        paths,
        applies,
        based,
        got,
        lost_by_class,
        measures,
        visited,
        cap,
        cap_stated,
        excluded,
        vetoes,
        sheet,
    )


def _decided_points(
    leaf: AssessmentItem,
    place: int,
    *,
    measures: Mapping[str, Measured],
    visited: SiteShares | None,
    based: Array,
    factor: Array,
) -> Array:
    """Return the points of a leaf that a measure or points of inspection decide, (p,); NaN where it is awaited."""
    if leaf.measure is not None and leaf.measure in measures:
        return step_points(leaf, measures[leaf.measure].estimate) * factor
    if leaf.sites and visited is not None:
        return np.asarray(visited.share[:, place] * based)
    return np.full(len(based), np.nan)


def _taken_off(
    tree: Assessment, lost: pd.DataFrame, areas: Sequence[str], *, factor: Array
) -> dict[str, Array]:
    """Return the points that a sheet takes off by class, (p, L) each; an entry without a class has that of its item."""
    declared = tree.leaves()
    usual = [leaf.points_class or UNCLASSED for _path, leaf in declared.values()]
    entries = within_item(lost, tree)
    area, leaf = cells(entries, areas, list(declared))
    points = entries["counted"].to_numpy(float) * factor[area, leaf]
    stated = entries["points_class"].to_numpy(object)
    name_of = np.where(stated != "", stated, np.array(usual, dtype=object)[leaf])
    by_class = {}
    for name in (*CLASSES, UNCLASSED):
        of_class = name_of == name
        by_class[name] = np.zeros(factor.shape)
        np.add.at(by_class[name], (area[of_class], leaf[of_class]), points[of_class])
    return by_class


def based_points(tree: Assessment, applies: Array) -> Array:
    """Return the points of every leaf after those of items that do not apply are taken over, (p, L).

    `not_applicable: tree`: all ordinary leaves that apply grow in proportion. `branch`: the points of a branch stay in it as long as
    one of its items applies; those of a branch of which none does go to its neighbours.

    Raises
    ------
    RankingError
        K379 where no item applies in an area.
    """
    leaves = tree.leaves()
    points = np.array([leaf.points or 0.0 for _path, leaf in leaves.values()])
    bonus = np.array([leaf.bonus for _path, leaf in leaves.values()])
    ordinary = np.where(bonus, 0.0, points)
    standing: Array = np.asarray(np.where(applies, ordinary, 0.0))
    if not standing.sum(axis=1).all():
        raise RankingError(
            "K379",
            _("In an area no item of the assessment applies."),
            hint=_("Correct the rows `not applicable` of the sheet."),
        )
    if tree.not_applicable == "branch":
        column = {name: place for place, name in enumerate(leaves)}
        based = np.zeros(applies.shape)
        whole = np.full(len(applies), ordinary.sum())
        _divide(tree.items, whole, column=column, ordinary=ordinary, applies=applies, into=based)
    else:
        based = standing * (ordinary.sum() / standing.sum(axis=1))[:, None]
        all_apply = np.asarray(applies.all(axis=1))
        based = np.where(all_apply[:, None], standing, based)
    return np.asarray(np.where(bonus, points, based))


def _divide(
    items: Mapping[str, AssessmentItem],
    target: Array,
    *,
    column: Mapping[str, int],
    ordinary: Array,
    applies: Array,
    into: Array,
) -> None:
    """Divide the points of a branch, (p,), among its items of which something applies, by their points."""
    columns = {name: _columns_below(name, item, column) for name, item in items.items()}
    full = {name: ordinary[below].sum() for name, below in columns.items()}
    standing = {}
    for name, below in columns.items():
        something = (applies[:, below] & (ordinary[below] > 0)).any(axis=1)
        standing[name] = np.where(something, full[name], 0.0)
    together = sum(standing.values())
    for name, item in items.items():
        share = np.divide(
            standing[name], together, out=np.zeros(len(target)), where=np.asarray(together) > 0
        )
        part = target * share
        if item.items is None:
            into[:, column[name]] = part
        else:
            _divide(item.items, part, column=column, ordinary=ordinary, applies=applies, into=into)


def _columns_below(name: str, item: AssessmentItem, column: Mapping[str, int]) -> list[int]:
    return [column[path[-1]] for path, _leaf in item.leaves((name,))]


def within_item(entries: pd.DataFrame, tree: Assessment) -> pd.DataFrame:
    """Count of every entry no more than its item has left in its area, in a column `counted`."""
    most = entries["item"].map({name: leaf.points for name, (_p, leaf) in tree.leaves().items()})
    before = entries.groupby(["code", "item"])["points"].cumsum() - entries["points"]
    left = (most.astype(float) - before).clip(lower=0.0)
    return entries.assign(counted=np.minimum(left, entries["points"]))


def _sanctions(
    tree: Assessment,
    sheet: PointsSheet,
    areas: Sequence[str],
    *,
    measures: Mapping[str, Measured],
) -> tuple[Array, Array, tuple[str, ...]]:
    """Return the cap of every area, whether it is excluded, and by what."""
    cap = np.full(len(areas), np.inf)
    excluded = np.zeros(len(areas), dtype=bool)
    by: list[list[str]] = [[] for _area in areas]
    row = {code: place for place, code in enumerate(areas)}
    acting: list[tuple[int, str, Veto]] = []
    for entry in sheet.vetoes.drop_duplicates(["code", "item"]).itertuples():
        acting.append((row[str(entry.code)], str(entry.item), tree.veto[str(entry.item)]))
    unmet = unmet_preconditions(tree, sheet, areas, measures=measures)
    for place, name in zip(*np.nonzero(unmet.to_numpy(float) == 0), strict=True):
        condition = str(unmet.columns[name])
        acting.append((int(place), condition, tree.preconditions[condition]))
    for place, name, veto in acting:
        by[place].append(name)
        if veto.effect == "exclude":
            excluded[place] = True
        else:
            cap[place] = min(cap[place], veto.cap or 0.0)
    return cap, excluded, tuple("; ".join(names) for names in by)


def unmet_preconditions(
    tree: Assessment,
    sheet: PointsSheet,
    areas: Sequence[str],
    *,
    measures: Mapping[str, Measured],
) -> pd.DataFrame:
    """Return 1 met, 0 not met, NaN not stated: one row an area, one column a precondition.

    Of one that a measure decides: whether the estimate reaches the mark.
    """
    met = pd.DataFrame(np.nan, index=list(areas), columns=list(tree.preconditions))
    for entry in sheet.stated.itertuples():
        met.loc[str(entry.code), str(entry.item)] = float(bool(entry.met))
    for name, condition in tree.preconditions.items():
        if condition.measure in measures and condition.at_least is not None:
            value = measures[str(condition.measure)].estimate
            reached = (value >= condition.at_least - TIED).astype(float)
            met[name] = np.where(np.isfinite(value), reached, np.nan)
    return met
