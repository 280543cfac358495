"""Rises of scores and of rates: the likelihood of covariances, moments on the scale of rates, and what two waves of a rate state."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest
from scipy import stats
from tests.estimation.test_comparisons_waves import design, wave

import satisfaction as sat
from coverage_study import rate_rises as study
from coverage_study import score_rises as score_study
from coverage_study.rises import EVERYONE, UNFLAGGED
from satisfaction.comparison.words import _chance
from satisfaction.ranking import probability as bayes
from satisfaction.ranking.change import OF_FEW, OF_RATES, OF_SCORES, RISE_RANGE, rank_change
from satisfaction.ranking.rates import FEW, RISING, compared_rises
from satisfaction.ranking.rise_probability import (
    RATE_WAVES,
    Changes,
    DrawnRises,
    _log_likelihood,
    _log_of_changes,
    _mean_product,
    _mean_rate,
    _moderated,
    likely_changes,
    likely_covariances,
    rate_rises,
    score_rises,
)
from satisfaction.ranking.waves import waves_from_arrays

P = 40


def scores(change: float, *, noise: float = 0.3, seed: int = 1):
    """True values of spread 1 and their estimates in two waves."""
    rng = np.random.default_rng(seed)
    true = rng.standard_normal((P, 1)) + np.column_stack(
        [np.zeros(P), change * rng.standard_normal(P)]
    )
    x = true + noise * rng.standard_normal((P, 2))
    return x, np.broadcast_to(noise**2 * np.eye(2), (P, 2, 2))


def test_the_likelihood_of_many_covariances_is_that_of_each():
    x, noise = scores(0.2)
    rng = np.random.default_rng(2)
    halves = rng.normal(0.5, 0.4, (30, 3))
    between = np.array([bayes.square(half) @ bayes.square(half) for half in halves])
    singly = [-bayes.deviance(half, x, noise)[0] for half in halves]
    assert _log_likelihood(between, x, noise) == pytest.approx(singly, rel=1e-10)


def test_means_on_the_scale_of_rates_are_those_of_the_integrals():
    node, weight = np.polynomial.hermite_e.hermegauss(60)
    weight = weight / weight.sum()
    mean = np.array([[1.2, 1.35], [0.4, 0.9]])
    cov = np.array([[[0.02, 0.01], [0.01, 0.03]], [[0.05, -0.02], [-0.02, 0.01]]])
    first, second = _mean_rate(mean, cov), _mean_product(mean, cov)
    for unit in range(2):
        half = np.linalg.cholesky(cov[unit])
        u, v = np.meshgrid(node, node, indexing="ij")
        points = mean[unit] + np.stack([u, v], axis=-1) @ half.T
        rates = np.sin(points) ** 2
        mass = weight[:, None] * weight
        for a in range(2):
            assert first[unit, a] == pytest.approx((mass * rates[..., a]).sum(), rel=1e-11)
            for b in range(2):
                expected = (mass * rates[..., a] * rates[..., b]).sum()
                assert second[unit, a, b] == pytest.approx(expected, rel=1e-11)


def test_covariances_are_chosen_where_they_are_likely():
    """With small errors the spread of the estimates itself comes back."""
    x, noise = scores(0.5, noise=0.02, seed=3)
    chosen = likely_covariances(x, noise, 400)
    sample = np.cov(x.T)
    centre = np.sqrt(chosen[:, 0, 0]).mean()
    assert centre == pytest.approx(np.sqrt(sample[0, 0]), rel=0.1)
    correlation = chosen[:, 0, 1] / np.sqrt(chosen[:, 0, 0] * chosen[:, 1, 1])
    expected = sample[0, 1] / np.sqrt(sample[0, 0] * sample[1, 1])
    assert correlation.mean() == pytest.approx(expected, abs=0.05)


def counties(change: float, seed: int):
    rng = np.random.default_rng(seed)
    before = study.true_rates("logit-normal 98 %", rng)
    logit = np.log(before / (1 - before)) + change * rng.standard_normal(study.COUNTIES)
    after = 1 / (1 + np.exp(-logit))
    of_before = study.sampled(before, "few PSUs", rng)
    return study.two_waves(of_before, study.sampled(after, "few PSUs", rng))


def test_no_estimated_change_is_no_certainty_that_nobody_rose():
    """Where the plugged-in covariance leaves no change at all, every stated rise was 0; it no longer is."""
    stated = []
    plugged = []
    for seed in range(1, 7):
        waves = counties(0.1, seed)
        drawn = rate_rises(waves, 1.0, draws=1_000).ranks
        stated.append(np.mean(drawn[:, :, 0] - drawn[:, :, 1] >= 5, axis=0))
        known = bayes.fit_two_waves(*waves.ranked_scores(1.0))
        old = bayes.rank_draws(known.mean, known.cov, draws=1_000)
        plugged.append(np.mean(old[:, :, 0] - old[:, :, 1] >= 5, axis=0))
    none = [chance.max() == 0 for chance in plugged]
    assert any(none)
    assert all(np.median(chance) > 0.05 for chance in stated)


def two_scores(change: float, *, seed: int, p: int = P):
    x, noise = scores(change, seed=seed)
    return of_arrays(x[:p], np.sqrt(noise[0, 0, 0]))


def of_arrays(x, se: float):
    """Two independent waves of scores, (p, 2), with one standard error."""
    return waves_from_arrays(
        x[:, 1],
        x[:, 0],
        se=np.full((2, len(x)), se),
        cov=None,
        df=None,
        names=None,
        ranked=None,
        selection="probability",
    )


def test_a_likeliest_change_of_nothing_is_no_certainty_that_no_score_rose():
    stated = []
    plugged = []
    for seed in range(1, 13):
        waves = two_scores(0.15, seed=seed)
        drawn = score_rises(waves, 1.0, draws=1_000).ranks
        stated.append(np.mean(drawn[:, :, 0] - drawn[:, :, 1] >= 3, axis=0))
        known = bayes.fit_two_waves(*waves.ranked_scores(1.0))
        old = bayes.rank_draws(known.mean, known.cov, draws=1_000)
        plugged.append(np.mean(old[:, :, 0] - old[:, :, 1] >= 3, axis=0))
    assert any(chance.max() < 0.01 for chance in plugged)
    assert all(np.median(chance) > 0.03 for chance in stated)


def test_the_model_of_scores_has_the_moments_of_its_draws():
    """Drawn anew: which areas changed, then their values under that covariance."""
    waves = two_scores(0.5, seed=3)
    drawn = score_rises(waves, 1.0, draws=1_000)
    score, noise = waves.ranked_scores(1.0)
    unit = np.sqrt(np.var(score, axis=0, ddof=1).mean())
    likely = likely_changes(score / unit, noise / unit**2, 200)
    assert (likely.share < 1).any()
    rng = np.random.default_rng(5)
    values = []
    for share, *both in zip(likely.share, likely.changed, likely.kept, strict=True):
        together = (share * both[0] + (1 - share) * both[1]) * unit**2
        total = np.linalg.inv(together + noise)
        centre = np.linalg.solve(total.sum(axis=0), np.einsum("jab,jb->a", total, score))
        density = []
        posterior = []
        for between in both:
            between = between * unit**2
            mean = []
            halves = []
            for area in range(P):
                pull = between @ np.linalg.inv(between + noise[area])
                mean.append(centre + pull @ (score[area] - centre))
                cov = between - pull @ between
                halves.append(np.linalg.cholesky((cov + cov.T) / 2 + 1e-9 * np.eye(2)))
            normal = rng.standard_normal((200, P, 2))
            posterior.append(np.array(mean) + np.einsum("jab,rjb->rja", np.array(halves), normal))
            spread = [stats.multivariate_normal(centre, between + part) for part in noise]
            density.append([of.pdf(at) for of, at in zip(spread, score, strict=True)])
        changed = share * np.array(density[0])
        chance = changed / (changed + (1 - share) * np.array(density[1]))
        has_changed = rng.random((200, P)) < chance
        values.append(np.where(has_changed[:, :, None], *posterior))
    of_all = np.concatenate(values)
    ranks = stats.rankdata(-of_all, axis=1)
    gained = ranks[:, :, 0] - ranks[:, :, 1]
    assert drawn.expected_rise == pytest.approx(gained.mean(axis=0), abs=0.15)
    assert drawn.model.mean == pytest.approx(of_all.mean(axis=0), abs=0.01)
    for unit_number in (0, 7):
        simulated = np.cov(of_all[:, unit_number].T)
        assert drawn.model.cov[unit_number] == pytest.approx(simulated, rel=0.05)


def test_the_likelihood_of_changes_is_that_of_the_mixture():
    """Where the centres are those of all units together; with a share of 1 it is the normal one."""
    x, noise = scores(0.5, seed=6)
    kept = np.array([[1.0, 1.0], [1.0, 1.0]])
    changed = np.array([[1.2, 0.8], [0.8, 1.2]])
    share = np.array([1.0, 0.3])
    changes = Changes(np.stack([changed, changed]), np.stack([kept, kept]), share)
    log = _log_of_changes(changes, x, noise)
    assert log[0] == pytest.approx(_log_likelihood(changed[None], x, noise)[0], rel=1e-12)
    total = np.linalg.inv(0.3 * changed + 0.7 * kept + noise)
    centre = np.linalg.solve(total.sum(axis=0), np.einsum("jab,jb->a", total, x))
    of_changed = stats.multivariate_normal(centre, changed + noise[0]).pdf(x)
    of_kept = stats.multivariate_normal(centre, kept + noise[0]).pdf(x)
    mixture = np.log(0.3 * of_changed + 0.7 * of_kept).sum() + P * np.log(2 * np.pi)
    expected = mixture - np.log(np.linalg.det(total.sum(axis=0))) / 2
    assert log[1] == pytest.approx(expected, rel=1e-8)


def test_few_large_changes_are_told_from_small_ones_of_all():
    """What changed in one area of five makes shares under 1 likelier than what changed as much on average in all."""
    rng = np.random.default_rng(8)
    level = rng.standard_normal((P, 1))
    sizes = rng.standard_normal(P)
    noise = np.broadcast_to(0.2**2 * np.eye(2), (P, 2, 2))
    error = 0.2 * rng.standard_normal((P, 2))
    share = []
    for moved in (np.where(np.arange(P) % 5 == 0, 2.0 * np.sign(sizes), 0.0), 0.9 * sizes):
        x = level + np.column_stack([np.zeros(P), moved]) + error
        share.append(likely_changes(x, noise, 400).share.mean())
    assert share[0] < 0.35
    assert share[1] > 0.7


def test_errors_from_few_psus_are_moderated():
    """With true errors alike, unlike estimates of them from few PSUs are drawn together; known ones stay."""
    rng = np.random.default_rng(9)
    df = np.full((2, P), 8.0)
    se = 0.3 * np.sqrt(rng.chisquare(8, (2, P)) / 8)
    x, _noise = scores(0.2, seed=9)
    moderate = []
    for freedom in (df, None):
        waves = waves_from_arrays(
            x[:, 1], x[:, 0], se=se, cov=None, df=freedom, names=None, ranked=None, selection="probability",
        )  # fmt: skip
        _score, sampling = waves.ranked_scores(1.0)
        moderate.append(_moderated(sampling, waves))
    assert moderate[1] == pytest.approx(sampling, rel=1e-12)
    assert np.std(moderate[0][:, 0, 0]) < np.std(sampling[:, 0, 0]) / 3
    assert np.median(moderate[0][:, 0, 0]) == pytest.approx(0.3**2, rel=0.1)


def test_few_scores_do_not_make_a_rise_certain():
    """The plugged-in covariance of four areas is often singular: a rise then has a probability of 0 or 1."""
    largest = []
    for seed in range(1, 31):
        drawn = score_rises(two_scores(1.0, seed=seed, p=4), 1.0, draws=1_000)
        rises = drawn.ranks[:, :, 0] - drawn.ranks[:, :, 1]
        largest.append(np.mean(rises >= 3, axis=0).max())
    assert max(largest) < 0.99


def test_a_change_of_scores_says_what_its_probabilities_are_worth():
    moved = rank_change(
        [60.0, 70.0, 80.0], [80.0, 70.0, 60.0], se=np.full((2, 3), 2.0), comparable=True, places=1
    )
    assert OF_SCORES in moved.summary["notes"]
    assert OF_RATES not in moved.summary["notes"]


def test_rises_of_scores_do_not_depend_on_their_unit_or_sign():
    waves = two_scores(0.5, seed=4)
    x, noise = waves.ranked_scores(1.0)
    larger = of_arrays(16 * x, 16 * np.sqrt(noise[0, 0, 0]))
    drawn = score_rises(waves, 1.0, draws=1_000)
    assert np.array_equal(score_rises(larger, 1.0, draws=1_000).ranks, drawn.ranks)
    down = score_rises(waves, -1.0, draws=4_000)
    assert down.expected_rise == pytest.approx(-drawn.expected_rise, abs=1.5)


def test_a_better_rate_is_a_smaller_one_where_that_is_declared():
    waves = counties(0.4, 1)
    up = rate_rises(waves, 1.0, draws=4_000)
    down = rate_rises(waves, -1.0, draws=4_000)
    assert down.expected_rise == pytest.approx(-up.expected_rise, abs=2.0)
    assert down.model.mean == pytest.approx(-up.model.mean, rel=1e-9)
    assert down.model.cov == pytest.approx(up.model.cov, rel=1e-9)
    assert (up.model.mean > 0).all()
    assert (up.model.mean < 1).all()


def test_shared_error_is_no_change():
    """Errors that the waves share leave less room for a rise."""
    waves = counties(0.4, 2)
    variance = np.sqrt(np.diag(waves.before.cov) * np.diag(waves.after.cov))
    cov = np.block(
        [
            [waves.after.cov, np.diag(0.9 * variance)],
            [np.diag(0.9 * variance), waves.before.cov],
        ]
    )
    shared = waves_from_arrays(
        waves.after.estimate, waves.before.estimate, se=None, cov=cov,
        df=np.stack([waves.after.df, waves.before.df]), names=None, ranked=None, selection="probability",
    )  # fmt: skip
    apart = rate_rises(waves, 1.0, draws=1_000).model
    together = rate_rises(shared, 1.0, draws=1_000).model
    moved = np.array([-1.0, 1.0])
    assert np.median(moved @ together.cov @ moved) < np.median(moved @ apart.cov @ moved)


def test_the_study_counts_every_county_once():
    counts = study.province(study.Case("normal 97 %", 0.4, "few PSUs"), 1)
    everyone = counts[EVERYONE]
    unflagged = counts[UNFLAGGED]
    assert everyone[:, 0].sum() == study.COUNTIES
    assert (unflagged <= everyone).all()
    for by_bin in counts.values():
        assert (by_bin[:, 2] <= by_bin[:, 0]).all()


def test_estimates_of_a_rate_have_the_model_of_rates_and_say_so():
    estimated = []
    for seed in (1, 2):
        rows = wave(seed)
        rows["yes"] = (rows["y"] > -0.5).astype(int)
        estimated.append(sat.estimate(design(rows), "yes", statistic="proportion", by="county"))
    later, earlier = estimated
    moved = sat.rank_change(later, earlier, comparable=True, places=1, draws=1_000)
    assert moved.summary["probabilities"].startswith(RATE_WAVES)
    assert OF_RATES in moved.summary["notes"]
    assert moved.table["shrunk_change"].abs().max() < 1
    later_ranks = sat.rank(later, bottom=1, marginal="holm")
    earlier_ranks = sat.rank(earlier, bottom=1, marginal="holm")
    target = later_ranks.target("rise", 1, since=earlier_ranks, base="estimated", comparable=True)
    assert target.summary["probabilities"] == RATE_WAVES
    assert target.table["probability"].between(0, 1).all()
    for base in ("estimated", "published"):
        of_base = later_ranks.target("rise", 1, since=earlier_ranks, base=base, comparable=True)
        table = of_base.table
        assert (table["probability_low"] <= table["probability"]).all()
        assert (table["probability"] <= table["probability_high"]).all()
        wide = table["probability_high"] - table["probability_low"] > 0.1
        assert table["model_dependent"].tolist() == wide.tolist()


@pytest.fixture(scope="module")
def moved():
    """Rates of 12 areas in two waves, and the change between them."""
    estimated = []
    for seed in (1, 2):
        rows = wave(seed)
        rows["yes"] = (rows["y"] > -0.5).astype(int)
        estimated.append(sat.estimate(design(rows), "yes", statistic="proportion", by="county"))
    later, earlier = estimated
    return sat.rank_change(later, earlier, comparable=True, places=1, draws=4_000)


def test_a_probability_is_set_beside_those_of_the_other_assumptions():
    """Four draws: every second unit rose in the first two alone, the others in all."""
    rose = np.array([[True, True], [True, True], [False, True], [False, True]])
    rose = np.tile(rose, FEW // 2)
    drawn = DrawnRises(None, rose, None, (np.array([0, 1]), np.array([1, 2])))
    found = drawn.compared(rose)
    assert found.low[:2].tolist() == [0.5, 1.0]
    assert found.high[:2].tolist() == [1.0, 1.0]
    assert found.depends[:2].tolist() == [True, False]


def test_of_few_units_every_rise_that_is_not_unlikely_depends_on_the_model():
    """Though the assumptions agree: nobody's probability moves with them."""
    stated = np.array([0.05, 0.1, 0.5, 1.0])
    few = np.tile(stated, FEW // 4 - 1)
    found = compared_rises([few, few])
    assert found.depends[:4].tolist() == [False, True, True, True]
    assert found.low[:4].tolist() == [0.05, 0.05, 0.25, 0.5]
    assert found.high.tolist() == few.tolist()
    many = np.tile(stated, FEW // 4)
    assert not compared_rises([many, many]).depends.any()


def test_of_few_units_a_fall_is_no_surer_than_a_rise():
    """The range of "rose by at least -4" is that of a fall by 5, turned round."""
    x, _noise = scores(0.5, seed=12)
    moved = rank_change(
        *x.T[::-1, :20], se=np.full((2, 20), 0.3), comparable=True, places=3, draws=2_000
    )
    rose = moved.rise_range(3)
    assert OF_FEW in moved.summary["notes"]
    chance = moved.probability_rise(3)
    likely = chance >= RISING
    assert likely.any()
    assert rose["model_dependent"][likely].all()
    assert (rose["probability_rise_low"] <= chance / 2 + 1e-12)[likely].all()
    fell = 1 - moved.probability_rise(-2)
    likely = fell >= RISING
    assert likely.any()
    under = moved.rise_range(-2)
    assert under["model_dependent"][likely].all()
    assert (1 - under["probability_rise_high"] <= fell / 2 + 1e-12)[likely].all()
    assert (under["probability_rise_low"] <= 1 - fell + 1e-12).all()


def test_little_change_moves_ranks_less_than_much_on_both_scales():
    drawn = rate_rises(counties(0.4, 3), 1.0, draws=4_000)
    gained = np.abs(drawn.ranks[:, :, 0] - drawn.ranks[:, :, 1])
    little, much, logit_little, logit_much = [gained[which].mean() for which in drawn.assumed]
    everything = gained.mean()
    assert little < everything < much
    assert logit_little < everything < logit_much
    half = len(drawn.ranks) // 2
    first = np.concatenate(drawn.assumed[:2])
    second = np.concatenate(drawn.assumed[2:])
    assert first.max() < half <= second.min()


def test_the_range_stands_beside_the_probability_of_a_rise(moved):
    table = moved.table
    low, high = table["probability_rise_low"], table["probability_rise_high"]
    assert (low <= table["probability_rise"]).all()
    assert (table["probability_rise"] <= high).all()
    assert table["model_dependent"].tolist() == (high - low > 0.1).tolist()
    named = table["unit"][table["model_dependent"]].tolist()
    assert named
    assert list(moved.summary["model_dependent"]) == named
    assert any(f"{len(named)} of {len(table)}" in note.en for note in moved.summary["notes"])
    asked = moved.rise_range(1)
    assert asked["probability_rise_low"].tolist() == low.tolist()
    assert asked.index.tolist() == table["unit"].tolist()


def test_a_sentence_says_that_a_rise_depends_on_the_model(moved):
    """Of a fall the ends are those of the other event, turned round."""
    found = SimpleNamespace(ranks=moved)
    code = moved.summary["model_dependent"][0]
    row = moved.table.set_index("unit").loc[code]
    said = _chance(found, {"code": code, "rise": 2}).en
    ends = f"{row['probability_rise_low']:.1%} and {row['probability_rise_high']:.1%}"
    assert f"it depends on the model: between {ends}" in said
    fell = moved.rise_range(0)
    code = fell.index[fell["model_dependent"].astype(bool)][0]
    said = _chance(found, {"code": code, "rise": -2}).en
    low, high = fell.loc[code, ["probability_rise_low", "probability_rise_high"]]
    assert f"between {1 - high:.1%} and {1 - low:.1%}" in said


def test_the_range_of_a_score_stands_in_the_same_columns():
    rng = np.random.default_rng(3)
    earlier = rng.normal(70, 4, 30)
    later = earlier + rng.normal(0, 2, 30) + rng.normal(0, 1.5, 30)
    scored = sat.rank_change(later, earlier, se=np.full((2, 30), 1.5), comparable=True, places=3)
    table = scored.table
    low, high = table["probability_rise_low"], table["probability_rise_high"]
    assert (low <= table["probability_rise"]).all()
    assert (table["probability_rise"] <= high).all()
    assert table["model_dependent"].tolist() == (high - low > 0.1).tolist()
    named = list(scored.summary["model_dependent"])
    assert 0 < len(named) < 30
    row = {"code": named[0], "rise": 2}
    assert "it depends on the model" in _chance(SimpleNamespace(ranks=scored), row).en


def test_without_probability_samples_scores_have_no_range():
    later, earlier = np.array([80.0, 70.0, 60.0]), np.array([60.0, 70.0, 80.0])
    scored = sat.rank_change(
        later, earlier, se=np.full((2, 3), 2.0), comparable=True, places=1, selection="quota"
    )
    assert not set(RISE_RANGE) & set(scored.table)
    assert scored.rise_range(1).empty
    assert "model_dependent" not in scored.summary


@pytest.mark.parametrize("errors", score_study.ERRORS)
def test_the_study_of_scores_counts_every_area_once(errors):
    for change in (score_study.CHOOSING[3], score_study.JUDGING[4], score_study.JUDGING[8]):
        case = score_study.Case(9, 1.0, change, errors)
        counts = score_study.province(case, 1)
        assert counts[EVERYONE][:, 0].sum() == 9
        assert (counts[UNFLAGGED] <= counts[EVERYONE]).all()


def test_no_truth_that_chose_the_model_of_scores_judges_it():
    chose = {
        (spread, change)
        for spread in score_study.SPREADS[score_study.CHOOSING]
        for change in score_study.CHOOSING
    }
    for spread in score_study.SPREADS[score_study.JUDGING]:
        assert not chose & {(spread, change) for change in score_study.JUDGING}


def test_targets_without_a_range_say_that_they_rest_on_one_model():
    ranking = sat.rank([90.0, 80.0, 70.0], se=[1.0] * 3, bottom=1)
    earlier = sat.rank([70.0, 80.0, 90.0], se=[1.0] * 3, bottom=1)
    top = ranking.target("top", 1)
    published = ranking.target("rise", 1, since={"1": 3, "2": 2, "3": 1}, comparable=True)
    for target in (top, published):
        assert target.summary["probabilities"].endswith("one model, without a range")
        assert "model_dependent" not in target.table
    ranked = ranking.target("rise", 1, since=earlier, comparable=True)
    assert "one model" not in ranked.summary["probabilities"]
    assert "model_dependent" in ranked.table
