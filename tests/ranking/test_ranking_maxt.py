"""Max-t sets: what must hold for any table, the kernels against independent computations, and what is declared."""

import tracemalloc
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import special, stats

from ranking_pool import provinces
from satisfaction.estimation.multiplicity import normal_scores
from satisfaction.ranking import critical_values as dunnett
from satisfaction.ranking import critical_values as maxt
from satisfaction.ranking.pairs import compare_units
from satisfaction.ranking.rank import rank
from satisfaction.ranking.sets import marginal_maxt_sets, maxt_sets

BOUNDS = ["marginal_low", "marginal_high", "simultaneous_low", "simultaneous_high"]
FEW = {"draws": 50_000, "marginal": "maxt", "simultaneous": "maxt"}


def correlated(se, rho):
    return np.outer(se, se) * (rho + (1 - rho) * np.eye(len(se)))


# ---- for any table


@given(provinces(most=9), st.booleans())
@settings(max_examples=40, deadline=None)
def test_rank_lies_in_its_sets_and_marginal_inside_simultaneous(province, dependent):
    errors = {"cov": correlated(province.se, 0.3)} if dependent else {"se": province.se}
    how = {"bottom": 2, "step_down": False, **FEW}
    table = rank(province.score, **errors, df=province.df, **how).table
    for kind in ("marginal", "simultaneous"):
        assert (table[f"{kind}_low"] <= table["rank"]).all()
        assert (table["rank"] <= table[f"{kind}_high"]).all()
    assert (table["simultaneous_low"] <= table["marginal_low"]).all()
    assert (table["marginal_high"] <= table["simultaneous_high"]).all()


@given(provinces(most=9), st.booleans())
@settings(max_examples=40, deadline=None)
def test_step_down_lies_inside_the_single_step(province, dependent):
    cov = correlated(province.se, 0.4 if dependent else 0.0)
    pairs = compare_units(province.score, cov=cov, df=province.finite_df)
    single, stepped = (
        maxt_sets(pairs, 0.05, draws=20_000, step_down=step) for step in (False, True)
    )
    assert (single.low <= stepped.low).all()
    assert (stepped.high <= single.high).all()
    assert list(stepped.simulation.steps) == sorted(stepped.simulation.steps, reverse=True)
    assert stepped.simulation.steps[0] == single.simulation.steps[0]


@given(provinces(distinct=True, most=9))
@settings(max_examples=30, deadline=None)
def test_reversing_the_direction_mirrors_the_sets(province):
    table = province.ranked(bottom=2, **FEW).table
    mirrored = province.ranked(bottom=2, higher_is_better=False, **FEW).table
    p = len(table)
    for kind in ("marginal", "simultaneous"):
        assert (mirrored[f"{kind}_low"] == p + 1 - table[f"{kind}_high"]).all()
        assert (mirrored[f"{kind}_high"] == p + 1 - table[f"{kind}_low"]).all()


@given(provinces(distinct=True, most=9), st.randoms(use_true_random=False))
@settings(max_examples=30, deadline=None)
def test_order_of_the_units_does_not_matter(province, random):
    table = province.ranked(bottom=2, **FEW).table
    order = np.array(random.sample(range(len(table)), len(table)))
    table = table.iloc[order].reset_index(drop=True)
    df = province.finite_df[order]
    shuffled = rank(province.score[order], province.se[order], df=df, bottom=2, **FEW).table
    pd.testing.assert_frame_equal(shuffled[BOUNDS], table[BOUNDS])


@given(provinces(distinct=True, most=9), st.sampled_from([0.0, 1e-12, 1e-7]))
@settings(max_examples=20, deadline=None)
def test_without_error_ranks_are_exact(province, scale):
    se = scale * province.se
    table = rank(province.score, se, df=province.df, bottom=2, **FEW).table
    for bound in BOUNDS:
        assert (table[bound] == table["rank"]).all()
    assert not table["simultaneous_fragile"].any()


@given(provinces(most=9))
@settings(max_examples=20, deadline=None)
def test_infinite_df_are_known_se(province):
    known = rank(province.score, province.se, bottom=2, **FEW)
    estimated = rank(province.score, province.se, df=1e13, bottom=2, **FEW)
    pd.testing.assert_frame_equal(known.table[BOUNDS], estimated.table[BOUNDS])
    for kind in ("marginal", "simultaneous"):
        assert estimated.summary["critical_values"][kind] == pytest.approx(
            known.summary["critical_values"][kind], abs=1e-5
        )


def test_the_same_seed_gives_the_same_sets_and_more_draws_begin_alike():
    score, se = np.arange(6.0), np.full(6, 1.0)
    pairs = compare_units(score, cov=np.diag(se**2), df=np.full(6, 12.0))
    how = maxt.compared(pairs, 0.05)
    errors = {
        n: np.hstack([e for _, e, _ in maxt.unit_errors(pairs, how, n, seed=5)])
        for n in (3_000, 7_000)
    }
    variances = {
        n: np.hstack([v for _, _, v in maxt.unit_errors(pairs, how, n, seed=5)])
        for n in (3_000, 7_000)
    }
    np.testing.assert_array_equal(errors[3_000], errors[7_000][:, :3_000])
    np.testing.assert_array_equal(variances[3_000], variances[7_000][:, :3_000])
    first, again, other = (maxt_sets(pairs, 0.05, draws=5_000, seed=seed) for seed in (1, 1, 2))
    assert first.critical == again.critical
    assert first.critical != other.critical


# ---- kernels


def test_equal_se_give_the_tabulated_dunnett_values():
    for p, two_sided, one_sided in [
        (10, 2.68622, 2.41702),
        (37, 3.05538, 2.79965),
        (88, 3.26497, 3.01480),
    ]:
        pairs = compare_units(np.zeros(p), cov=np.eye(p), df=np.full(p, np.inf))
        for sides, value in ((2, two_sided), (1, one_sided)):
            assert dunnett.critical_value(pairs, 0, 0.05, sides=sides) == pytest.approx(
                value, abs=1e-5
            )


def test_two_units_are_the_pooled_t_test():
    # equal df and se: the difference has exactly 2 df degrees of freedom, so the critical value is the normal one
    for df in (8.0, 15.0, 40.0):
        pairs = compare_units(np.array([1.0, 0.0]), cov=np.eye(2), df=np.full(2, df))
        assert dunnett.critical_value(pairs, 0, 0.05, sides=2) == pytest.approx(
            stats.norm.ppf(0.975), abs=5e-5
        )
        assert marginal_maxt_sets(pairs, 0.05).critical == pytest.approx(
            (stats.t.ppf(0.975, 2 * df),) * 2, abs=1e-4
        )


def test_quadrature_with_estimated_se_against_simulation():
    rng = np.random.default_rng(4)
    se, df, draws = np.array([1.0, 0.4, 0.9, 2.0, 1.3]), np.array([9.0, 12, 30, 15, 20]), 400_000
    pairs = compare_units(np.zeros(5), cov=np.diag(se**2), df=df)
    error = se * rng.standard_normal((draws, 5))
    spread = se**2 * rng.chisquare(df, (draws, 5)) / df
    for sides in (1, 2):
        critical = dunnett.critical_value(pairs, 0, 0.05, sides=sides)
        t = (error[:, 1:] - error[:, :1]) / np.sqrt(spread[:, 1:] + spread[:, :1])
        reached = (np.abs(t) if sides == 2 else t) > dunnett.t_critical(
            critical, pairs.pair_df[0, 1:]
        )
        assert reached.any(axis=1).mean() == pytest.approx(
            0.05, abs=4 * np.sqrt(0.05 * 0.95 / draws) + 1e-4
        )


def test_more_nodes_move_nothing(monkeypatch):
    rng = np.random.default_rng(6)
    pairs = compare_units(
        np.zeros(12),
        cov=np.diag(rng.uniform(0.6, 2, 12) ** 2),
        df=rng.integers(15, 60, 12).astype(float),
    )
    before = dunnett.critical_values(pairs, 0.05)
    for name, value in {
        "OWN_NODES": 20,
        "OTHER_NODES": 12,
        "COARSE_ESTIMATED": 0.06,
        "REACH_ESTIMATED": 8.0,
    }.items():
        monkeypatch.setattr(dunnett, name, value)
    np.testing.assert_allclose(before, dunnett.critical_values(pairs, 0.05), atol=5e-6)


def test_a_very_precise_other_unit_errs_on_the_safe_side():
    # the other unit is exact: the difference is the unit's own error, two comparisons with one unit are one comparison
    pairs = compare_units(np.zeros(3), cov=np.diag([1.0, 0.0, 0.0]), df=np.full(3, np.inf))
    critical = dunnett.critical_values(pairs, 0.05)
    assert stats.norm.ppf(0.975) <= critical[0] <= stats.norm.ppf(0.975) + 0.05
    assert critical[1] == pytest.approx(
        stats.norm.ppf(0.975), abs=1e-6
    )  # its one difference with an error
    assert np.isnan(dunnett.critical_values(replace(pairs, se=np.zeros(3)), 0.05)).all()


@pytest.mark.parametrize("df", [np.inf, 14.0])
def test_simulated_units_agree_with_the_integral(df):
    rng = np.random.default_rng(2)
    pairs = compare_units(
        rng.normal(size=8), cov=np.diag(rng.uniform(0.5, 2, 8) ** 2), df=np.full(8, np.inf)
    )
    found = maxt.each_unit(pairs, maxt.compared(pairs, 0.05), 0.05, draws=100_000, seed=1)
    exact = dunnett.critical_values(pairs, 0.05)
    assert np.all(np.abs(found.critical - exact) < 4 * found.error)
    one_sided = maxt.each_unit(
        pairs, maxt.compared(pairs, 0.05), 0.05, draws=100_000, seed=1, sides=1
    )
    assert np.all(
        np.abs(one_sided.critical - dunnett.critical_values(pairs, 0.05, 1)) < 4 * one_sided.error
    )
    whole = maxt.whole_table(
        pairs, maxt.compared(pairs, 0.05), 0.05, draws=100_000, seed=1, step_down=False
    )
    assert found.critical.max() < whole.critical[0]
    estimated = replace(pairs, df=np.full(8, df), pair_df=np.full((8, 8), 2 * df))
    assert (
        marginal_maxt_sets(estimated, 0.05).critical[0]
        >= found.critical.min() - 4 * found.error.max()
    )


def test_monte_carlo_error_is_the_spread_over_seeds():
    pairs = compare_units(np.zeros(10), cov=np.eye(10), df=np.full(10, np.inf))
    how = maxt.compared(pairs, 0.05)
    runs = [
        maxt.whole_table(pairs, how, 0.05, draws=10_000, seed=seed, step_down=False)
        for seed in range(60)
    ]
    spread = np.std([run.critical[0] for run in runs], ddof=1)
    assert np.mean([run.error[0] for run in runs]) == pytest.approx(spread, rel=0.3)
    tukey = stats.studentized_range.ppf(0.95, 10, np.inf) / np.sqrt(2)
    assert np.mean([run.critical[0] for run in runs]) == pytest.approx(
        tukey, abs=4 * spread / np.sqrt(60)
    )


def test_a_further_step_may_look_at_the_largest_draws_only(monkeypatch):
    rng = np.random.default_rng(12)
    pairs = compare_units(
        rng.normal(0, 3, 15), cov=np.diag(rng.uniform(0.5, 1.5, 15) ** 2), df=np.full(15, 20.0)
    )
    how, asked = maxt.compared(pairs, 0.05), {"draws": 20_000, "seed": 3, "step_down": True}
    found = maxt.whole_table(pairs, how, 0.05, **asked)
    for kept in (1.01, 100.0):  # too few, so that all are looked at again; all of them
        monkeypatch.setattr(maxt, "KEPT", kept)
        assert maxt.whole_table(pairs, how, 0.05, **asked).steps == found.steps
    assert len(found.steps) > 1


def test_blocks_do_not_change_the_figures(monkeypatch):
    rng = np.random.default_rng(12)
    pairs = compare_units(
        rng.normal(0, 3, 15), cov=correlated(rng.uniform(0.5, 1.5, 15), 0.2), df=np.full(15, 20.0)
    )
    how = maxt.compared(pairs, 0.05)
    whole = [maxt.whole_table(pairs, how, 0.05, draws=9_000, seed=3, step_down=True).critical[0]]
    units = [maxt.each_unit(pairs, how, 0.05, draws=9_000, seed=3).critical]
    monkeypatch.setattr(maxt, "BLOCK", 3_000)
    monkeypatch.setattr(maxt, "ROWS", 40_000)
    whole.append(
        maxt.whole_table(pairs, how, 0.05, draws=9_000, seed=3, step_down=True).critical[0]
    )
    units.append(maxt.each_unit(pairs, how, 0.05, draws=9_000, seed=3).critical)
    assert whole[0] == pytest.approx(whole[1], rel=1e-12)
    np.testing.assert_allclose(units[0], units[1], rtol=1e-12)


def test_error_of_tied_counties_with_estimated_se():
    # eight tied counties with 6 df each: family-wise error 5 %, more than twice that if the se were taken for known
    rng, p, runs, wrong = np.random.default_rng(20240401), 8, 300, np.zeros(2)
    for seed in range(runs):
        score, variance = rng.normal(size=p), rng.chisquare(6.0, p) / 6.0
        for method, freedom in enumerate((6.0, np.inf)):
            pairs = compare_units(score, cov=np.diag(variance), df=np.full(p, freedom))
            wrong[method] += np.any(maxt_sets(pairs, 0.05, draws=2_000, seed=seed).low > 1)
    error, naive = wrong / runs
    assert 0.015 < error < 0.09
    assert naive > 0.12


def test_normal_scores_keep_the_tail():
    t, df = np.array([-3.0, 0.0, 2.0, 5.0, 5.0]), np.array([5.0, 5.0, 11.0, 30.0, np.inf])
    scores = normal_scores(t, df)
    np.testing.assert_allclose(
        special.ndtr(-np.abs(scores)), special.stdtr(df, -np.abs(t)), rtol=1e-10
    )
    np.testing.assert_array_equal(np.sign(scores), np.sign(t))
    assert scores[-1] == 5.0


# ---- what is declared


def test_the_summary_names_method_seed_draws_error_and_fragile_units():
    rng = np.random.default_rng(88)
    score, se = rng.normal(78, 4, 30), rng.uniform(1, 1.8, 30)
    rk = rank(score, se, df=20, simultaneous="maxt", seed=11, draws=60_000)
    assert (rk.summary["seed"], rk.summary["draws"]) == (11, 60_000)
    assert rk.summary["simultaneous_method"].startswith(
        "max-t, step-down; normal errors over variances drawn"
    )
    assert 0.002 < rk.summary["monte_carlo_error"]["simultaneous"] < 0.01
    assert rk.summary["critical_steps"][0] >= rk.summary["critical_steps"][-1]
    flagged = tuple(rk.table["unit"][rk.table["simultaneous_fragile"]])
    assert rk.summary["fragile"] == flagged
    assert any("模拟误差" in note for note in map(str, rk.summary["notes"])) == bool(flagged)
    assert "marginal_fragile" not in rk.table
    single = rank(score, se, simultaneous="maxt", step_down=False)
    assert "single step; normal errors" in single.summary["simultaneous_method"]
    assert single.summary["seed"] == maxt.SEED
    assert len(single.summary["critical_steps"]) == 1


def test_fragile_units_are_those_within_the_error_of_the_critical_value():
    pairs = compare_units(np.array([4.0, 0.0, 0.5]), cov=np.eye(3), df=np.full(3, np.inf))
    critical = maxt_sets(pairs, 0.05, step_down=False)
    on_the_edge = np.array([critical.critical[0] * np.sqrt(2), 0.0, 0.5])
    for score, fragile in (
        (on_the_edge, [True, True, False]),
        (np.array([9.0, 0.0, 0.5]), [False] * 3),
    ):
        sets = maxt_sets(
            compare_units(score, cov=np.eye(3), df=np.full(3, np.inf)), 0.05, step_down=False
        )
        assert sets.simulation.fragile.tolist() == fragile
        assert sets.simulation.error == pytest.approx(critical.simulation.error, rel=1e-9)


def test_marginal_max_t_is_an_integral_or_a_simulation():
    score, se = (
        np.array([90.0, 85.0, 82.0, 82.0, 70.0, 60.0]),
        np.array([1.0, 1.2, 0.8, 1.0, 1.5, 1.0]),
    )
    exact = rank(score, se, df=20, bottom=2, marginal="maxt")
    assert "by integration" in exact.summary["marginal_method"]
    assert exact.summary["seed"] is None
    assert exact.summary["fragile"] == ()
    assert "draws" not in exact.summary
    simulated = rank(score, cov=correlated(se, 0.2), df=20, bottom=2, marginal="maxt")
    assert simulated.summary["marginal"] == "maxt"
    assert "Gaussian copula" in simulated.summary["marginal_method"]
    assert simulated.summary["monte_carlo_error"]["marginal"] > 0
    assert simulated.table["marginal_fragile"].dtype == "boolean"
    assert any("max-t for marginal sets" in note for note in map(str, simulated.summary["notes"]))
    known = rank(score, cov=correlated(se, 0.2), bottom=2, marginal="maxt")
    assert known.summary["marginal_method"].endswith("normal errors")


def test_units_not_ranked_keep_their_row():
    taking_part = np.arange(7) != 2
    score, se = (
        np.array([9.0, 8.0, np.nan, 6.0, 5.0, 3.0, 1.0]),
        np.array([1.0, 1, np.nan, 1, 1, 1, 1]),
    )
    table = rank(score, se, ranked=taking_part, bottom=2, simultaneous="maxt").table
    assert pd.isna(table["simultaneous_fragile"][2])
    assert table["simultaneous_low"][taking_part].notna().all()


def test_defaults_say_nothing_of_simulation():
    rk = rank(np.arange(5.0), np.ones(5), bottom=2)
    new = {
        "draws",
        "monte_carlo_error",
        "critical_steps",
        "marginal_method",
        "simultaneous_method",
        "multiplicity",
        "membership_asked",
    }
    assert not new & set(rk.summary)


# ---- time and memory


def test_the_draws_of_88_counties_are_made_in_blocks():
    rng = np.random.default_rng(520000)
    score, se, df = rng.normal(78, 4, 88), rng.uniform(1, 1.8, 88), rng.integers(15, 60, 88)
    tracemalloc.start()
    rank(score, se, df=df, simultaneous="maxt", draws=50_000)
    assert tracemalloc.get_traced_memory()[1] < 500e6
    tracemalloc.stop()
