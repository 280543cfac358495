"""Trimming by cells: bounds of each cell's own median, sums kept or the cell named, and replays of what changes alone."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from satisfaction import SurveyDesign, adjust_nonresponse, calibrate, estimate, pipeline
from satisfaction.foundation.errors import WeightsError
from satisfaction.sampling import replicates
from satisfaction.weighting.trimming import medians, trim

HAND = 1e-12  # the same formula written out
REPLAYED = 1e-12  # of the largest deviation: a part replayed alone against the whole replayed


def people(seed: int = 3, *, counties: int = 6, psus: int = 4, persons: int = 8) -> pd.DataFrame:
    """Return persons of counties with two strata each, whose median weights differ tenfold; some did not answer."""
    rng = np.random.default_rng(seed)
    n = counties * 2 * psus * persons
    psu = np.arange(n) // persons
    county = psu // (2 * psus)
    rows = pd.DataFrame({"county": county, "stratum": psu // psus, "psu": psu})
    rows["sex"] = np.arange(n) % 2
    rows["age"] = rng.choice(list("yo"), n)
    rows["answered"] = (rng.random(n) < 0.8).astype(int)
    scale = np.geomspace(10, 100, counties)[county]
    rows["w"] = scale * np.exp(rng.normal(0, 0.5, n))
    rows["y"] = (50 + 3 * rng.normal(size=n) + 5 * rows["sex"] + 0.1 * scale).where(
        rows["answered"] == 1
    )
    return rows


ROWS = people()
MARGINS = {
    ("county", "sex"): {(c, s): 900.0 + 50 * c + 30 * s for c in range(6) for s in range(2)},
    ("county", "age"): {
        (c, a): 915.0 + 50 * c + shift for c in range(6) for a, shift in (("y", 20), ("o", -20))
    },
}


def surveyed(rows: pd.DataFrame = ROWS):
    return SurveyDesign(rows, strata="stratum", psu="psu", base_weight="w")


def trimmed_in_proportion(w, low, high):
    """One cell's weights, trimmed in rounds; untrimmed ones grow in proportion."""
    w = w.copy()
    while ((w < low * (1 - 1e-12)) | (w > high * (1 + 1e-12))).any():
        cut = np.clip(w, low, high)
        free = (cut > low) & (cut < high)
        cut[free] *= 1 + (w - cut).sum() / cut[free].sum()
        w = cut
    return w


def lower_median(w):
    """Return the smallest weight that half of them do not exceed."""
    return np.sort(w)[(len(w) - 1) // 2]


# ---- bounds of the cell ----


@pytest.mark.parametrize(("relative_to", "unit"), [("median", lower_median), ("mean", np.mean)])
def test_bounds_are_those_of_each_cell_and_the_cell_keeps_its_sum(relative_to, unit):
    found = trim(surveyed(), lower=0.5, upper=1.7, relative_to=relative_to, within="county").weights
    for _, cell in ROWS.groupby("county"):
        w = cell["w"].to_numpy()
        wanted = trimmed_in_proportion(w, 0.5 * unit(w), 1.7 * unit(w))
        np.testing.assert_allclose(found[cell.index], wanted, rtol=1e-10)
        assert found[cell.index].sum() == pytest.approx(w.sum(), rel=1e-12)


def test_a_large_county_is_not_cut_by_the_median_of_the_small_ones():
    """Its own median cuts nobody; the median of all respondents cuts most of it."""
    rows = pd.DataFrame(
        {"county": np.repeat(["big", "small"], [20, 60]), "w": np.repeat([90.0, 10.0], [20, 60])}
    )
    rows["w"] *= 1 + np.arange(80) % 4 / 10
    design = SurveyDesign(rows, base_weight="w")
    by_county = trim(design, upper=4, relative_to="median", within=["county"])
    np.testing.assert_array_equal(by_county.weights, rows["w"])
    assert by_county.log["trimmed"].iloc[-1] == 0
    of_all = trim(design, upper=4, relative_to="median", within=[])
    assert of_all.log["trimmed"].iloc[-1] == 20


def test_the_record_holds_the_range_of_the_bounds():
    record = trim(surveyed(), upper=1.7, relative_to="median", within="county").log.iloc[-1]
    medians_of = ROWS.groupby("county")["w"].agg(lower_median)
    assert record["upper"] == pytest.approx(
        {"low": 1.7 * medians_of.min(), "high": 1.7 * medians_of.max()}, rel=HAND
    )
    assert record["lower"] is None
    assert record["relative_to"] == "median"


def test_medians_by_group_are_those_of_repeated_weights():
    rng = np.random.default_rng(1)
    group = np.array([0, 2, 0, 2, 2, 0, 0])
    count = rng.integers(1, 6, (7, 5)).astype(float)
    weight = rng.choice([0.0, 1.0, 2.0, 3.0, 5.0], (7, 5))
    found = medians(group, count, weight)
    for r in range(5):
        for g in (0, 2):
            repeated = np.repeat(weight[group == g, r], count[group == g, r].astype(int))
            held = repeated[repeated > 0]
            assert found[g, r] == (lower_median(held) if len(held) else 0)
    assert (found[1] == 0).all()


def test_bounds_that_a_cell_cannot_hold_are_refused_by_name():
    rows = pd.DataFrame({"county": list("aaabbb"), "w": [1.0, 1.0, 30.0, 5.0, 6.0, 7.0]})
    with pytest.raises(WeightsError, match=r"(?s)W131.*county = a") as refused:
        trim(SurveyDesign(rows, base_weight="w"), upper=4, relative_to="median", within="county")
    assert "county = b" not in str(refused.value)
    assert refused.value.en.isascii()


# ---- equal spread within cells ----


def test_an_equal_spread_stays_within_the_cells_declared():
    found = trim(surveyed(), upper=1.5, relative_to="mean", within="county", spread="equal")
    sums = ROWS.assign(after=found.weights).groupby("county")[["w", "after"]].sum()
    np.testing.assert_allclose(sums["after"], sums["w"], rtol=1e-11)
    cell = ROWS[ROWS["county"] == 2]
    w = cell["w"].to_numpy()
    high = 1.5 * w.mean()
    while (w > high * (1 + 1e-12)).any():
        outside = w > high
        cut = np.minimum(w, high)
        cut[~outside] += (w - cut).sum() / (~outside).sum()
        w = cut
    np.testing.assert_allclose(found.weights[cell.index], w, rtol=1e-10)
    assert found.log["within"].iloc[-1] == ["county"]


def test_an_equal_spread_without_cells_says_that_it_is_over_all():
    raked = calibrate(surveyed(), {("county", "sex"): MARGINS["county", "sex"]})
    record = trim(raked, upper=80.0, spread="equal").log.iloc[-1]
    assert record["within"] == []


# ---- cells trimmed whole ----


def test_a_cell_trimmed_whole_is_named_and_what_left_it_is_told():
    rows = pd.DataFrame({"cell": list("aabbbb"), "w": [50.0, 60.0, 10.0, 12.0, 14.0, 16.0]})
    record = trim(SurveyDesign(rows, base_weight="w"), upper=40.0, within=["cell"]).log.iloc[-1]
    assert record["whole"] == ["cell = a"]
    assert record["sum_lost"] == pytest.approx(30 / 162, rel=HAND)


def test_cells_that_keep_their_weight_are_not_named():
    record = trim(surveyed(), upper=1.7, relative_to="median", within="county").log.iloc[-1]
    assert record["whole"] == []
    assert record["trimmed"] > 0
    assert record["sum_lost"] == pytest.approx(0, abs=1e-14)


@pytest.mark.parametrize("within", [[], ["cell"]])
def test_where_all_weights_are_trimmed_those_at_the_other_bound_take_the_excess(within):
    """By hand: cut to (4, 4, 6, 6) 2 are lacking, which the low ones take; to (5, 5, 7, 7) 2 are too many."""
    rows = pd.DataFrame({"cell": 1, "w": [1.0, 1.0, 10.0, 10.0]})
    found = trim(SurveyDesign(rows, base_weight="w"), lower=4.0, upper=6.0, within=within)
    np.testing.assert_allclose(found.weights, [5.0, 5.0, 6.0, 6.0], rtol=HAND)
    rows["w"] = [1.0, 1.0, 8.0, 12.0]
    found = trim(SurveyDesign(rows, base_weight="w"), lower=5.0, upper=7.0, within=within)
    np.testing.assert_allclose(found.weights, [5.0, 5.0, 6.0, 6.0], rtol=HAND)
    assert found.log["sum_lost"].iloc[-1] == pytest.approx(0, abs=1e-15)


def test_the_excess_of_a_cell_trimmed_whole_stays_in_the_cell():
    whole = [1.0, 1.0, 8.0, 12.0]
    untouched = [5.5, 6.0, 6.5, 6.0]
    rows = pd.DataFrame({"cell": ["a"] * 4 + ["b"] * 4, "w": whole + untouched})
    found = trim(SurveyDesign(rows, base_weight="w"), lower=5.0, upper=7.0, within="cell")
    np.testing.assert_allclose(found.weights, [5.0, 5.0, 6.0, 6.0, *untouched], rtol=HAND)


def test_bounds_that_hold_the_mean_weight_keep_the_sum_of_weights():
    rng = np.random.default_rng(7)
    for _ in range(20):
        weight = np.exp(rng.normal(size=60))
        low, high = weight.mean() * np.array([0.8, 1.2])
        design = SurveyDesign(pd.DataFrame({"w": weight}), base_weight="w")
        found = trim(design, lower=low, upper=high).weights
        assert found.sum() == pytest.approx(weight.sum(), rel=1e-10)
        assert (found >= low * (1 - HAND)).all()
        assert (found <= high * (1 + HAND)).all()


def test_weight_that_nobody_can_take_is_lost_and_told():
    """Strict: after one round every weight was outside once."""
    rows = pd.DataFrame({"w": [1.0, 1.0, 8.0, 8.0]})
    record = trim(
        SurveyDesign(rows, base_weight="w"), lower=2.0, upper=5.0, spread="equal", strict=True
    ).log.iloc[-1]
    assert record["sum_lost"] == pytest.approx(4 / 18, rel=HAND)


# ---- replicates ----


def full_recipe(of, *, upper=1.4, within="county"):
    of = calibrate(adjust_nonresponse(of, "answered", by=["county"]), MARGINS, tolerance=1e-13)
    of = trim(of, upper=upper, relative_to="median", within=within)
    return calibrate(of, MARGINS, tolerance=1e-13)


RECIPES = {
    "median of the county": full_recipe,
    "twice": lambda of: trim(
        full_recipe(of), lower=0.6, upper=1.6, relative_to="median", within="county"
    ),
    "mean, equally": lambda of: trim(
        calibrate(of, MARGINS, tolerance=1e-13),
        upper=1.3,
        relative_to="mean",
        within="county",
        spread="equal",
    ),
    "classes": lambda of: adjust_nonresponse(of, "answered", by=["county", "sex"]),
    "crossed margin": lambda of: calibrate(
        of, {("county", "sex"): MARGINS["county", "sex"]}, method="linear"
    ),
}


def deviations(of, **options):
    """Return the contributions to means, totals and a ratio: (P, Q)."""
    options = {"variance": "jkn"} | options
    found = [
        estimate(of, "y", by="county", **options),
        estimate(of, "y", by=["sex", "age"], statistic="total", **options),
        estimate(of, "y", **options),
    ]
    return [one.contributions.matrix for one in found]


def dense(matrix):
    return matrix.toarray() if hasattr(matrix, "toarray") else matrix


def on_all_cells(monkeypatch, of):
    """Return the contributions with every replicate replayed on all cells."""
    with monkeypatch.context() as patch:
        patch.setattr(replicates, "_touched", lambda *_: None)
        return deviations(of)


def replays(monkeypatch, of):
    """Count the replicates that were replayed on all cells."""
    counted = []
    whole = replicates._on_all_cells

    def counting(made, chosen, *rest, **named):
        counted.append(len(chosen))
        return whole(made, chosen, *rest, **named)

    with monkeypatch.context() as patch:
        patch.setattr(replicates, "_on_all_cells", counting)
        estimate(of, "y", variance="jkn")
    return sum(counted)


@pytest.mark.parametrize("recipe", RECIPES)
def test_a_part_replayed_alone_equals_the_whole_replayed(monkeypatch, recipe):
    of = RECIPES[recipe](surveyed())
    for part, whole in zip(deviations(of), on_all_cells(monkeypatch, of), strict=True):
        largest = np.abs(dense(whole)).max(axis=0)
        np.testing.assert_allclose(dense(part) / largest, dense(whole) / largest, atol=REPLAYED)
    assert replays(monkeypatch, of) == 0


def test_a_replicate_that_moves_weight_out_of_its_cells_is_replayed_whole(monkeypatch):
    rows = ROWS[ROWS["county"] < 2].reset_index(drop=True)
    cell = rows.groupby(["county", "sex"])["w"]
    upper = cell.mean().max() * 1.01  # the fullest cell just holds its weight
    of = trim(surveyed(rows), upper=upper, within=["county", "sex"])
    assert of.log["whole"].iloc[-1] == []
    assert 0 < replays(monkeypatch, of) < rows["psu"].nunique()
    for part, whole in zip(deviations(of), on_all_cells(monkeypatch, of), strict=True):
        largest = np.abs(dense(whole)).max(axis=0)
        np.testing.assert_allclose(dense(part) / largest, dense(whole) / largest, atol=REPLAYED)


@pytest.mark.parametrize(
    "recipe",
    [
        lambda of: trim(of, upper=3, relative_to="median", within=[]),
        lambda of: trim(of, upper=60.0, within="county"),
        lambda of: adjust_nonresponse(of, "answered", by=["sex"], method="propensity"),
        lambda of: calibrate(of, {"sex": {0: 9000.0, 1: 9300.0}}),
    ],
    ids=["one median", "weight spills in the full sample", "propensity", "one margin"],
)
def test_what_ties_all_cells_together_is_replayed_whole(monkeypatch, recipe):
    assert replays(monkeypatch, recipe(surveyed())) == ROWS["psu"].nunique()


def test_the_bound_is_taken_anew_in_every_replicate():
    """Two PSUs a stratum: a replicate is the sample with one PSU gone and the other one twice."""
    rows = people(seed=8, counties=3, psus=2)

    def theta(sample: pd.DataFrame) -> list[float]:
        weights = trim(
            SurveyDesign(sample, base_weight="w"), upper=1.4, relative_to="median", within="county"
        ).weights
        valid = sample["y"].notna()
        means = [
            np.average(sample["y"][one], weights=weights[one])
            for one in (valid & (sample["county"] == c) for c in range(3))
        ]
        return [*means, np.average(sample["y"][valid], weights=weights[valid])]

    changed = []
    for psu in range(rows["psu"].max() + 1):
        twin = psu + 1 - 2 * (psu % 2)
        parts = [rows[rows["psu"] != psu], rows[rows["psu"] == twin]]
        changed.append(theta(pd.concat(parts, ignore_index=True)))
    changed = np.array(changed)
    wanted = np.sqrt(((changed - changed.mean(axis=0)) ** 2).sum(axis=0) / 2)
    of = trim(surveyed(rows), upper=1.4, relative_to="median", within="county")
    found = [
        *estimate(of, "y", by="county", variance="jkn").table["se"],
        *estimate(of, "y", variance="jkn").table["se"],
    ]
    np.testing.assert_allclose(found, wanted, rtol=1e-10)


# ---- what a run says ----


def test_a_run_names_the_cells_trimmed_whole(monkeypatch):
    rows = pd.DataFrame({"cell": list("aabbbb"), "w": [50.0, 60.0, 10.0, 12.0, 14.0, 16.0]})
    trimmed = trim(SurveyDesign(rows, base_weight="w"), upper=40.0, within=["cell"])
    monkeypatch.setattr(pipeline, "weighting_log", lambda results: results.weighting.log)
    (note,) = pipeline.trimming_notes(trimmed)
    assert "cell = a" in note.en
    assert "18.52%" in note.en
    untouched = trim(SurveyDesign(rows, base_weight="w"), upper=70.0, within=["cell"])
    assert pipeline.trimming_notes(untouched) == []


@pytest.mark.parametrize("within", [None, "cell"])
def test_a_run_says_that_the_sum_of_the_weights_has_changed(monkeypatch, within):
    """Under narrow bounds every weight comes to stand at one, with `strict` for good."""
    rows = pd.DataFrame({"cell": list("aaabbb"), "w": [1.0, 1.1, 9.0, 1.0, 1.2, 14.0]})
    design = SurveyDesign(rows, base_weight="w")
    narrow = {"lower": 0.9, "upper": 1.1, "relative_to": "mean", "within": within}
    trimmed = trim(design, spread="equal", strict=True, **narrow)
    lost = 1 - trimmed.weights.sum() / rows["w"].sum()
    assert lost > 0.01
    assert trimmed.weighting.log[-1]["sum_change"] == pytest.approx(-lost)
    monkeypatch.setattr(pipeline, "weighting_log", lambda results: results.weighting.log)
    (note,) = pipeline.trimming_notes(trimmed)
    assert f"-{lost:.2%}" in note.en
    wide = trim(design, upper=2.5, relative_to="mean", spread="equal", strict=True)
    assert "sum_change" not in wide.weighting.log[-1]
    assert pipeline.trimming_notes(wide) == []
