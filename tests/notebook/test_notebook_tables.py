"""Tables of notebooks 02 and 03: the same figures as the kernels they come from, in words."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

import satisfaction as sat
from satisfaction import open_wave
from satisfaction.foundation.language import use
from satisfaction.notebook import testing, weighting


@pytest.fixture(scope="module")
def results(small_template):
    return sat.run(sat.read_survey(small_template / "surveys" / "wave"))


@pytest.fixture(scope="module")
def designs(results):
    return weighting.designs_by_step(results)


def test_every_step_is_set_beside_the_first_in_final_standard_errors(results, designs):
    table = weighting.effects_of_steps(results, designs)
    whole = results.whole.table.set_index("measure")
    for measure, part in table.groupby("measure"):
        first, last = part.iloc[0], part.iloc[-1]
        assert list(part["step"]) == list(designs)
        assert first["difference / se"] == 0
        assert last["estimate"] == whole.loc[measure, "estimate"]
        assert last["se"] == whole.loc[measure, "se"]
        moved = (last["estimate"] - first["estimate"]) / last["se"]
        assert last["difference / se"] == pytest.approx(moved, rel=1e-12)


def test_areas_that_move_most_come_first(results, designs):
    table = weighting.shifts_of_areas(results, designs)
    assert sorted(table[results.area]) == sorted(results.ranked.table["county"].astype(str))
    assert table["difference"].abs().is_monotonic_decreasing
    assert (table["difference / se"] - table["difference"] / table["se"]).abs().max() < 1e-12


def test_weights_before_and_after_are_those_of_the_designs(results, designs):
    weights = weighting.weights_by_step(results, designs)
    assert len(weights) == len(results.responses.accepted)
    figures = weighting.figures_of_weights(results, weights).set_index("step")
    for step, design in designs.items():
        w = design.weights[design.weights > 0]
        assert figures.loc[step, "sum"] == pytest.approx(w.sum())
        assert figures.loc[step, "kish_deff"] == pytest.approx(len(w) * (w**2).sum() / w.sum() ** 2)


def test_levels_of_margins_are_said_in_words_the_farthest_first(results, designs):
    with use("en"):
        levels = weighting.margins_by_calibration(results, designs)
    assert set(levels["margin"]) == {"county_sex", "county_age"}
    assert levels["after / target"].to_numpy() == pytest.approx(1, abs=1e-8)
    assert levels["level"].str.startswith("County 99").all()
    assert levels["level"].str.contains("Male").any()
    centre = levels.groupby("margin")["entering / target"].transform("median")
    assert (levels["entering / target"] / centre - 1).abs().is_monotonic_decreasing


def test_errors_of_every_method_are_those_of_estimate(results):
    table = weighting.errors_by_method(results.design, ["awareness"], by="county")
    jackknife = sat.estimate(results.design, "awareness", by="county", variance="jkn").table
    assert table["jkn"].to_numpy() == pytest.approx(jackknife["se"].to_numpy(), rel=1e-12)
    assert list(weighting.error_ratios(table).values())[1].equals(table["jkn / linearized"])


def test_shares_of_psus_add_up_to_the_variance(results):
    psus = weighting.psu_shares(results, "streets")
    persons = weighting.influence(results, "streets")
    assert psus["share"].sum() == pytest.approx(1)
    together = weighting.largest_shares(persons, psus)
    assert together["largest"].tolist() == [1, 10, max(1, len(psus) // 10)]
    assert together["psus"].iloc[0] == psus["share"].max()
    assert "psus" not in weighting.largest_shares(persons)


def test_values_and_weights_give_the_published_mean(results):
    values, weights = weighting.values_and_weights(results.design, "streets")
    whole = results.whole.table.set_index("measure").loc["streets"]
    assert np.average(values, weights=weights) == pytest.approx(whole["estimate"], rel=1e-12)
    assert weights.mean() == pytest.approx(1)


def test_trials_say_their_steps_in_words_and_no_error_without_a_probability_sample(small):
    bench = open_wave(small.folder)
    bench.try_weighting([{"step": "base"}], name="base alone")
    steps = bench.trials["steps"]
    assert steps.iloc[1].zh == "基础权数"
    assert steps.iloc[0].en == "base weight → raking (county × Sex, county × Age group)"
    small.edit("survey.yaml", "selection: probability", "selection: quota")
    quota = open_wave(small.folder)
    assert not {"se", "kish_deff", "variance"} & set(quota.trials)


def test_groups_are_those_that_survey_yaml_names_else_the_usual_ones(small, results):
    assert {"sex", "age_group"} <= set(testing.group_items(results))
    path = small.folder / "survey.yaml"
    path.write_text(
        path.read_text(encoding="utf-8") + "\ntests: {groups: [sex]}\n", encoding="utf-8"
    )
    assert testing.group_items(sat.run(small.read())) == ["sex"]


def test_values_of_persons_are_missing_where_they_are_not_valid(results):
    values = testing.person_values(results)
    held = results.design.measures["streets"]
    assert len(values) == len(results.responses.accepted)
    n = results.whole.table.set_index("measure").loc["streets", "n"]
    assert values["streets"].notna().sum() == n
    assert values["streets"].max() <= 100
    assert held.name == "streets"


def test_a_rates_interviewer_correlation_is_not_written_as_a_rate(results):
    effects = testing.interviewer_correlations(results)
    table = testing.interviewer_table(results, effects)
    if len(table):
        assert not set(table["measure"]) & set(results.survey.questionnaire.rates)


def test_conclusions_that_differ_beside_the_whole_and_within_the_area_above(results):
    rest = sat.against_rest(results.design, "streets", by="county")
    inner = sat.against_rest(results.design, "streets", by="county", within="prefecture")
    assert testing.other_conclusions(inner, inner).empty
    differ = testing.other_conclusions(rest, inner)
    assert list(differ)[-2:] == ["difference (whole)", "p_holm (whole)"]


def test_a_change_stands_beside_the_error_that_ignores_shared_psus(results):
    moved, table = testing.change_beside_independent(results.ranked, results.ranked)
    se = results.ranked.table["se"]
    assert sorted(table["se ignoring"]) == pytest.approx(sorted(np.sqrt(2) * se))
    assert len(table) == len(moved.table)


def test_no_earlier_wave_is_one_that_asked_otherwise(small):
    assert testing.earlier_wave(small.read(), "none") is None
    assert testing.earlier_wave(small.read()) is None


def test_pairs_by_the_design_stand_beside_those_of_the_textbook():
    ours = pd.DataFrame({"area": ["1"], "other": ["2"], "difference": [3.0], "p_holm": [0.04]})
    welch = pd.DataFrame({"A": ["1"], "B": ["2"], "p_unc": [0.01]})
    (row,) = testing.beside_pairs(ours, welch).to_dict("records")
    assert row == {
        "area": "1", "other": "2", "difference": 3.0, "p_holm: design": 0.04, "p_holm: pingouin": 0.01,
    }  # fmt: skip
