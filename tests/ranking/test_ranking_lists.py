"""Membership in its forms, over the whole table, list sets, the order of the units, tie rules, and what is refused."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from ranking_pool import provinces
from satisfaction.foundation.errors import RankingError
from satisfaction.ranking import critical_values as dunnett
from satisfaction.ranking import membership
from satisfaction.ranking import pairs as order
from satisfaction.ranking import probability as bayes
from satisfaction.ranking.critical_values import range_p_value, range_quantiles
from satisfaction.ranking.membership import Membership, decide
from satisfaction.ranking.pairs import RULES, SHARES, compare_units, others
from satisfaction.ranking.rank import rank
from satisfaction.ranking.sets import count_false, tukey_critical, tukey_sets

SCORES = np.array([90.0, 85.0, 82.0, 82.0, 70.0, 60.0])
SE = np.array([1.0, 1.2, 0.8, 1.0, 1.5, 1.0])
FORMS = ("simes", "dunnett", "bonferroni")


def dependent(se=SE):
    return np.outer(se, se) * (0.3 + 0.7 * np.eye(len(se)))


# ---- forms of membership


@given(provinces(), st.integers(1, 3))
@settings(max_examples=60, deadline=None)
def test_dunnett_lies_between_one_comparison_and_bonferroni_or_the_projection(province, bottom):
    # Simes may lie on either side of Dunnett (Simes also counts the larger p-values), so it is no bound
    pairs = compare_units(province.score, cov=np.diag(province.se**2), df=province.finite_df)
    p = len(province.score)
    found = {form: membership.bottom_membership(pairs, bottom, form) for form in FORMS}
    for count, q, side in (
        (p - bottom, pairs.p_better.T, "p_in"),
        (bottom, pairs.p_better, "p_out"),
    ):
        rows = others(q)
        reached = np.sort(rows, axis=1)[:, count - 1]
        exact = getattr(found["dunnett"], side)
        assert (exact >= reached).all()
        assert (exact <= getattr(found["bonferroni"], side) + 1e-12).all()
        assert (getattr(found["simes"], side) <= getattr(found["bonferroni"], side)).all()
        everyone = [np.flatnonzero(np.arange(p) != j) for j in range(p)]
        projection = [
            dunnett.largest_p_value(pairs, j, everyone[j], p_value=reached[j]) for j in range(p)
        ]
        assert (exact <= np.array(projection) + 1e-9).all()


def test_dunnett_by_hand():
    # four units with equal se, last one: three others must be better; the weakest of the three comparisons decides
    pairs = compare_units(np.array([3.0, 3.5, 4.0, 0.0]), cov=np.eye(4), df=np.full(4, np.inf))
    z, cut = np.linspace(-9, 9, 40_001), 3 / np.sqrt(2)
    tests = membership.bottom_membership(pairs, 1, "dunnett")
    assert tests.p_in[3] == pytest.approx(
        stats.norm.sf(cut), rel=1e-12
    )  # one comparison: no multiplicity at all
    last_two = membership.bottom_membership(pairs, 2, "dunnett")
    cut = 3.5 / np.sqrt(2)  # the second of the three, against the largest of two comparisons
    none_of_two = np.trapezoid(stats.norm.pdf(z) * stats.norm.cdf(z + cut * np.sqrt(2)) ** 2, z)
    assert last_two.p_in[3] == pytest.approx(1 - none_of_two, rel=1e-7)


def test_dunnett_takes_the_others_with_the_largest_se():
    pairs = compare_units(
        np.array([9.0, 8.0, 7.0, 6.0, 0.0]),
        cov=np.diag([1.0, 4, 9, 0.25, 1]),
        df=np.full(5, np.inf),
    )
    reached = np.sort(pairs.p_better[:4, 4])[2]
    widest = dunnett.largest_p_value(pairs, 4, np.array([1, 2]), p_value=reached)
    assert membership.bottom_membership(pairs, 2, "dunnett").p_in[4] == pytest.approx(
        widest, rel=1e-12
    )
    assert widest > dunnett.largest_p_value(pairs, 4, np.array([0, 3]), p_value=reached)


@pytest.mark.parametrize("form", ["dunnett", "bonferroni"])
def test_error_of_membership_at_its_worst_case(form):
    # two units far better, three tied, three far worse; the last four: the tied ones are truly out (rank 3 of 8)
    rng, truth, runs, false = (
        np.random.default_rng(11),
        np.array([50.0, 50, 0, 0, 0, -50, -50, -50]),
        1500,
        0,
    )
    for _ in range(runs):
        pairs = compare_units(truth + rng.normal(size=8), cov=np.eye(8), df=np.full(8, np.inf))
        false += membership.bottom_membership(pairs, 4, form).p_in[2] <= 0.05
    assert 0 < false / runs < 0.05 + 3 * np.sqrt(0.05 * 0.95 / runs)


def test_estimated_se_count_in_the_dunnett_form():
    known, estimated = (
        rank(SCORES, SE, df=df, bottom=2, membership="dunnett").table for df in (None, 8)
    )
    close = rank(SCORES, SE, df=1e13, bottom=2, membership="dunnett").table
    np.testing.assert_allclose(close["p_in"], known["p_in"], rtol=1e-4, atol=1e-12)
    # p-values of half and less grow; they are tails
    small = known["p_in"] < 0.3
    assert (estimated["p_in"][small] > known["p_in"][small]).all()


def test_the_form_is_named_and_used_by_targets():
    rk = rank(SCORES, SE, bottom=2, membership="dunnett")
    assert "Dunnett form" in rk.summary["membership"]
    assert rk.summary["membership_asked"] == "dunnett"
    target = rk.target("top", 2)
    assert "Dunnett form" in target.summary["membership"]
    expected = membership.top_membership(rk.pairs, 2, "dunnett")
    np.testing.assert_array_equal(target.table["p_met"], expected.p_in)
    np.testing.assert_array_equal(target.table["p_not_met"], expected.p_out)


@pytest.mark.parametrize("form", FORMS)
def test_dependent_units_get_the_bonferroni_form(form):
    rk = rank(SCORES, cov=dependent(), bottom=2, membership=form)
    assert "Bonferroni form" in rk.summary["membership"]
    plain = rank(SCORES, cov=dependent(), bottom=2)
    np.testing.assert_array_equal(rk.table["p_in"], plain.table["p_in"])


# ---- the whole table


def test_holm_and_benjamini_hochberg_over_the_table():
    p_values = np.array([0.04, 0.001, 0.01, 0.5, 0.02])
    np.testing.assert_allclose(membership.holm(p_values), [0.08, 0.005, 0.04, 0.5, 0.06])
    np.testing.assert_allclose(
        membership.benjamini_hochberg(p_values),
        stats.false_discovery_control(p_values, method="bh"),
        rtol=1e-12,
    )


@pytest.mark.parametrize("multiplicity", ["holm", "bh"])
def test_adjusted_p_values_decide_the_status(multiplicity):
    rng = np.random.default_rng(20)
    score, se = rng.normal(78, 3, 40), rng.uniform(0.8, 1.4, 40)
    single, whole = rank(score, se), rank(score, se, multiplicity=multiplicity)
    np.testing.assert_array_equal(single.table["p_in"], whole.table["p_in"])
    for side, word in (("p_in", "established"), ("p_out", "excluded")):
        adjusted = whole.table[f"{side}_adjusted"]
        assert (adjusted >= whole.table[side]).all()
        assert ((whole.table["status"] == word) == (adjusted <= 0.05)).all()
    assert (whole.table["status"] == "excluded").sum() < (
        single.table["status"] == "excluded"
    ).sum()
    assert {"holm": "Holm", "bh": "Benjamini-Hochberg"}[multiplicity] in whole.summary[
        "multiplicity"
    ]
    assert "p_in_adjusted" not in single.table


# ---- inner and outer sets


@given(provinces(), st.integers(1, 3), st.sampled_from(["tukey", "holm", "joint-ci"]))
@settings(max_examples=80, deadline=None)
def test_inner_sets_lie_inside_outer_sets(province, places, simultaneous):
    rk = province.ranked(bottom=places, simultaneous=simultaneous)
    last, first = rk.list_sets("bottom", places), rk.list_sets("top", places)
    for sets in (last, first):
        assert not (sets["inner"] & ~sets["outer"]).any()
        assert sets["inner"].sum() <= places <= sets["outer"].sum()
    assert not (last["inner"] & first["inner"]).any() or 2 * places > len(rk.table)
    mirrored = province.ranked(bottom=places, simultaneous=simultaneous, higher_is_better=False)
    np.testing.assert_array_equal(
        mirrored.list_sets("top", places)[["inner", "outer"]], last[["inner", "outer"]]
    )


def test_list_sets_keep_units_that_are_not_ranked():
    rk = rank(
        np.insert(SCORES, 2, np.nan), np.insert(SE, 2, np.nan), ranked=np.arange(7) != 2, bottom=2
    )
    sets = rk.list_sets("bottom", 2)
    assert sets["inner"].isna().tolist() == [False, False, True, False, False, False, False]
    assert sets["unit"][sets["inner"].fillna(False)].tolist() == ["6", "7"]


@pytest.mark.parametrize(
    ("code", "kind", "places"), [("K120", "last", 2), ("K121", "top", 6), ("K121", "bottom", 0)]
)
def test_list_sets_refused(code, kind, places):
    with pytest.raises(RankingError) as caught:
        rank(SCORES, SE, bottom=2).list_sets(kind, places)
    assert caught.value.code == code


# ---- the order of the units


def test_order_by_hand():
    rk = rank([9.0, 5.0, 5.1, 1.0], [0.1] * 4, bottom=1, names="abcd")
    found = rk.order()
    assert found.decided.loc["a"].tolist() == [0, 1, 1, 1]
    assert found.decided.loc["b"].tolist() == [-1, 0, 0, 1]
    assert found.steps.to_numpy().tolist() == [["a", "b"], ["a", "c"], ["b", "d"], ["c", "d"]]
    assert found.tiers["tier"].tolist() == [1, 2, 2, 3]
    assert found.tiers[["better", "worse"]].to_numpy().tolist() == [[0, 3], [1, 1], [1, 1], [3, 0]]
    assert found.share == pytest.approx(5 / 6)
    assert found.p_better.loc["a", "b"] == pytest.approx(
        stats.norm.sf(4 / np.sqrt(0.02)), rel=1e-10
    )
    assert "tukey" in found.method
    np.testing.assert_allclose(found.p_better + found.p_better.T, 1, rtol=1e-12)


@given(provinces(), st.sampled_from(["tukey", "holm", "joint-ci", "maxt"]))
@settings(max_examples=60, deadline=None)
def test_order_is_transitive_and_reduced(province, simultaneous):
    rk = province.ranked(bottom=2, simultaneous=simultaneous, draws=50_000)
    found = rk.order()
    proven = found.decided.to_numpy() == 1
    assert not (order.composed(proven) & ~proven).any()
    steps = order.reduction(proven)
    np.testing.assert_array_equal(order.closure(steps), proven)
    assert not (steps & order.composed(proven)).any()
    assert found.share >= rk.summary["decidable_share"] - 1e-12
    tiers = found.tiers["tier"].to_numpy()
    better, worse = np.nonzero(proven)
    assert (tiers[better] < tiers[worse]).all()
    assert (found.tiers["better"] < rk.table["rank"]).all()


# ---- tie rules


@pytest.mark.parametrize(
    ("ties", "ranks"),
    [
        ("competition", [1, 2, 2, 4]),
        ("modified", [1, 3, 3, 4]),
        ("dense", [1, 2, 2, 3]),
        ("fractional", [1, 2.5, 2.5, 4]),
    ],
)
def test_tie_rules(ties, ranks):
    rk = rank([9.0, 7.0, 7.0, 1.0], [1.0] * 4, bottom=2, ties=ties)
    assert rk.table["rank"].tolist() == ranks
    assert RULES[ties] in rk.summary["ties"]
    assert (rk.summary["list_size_low"], rk.summary["list_size_high"]) == (1, 3)
    assert rk.table["rank"].dtype == ("float64" if ties == "fractional" else "Int64")


@given(provinces(), st.sampled_from(list(SHARES)))
@settings(max_examples=60, deadline=None)
def test_ranks_of_every_share_lie_in_their_sets(province, ties):
    table = province.ranked(bottom=2, ties=ties).table
    p = len(table)
    for kind in ("marginal", "simultaneous"):
        assert (
            (table[f"{kind}_low"] <= table["rank"]) & (table["rank"] <= table[f"{kind}_high"])
        ).all()
    if ties == "fractional":
        assert table["rank"].sum() == p * (p + 1) / 2


# ---- nothing is proven without a probability sample


@pytest.mark.parametrize("selection", ["quota", "open_link"])
@pytest.mark.parametrize("options", [{"membership": "dunnett"}, {"membership": "bonferroni"}, {"multiplicity": "holm"},
                                     {"multiplicity": "bh"}, {"marginal": "maxt", "simultaneous": "maxt"}, {"between": "ml"}])  # fmt: skip
def test_nothing_is_established_without_a_probability_sample(selection, options):
    rk = rank(SCORES, SE, bottom=2, selection=selection, **options)
    assert set(rk.table["status"]) == {"possible"}
    assert set(rk.target("top", 2).table["verdict"]) == {"not decidable"}
    for kind in ("top", "bottom"):
        assert not rk.list_sets(kind, 2)["inner"].any()
        assert rk.list_sets(kind, 2)["outer"].all()
    found = rk.order()
    assert not found.decided.to_numpy().any()
    assert (found.share, len(found.steps), found.tiers["tier"].max()) == (0, 0, 1)
    assert not rk.summary["list_established"]
    assert rk.summary["established_listed"] is None


# ---- refusals


@pytest.mark.parametrize(
    ("code", "options"),
    [
        ("K117", {"membership": "sime"}),
        ("K118", {"multiplicity": "bonferroni"}),
        ("K119", {"ties": "random"}),
        ("K122", {"between": "dl"}),
        ("K123", {"draws": 1000}),
        ("K123", {"draws": 1e5}),
        ("K124", {"seed": -1}),
        ("K124", {"seed": "a"}),
    ],
)
def test_refusals_of_the_newer_options(code, options):
    with pytest.raises(RankingError) as caught:
        rank(SCORES, SE, bottom=2, **options)
    assert caught.value.code == code
    assert any("\u4e00" <= letter <= "\u9fff" for letter in caught.value.zh)


# ---- shortcuts for many units


@given(st.lists(st.floats(0, 1), min_size=1, max_size=40), st.sampled_from([0.025, 0.05, 0.4]))
@settings(max_examples=150, deadline=None)
def test_halving_finds_the_largest_set_that_simes_keeps(p_values, alpha):
    ordered, n = np.sort(p_values), len(p_values)
    kept = [
        size
        for size in range(1, n + 1)
        if np.all(ordered[n - size :] > alpha * np.arange(1, size + 1) / size)
    ]
    assert count_false(ordered[None], alpha)[0] == n - max(kept, default=0)


@pytest.mark.parametrize("p", [5, 130])
def test_tukey_decides_every_pair_of_known_se_as_its_p_value_does(p):
    rng = np.random.default_rng(p)
    pairs = compare_units(
        rng.normal(0, 4, p), cov=np.diag(rng.uniform(0.5, 2, p) ** 2), df=np.full(p, np.inf)
    )
    p_values = range_p_value(
        np.sqrt(2) * np.abs(pairs.t).ravel(), p, pairs.pair_df.ravel()
    ).reshape(p, p)
    np.testing.assert_array_equal(tukey_sets(pairs, 0.05).better, (p_values < 0.05) & (pairs.t > 0))


def test_critical_values_of_estimated_se_lie_between_those_of_the_two_units():
    rng = np.random.default_rng(7)
    df, se = rng.integers(3, 60, 9).astype(float), rng.uniform(0.5, 2, 9)
    critical = tukey_critical(compare_units(rng.normal(0, 4, 9), cov=np.diag(se**2), df=df), 0.05)
    own = range_quantiles(0.95, 9, df) / np.sqrt(2)
    by_hand = (se[:, None] ** 2 * own[:, None] + se**2 * own) / (se[:, None] ** 2 + se**2)
    np.testing.assert_allclose(critical, by_hand, rtol=1e-12)


def test_quantiles_at_many_df_are_those_at_each():
    df = np.concatenate([np.linspace(2.5, 80, 70), [400.0, np.inf]])
    each = [range_quantiles(0.95, 88, np.array([one]))[0] for one in df]
    np.testing.assert_allclose(range_quantiles(0.95, 88, df), each, rtol=1e-8)


@pytest.mark.parametrize("places", [1, 10, 200])
def test_one_grid_for_many_units(places):
    rng = np.random.default_rng(3)
    model = bayes.fit(rng.normal(78, 4, 310), rng.uniform(0.4, 2.5, 310))
    found = bayes.few_ahead(model.mean, model.sd, places)
    assert found.sum() == pytest.approx(places, abs=1e-8)
    if places < 200:
        own = bayes.few_ahead_each(model.mean, model.sd[:, None], places)
        np.testing.assert_allclose(found, own, atol=1e-10)


@pytest.mark.parametrize("places", [1, 10, 40])
@pytest.mark.parametrize("ratio", [0, 2, 8])
def test_one_grid_for_few_units_gives_the_same_probabilities(places, ratio):
    """Also where scores differ no more than their errors allow (sd 0)."""
    random = np.random.default_rng(5)
    mean = (ratio > 0) * random.normal(65, 3, 88)
    sd = np.exp(random.uniform(0, np.log(max(ratio, 1)), 88)) * (ratio > 0)
    each = bayes.few_ahead_each(mean, np.maximum(sd, 1e-9)[:, None], places)
    together = bayes.few_ahead(mean, sd, places)
    np.testing.assert_allclose(together, each, rtol=0, atol=1e-10)
    assert each.sum() == pytest.approx(places, abs=1e-8)


@pytest.mark.parametrize(("units", "places"), [(88, 10), (88, 44), (300, 150), (9, 1)])
@pytest.mark.parametrize("tau", [0.05, 1.0, 4.0])
def test_one_grid_converges_also_where_units_crowd(units, places, tau):
    """Against grids four times as fine: the sums no longer depend on the step."""
    random = np.random.default_rng(units + places)
    model = bayes.posterior(random.normal(70, 1, units), random.uniform(0.9, 1.6, units), tau2=tau)
    mean = model.mean - np.median(model.mean)
    finest = min(bayes.STEP, 1 / np.sqrt(units)) * model.sd.min() / 4
    grid = np.arange((mean - 10 * model.sd).min(), (mean + 10 * model.sd).max(), finest)
    exact = bayes.few_ahead_on_one_grid(mean, model.sd, places, grid=grid)
    found = bayes.few_ahead(model.mean, model.sd, places)
    np.testing.assert_allclose(found, exact, rtol=0, atol=1e-12)


@pytest.mark.parametrize("places", [1, 10])
def test_nodes_that_are_left_out_would_add_nothing(places):
    random = np.random.default_rng(places)
    at = np.linspace(-6, 6, 200)
    mean = np.sort(random.normal(0, 1.5, 40))[:, None]
    chance = special.ndtr((mean - at) / 0.4)
    mass = np.exp(-(((mean - at) / 0.4) ** 2) / 2)
    every = np.sum(bayes.few_without_each(chance, places) * mass, axis=1)
    left = bayes.Ahead(chance, mass).where_it_matters(places)
    assert left.chance.shape[1] < chance.shape[1]
    (found,) = bayes.mean_few([bayes.Ahead(chance, mass)], places)
    np.testing.assert_allclose(found, every, rtol=1e-13, atol=1e-15)


@pytest.mark.slow
def test_2850_counties():
    rng = np.random.default_rng(1)
    p = 2850
    rk = rank(rng.normal(78, 4, p), rng.uniform(1, 1.8, p), df=rng.integers(15, 60, p))
    assert rk.table["probability_bottom"].sum() == pytest.approx(10, abs=1e-6)
    assert (rk.table["simultaneous_low"] <= rk.table["marginal_low"]).all()
    assert (rk.table["marginal_high"] <= rk.table["simultaneous_high"]).all()


def test_nothing_is_proven_without_a_design():
    sure = Membership(np.array([0.0, 1.0]), np.array([1.0, 0.0]))
    words = ("in", "out", "open")
    assert list(decide(sure, 0.05, words=words)) == ["in", "out"]
    assert list(decide(sure, 0.05, words=words, provable=False)) == ["open", "open"]
