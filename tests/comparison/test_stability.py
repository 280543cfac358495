"""Stability: what moves ranks, by hand and by simulation; choices that change nothing have no share."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from tests.ranking.test_list_action import acting

from conftest import COUNTIES, joined
from satisfaction import run
from satisfaction.comparison.stability import (
    FACTORS,
    Choices,
    combined_score,
    components_of,
    flipped,
    make_world,
    ranks_of,
    stability,
)
from satisfaction.comparison.stability_files import StudiedRanking, lines_of_stability
from satisfaction.foundation.errors import RankingError
from satisfaction.ranking.borrowed_errors import floored

ONLY_DECLARED = Choices(
    normalisations=("none",), aggregations=("arithmetic",), weight_noise=0.0, drop=False
)
RNG = np.random.default_rng(3)
SCORES = RNG.uniform(40, 90, (1, 20, 4))
WEIGHTS = np.array([0.4, 0.3, 0.2, 0.1])
NAMES = [f"a{k}" for k in range(20)]
NO_ERRORS = np.zeros((0, 20, 4))


@pytest.fixture(scope="module")
def results(small_template):
    from satisfaction import read_survey

    return run(read_survey(small_template / "surveys" / "wave"))


def test_without_choices_or_errors_ranks_stay():
    found = stability(
        make_world(SCORES, NO_ERRORS, WEIGHTS, choices=ONLY_DECLARED), NAMES, bottom=5, base=16
    )
    expected = ranks_of(SCORES[0] @ WEIGHTS)
    table = found.table.set_index("area").loc[NAMES]
    assert table["rank"].tolist() == expected.tolist()
    assert (table["choices_low"] == table["rank"]).all()
    assert (table["choices_high"] == table["rank"]).all()
    assert set(table["choices_list"]) == {0.0, 1.0}
    for kind in ("sampling", "both"):  # there is nothing to draw them from
        assert table[[f"{kind}_low", f"{kind}_high", f"{kind}_list"]].isna().all(axis=None)
    assert found.sources[["first_shift", "total_list"]].isna().all(axis=None)


def test_scores_of_a_pick_by_hand():
    world = make_world(SCORES, NO_ERRORS, WEIGHTS, choices=Choices())
    pick = dict.fromkeys(FACTORS, 0)
    x = SCORES[0]
    assert combined_score(world, pick | {"dropped": 2}) == pytest.approx(
        x @ (WEIGHTS * [1, 0, 1, 1]) / 0.7
    )
    low, high = x.min(axis=0), x.max(axis=0)
    scaled = (x - low) / (high - low) * 100
    assert combined_score(world, pick | {"normalisation": 1}) == pytest.approx(scaled @ WEIGHTS)
    assert combined_score(world, pick | {"aggregation": 1}) == pytest.approx(
        np.exp(np.log(x) @ WEIGHTS)
    )
    assert world.noise.sum(axis=1) == pytest.approx(np.ones(len(world.noise)))
    assert np.abs(world.noise / WEIGHTS - 1).max() < 0.7


def test_only_what_varies_has_a_share():
    errors = RNG.normal(0, 5, (300, 20, 4))
    found = stability(make_world(SCORES, errors, WEIGHTS, choices=ONLY_DECLARED), NAMES, bottom=5)
    sources = found.sources.set_index("factor")
    assert sources.loc["sampling", "total_shift"] == pytest.approx(1, abs=0.15)
    others = sources.drop(index="sampling")["total_shift"]
    assert others.abs().max() == 0
    assert found.summary["mean_shift"]["choices"] == 0
    assert found.summary["mean_shift"]["sampling"] > 0


def test_sampling_alone_is_the_distribution_of_ranks_of_the_drawn_scores():
    errors = RNG.normal(0, 5, (511, 20, 4))
    found = stability(
        make_world(SCORES, errors, WEIGHTS, choices=ONLY_DECLARED), NAMES, bottom=5, base=512
    )
    direct = np.array([ranks_of(np.clip(SCORES[0] + e, 0, 100) @ WEIGHTS) for e in errors])
    table = found.table.set_index("area").loc[NAMES]
    assert table["sampling_list"].to_numpy() == pytest.approx((direct > 15).mean(axis=0), abs=0.07)
    assert table["sampling_mean"].to_numpy() == pytest.approx(direct.mean(axis=0), abs=0.6)


def test_a_component_that_decides_everything_is_found():
    scores = np.full((1, 20, 2), 50.0)
    scores[0, :, 0] = np.linspace(30, 70, 20)
    scores[0, :, 1] = np.linspace(70, 30, 20)
    choices = Choices(
        normalisations=("none",), aggregations=("arithmetic",), weight_noise=0.0, drop=True
    )
    found = stability(
        make_world(scores, np.zeros((0, 20, 2)), np.array([0.7, 0.3]), choices=choices),
        NAMES,
        bottom=5,
    )
    sources = found.sources.set_index("factor")
    assert sources.loc["dropped", "total_list"] == pytest.approx(1, abs=0.1)
    assert sources.drop(index="dropped")["total_list"].abs().max() == 0


def test_components_of_a_wave_carry_their_joint_errors(results):
    parts = components_of(results, measure="composite", draws=4000)
    assert parts.names == ("awareness", "satisfaction", "topic_index")
    own = results.estimates["county"]
    for k, name in enumerate(parts.names):
        scale = 1 if name == "topic_index" else 100
        se = own.of(name).table["se"].to_numpy() * scale
        assert parts.errors[:, :, k].std(axis=0) == pytest.approx(se, rel=0.06)
    joint = (
        own.contrast({"x": {("990101", "awareness"): 1.0, ("990101", "satisfaction"): 1.0}})
        .table["se"]
        .iloc[0]
        * 100
    )
    assert (parts.errors[:, 0, 0] + parts.errors[:, 0, 1]).std() == pytest.approx(joint, rel=0.06)
    assert parts.variants[1].startswith("don't know")
    assert not np.allclose(parts.scores[0], parts.scores[1])


def test_flipping_twice_gives_the_declared_rule(results):
    questionnaire = results.survey.questionnaire
    once, twice = flipped(questionnaire), flipped(flipped(questionnaire))
    for name, rate in questionnaire.rates.items():
        ways = [
            one.denominator(rate.items[0], one.rates[name])["dont_know"]
            for one in (questionnaire, once, twice)
        ]
        assert ways[0] == ways[2] != ways[1]


def test_a_rate_is_no_index(results):
    with pytest.raises(RankingError, match="K321"):
        components_of(results, measure="awareness")


def test_on_the_command_line(small, call):
    code, out, err = call("stability", small.folder, "--measure", "composite")
    assert (code, err) == (0, "")
    assert "sampling error: total index of the list" in out
    (folder,) = small.folder.glob("out/*-stability")
    assert {"stability.csv", "sources.csv", "stability.xlsx", "stability.json", "run.json"} <= {
        path.name for path in folder.iterdir()
    }


@pytest.mark.parametrize("total", [0.98, 1.15])
def test_a_share_above_one_is_said_to_be_simulation_error(results, total):
    parts = components_of(results, measure="composite", draws=16)
    world = make_world(
        parts.scores, NO_ERRORS[:, :4, :3], parts.weights, choices=Choices(), draws=16
    )
    found = stability(world, list(parts.areas), bottom=1, base=16)
    found = replace(found, sources=found.sources.assign(total_list=total, total_shift=0.5))
    studied = StudiedRanking(results, "composite", parts, found)
    assert ("read it as 1" in joined(lines_of_stability(studied)).en) == (total > 1)


def under_floor(results, least):
    """The same results under another floor of the areas' own df."""
    rules = results.survey.rules
    ranking = rules.ranking.model_copy(update={"minimum_df": least, "minimum_deff": 0.0})
    return replace(
        results, survey=replace(results.survey, rules=rules.model_copy(update={"ranking": ranking}))
    )


def test_draws_rest_on_the_error_that_ranks_rest_on(results):
    few = under_floor(results, 8)
    parts = components_of(few, measure="composite", draws=4000)
    for k, name in enumerate(parts.names):
        scale = 1 if name == "topic_index" else 100
        se = (
            floored(few.survey, few.estimates, "county", measure=name)
            .estimates.table["se"]
            .to_numpy()
            * scale
        )
        assert parts.errors[:, :, k].std(axis=0) == pytest.approx(se, rel=0.06)
        assert (
            se > results.estimates["county"].of(name).table["se"].to_numpy() * scale * 1.1
        ).any()


def test_areas_that_are_lent_nothing_keep_their_draws_to_the_last_bit(results):
    table = results.estimates["county"].table
    first = table["county"] == "990101"
    counties = replace(
        results.estimates["county"], table=table.assign(df=table["df"].mask(first, 2))
    )
    few = replace(results, estimates=results.estimates | {"county": counties})
    own, lent = (
        components_of(under_floor(few, least), measure="composite", draws=16) for least in (0, 3)
    )
    assert (own.errors[:, 1:] == lent.errors[:, 1:]).all()
    assert (own.errors[:, 0] != lent.errors[:, 0]).any()


def test_areas_of_which_an_error_is_lent_are_named(results):
    for least, named in ((0, False), (8, True)):
        few = under_floor(results, least)
        parts = components_of(few, measure="composite", draws=16)
        world = make_world(parts.scores, parts.errors, parts.weights, choices=Choices(), draws=16)
        found = stability(world, parts.areas, bottom=1, base=16)
        lines = lines_of_stability(StudiedRanking(few, "composite", parts, found))
        assert (
            any("990101" in line.en and "a larger one stands here" in line.en for line in lines)
            == named
        )


# ---- thresholds that act on the list


def test_a_study_says_that_thresholds_which_act_on_the_list_take_no_part(results):
    alone = acting(results, [], list_size=1)
    assert components_of(alone, draws=8).notes == ()
    everybody = acting(results, [("awareness", 0.99, "listed")], list_size=1)
    notes = joined(components_of(everybody, draws=8).notes).en
    assert "by rank alone" in notes
    names = results.survey.area_names()
    by_rank = set(everybody.ranking.summary.listed)
    for code in COUNTIES:
        assert (names[code].in_language("en") in notes) == (code not in by_rank)
