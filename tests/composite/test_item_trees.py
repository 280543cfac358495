"""Item trees: sums recomputed, points taken over, sites, draws, classes, the ledger, files and pages."""

from __future__ import annotations

import hashlib
import json

import numpy as np
import pandas as pd
import pytest
from ruamel.yaml import YAML
from scipy import sparse, stats

import item_trees
from conftest import COUNTIES, SmallSurvey, side_by_side
from satisfaction.comparison.assessments import assessments_of, export_assessments
from satisfaction.comparison.combined import combine
from satisfaction.composite.components import scored_trees
from satisfaction.composite.ledger import WavePoints, followed, ledger
from satisfaction.composite.scores import combined_scores
from satisfaction.composite.tree_draws import (
    Drawing,
    draw_errors,
    draw_tree,
    drawn_measures,
    drawn_table,
    joint_tree,
)
from satisfaction.composite.tree_scores import Measured, based_points, score_tree, site_shares
from satisfaction.composite.tree_tables import (
    class_sums,
    department_sums,
    leaf_table,
    level_sums,
    lost_entries,
    most_lost,
)
from satisfaction.declarations.assessment_tables import read_sheet, read_sites
from satisfaction.declarations.combined import Assessment, read_combined_inputs
from satisfaction.declarations.rules import Threshold
from satisfaction.foundation.errors import SatisfactionError
from satisfaction.pipeline import run
from satisfaction.ranking.change import rank_change
from satisfaction.ranking.drawn import JointDraws, list_probability
from satisfaction.ranking.targets import threshold_verdicts
from satisfaction.sampling.variance import crossed

FLAT = {"title": {"zh": "测", "en": "T"}, "source": "test"}
NO_ROWS = pd.DataFrame({"code": [], "item": []})


@pytest.fixture(scope="module")
def wave(small_template, tmp_path_factory):
    from satisfaction import read_survey

    results = run(read_survey(small_template / "surveys" / "wave"))
    folder = tmp_path_factory.mktemp("trees")
    item_trees.write_files(folder)
    return results, folder


@pytest.fixture(scope="module")
def found(wave):
    results, folder = wave
    return assessments_of(results, folder / "combined.yaml")


def flat(items, **keys) -> Assessment:
    return Assessment.model_validate(FLAT | {"items": items} | keys)


def draw_measures(measures, draws, rng):
    (errors,) = draw_errors([measures], draws, rng)
    return {name: one.estimate + errors[name] for name, one in measures.items()}


def leaf(points, **keys):
    return {"zh": "甲", "en": "A", "points": points} | keys


def written_sheet(tmp_path, tree, rows, columns="code,item,points,reason,state,site,class,due"):
    path = tmp_path / "lost.csv"
    path.write_text("\n".join([columns, *rows]) + "\n", encoding="utf-8")
    return read_sheet(path, tree, COUNTIES)


def test_a_sheet_that_was_handed_in_twice_is_not_deducted_twice(tmp_path):
    tree = flat({"a": leaf(5, department="x"), "b": leaf(5, department="x")})
    of_area = ["990101,a,1,x,,,,", "990101,b,2,x,,,,"]
    other = ["990102,a,1,x,,,,", "990102,a,1,x,,,,", "990102,b,1,x,,,,"]  # two findings
    with pytest.raises(SatisfactionError, match=r"row 7, 8[\s\S]*K382|K382[\s\S]*row 7, 8"):
        written_sheet(tmp_path, tree, [*of_area, *other, *of_area])
    assert len(written_sheet(tmp_path, tree, [*of_area, *other]).lost) == 5


# ---- sums


def recomputed(results):
    """The points of every county and standard, by plain pandas from the files' own rows."""
    estimates = results.estimates[results.area].table
    rows = []
    lost = item_trees.sheet()
    visited = item_trees.sites()
    visited["share"] = visited["score"].astype(float) / visited["possible"].astype(float)
    shares = visited.groupby(["code", "item"])["share"].mean()
    taken = lost[lost["state"] == ""].assign(points=lambda t: pd.to_numeric(t["points"]))
    taken = taken.groupby(["code", "item"])["points"].sum()
    absent = set(
        lost.loc[lost["state"] == "not applicable", ["code", "item"]].itertuples(
            index=False, name=None
        )
    )
    for code in COUNTIES:
        for k in range(item_trees.STANDARDS):
            name = f"s{k:03d}"
            points = float(1 + k % 4)
            applies = (code, name) not in absent
            got = points - min(points, taken.get((code, name), 0.0))
            if name in item_trees.MEASURED:
                measure, mark = item_trees.MEASURED[name]
                own = estimates[
                    (estimates[results.area] == code) & (estimates["measure"] == measure)
                ]
                got = points * float(own["estimate"].iloc[0] >= mark)
            if name in item_trees.AT_SITES:
                got = points * shares[code, name]
            if name == item_trees.BONUS:
                got = min(points, taken.get((code, name), 0.0))
            rows.append(
                (
                    code,
                    f"a{k % 119 % 7}",
                    f"i{k % 119:03d}",
                    name,
                    item_trees.DEPARTMENTS[k % 6],
                    points,
                    applies,
                    got,
                )
            )
    columns = ["code", "aspect", "item", "standard", "department", "points", "applies", "got"]
    table = pd.DataFrame(rows, columns=columns)
    ordinary = table[table["standard"] != item_trees.BONUS].copy()
    bonus = table[table["standard"] == item_trees.BONUS].set_index("code")["got"]
    total = ordinary.groupby("code")["points"].sum().iloc[0]
    standing = ordinary[ordinary["applies"]].groupby("code")["points"].sum()
    factor = ordinary["code"].map(total / standing) * ordinary["applies"]
    ordinary["based"] = ordinary["points"] * factor
    ordinary["got"] = ordinary["got"] * factor
    ordinary["lost"] = ordinary["based"] - ordinary["got"]
    return ordinary, bonus, total


def test_the_tree_has_7_aspects_119_items_261_standards():
    sums = item_trees.tree()
    assert len(sums.items) == 7
    assert sum(len(aspect.items) for aspect in sums.items.values()) == 119
    assert len(sums.leaves()) == 261


def test_sums_at_every_level_are_those_of_plain_pandas(wave, found):
    ordinary, _bonus, total = recomputed(wave[0])
    sums = found.trees[0].tables["sums"]
    for level, by in enumerate(
        [[], ["aspect"], ["aspect", "item"], ["aspect", "item", "standard"]]
    ):
        expected = ordinary.groupby(["code", *by])[["points", "based", "got", "lost"]].sum()
        own = sums[sums["level"] == level].copy()
        names = own["node"].str.split("/", expand=True)
        for place, column in enumerate(by):
            own[column] = names[place]
        own = own.set_index(["code", *by])[["points", "based", "got", "lost"]]
        difference = (own - expected.reindex(own.index)).abs().to_numpy()
        assert len(own) == len(expected)
        assert difference.max() < 1e-10
    assert (sums.loc[sums["level"] == 0, "based"] - total).abs().max() < 1e-10
    assert sums.loc[sums["level"] == 0, "not_applicable"].tolist() == [2, 0, 1, 0]


def test_departments_by_county_are_those_of_plain_pandas(wave, found):
    ordinary, _bonus, _total = recomputed(wave[0])
    expected = ordinary.groupby(["code", "department"])[["based", "got", "lost"]].sum()
    own = found.trees[0].tables["departments"].set_index(["code", "department"])
    assert (own[["based", "got", "lost"]] - expected).abs().to_numpy().max() < 1e-10
    assert own.groupby("code")["share"].sum().to_numpy() == pytest.approx(1)


def test_scores_are_those_of_plain_pandas(wave, found):
    ordinary, bonus, total = recomputed(wave[0])
    kept = ordinary.groupby("code")["got"].sum()
    score = (kept + bonus.clip(upper=1.5)) / total * 100
    score[COUNTIES[3]] = min(score[COUNTIES[3]], 60)  # the veto
    table = found.trees[0].tables["scores"].set_index("code")
    assert (table["score"] - score).abs().max() < 1e-10
    assert bonus[COUNTIES[1]] == 1  # 2.5 were handed in, the item has 1


def test_classes_add_up_to_what_is_lost_and_the_reachable_scores_grow(found):
    table = found.trees[0].tables["scores"]
    classes = table[["winnable", "difficult", "dead", "unclassed"]].sum(axis=1)
    assert classes.to_numpy() == pytest.approx(table["lost"].to_numpy(), abs=1e-10)
    assert (table["points"] - table["got"]).to_numpy() == pytest.approx(table["lost"].to_numpy())
    assert (table["score_winnable"] >= table["score"]).all()
    assert (table["score_difficult"] >= table["score_winnable"]).all()
    assert (table["score_most"] >= table["score_difficult"]).all()
    assert (table["rank_winnable"] <= table["rank"]).all()
    free = table[table["code"] != COUNTIES[3]]
    won = free["score"] + free["winnable"] / free["points"] * 100
    assert free["score_winnable"].to_numpy() == pytest.approx(won.to_numpy())


def test_the_class_in_the_sheet_goes_before_that_of_the_item(tmp_path):
    tree = flat({"a": leaf(4, points_class="dead"), "b": leaf(6)})
    sheet = written_sheet(
        tmp_path, tree, ["990101,a,1,,,,winnable,", "990101,a,1,,,,,", "990101,b,2,,,,,"]
    )
    table = class_sums(score_tree(tree, sheet, COUNTIES), level=0.95).iloc[0]
    assert table[
        ["winnable", "dead", "unclassed", "score", "score_winnable", "score_most"]
    ].tolist() == [1, 1, 2, 60, 70, 90]


def test_a_plain_tree_scores_as_in_the_combined_score(wave, tmp_path):
    """A tree without any of the further keys: its lost entries, summed by plain pandas."""
    data = item_trees.tree_data(not_applicable=None)
    tree = flat(data["items"])
    plain = {
        name: one
        for name, (_path, one) in tree.leaves().items()
        if one.measure is None and not one.sites
    }
    keep = [name for name, one in plain.items() if not one.bonus]
    rows = item_trees.sheet()
    rows = rows[(rows["state"] == "") & rows["item"].isin(keep)]
    flat_tree = flat({name: leaf(plain[name].points, department="x") for name in keep})
    rows.to_csv(tmp_path / "lost.csv", index=False)
    sheet = read_sheet(tmp_path / "lost.csv", flat_tree, COUNTIES)
    scores = score_tree(flat_tree, sheet, COUNTIES)
    asked = (
        rows.assign(points=pd.to_numeric(rows["points"])).groupby(["code", "item"])["points"].sum()
    )
    most = asked.index.get_level_values("item").map({name: plain[name].points for name in keep})
    taken = np.minimum(asked, most.to_numpy(float)).groupby("code").sum().reindex(COUNTIES)
    possible = sum(plain[name].points for name in keep)
    expected = (possible - taken) / possible * 100
    assert np.abs(scores.scores - expected.to_numpy()).max() < 1e-12
    entries = lost_entries(scores)
    assert len(entries) == len(rows)
    assert (entries["points"] <= entries["asked"]).all()
    assert entries.groupby("code")["points"].sum().to_numpy() == pytest.approx(taken.to_numpy())
    by_department = department_sums(scores).groupby("department")["lost"].sum()
    assert by_department["x"] == pytest.approx(taken.sum(), abs=1e-10)
    assert most_lost(entries, ["department"])["points"].tolist() == pytest.approx([taken.sum()])


# ---- items that do not apply


@pytest.mark.parametrize("how", ["tree", "branch"])
def test_points_taken_over_add_up_to_the_tree_in_every_county(how):
    tree = item_trees.tree(not_applicable=how)
    rng = np.random.default_rng(5)
    applies = rng.random((6, 261)) > 0.3
    based = based_points(tree, applies)
    ordinary = np.array([not one.bonus for _path, one in tree.leaves().values()])
    points = np.array([one.points for _path, one in tree.leaves().values()])
    assert based[:, ordinary].sum(axis=1) == pytest.approx(points[ordinary].sum(), rel=1e-12)
    assert (based[:, ordinary][~applies[:, ordinary]] == 0).all()


def test_where_everything_applies_nothing_is_taken_over():
    for how in ("tree", "branch"):
        tree = item_trees.tree(not_applicable=how)
        points = np.array([one.points for _path, one in tree.leaves().values()])
        based = based_points(tree, np.ones((2, 261), dtype=bool))
        assert based == pytest.approx(np.tile(points, (2, 1)), rel=1e-13)


def test_a_branch_keeps_its_points_as_long_as_one_of_its_items_applies():
    items = {
        "a": {"zh": "甲", "en": "A", "items": {"a1": leaf(3), "a2": leaf(1)}},
        "b": {"zh": "乙", "en": "B", "items": {"b1": leaf(2), "b2": leaf(4)}},
    }
    applies = np.array([[True, False, True, True], [False, False, True, True]])
    branch = based_points(flat(items, not_applicable="branch"), applies)
    assert branch.tolist() == [[4, 0, 2, 4], [0, 0, pytest.approx(10 / 3), pytest.approx(20 / 3)]]
    tree = based_points(flat(items, not_applicable="tree"), applies)
    assert tree[0] == pytest.approx([30 / 9, 0, 20 / 9, 40 / 9])


def test_taking_over_leaves_the_score_the_share_of_what_applies(tmp_path):
    tree = flat({"a": leaf(4), "b": leaf(6), "c": leaf(10)}, not_applicable="tree")
    sheet = written_sheet(tmp_path, tree, ["990101,c,,none,not applicable,,,", "990101,a,1,,,,,"])
    scores = score_tree(tree, sheet, COUNTIES)
    assert scores.scores[0] == pytest.approx(90)  # 9 of the 10 points that apply
    assert level_sums(scores).iloc[0][["points", "based", "lost"]].tolist() == pytest.approx(
        [20, 20, 2]
    )


# ---- points of inspection


def test_shares_of_sites_are_stratified_means_with_their_error():
    rng = np.random.default_rng(8)
    rows = []
    for kind, number, population in (("m", 4, 12), ("w", 6, 60)):
        for k in range(number):
            rows.append(("990101", "s", f"{kind}{k}", kind, rng.integers(0, 11), 10, population))
    table = pd.DataFrame(
        rows, columns=["code", "item", "site", "kind", "score", "possible", "population"]
    )
    shares = site_shares(table, COUNTIES, ["s"])
    values = (table["score"] / 10).groupby(table["kind"])
    weight = np.array([12 / 72, 60 / 72])
    assert shares.share[0, 0] == pytest.approx(values.mean().to_numpy() @ weight, rel=1e-13)
    within = (1 - np.array([4 / 12, 6 / 60])) * values.var(ddof=1) / np.array([4, 6])
    variance = (shares.rows.toarray() ** 2).sum()
    assert variance == pytest.approx((weight**2 * within).sum(), rel=1e-12)
    assert not shares.single.any()
    assert np.isnan(shares.share[1:]).all()


def test_one_site_of_a_kind_has_no_error_unless_it_is_the_only_one_there_is():
    columns = ["code", "item", "site", "kind", "score", "possible", "population"]
    one = pd.DataFrame([("990101", "s", "x", "m", 5.0, 10.0, np.nan)], columns=columns)
    shares = site_shares(one, COUNTIES, ["s"])
    assert shares.single[0, 0]
    assert not shares.rows.toarray().any()
    only = site_shares(one.assign(population=1.0), COUNTIES, ["s"])
    assert not only.single.any()
    assert not only.alike.any()


def test_sites_visited_for_several_standards_carry_their_covariance(found):
    scores = found.trees[0].scores
    visited = item_trees.sites()
    visited["share"] = visited["score"].astype(float) / visited["possible"].astype(float)
    points = {name: scores.based[1, scores.leaves.index(name)] for name in item_trees.AT_SITES}
    own = visited[visited["code"] == COUNTIES[1]]
    totals = (own["share"] * own["item"].map(points)).groupby([own["kind"], own["site"]]).sum()
    by_kind = totals.groupby("kind")
    expected = (by_kind.var(ddof=1) / by_kind.size() * 0.25).sum()  # two kinds of five sites
    assert scores.site_variance[1] == pytest.approx(expected, rel=1e-12)
    assert scores.site_df[1] == pytest.approx(
        expected**2 / ((by_kind.var(ddof=1) / 5 * 0.25) ** 2 / 4).sum(), rel=1e-12
    )
    table = found.trees[0].tables["standards"].set_index(["code", "item"])
    assert table.loc[(COUNTIES[3], "s010"), "error"] == "one site of a kind"
    assert np.isnan(table.loc[(COUNTIES[3], "s010"), "se"])
    assert table.loc[(COUNTIES[1], "s010"), "se"] > 0


# ---- passing, and the draws


def test_the_probability_of_passing_is_that_of_t_with_the_ranks_errors(wave, found):
    results, _folder = wave
    table = found.trees[0].tables["passing"]
    estimates = results.estimates[results.area].of("satisfaction").table.set_index(results.area)
    own = table[table["measure"] == "satisfaction"].set_index("code")
    assert own["estimate"].to_numpy() == pytest.approx(estimates["estimate"].to_numpy(), rel=1e-13)
    assert (own["se"].to_numpy() >= estimates["se"].to_numpy() - 1e-12).all()
    by_hand = 1 - stats.t.cdf((0.6 - own["estimate"]) / own["se"], own["df"])
    assert own["probability"].to_numpy() == pytest.approx(by_hand, abs=1e-7)


def test_draws_pass_as_often_as_the_probability_says(found):
    scores = found.trees[0].scores
    draws = 40_000
    values = draw_measures(scores.measures, draws, np.random.default_rng(3))
    for name, mark in (("satisfaction", 0.6), ("awareness", 0.5)):
        share = (values[name] >= mark).mean(axis=0)
        exact = scores.measures[name].probability_at_least(mark)
        error = np.sqrt(exact * (1 - exact) / draws)
        assert (np.abs(share - exact) < 4 * error + 1e-4).all()


def test_draws_have_the_covariance_of_the_measures(found):
    measures = found.trees[0].scores.measures
    known = {
        name: Measured(one.estimate, one.errors, one.lent, np.full(4, np.inf))
        for name, one in measures.items()
    }
    values = draw_measures(known, 40_000, np.random.default_rng(4))
    together = np.column_stack([values["satisfaction"], values["awareness"]])
    rows = [sparse.csr_array(known[name].errors) for name in ("satisfaction", "awareness")]
    lent = [sparse.csr_array(known[name].lent) for name in ("satisfaction", "awareness")]
    both = sparse.vstack([sparse.hstack(rows), sparse.hstack(lent)]).toarray()
    expected = both.T @ both
    scale = np.sqrt(np.outer(np.diag(expected), np.diag(expected)))
    assert (np.abs(np.cov(together.T) - expected) / scale).max() < 0.03


def test_points_that_a_mark_decides_count_by_the_probability_of_passing():
    tree = flat(
        {
            "a": leaf(
                5, measure="satisfaction", at_least=0.8, partly=[{"at_least": 0.7, "points": 2}]
            ),
            "b": leaf(5),
        }
    )
    estimate = np.array([0.79, 0.81, 0.60, 0.95])
    se = 0.03
    measured = Measured(estimate, sparse.diags_array(np.full(4, se)), None, np.full(4, np.inf))
    sheet = type("Sheet", (), {})
    empty = pd.DataFrame({"code": [], "item": [], "points": [], "points_class": []})
    for name in ("lost", "gained", "absent", "vetoes", "stated"):
        setattr(sheet, name, empty)
    scores = score_tree(tree, sheet, COUNTIES, measures={"satisfaction": measured})
    assert scores.scores.tolist() == [70, 100, 50, 100]
    draws = 60_000
    rng = np.random.default_rng(6)
    values = draw_measures(scores.measures, draws, rng)
    drawn = draw_tree(scores, values, np.zeros((draws, 4)))
    high = stats.norm.sf((0.8 - estimate) / se)
    low = stats.norm.sf((0.7 - estimate) / se)
    expected = 50 + 10 * (3 * high + 2 * low)
    assert np.abs(drawn.mean(axis=0) - expected).max() < 0.3  # 60,000 draws of a spread below 16
    assert set(np.unique(drawn.round(9))) <= {50.0, 70.0, 100.0}


def test_the_same_seed_gives_the_same_draws_and_another_other_ones(wave, found):
    results, folder = wave
    path = folder / "combined.yaml"
    again = assessments_of(results, path)
    other = assessments_of(results, path, seed=2)
    assert (again.drawn.scores == found.drawn.scores).all()
    assert (other.drawn.scores != found.drawn.scores).any()
    pd.testing.assert_frame_equal(again.drawn_table, found.drawn_table)
    close = np.abs(other.drawn_table["score_mean"] - found.drawn_table["score_mean"])
    assert (close < 5 * found.drawn_table["score_sd"] / np.sqrt(4000 / 2)).all()


def test_without_marks_the_draws_are_those_of_the_standard_error(wave, tmp_path):
    """A plain tree: the draws' spread is the se of `combined`, widened by t."""
    results, folder = wave
    text = (folder / "combined.yaml").read_text(encoding="utf-8")
    start = text.index("    sites: sites.csv")
    end = text.index("    date:")
    text = text[:start] + text[end : text.index("    earlier:")]
    (tmp_path / "combined.yaml").write_text(text, encoding="utf-8")
    (tmp_path / "onsite.csv").write_text(
        (folder / "onsite.csv").read_text(encoding="utf-8"), encoding="utf-8"
    )
    tree = "title: {zh: 测, en: T}\nsource: test\nitems:\n  a: {zh: 甲, en: A, points: 10}\n"
    (tmp_path / "tree.yaml").write_text(tree, encoding="utf-8")
    (tmp_path / "lost.csv").write_text("code,item,points,reason\n990101,a,3,x\n", encoding="utf-8")
    drawn = assessments_of(results, tmp_path / "combined.yaml", draws=40_000)
    by_se = side_by_side(combine(results, tmp_path / "combined.yaml"))
    by_se = by_se.set_index("code").loc[list(COUNTIES)]
    table = drawn.drawn_table.set_index("code")
    assert table["score"].to_numpy() == pytest.approx(by_se["score"].to_numpy(), rel=1e-11)
    onsite = 0.2 * np.array([2, 1, 3, 1.5])
    surveyed = np.sqrt(by_se["se"] ** 2 - onsite**2)
    parts = drawn.drawn.scores.std(axis=0, ddof=1)
    measured = results.estimates[results.area].of("topic_index").table["df"].to_numpy()
    widened = np.sqrt(surveyed**2 * measured / (measured - 2) + onsite**2)
    assert parts == pytest.approx(widened.to_numpy(), rel=0.05)


def test_shares_of_draws_on_the_list_add_up_to_its_length(found):
    table = found.drawn_table
    assert table["probability_list"].sum() == pytest.approx(
        1
    )  # the list of the small wave is one long
    tied = list_probability(np.array([[1.0, 1.0, 1.0, 2.0], [3.0, 2.0, 1.0, 0.0]]), 2)
    assert tied == pytest.approx([1 / 3, 1 / 3, 5 / 6, 1 / 2])
    score = np.array([3.0, np.nan, 1.0])
    scores = np.array([score] * 3)
    draws = JointDraws(scores, scores - score, score, score, 0.01, 1)
    nobody = np.zeros(3, dtype=bool)
    described = drawn_table(score, draws, ["a", "b", "c"], bottom=1, excluded=nobody)
    assert described["probability_list"].isna().tolist() == [False, True, False]
    assert described["rank"].tolist()[::2] == [1, 2]


# ---- preconditions, awaited items


def test_a_precondition_acts_where_it_is_not_met_and_only_there(tmp_path):
    condition = {"zh": "前", "en": "P", "effect": "exclude", "source": "test"}
    tree = flat({"a": leaf(10)}, preconditions={"p": condition})
    sheet = written_sheet(tmp_path, tree, ["990101,p,,x,not met,,,", "990102,p,,x,met,,,"])
    scores = score_tree(tree, sheet, COUNTIES)
    assert scores.excluded.tolist() == [True, False, False, False]
    table = class_sums(scores, level=0.95)
    assert table["rank"].isna().tolist() == [True, False, False, False]
    assert table["by"].tolist() == ["p", "", "", ""]


def test_without_the_survey_its_items_are_awaited_and_nothing_is_lost_by_them(wave):
    results, folder = wave
    inputs = read_combined_inputs(folder / "combined.yaml", areas=results.survey.areas)
    (scores,) = scored_trees(results.survey, inputs, {}).values()
    assert class_sums(scores, level=0.95)["score"].isna().all()
    standards = leaf_table(scores)
    assert set(standards.loc[standards["error"] == "awaited", "item"]) == set(item_trees.MEASURED)
    assert department_sums(scores)["lost"].isna().sum() > 0


# ---- the ledger


def waves(*entries, visited=None):
    made = []
    for number, rows in enumerate(entries):
        lost = pd.DataFrame(rows, columns=["code", "item", "site", "points"]).astype(
            {"points": float}
        )
        lost = lost.assign(points_class="", reason=f"r{number}", due="2026-03-01", mended="")
        seen = None
        if visited is not None:
            seen = pd.DataFrame(visited[number], columns=["code", "item", "site"])
        made.append(WavePoints(f"w{number}", lost, seen, NO_ROWS))
    return made


def test_a_ledger_over_three_waves():
    c = "990101"
    table = ledger(
        waves(
            [(c, "open", "", 1), (c, "back", "", 2), (c, "mended", "", 1), (c, "earlier", "", 1)],
            [(c, "open", "", 1), (c, "mended", "", 1)],
            [(c, "open", "", 3), (c, "back", "", 1), (c, "new", "", 1)],
        ),
        day="2026-05-01",
    ).set_index("item")
    states = {
        "open": "open",
        "back": "back",
        "mended": "mended",
        "earlier": "mended earlier",
        "new": "new",
    }
    assert table["state"].to_dict() == states
    assert table["in_a_row"].to_dict() == {
        "open": 3,
        "back": 1,
        "mended": 0,
        "earlier": 0,
        "new": 1,
    }
    assert table.loc[
        "back", ["times_back", "waves_lost", "first_wave", "last_lost", "points"]
    ].tolist() == [1, 2, "w0", "w2", 1]
    assert table.loc["open", ["points", "reason"]].tolist() == [3, "r2"]
    assert table["overdue"].to_dict() == {
        "open": "yes",
        "back": "yes",
        "mended": "no",
        "earlier": "no",
        "new": "yes",
    }


def test_a_site_that_nobody_visits_again_is_not_mended():
    c = "990101"
    seen = [(c, "i", "x"), (c, "i", "y")]
    table = ledger(
        waves([(c, "i", "x", 1), (c, "i", "y", 1)], [], visited=[seen, [(c, "i", "x")]])
    ).set_index("site")
    assert table["state"].to_dict() == {"x": "mended", "y": "not looked at again"}
    assert table.loc["y", ["points", "last_looked"]].tolist() == [1, "w0"]
    unknown = ledger(waves([(c, "i", "x", 1)], [])).set_index("site")
    assert unknown["state"].to_dict() == {"x": "not looked at again"}


def test_a_ledger_by_brute_force():
    rng = np.random.default_rng(12)
    lost = rng.random((3, 40)) < 0.5
    entries = []
    for wave in range(3):
        entries.append([("990101", f"k{k:02d}", "", 1) for k in range(40) if lost[wave, k]])
    table = ledger(waves(*entries)).set_index("item")
    for k in range(40):
        name = f"k{k:02d}"
        first, second, third = lost[:, k]
        if not lost[:, k].any():
            assert name not in table.index
            continue
        if third:
            expected = "open" if second else "back" if first else "new"
        else:
            expected = "mended" if second else "mended earlier"
        assert table.loc[name, "state"] == expected


def test_a_ledger_of_nothing_is_empty():
    assert len(ledger(waves([], []))) == 0


def test_points_of_the_ledger_are_those_lost_at_the_sites(found):
    tree = found.trees[0]
    now = tree.tables["ledger_waves"]
    now = now[(now["number"] == 2) & (now["site"] != "") & (now["code"] == COUNTIES[1])]
    lost = tree.scores.lost[1, [tree.scores.leaves.index(name) for name in item_trees.AT_SITES]]
    by_item = now.groupby("item")["points"].sum().reindex(item_trees.AT_SITES)
    assert by_item.to_numpy() == pytest.approx(lost, rel=1e-12)


def test_entries_of_earlier_waves_are_followed(found):
    long = found.trees[0].tables["ledger_waves"]
    assert sorted(long["wave"].unique()) == ["2025T3", "2025T4", "2026T1"]
    assert list(followed(waves([("990101", "i", "", 1)], []))["points"]) == [1, 0]


# ---- what is refused


@pytest.mark.parametrize(
    ("keys", "code"),
    [
        ({"measure": "satisfaction"}, "K372"), ({"at_least": 0.8}, "K372"), ({"measure": "satisfaction", "at_least": 0.8, "sites": True}, "K371"),
        ({"sites": True, "bonus": True}, "K371"), ({"measure": "m", "at_least": 0.8, "partly": [{"at_least": 0.9, "points": 1}]}, "K373"),
        ({"measure": "m", "at_least": 0.8, "partly": [{"at_least": 0.7, "points": 9}]}, "K373"), ({"points_class": "lost"}, "dead"),
    ],
)  # fmt: skip
def test_keys_of_an_item_that_do_not_go_together(keys, code):
    with pytest.raises(ValueError, match=code):
        flat({"a": leaf(5, **keys)})


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ("990101,a,1,,met,,,", "K376"), ("990101,m,1,,,,,", "K376"), ("990101,p,1,,,,,", "K376"), ("990101,b,,,not applicable,,,", "K376"),
        ("990101,a,,,perhaps,,,", "K375"), ("990101,a,1,,,,lost,", "K375"), ("990101,a,1,,,,,soon", "K375"), ("990101,a,x,,,,,", "K313"),
        ("990101,a,-1,,,,,", "K313"), ("990101,z,1,,,,,", "K312"), ("990199,a,1,,,,,", "K312"),
        ("990101,c,,,not applicable,,,\n990101,c,1,,,,,", "K376"), ("990101,p,,,met,,,\n990101,p,,,not met,,,", "K376"),
    ],
)  # fmt: skip
def test_rows_of_a_sheet_that_are_refused(tmp_path, row, code):
    condition = {"zh": "前", "en": "P", "effect": "exclude", "source": "test"}
    items = {
        "a": leaf(5),
        "b": leaf(1, bonus=True),
        "c": leaf(5),
        "m": leaf(2, measure="satisfaction", at_least=0.5),
    }
    tree = flat(items, preconditions={"p": condition}, not_applicable="tree")
    with pytest.raises(SatisfactionError, match=code) as fault:
        written_sheet(tmp_path, tree, [row])
    assert "lost.csv row " in fault.value.where
    assert fault.value.hint[0]


def test_items_that_do_not_apply_need_a_rule(tmp_path):
    with pytest.raises(SatisfactionError, match="K376"):
        written_sheet(
            tmp_path, flat({"a": leaf(5), "b": leaf(5)}), ["990101,a,,,not applicable,,,"]
        )


@pytest.mark.parametrize(
    ("row", "code"),
    [
        ("990101,s,x,m,11,10,", "K313"), ("990101,s,x,m,5,10,0", "K313"), ("990101,s,,m,5,10,", "K313"), ("990101,a,x,m,5,10,", "K312"),
        ("990101,s,y,m,5,10,", "K377"), ("990101,s,x,m,5,10,7", "K313"),
    ],
)  # fmt: skip
def test_rows_of_sites_that_are_refused(tmp_path, row, code):
    tree = flat({"a": leaf(5), "s": leaf(5, sites=True)})
    path = tmp_path / "sites.csv"
    rows = ["code,item,site,kind,score,possible,population", "990101,s,y,m,5,10,", row]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    with pytest.raises(SatisfactionError, match=code):
        read_sites(path, tree, COUNTIES)


def test_refused_rows_are_numbered_as_in_the_file_empty_ones_counted(tmp_path):
    tree = flat({"a": leaf(5), "s": leaf(5, sites=True)})
    path = tmp_path / "sites.csv"
    rows = ["code,item,site,kind,score,possible", "", "990101,s,y,m,5,10", ",,,,,", "1,s,x,m,1,2"]
    path.write_text("\n".join(rows) + "\n", encoding="utf-8")
    with pytest.raises(SatisfactionError, match="K312") as refused:
        read_sites(path, tree, COUNTIES)
    assert refused.value.where == f"{path} row 5"


def test_missing_tables_are_refused(wave, tmp_path):
    results, folder = wave
    for path in folder.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    text = (tmp_path / "combined.yaml").read_text(encoding="utf-8")
    (tmp_path / "combined.yaml").write_text(
        text.replace("    sites: sites.csv\n", ""), encoding="utf-8"
    )
    with pytest.raises(SatisfactionError, match="K381"):
        assessments_of(results, tmp_path / "combined.yaml")


# ---- the combined ranking by draws


@pytest.fixture(scope="module")
def ranked(small_template, tmp_path_factory):
    """A wave whose combined score holds the tree, run."""
    import shutil

    from satisfaction import read_survey

    root = tmp_path_factory.mktemp("ranked") / "small"
    shutil.copytree(small_template, root)
    item_trees.write_files(root / "surveys" / "wave")
    return run(read_survey(root / "surveys" / "wave"))


def test_a_run_ranks_the_combined_score_by_the_draws_of_the_assessment(ranked, found):
    assert not ranked.awaited
    ranking = ranked.further["combined"].ranking
    summary = ranking.summary
    assert (summary.drawn, summary.draws, summary.seed) == (True, 4000, 1)
    assert summary.marginal == summary.simultaneous == "maxt"
    assert "4000 joint draws (seed 1)" in summary.simultaneous_method
    assert "4,000 joint draws, seed 1" in str(summary.notes)
    table = ranking.table.set_index("unit")
    drawn = found.drawn_table.set_index("code")
    assert table["probability_bottom"].to_numpy() == pytest.approx(drawn["probability_list"])
    assert table["estimate"].to_numpy() == pytest.approx(drawn["score"], rel=1e-13)
    assert table["se"].to_numpy() == pytest.approx(drawn["score_sd"], rel=1e-12)
    assert (table["simultaneous_low"] <= table["rank"]).all()
    assert (table["rank"] <= table["simultaneous_high"]).all()
    assert table["probability_bottom"].sum() == pytest.approx(1)
    share = table["probability_bottom"].to_numpy()
    error = np.sqrt(share * (1 - share) / 4000).max()
    assert summary.monte_carlo_error["probability"] == pytest.approx(error)


def test_points_by_a_sheet_are_taken_as_exact_unless_they_are_declared_so(small):
    item_trees.write_files(small.folder)
    found = run(small.read()).further["combined"].ranking
    assert found.summary.taken_as_exact == ("system",)
    assert set(found.table["status"]) == {"possible"}
    assert "points by its sheet" in str(found.summary.notes)
    path = small.folder / "combined.yaml"
    declared = path.read_text(encoding="utf-8").replace(
        "    lost: lost.csv\n    sites", "    lost: lost.csv\n    exact: test\n    sites"
    )
    path.write_text(declared, encoding="utf-8")
    exact = run(small.read()).further["combined"].ranking
    assert exact.summary.taken_as_exact is None
    assert "exact as declared (test)" in str(exact.summary.notes)
    columns = ["estimate", "rank", "marginal_low", "marginal_high", "p_in", "probability_bottom"]
    pd.testing.assert_frame_equal(found.table[columns], exact.table[columns])


def test_the_same_draws_drive_the_index_and_the_rate_that_decides(wave, tmp_path):
    """Where a draw passes the mark, the same draw's index is off by what their covariance says, t's scale included."""
    results, folder = wave
    for name in ("onsite.csv", "combined.yaml"):
        (tmp_path / name).write_bytes((folder / name).read_bytes())
    text = (tmp_path / "combined.yaml").read_text(encoding="utf-8")
    text = text[: text.index("    earlier:")].replace("    sites: sites.csv\n", "")
    (tmp_path / "combined.yaml").write_text(text, encoding="utf-8")
    items = {"a": leaf(5, measure="satisfaction", at_least=0.6), "b": leaf(5)}
    with (tmp_path / "tree.yaml").open("w", encoding="utf-8") as file:
        YAML().dump(FLAT | {"items": items}, file)
    (tmp_path / "lost.csv").write_text("code,item,points,reason\n", encoding="utf-8")
    draws = 40_000
    inputs = read_combined_inputs(tmp_path / "combined.yaml")
    scores = combined_scores(
        results.survey, inputs, results.estimates, drawing=Drawing(draws)
    ).ranked
    index = scores.parts[0].drawn.errors
    passed = scores.parts[2].drawn.scores > 75
    rate = scores.parts[2].assessed.measures["satisfaction"]
    level = results.estimates[results.area]
    rows = [level.of(name).contributions.matrix for name in ("topic_index", "satisfaction")]
    together = np.diag(crossed(*rows))
    normal = np.random.default_rng(11).standard_normal(400_000)
    for area in range(4):
        df = rate.df[area]
        scale = np.sqrt(df / np.random.default_rng(12).chisquare(df, len(normal)))
        se = np.sqrt(crossed(rows[1], rows[1])[area, area])
        assert se == pytest.approx(rate.se[area])  # nothing is lent in this wave
        passing = rate.estimate[area] + normal * scale * se >= 0.6
        expected = np.mean(together[area] / se * normal * scale * passing)
        shown = np.mean(index[:, area] * passed[:, area])
        assert shown == pytest.approx(expected, abs=5 * index[:, area].std() / np.sqrt(draws))
    assert np.abs(together).max() > 0.1


def test_the_fewest_and_the_most_points_enclose_those_of_99_in_100_draws(wave, found):
    results, folder = wave
    inputs = read_combined_inputs(folder / "combined.yaml")
    scores = combined_scores(results.survey, inputs, results.estimates).ranked
    drawn = scores.drawn
    assert (drawn.low <= scores.score + 1e-9).all()
    assert (drawn.high >= scores.score - 1e-9).all()
    assert drawn.spent == pytest.approx(0.01)
    tree = found.trees[0].scores
    draws = 20_000
    (errors,) = draw_errors([tree.measures], draws, np.random.default_rng(13))
    known = drawn_measures(tree.measures, errors, 0.01)
    points = draw_tree(tree, known.values, np.zeros((draws, 4)))
    joint = joint_tree(tree, known, np.zeros((draws, 4)), seed=14)
    held = ((points >= joint.low - 1e-9) & (points <= joint.high + 1e-9)).all(axis=1)
    assert held.mean() >= 0.99 - 1e-3
    assert len(np.unique(points[:, 0].round(6))) > 2
    assert (joint.high - joint.low)[:3].min() > 0


def test_a_cap_that_a_measure_decides_is_lifted_where_a_draw_reaches_it():
    condition = {"zh": "前", "en": "P", "effect": "cap", "cap": 50, "source": "test"}
    condition |= {"measure": "satisfaction", "at_least": 0.8}
    tree = flat({"a": leaf(5)}, preconditions={"p": condition})
    estimate = np.array([0.79, 0.81, 0.60, 0.95])
    measured = Measured(estimate, sparse.diags_array(np.full(4, 0.03)), None, np.full(4, np.inf))
    sheet = type("Sheet", (), {})
    empty = pd.DataFrame({"code": [], "item": [], "points": [], "points_class": []})
    for name in ("lost", "gained", "absent", "vetoes", "stated"):
        setattr(sheet, name, empty)
    scores = score_tree(tree, sheet, COUNTIES, measures={"satisfaction": measured})
    assert scores.scores.tolist() == [50, 100, 50, 100]
    rng = np.random.default_rng(9)
    values = draw_measures(scores.measures, 20_000, rng)
    drawn = draw_tree(scores, values, np.zeros((20_000, 4)))
    reached = stats.norm.sf((0.8 - estimate) / 0.03)
    assert (drawn == 100).mean(axis=0) == pytest.approx(reached, abs=0.015)


def test_without_a_probability_sample_the_tree_scores_and_nothing_is_drawn(small):
    item_trees.write_files(small.folder)
    small.edit("survey.yaml", "selection: probability", "selection: quota")
    results = run(small.read())
    ranking = results.further["combined"].ranking
    assert results.combined.ranked.drawn is None
    assert ranking.table["estimate"].notna().all()
    assert ranking.table["probability_bottom"].isna().all()


def test_rises_since_published_ranks_and_thresholds_are_tested_by_the_draws(ranked):
    ranking = ranked.further["combined"].ranking
    rose = ranking.target("rise", 1, since=dict.fromkeys(COUNTIES, 4), comparable=True).table
    assert rose["probability"].between(0, 1).all()
    assert (rose["p_met"] >= ranking.pairs.spent).all()
    estimates = ranked.further["combined"].estimates[ranked.area]
    threshold = Threshold(measure="combined", below=70.0, zh="x", en="x", source="test")
    rules = ranked.survey.rules.ranking
    table = threshold_verdicts(estimates, threshold, rules).set_index("code")
    drawn = estimates.of("combined").drawn
    below = (1 + np.count_nonzero(drawn.errors <= drawn.high - 70, axis=0)) / 4001 + drawn.spent
    assert table["p_below"].to_numpy() == pytest.approx(np.minimum(below, 1))
    assert set(table["status"]) == {"possible"}  # the sheet's points are not declared exact


def test_a_drawn_score_is_not_carried_from_wave_to_wave_by_a_standard_error(ranked):
    estimates = ranked.further["combined"].estimates[ranked.area].of("combined")
    moved = rank_change(estimates, estimates, comparable=True, places=1)
    assert moved.table[["se", "p", "probability_rise"]].isna().all(axis=None)
    assert moved.table["rise_low"].notna().all()
    ranking = ranked.further["combined"].ranking
    with pytest.raises(SatisfactionError, match="K370"):
        ranking.target("rise", 1, since=ranking, comparable=True)


def test_combined_shows_the_same_ranking(wave, ranked):
    results, folder = wave
    table = side_by_side(combine(results, folder / "combined.yaml")).set_index("code")
    own = ranked.further["combined"].ranking.table.set_index("unit").loc[table.index]
    columns = ["rank", "marginal_low", "marginal_high", "simultaneous_low", "probability_bottom"]
    for column in columns:
        assert table[column].to_numpy(float) == pytest.approx(
            own[column].to_numpy(float), rel=1e-11
        )
    capped = table.index == COUNTIES[3]  # by a veto: neither sites nor marks move its score
    assert ((table["system_se"] > 0) == ~capped).all()


# ---- files and pages


@pytest.fixture(scope="module")
def written(small_template, tmp_path_factory):
    import shutil

    from satisfaction import read_survey

    root = tmp_path_factory.mktemp("written") / "small"
    shutil.copytree(small_template, root)
    folder = root / "surveys" / "wave"
    item_trees.write_files(folder)
    survey = read_survey(folder)
    made = assessments_of(run(survey), folder / "combined.yaml")
    return export_assessments(made)


@pytest.mark.usefixtures("tables_alone")
def test_a_published_set_says_by_which_draws_the_combined_score_is_ranked(ranked, tmp_path):
    from satisfaction import export

    folder = export(ranked, tmp_path / "set")
    sentences = pd.read_csv(folder / "combined_ranking_sentences.csv", dtype=str)
    assert (
        sentences["en"].str.contains("by 4,000 draws (seed 1), the probability", regex=False).all()
    )
    assert sentences["zh"].str.contains("按 4,000 次随机抽取（种子 1）估计", regex=False).all()
    page = (folder / "combined_ranking-en.html").read_text(encoding="utf-8")
    assert "by 4,000 joint draws, seed 1" in page
    record = json.loads((folder / "manifest.json").read_text(encoding="utf-8"))
    assert record["rankings"]["combined"]["ranking"]["draws"] == 4000
    assert record["rankings"]["combined"]["ranking"]["seed"] == 1
    scores = pd.read_csv(folder / "combined_scores.csv").set_index(["component", "code"])
    assert (scores.loc["system", "se"].iloc[:3] > 0).all()
    lost = pd.read_csv(folder / "combined_system_lost.csv")
    assert set(item_trees.MEASURED) & set(lost["item"])


def test_every_file_is_described_and_its_sum_stands_in_the_set(written):
    described = pd.read_csv(written / "columns.csv", keep_default_na=False)
    for path in written.glob("*.csv"):
        if path.name == "columns.csv":
            continue
        table = pd.read_csv(path, dtype=str)
        own = described[described["file"] == path.name]
        assert own["column"].tolist() == list(table)
        assert (own["rows"] == len(table)).all()
        assert (own["meaning_zh"] != "").all()
        assert (own["meaning_en"] != "").all()
    sums = dict(
        reversed(line.split("  "))
        for line in (written / "SHA256SUMS").read_text(encoding="utf-8").splitlines()
    )
    for path in written.iterdir():
        if path.name != "SHA256SUMS":
            assert sums[path.name] == hashlib.sha256(path.read_bytes()).hexdigest()
    record = json.loads((written / "assessment.json").read_text(encoding="utf-8"))
    assert record["draws"]["number"] == 4000
    assert record["draws"]["seed"] == 1
    assert {"tree.yaml", "lost.csv", "sites.csv", "lost_1.csv"} <= set(record["inputs"])


def test_pages_stand_in_one_language_and_say_what_the_errors_leave_out(written):
    page = (written / "index-en.html").read_text(encoding="utf-8")
    assert "one site of a kind" in page
    assert "their points were taken over" in page
    assert "no tests: nothing is established by them" in page
    for code in COUNTIES:
        english = (written / f"{code}-en.html").read_text(encoding="utf-8")
        chinese = (written / f"{code}.html").read_text(encoding="utf-8")
        assert "cannot be decided" in english
        assert "不能确定" in chinese or "不能判定" in chinese
        assert "cannot be decided" not in chinese


def test_the_page_of_a_county_begins_with_what_it_got_and_counts_its_ledger(written):
    """A county had to count its ledger, and to find its lost points among a hundred items without any."""
    text = {"dtype": {"code": str}, "keep_default_na": False}
    ledger = pd.read_csv(written / "system_ledger.csv", **text)
    scores = pd.read_csv(written / "system_scores.csv", **text).set_index("code")
    sums = pd.read_csv(written / "system_sums.csv", **text)
    for code in COUNTIES:
        page = (written / f"{code}-en.html").read_text(encoding="utf-8")
        of_area = scores.loc[code]
        assert f"{of_area['got']:.2f} / {of_area['points']:.2f}" in page
        states = ledger.loc[ledger["code"] == code, "state"].value_counts()
        for state, words in (("open", "still open"), ("mended", "mended"), ("back", "came back")):
            if state in states.index:
                assert f"{words} {states[state]}" in page
        items = sums[(sums["code"] == code) & (sums["level"] == 2)]
        whole = items[~(items["lost"].astype(float) > 0)]
        assert f"{len(whole)} other items lost no points." in page
        losing = items[items["lost"].astype(float) > 0]
        assert page.count("· · ") == len(losing)


def test_the_command_writes_the_set_and_says_what_was_assessed(small, call):
    item_trees.write_files(small.folder)
    code, out, err = call("assessment", small.folder)
    assert (code, err) == (0, "")
    assert "combined score: 4000 draws (seed 1)" in out
    (folder,) = small.folder.glob("out/*-assessment")
    assert {
        "system_sums.csv",
        "system_departments.csv",
        "system_ledger.csv",
        "system.xlsx",
        "index.html",
    } <= {path.name for path in folder.iterdir()}
    codes = set(pd.read_csv(folder / "system_ledger.csv")["item"])
    ledger = pd.read_excel(folder / "system.xlsx", sheet_name="整改台账", engine="calamine")
    items = set(ledger["题目 (item)"])
    assert len(items) == len(codes) > 0
    assert not items & codes  # codes stay in the csv; a reader has words


# ---- verified


def test_a_set_with_the_surveys_figures_is_written_again_identical(written):
    from satisfaction.comparison.again import verify_any

    found = verify_any(written)
    assert (found.code, found.differing, found.inputs) == (0, (), {})
    assert (
        found.compared == len(list(written.iterdir())) - 2
    )  # run.json and SHA256SUMS hold the clock


def test_a_set_of_fewer_draws_is_written_again_with_as_many(small):
    from satisfaction.comparison.again import verify_any

    item_trees.write_files(small.folder)
    results = run(small.read())
    found = assessments_of(results, small.folder / "combined.yaml", draws=200)
    folder = export_assessments(found)
    assert verify_any(folder).code == 0


@pytest.fixture
def to_be_changed(written, tmp_path):
    """A copy of the wave and of its written set, which the test may change."""
    import shutil

    root = written.parents[3]
    copy = shutil.copytree(root, tmp_path / "small", symlinks=True)
    return SmallSurvey(copy), copy / written.relative_to(root)


def test_verify_tells_an_edited_a_forged_and_an_outdated_assessment_apart(to_be_changed, call):
    small, folder = to_be_changed
    path = folder / "system_departments.csv"
    rows = path.read_text(encoding="utf-8-sig")
    old = rows.splitlines()[1].split(",")
    forged = rows.replace(",".join(old), ",".join([*old[:3], "999", *old[4:]]), 1)
    path.write_text(forged, encoding="utf-8-sig")
    code, out, _err = call("verify", folder)
    assert code == 10
    assert "system_departments.csv" in out
    assert "999" in out
    stamp = json.loads((folder / "run.json").read_text(encoding="utf-8"))  # forged too
    stamp["outputs"][path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
    (folder / "run.json").write_text(json.dumps(stamp), encoding="utf-8")
    code, out, _err = call("verify", folder)
    assert code == 13
    assert "999" in out
    path.write_text(rows, encoding="utf-8-sig")
    stamp["outputs"][path.name] = hashlib.sha256(path.read_bytes()).hexdigest()
    (folder / "run.json").write_text(json.dumps(stamp), encoding="utf-8")
    small.edit("lost.csv", "亮点 highlight", "另一个 another")
    code, out, _err = call("verify", folder)
    assert code == 11
    assert "lost.csv" in out
