"""Max-t equals Tukey's range where that is exact, controls the family-wise error, and does not depend on the machine."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from conftest import province_design
from satisfaction import calibrate, estimate
from satisfaction.estimation.multiplicity import CHUNK, drawn_errors, max_t_p, square_root
from satisfaction.estimation.pairs import all_pairs
from satisfaction.foundation.errors import EstimatesError

DRAWS = 20_000
MONTE_CARLO = 3.0  # standard errors; the seeds are fixed, so a pass stays a pass


def pairs_of(value: np.ndarray, cov: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    first, second = np.triu_indices(len(value), 1)
    variance = np.diag(cov)
    return (
        (value[first] - value[second])
        / np.sqrt(variance[first] + variance[second] - 2 * cov[first, second]),
        first,
        second,
    )


def drawn(cov: np.ndarray, *, draws: int, seed: int):
    return drawn_errors(square_root(cov), draws=draws, rng=np.random.default_rng(seed), block=CHUNK)


def adjusted(value, cov, *, df=np.inf, draws=DRAWS, seed=1):
    t, first, second = pairs_of(np.asarray(value), cov)
    return t, max_t_p(
        t, np.full(len(t), df), first=first, second=second, cov=cov, draws=draws, seed=seed
    )


@pytest.fixture(scope="module")
def counties(province):
    return estimate(province.design, "index", by="county")


@pytest.mark.parametrize("areas", [2, 3, 10, 30])
def test_independent_areas_of_known_equal_variance_have_tukeys_p(areas):
    value = np.random.default_rng(areas).normal(size=areas) * 1.5
    t, found = adjusted(value, np.eye(areas))
    tukey = (
        stats.studentized_range.sf(np.abs(t) * np.sqrt(2), areas, np.inf)
        if areas > 2
        else 2 * stats.norm.sf(np.abs(t))
    )
    error = np.sqrt(tukey * (1 - tukey) / DRAWS) + 1 / DRAWS
    assert (np.abs(found.single_step - tukey) <= MONTE_CARLO * error).all()


def test_correlated_areas_have_the_p_of_independent_ones_where_only_the_common_part_is_shared():
    """A common error moves all areas alike and leaves every difference as it was."""
    value = np.array([0.0, 1.0, 2.5, 4.0])
    _, alone = adjusted(value, np.eye(4))
    _, shared = adjusted(value, np.eye(4) + 3.0, seed=2)
    error = np.hypot(alone.single_step_error, shared.single_step_error) + 1 / DRAWS
    assert (np.abs(alone.single_step - shared.single_step) <= MONTE_CARLO * error).all()


def test_step_down_equals_the_definition():
    """Max over the steps of the share of draws whose largest difference among the pairs left reaches the pair's own."""
    rng = np.random.default_rng(5)
    root = rng.normal(size=(6, 6))
    cov, value = root @ root.T, rng.normal(size=6) * 3
    t, found = adjusted(value, cov, draws=2_000, seed=9)
    errors = np.hstack(list(drawn(cov, draws=2_000, seed=9)))
    simulated = np.abs(np.stack([pairs_of(error, cov)[0] for error in errors.T]))
    order = np.argsort(-np.abs(t))
    single = ((simulated.max(axis=1)[:, None] >= np.abs(t)).sum(axis=0) + 1) / 2_001
    left = [
        ((simulated[:, order[k:]].max(axis=1) >= abs(t[order[k]])).sum() + 1) / 2_001
        for k in range(len(t))
    ]
    own = 2 * stats.norm.sf(np.abs(t))
    np.testing.assert_allclose(found.single_step, np.maximum(single, own), rtol=1e-12)
    np.testing.assert_allclose(
        found.step_down[order], np.maximum(np.maximum.accumulate(left), own[order]), rtol=1e-12
    )


def test_step_down_is_never_larger_and_neither_is_below_the_pairs_own_p(counties):
    plain = all_pairs(counties).table
    single, step = (
        all_pairs(counties, simultaneous=how, draws=2_000).table
        for how in ("single-step", "step-down")
    )
    assert (step["p_maxt"] <= single["p_maxt"]).all()
    assert (step["p_maxt"] >= plain["p"]).all()
    assert (step["p_maxt"] >= 1 / 2_001).all()


def test_p_falls_where_the_pairs_own_p_does(counties):
    table = all_pairs(counties, simultaneous="step-down", draws=2_000).table.sort_values("p")
    assert (np.diff(table["p_maxt"]) >= -1e-12).all()


def test_every_pair_keeps_its_own_df():
    """With two pairs of equal t, the one of fewer df has the larger p; a large df is the normal distribution."""
    t, first, second = np.array([3.0, 3.0]), np.array([0, 2]), np.array([1, 3])
    found = max_t_p(
        t, np.array([4.0, np.inf]), first=first, second=second, cov=np.eye(4), draws=DRAWS, seed=3
    )
    p = 2 * stats.t.sf(3.0, [4.0, 1e9])
    sidak = 1 - (1 - p) ** 2  # two independent pairs
    assert (np.abs(found.single_step - sidak) <= MONTE_CARLO * found.single_step_error).all()
    assert found.step_down[0] <= found.single_step[0]


def test_max_t_lies_between_the_pairs_own_p_and_holms(counties):
    table = all_pairs(counties, simultaneous="step-down").table
    assert (
        table["p_maxt"] <= table["p_holm"] + MONTE_CARLO * table["maxt_error"] + 1 / 50_001
    ).all()
    assert (table["p_maxt"] <= 0.05).sum() >= (table["p_holm"] <= 0.05).sum()


@pytest.mark.parametrize("method", ["single-step", "step-down"])
def test_the_family_wise_error_is_five_percent(method):
    rng, waves, areas, wrong = np.random.default_rng(7), 600, 8, 0
    variance = rng.uniform(0.5, 2.0, size=areas)
    for wave in range(waves):
        _, found = adjusted(
            rng.normal(size=areas) * np.sqrt(variance), np.diag(variance), draws=1_000, seed=wave
        )
        wrong += found.chosen(method)[0].min() <= 0.05
    assert abs(wrong / waves - 0.05) <= MONTE_CARLO * np.sqrt(0.05 * 0.95 / waves)


def test_the_seed_decides_and_the_input_order_does_not():
    value = np.array([0.0, 0.7, 1.9, 3.0])
    t, first, second = pairs_of(value, np.eye(4))
    one, again, other = (adjusted(value, np.eye(4), seed=seed)[1] for seed in (1, 1, 2))
    turned = max_t_p(
        t[::-1],
        np.full(6, np.inf),
        first=first[::-1],
        second=second[::-1],
        cov=np.eye(4),
        draws=DRAWS,
        seed=1,
    )
    assert (one.step_down == again.step_down).all()
    assert (one.step_down != other.step_down).any()
    np.testing.assert_array_equal(turned.step_down[::-1], one.step_down)


def test_a_singular_covariance_has_a_root():
    root = np.random.default_rng(3).normal(size=(5, 2))
    cov = root @ root.T
    np.testing.assert_allclose(square_root(cov) @ square_root(cov), cov, atol=1e-12)
    assert square_root(np.diag([4.0, 9.0])).tolist() == [2.0, 3.0]
    simulated = np.hstack(list(drawn(cov, draws=40_000, seed=1)))
    assert simulated.shape == (5, 40_000)
    np.testing.assert_allclose(np.cov(simulated), cov, atol=0.05 * np.diag(cov).max())


def test_an_overwhelming_difference_has_the_least_p():
    t, found = adjusted([0.0, 0.0, 500.0], np.eye(3))
    assert t[1] < -300
    assert found.single_step[1] == found.step_down[1] == 1 / (DRAWS + 1)
    assert found.single_step[0] == 1.0
    assert found.single_step_error[1] > 0


def test_fragile_marks_what_other_draws_could_turn():
    _, found = adjusted(np.linspace(0, 12, 40), np.eye(40), draws=1_000)
    fragile = found.fragile("single-step", level=0.95)
    near = np.abs(found.single_step - 0.05) <= 2 * np.sqrt(
        found.single_step * (1 - found.single_step) / 1_000
    )
    assert (fragile == near).all()
    assert 0 < fragile.sum() < len(fragile)


def test_all_pairs_add_columns_only_where_asked(counties):
    plain, asked = (
        all_pairs(counties),
        all_pairs(counties, simultaneous="step-down", draws=1_000, seed=4),
    )
    assert list(asked.table)[: len(list(plain.table))] == list(plain.table)
    assert list(asked.table)[len(list(plain.table)) :] == ["p_maxt", "maxt_error", "maxt_fragile"]
    assert "draws" not in plain.conventions
    assert (asked.conventions["draws"], asked.conventions["seed"]) == (1_000, 4)
    assert "step-down" in asked.conventions["simultaneous"]
    assert asked.conventions["fragile_pairs"] == asked.table["maxt_fragile"].sum()
    assert len(plain.summary) == 3
    assert list(asked.summary["adjustment"])[-1] == "max-t (FWER)"


def test_calibrated_areas_are_drawn_with_their_covariance(province):
    design = calibrate(province.design, {name: province.margins[name] for name in ("sex", "age")})
    estimates = estimate(design, "index", by="county")
    assert square_root(estimates.cov).ndim == 2
    table = all_pairs(estimates, simultaneous="single-step", draws=1_000).table
    assert table["p_maxt"].between(0, 1).all()


def test_pairs_that_are_not_tested_are_not_in_the_family(province):
    county = province.respondents["county"].iloc[0]
    index = province.respondents["index"].where(province.respondents["county"] != county, 100.0)
    estimates = estimate(
        province_design(province.respondents.assign(index=index)), "index", by="county"
    )
    table = all_pairs(estimates, simultaneous="step-down", draws=1_000).table
    assert (table["p_maxt"].isna() == table["p"].isna()).all()
    assert table["p"].isna().any()
    assert not table.loc[table["p"].isna(), "maxt_fragile"].any()


@pytest.mark.parametrize(
    ("options", "code"), [({"simultaneous": "tukey"}, "E124"), ({"draws": 10}, "E125")]
)
def test_what_cannot_be_is_refused_in_both_languages(counties, options, code):
    with pytest.raises(EstimatesError, match=code) as fault:
        all_pairs(counties, **({"simultaneous": "step-down"} | options))
    assert fault.value.zh
    assert fault.value.hint[0]
