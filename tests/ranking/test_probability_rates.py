"""Probabilities of ranks for rates: counts, moderated errors, priors side by side, and what is said where they disagree."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import special

from coverage_study import rate_priors
from satisfaction import SurveyDesign, estimate, rank
from satisfaction.foundation.errors import RankingError
from satisfaction.foundation.language import Text
from satisfaction.publication.clauses import ground_of, ranked_unit
from satisfaction.ranking import rates
from satisfaction.ranking.rank import of_rates

PRIORS = rates.RATES
BINOMIAL = 200  # persons a county, drawn one by one


def drawn(seed: int, *, centre: float = 0.95, spread: float = 0.5, p: int = 88):
    """True rates, normal on the logit scale, and simple random samples of them."""
    random = np.random.default_rng(seed)
    true = special.expit(special.logit(centre) + random.normal(0, spread, p))
    rate = np.clip(random.binomial(BINOMIAL, true) / BINOMIAL, 0.5 / BINOMIAL, 1 - 0.5 / BINOMIAL)
    se = np.sqrt(rate * (1 - rate) / BINOMIAL)
    return true, rate, se


# ---- rates as counts


def test_a_simple_random_sample_is_read_as_its_own_count():
    rate = np.linspace(0.2, 0.8, 20)
    se = np.sqrt(rate * (1 - rate) / 400)
    counts = rates.effective_counts(rate, se, np.full(20, np.inf))
    # the se on the arcsine scale is a difference, not a derivative: second order in the se
    np.testing.assert_allclose(counts.size, 400, rtol=5e-3)
    np.testing.assert_allclose(counts.yes, rate * counts.size)


def test_a_rate_of_one_has_an_effective_size_too():
    counts = rates.effective_counts(np.array([1.0, 0.9]), np.array([0.01, 0.02]), np.full(2, 20.0))
    assert np.all(np.isfinite(counts.size))
    assert np.all(counts.size > 10)
    assert counts.yes[0] == counts.size[0]


def test_known_variances_stay():
    variance = np.array([1.0, 4.0, 0.5])
    np.testing.assert_array_equal(rates.moderated(variance, np.full(3, np.inf)), variance)


def test_variances_that_differ_by_chance_alone_become_one():
    random = np.random.default_rng(1)
    variance = 3.0 * random.chisquare(4, 400) / 4
    level = rates.moderated(variance, np.full(400, 4.0))
    assert np.ptp(np.log(level)) < 0.35 < np.ptp(np.log(variance)) / 10
    # the common level is unbiased, which the mean of logarithms is not
    assert np.mean(level) == pytest.approx(3.0, rel=0.1)


def test_variances_that_truly_differ_keep_their_differences():
    random = np.random.default_rng(2)
    true = np.exp(random.normal(0, 1.0, 300))
    level = rates.moderated(true * random.chisquare(24, 300) / 24, np.full(300, 24.0))
    assert np.corrcoef(np.log(level), np.log(true))[0, 1] > 0.95


def test_fewer_degrees_of_freedom_are_drawn_further():
    random = np.random.default_rng(3)
    df = np.repeat([4.0, 40.0], 100)
    variance = np.exp(random.normal(0, 0.5, 200)) * random.chisquare(df) / df
    level = rates.moderated(variance, df)
    middle = np.exp(np.log(level).mean())
    kept = np.abs(np.log(level / middle)) / np.abs(np.log(variance / middle))
    assert np.median(kept[:100]) < np.median(kept[100:])


# ---- posteriors and ranks


@pytest.mark.parametrize("prior", PRIORS)
def test_probabilities_add_up_to_the_places(prior):
    _, rate, se = drawn(1)
    model = rates.fit_rates(prior, rate, se, df=np.full(88, 23.0))
    np.testing.assert_allclose(model.mass.sum(axis=1), 1, rtol=1e-12)
    # a grid, on which a tie counts half; distributions with atoms have more of them
    tolerance = 0.15 if prior == "nonparametric" else 0.01
    assert model.probability_bottom(10).sum() == pytest.approx(10, abs=tolerance)
    assert model.probability_top(20).sum() == pytest.approx(20, abs=tolerance)
    assert model.expected_rank().sum() == pytest.approx(88 * 89 / 2, rel=1e-12)
    better = model.better()
    np.testing.assert_allclose(better + better.T, 1, atol=1e-12)


@pytest.mark.parametrize("prior", ["identity", "logit", "arcsine"])
def test_probabilities_are_those_of_draws_from_the_posteriors(prior):
    _, rate, se = drawn(2, p=20)
    model = rates.fit_rates(prior, rate, se, df=np.full(20, 23.0))
    random = np.random.default_rng(5)
    draws = np.empty((20_000, 20))
    for unit, mass in enumerate(model.mass):
        # anywhere in the cell of a node
        place = random.choice(len(mass), 20_000, p=mass) + random.uniform(-0.5, 0.5, 20_000)
        draws[:, unit] = place
    low = np.argsort(np.argsort(draws, axis=1), axis=1) < 5
    chance = low.mean(axis=0)
    error = np.sqrt(chance * (1 - chance) / 20_000) + 1e-3
    assert np.all(np.abs(model.probability_bottom(5) - chance) < 4 * error)


def test_a_normal_prior_on_the_logit_scale_is_found_again():
    _, rate, se = drawn(3, centre=0.9, spread=0.6, p=800)
    model = rates.fit_rates("logit", rate, se, df=np.full(800, np.inf))
    mean = model.mass @ special.logit(model.node)
    assert mean.mean() == pytest.approx(special.logit(0.9), abs=0.06)
    # posterior means vary less than truths by the mean posterior variance
    second = model.mass @ special.logit(model.node) ** 2
    spread = np.sqrt(mean.var() + (second - mean**2).mean())
    assert spread == pytest.approx(0.6, abs=0.06)


def test_no_normal_prior_is_likelier_than_the_one_of_any_shape():
    random = np.random.default_rng(4)
    true = np.where(np.arange(88) < 78, 0.96, 0.9)
    rate = random.binomial(BINOMIAL, true) / BINOMIAL
    se = np.sqrt(np.maximum(rate * (1 - rate), 0.004) / BINOMIAL)
    counts = rates.effective_counts(rate, se, np.full(88, np.inf))

    def height(prior: str) -> float:
        model = rates.fit_rates(prior, rate, se, df=np.full(88, np.inf))
        at = np.exp(
            counts.yes[:, None] * np.log(model.node)
            + (counts.size - counts.yes)[:, None] * np.log1p(-model.node)
        )
        # the prior behind a posterior: mass / likelihood, up to a row's constant
        weight = model.mass[0] / at[0]
        return float(np.log(at @ (weight / weight.sum())).sum())

    assert height("nonparametric") > max(height("logit"), height("arcsine"), height("identity"))


@pytest.mark.parametrize("prior", ["logit", "arcsine"])
def test_shares_of_the_opposite_answer_give_the_opposite_order(prior):
    _, rate, se = drawn(5)
    df = np.full(88, 23.0)
    turned = rates.fit_rates(prior, 1 - rate, se, df=df, sign=-1.0)
    np.testing.assert_allclose(
        turned.probability_bottom(10),
        rates.fit_rates(prior, rate, se, df=df).probability_bottom(10),
        atol=2e-3,  # two searches for one maximum
    )


def test_exact_and_equal_rates_are_no_error():
    for rate in (np.full(12, 0.9), np.linspace(0.5, 0.95, 12)):
        for prior in PRIORS:
            model = rates.fit_rates(prior, rate, np.full(12, 1e-3), df=np.full(12, 20.0))
            assert np.all(np.isfinite(model.probability_bottom(3)))


# ---- a prior with two ends


def test_a_bell_of_a_high_power_is_flat_between_two_ends():
    node = np.linspace(-3, 3, 601)
    flat = rates._bell(node, 0.0, 1.0, power=rates.BOUNDED)
    assert flat.sum() == pytest.approx(1)
    inside = flat[np.abs(node) < 0.6]
    assert inside.min() > 0.99 * inside.max()
    assert flat[np.abs(node) > 1.5].max() < 1e-5 * flat.max()
    normal = np.exp(-(node**2) / 2)
    np.testing.assert_allclose(
        rates._bell(node, 0.0, 1.0, power=2.0), normal / normal.sum(), rtol=1e-12
    )


def test_with_two_ends_the_last_ones_are_told_apart_less_surely():
    """True rates between 60 and 80 %, equally spread: the highest probability falls."""
    random = np.random.default_rng(5)
    true = random.uniform(0.6, 0.8, 88)
    rate = random.binomial(BINOMIAL, true) / BINOMIAL
    se = np.sqrt(rate * (1 - rate) / BINOMIAL)
    df = np.full(88, 30.0)
    bounded = rates.fit_bounded(rates.effective_counts(rate, se, df)).probability_bottom(10)
    normal = rates.fit_rates("arcsine", rate, se, df=df).probability_bottom(10)
    assert bounded.sum() == pytest.approx(10, abs=0.02)
    lowest = np.argsort(rate)[:3]
    assert (bounded[lowest] < normal[lowest] - 0.02).all()
    table = rank(rate, se, df=30, prior="logit").table
    np.testing.assert_allclose(
        np.minimum(table["probability_low"], bounded), table["probability_low"]
    )
    np.testing.assert_allclose(
        np.maximum(table["probability_high"], bounded), table["probability_high"]
    )


def test_a_smaller_rate_may_be_the_better_one_with_two_ends_too():
    _, rate, se = drawn(6)
    df = np.full(88, 30.0)
    turned = rates.fit_bounded(rates.effective_counts(1 - rate, se, df), sign=-1.0)
    np.testing.assert_allclose(
        turned.probability_bottom(10),
        rates.fit_bounded(rates.effective_counts(rate, se, df)).probability_bottom(10),
        atol=2e-3,
    )


# ---- in a ranking


def persons(seed: int = 1) -> pd.DataFrame:
    """Answers in 30 counties, 12 PSUs each."""
    random = np.random.default_rng(seed)
    county = np.repeat(np.arange(30), 120)
    psu = np.repeat(np.arange(360), 10)
    level = np.clip(0.95 + 0.03 * random.standard_normal(30)[county], 0.5, 0.99)
    said = (random.random(3600) < level).astype(int)
    return pd.DataFrame({"county": county, "psu": psu, "w": 1.0, "aware": said})


@pytest.fixture(scope="module")
def of_a_rate():
    design = SurveyDesign(persons(), strata="county", psu="psu", base_weight="w")
    return estimate(design, "aware", by="county", statistic="proportion")


def test_estimates_of_a_rate_have_the_model_of_rates(of_a_rate):
    assert of_rates(of_a_rate)
    ranking = rank(of_a_rate, bottom=5)
    table = ranking.table
    assert list(table.columns[-3:]) == ["probability_low", "probability_high", "model_dependent"]
    assert "logit scale" in ranking.summary.probabilities
    assert (table["probability_low"] <= table["probability_bottom"]).all()
    assert (table["probability_bottom"] <= table["probability_high"]).all()
    apart = table["probability_high"] - table["probability_low"] > 0.1
    assert table["model_dependent"].tolist() == apart.tolist()
    named = ranking.summary.model_dependent
    assert list(named) == table["unit"][apart].tolist()


@pytest.mark.parametrize("prior", PRIORS)
def test_a_declared_prior_is_the_one_that_counts(of_a_rate, prior):
    ranking = rank(of_a_rate, bottom=5, prior=prior)
    pairs = ranking.pairs
    model = rates.fit_rates(prior, pairs.score, pairs.se, df=pairs.df)
    np.testing.assert_array_equal(ranking.table["probability_bottom"], model.probability_bottom(5))
    chance = ranking.target("top", 3).table["probability"]
    np.testing.assert_array_equal(chance, model.probability_top(3))


def test_a_rise_since_published_ranks_has_the_same_model(of_a_rate):
    ranking = rank(of_a_rate, bottom=5)
    was = {unit: 1 + (7 * place) % 30 for place, unit in enumerate(ranking.table["unit"])}
    chance = ranking.target("rise", 3, since=was, comparable=True).table["probability"]
    for place, goal in enumerate(np.array(list(was.values())) - 3):
        expected = ranking.model.probability_top(goal)[place] if goal > 0 else 0.0
        assert chance[place] == pytest.approx(expected, abs=1e-12)


def test_targets_of_rates_have_the_range_of_the_list(of_a_rate):
    """The first five by their places and by a rise to them; turned round, the list itself."""
    ranking = rank(of_a_rate, bottom=5)
    top = ranking.target("top", 5)
    was = dict.fromkeys(ranking.table["unit"], 8)
    risen = ranking.target("rise", 3, since=was, comparable=True)
    turned = rank(of_a_rate, bottom=5, higher_is_better=False).table
    for found in (top, risen):
        columns = list(rates.RANGE)
        assert found.table[columns].to_numpy().tolist() == turned[columns].to_numpy().tolist()
        assert found.table["model_dependent"].any()
        assert "one model" not in found.summary["probabilities"]
    alone = rank(np.linspace(60, 90, 12), se=np.full(12, 2.0), bottom=3).target("top", 3)
    assert not set(rates.RANGE) & set(alone.table)
    assert "one model" in alone.summary["probabilities"]


def test_scores_keep_their_model():
    scores = np.linspace(60, 90, 12)
    ranking = rank(scores, se=np.full(12, 2.0), bottom=3)
    assert "probability_low" not in ranking.table
    assert ranking.summary.probabilities.startswith("normal empirical Bayes")
    assert ranking.model is ranking.posterior
    assert "model_dependent" not in ranking.summary


def test_where_priors_disagree_it_is_said():
    random = np.random.default_rng(8)
    true = np.where(np.arange(40) < 34, 0.97, 0.9) + random.normal(0, 0.002, 40)
    rate = np.clip(random.binomial(250, true) / 250, 0.002, 0.998)
    ranking = rank(rate, se=np.sqrt(rate * (1 - rate) / 250), df=23, bottom=5, prior="logit")
    named = ranking.summary.model_dependent
    assert named
    notes = " ".join(map(str, ranking.summary.notes))
    assert "取决于模型的假定" in notes
    assert all(unit in notes for unit in named)
    table = ranking.table.rename(columns={"unit": "code"})
    table["model_dependent"] = table["model_dependent"].map({True: "yes", False: "no"})
    table = table.assign(name_zh="甲县", name_en="Alpha", n=250, listed="no", side="last", mark="")
    ground = ground_of(table, ranking.summary, kind="rate", measure=Text("得分", "the score"))
    row = next(row for row in ground.rows if row["code"] == named[0])
    said = ranked_unit(ground, row, level_with=0)
    assert f"在 {row['probability_low']:.1%} 与 {row['probability_high']:.1%} 之间" in said.zh
    assert "it depends on the model" in said.en


def test_high_probabilities_of_the_list_depend_on_the_model_even_where_priors_agree():
    stated = np.array([0.59, 0.6, 0.8, 0.9, 0.95])
    close = [stated, stated + 0.02]
    alike = rates.across_priors(close, equal=None)
    assert not alike.depends.any()
    of_list = rates.compared_lists(stated, close, equal=None)
    assert of_list.depends.tolist() == [False, True, True, False, False]
    assert of_list.low == pytest.approx([0.59, 0.45, 0.65, 0.9, 0.95])
    assert of_list.high == pytest.approx(stated + 0.02)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_where_rates_may_all_be_equal_a_high_probability_depends_on_the_model(seed):
    _, rate, se = drawn(seed, spread=0.0)
    table = rank(rate, se, prior="logit").table
    high = table["probability_bottom"] > 10 / 88 + rates.DISAGREE_WITH_EQUAL
    assert table.loc[high, "model_dependent"].all()
    assert np.allclose(table["probability_low"].clip(lower=10 / 88), 10 / 88)


def test_where_rates_clearly_differ_that_they_are_equal_is_not_compared():
    true, rate, se = drawn(4, spread=1.0)
    assert not rates.may_be_equal(rates.effective_counts(rate, se, np.full(len(true), np.inf)))
    table = rank(rate, se, prior="logit").table
    assert table["probability_high"].min() < 0.01


def test_open_links_have_no_probabilities_under_any_prior():
    ranking = rank([0.9, 0.8, 0.7], se=[0.01] * 3, bottom=1, selection="open_link", prior="logit")
    columns = ["probability_bottom", "probability_low", "probability_high", "model_dependent"]
    assert ranking.table[columns].isna().all(axis=None)


@pytest.mark.parametrize(
    ("scores", "prior", "code"),
    [([90.0, 80.0, 70.0], "logit", "K127"), ([0.9, 0.8, 0.7], "beta", "K125")],
)
def test_a_prior_that_does_not_fit_is_refused(scores, prior, code):
    with pytest.raises(RankingError) as caught:
        rank(scores, se=[0.01] * 3, bottom=1, prior=prior)
    assert caught.value.code == code


# ---- the study that chose the default


def test_the_study_draws_its_samples_as_the_product_estimates_them():
    random = np.random.default_rng(3)
    true = rate_priors.true_rates("logit-normal 80 %", random)
    sample = rate_priors.sampled(true, "many PSUs", random)
    assert np.all(sample.se > 0)
    assert sample.rate.mean() == pytest.approx(true.mean(), abs=0.02)
    # 25 PSUs of ten, intraclass correlation 0.05
    expected = np.sqrt(true * (1 - true) / 250 * (1 + 9 * rate_priors.ICC))
    assert np.median(sample.se / expected) == pytest.approx(1, abs=0.15)


@pytest.mark.parametrize(
    "truth", ["logit-normal 98 %", "all equal 95 %", "three groups 85, 93, 98 %"]
)
def test_a_province_counts_every_county_once(truth):
    _, counts, graded = rate_priors.province((truth, "few PSUs", 1))
    for model, by_bin in counts.items():
        assert by_bin[0, :, 0].sum() == 88, model
        assert by_bin[0, :, 2].sum() == 10
        assert by_bin[1, :, 0].sum() <= 88
    assert graded[0] >= graded[2] >= 0


def test_a_prior_that_does_not_come_true_fails():
    assert rate_priors.verdict_of({"off": 8.0, "mc_se": 0.5}) == rate_priors.WRONG
    assert rate_priors.verdict_of({"off": -6.0, "mc_se": 0.5}) == rate_priors.NOISE
    assert rate_priors.verdict_of({"off": -4.9, "mc_se": 0.5}) == rate_priors.OK
