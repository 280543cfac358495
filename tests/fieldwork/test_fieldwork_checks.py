"""Every check finds the fault planted for it, in the right unit, and flags clean fieldwork no more often than declared."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from fieldwork_samples import FIELDS, ITEMS, clean
from satisfaction import SurveyDesign, estimate
from satisfaction.estimation.reliability import intraclass_correlation
from satisfaction.fieldwork.answers import (
    answer_patterns,
    highest_match,
    little_variance,
    near_duplicates,
    relative_variances,
    straight_lining,
)
from satisfaction.fieldwork.coaching import (
    back_check,
    cohen_kappa,
    jumps,
    knowledge_ceiling,
    mode_gap,
    top_box,
)
from satisfaction.fieldwork.findings import CHECKS, COLUMNS
from satisfaction.fieldwork.outliers import among, interviewer_effects, interviewer_means
from satisfaction.fieldwork.paradata import (
    duplicate_ids,
    many_a_day,
    odd_hours,
    overlap_seconds,
    overlaps,
    reversed_times,
    shared_values,
    speeders,
)
from satisfaction.fieldwork.progress import by_day, quota_progress
from satisfaction.foundation.errors import ResponsesError

TOPS = dict.fromkeys(ITEMS, 5)
CHECKED = {
    "straight_line": lambda rows: straight_lining(rows, ITEMS, fields=FIELDS),
    "little_variance": lambda rows: little_variance(rows, ITEMS, fields=FIELDS),
    "near_duplicate": lambda rows: near_duplicates(rows, ITEMS, fields=FIELDS),
    "top_box": lambda rows: top_box(rows, TOPS, fields=FIELDS),
    "knowledge_ceiling": lambda rows: knowledge_ceiling(
        rows, knowledge="aware", participation="active", fields=FIELDS
    ),
    "mode_gap": lambda rows: mode_gap(rows, "q00", modes=("1", "2"), fields=FIELDS),
    "interviewer_mean": lambda rows: interviewer_means(rows, ITEMS, fields=FIELDS),
    "speed": lambda rows: speeders(rows, fields=FIELDS),
    "reversed_times": lambda rows: reversed_times(rows, fields=FIELDS),
    "overlap": lambda rows: overlaps(rows, fields=FIELDS),
    "odd_hours": lambda rows: odd_hours(rows, fields=FIELDS),
    "many_a_day": lambda rows: many_a_day(rows, fields=FIELDS),
    "duplicate_id": lambda rows: duplicate_ids(rows, fields=FIELDS),
    "shared_device": lambda rows: shared_values(rows, fields=FIELDS, field="device"),
    "shared_ip": lambda rows: shared_values(rows, fields=FIELDS, field="ip"),
}
SEEDS = range(30)
answers = st.lists(
    st.lists(st.sampled_from([1.0, 2.0, 5.0, np.nan]), min_size=4, max_size=4),
    min_size=2,
    max_size=12,
).map(np.array)


@pytest.fixture(scope="module")
def rows():
    return clean(99)


@pytest.fixture(scope="module")
def many():
    """Findings of clean fieldwork, thirty times."""
    fieldwork = [clean(seed) for seed in SEEDS]
    return {check: [run(rows) for rows in fieldwork] for check, run in CHECKED.items()}


def flagged(found: pd.DataFrame, level: str) -> list[str]:
    return found.loc[found["flag"] & (found["level"] == level), "unit"].tolist()


def changed(rows: pd.DataFrame, at, **columns) -> pd.DataFrame:
    out = rows.copy()
    for name, value in columns.items():
        out.loc[at, name] = value
    return out


@pytest.mark.parametrize("check", CHECKED)
def test_clean_fieldwork_is_flagged_no_more_often_than_declared(check, many):
    found = pd.concat(many[check])
    respondents = found[found["level"] == "respondent"]
    assert respondents["flag"].mean() <= 0.01 or respondents.empty
    for level in {"interviewer", "county", "device", "ip", "day"} & set(found["level"]):
        families = sum(bool(flagged(one, level)) for one in many[check])
        assert families <= 5, level  # of 30 at 0.05: more than 5 once in three hundred


@pytest.mark.parametrize("check", CHECKED)
def test_findings_are_tidy_and_change_no_row(check, rows):
    before = rows.copy()
    found = CHECKED[check](rows)
    pd.testing.assert_frame_equal(rows, before)
    assert list(found)[: len(COLUMNS)] == list(COLUMNS)
    assert set(found["check"]) == {check} <= set(CHECKS)
    assert (found["zh"].ne("") == found["flag"]).all()
    assert (found["en"].ne("") == found["flag"]).all()
    assert found["flag"].dtype == bool
    compared = found.dropna(subset=["median", "q1", "q3"])
    assert (compared["q1"] <= compared["median"]).all()
    assert (compared["median"] <= compared["q3"]).all()
    respondents = found[found["level"] == "respondent"]
    assert respondents.empty or respondents["unit"].tolist() == rows["id"].tolist()


@pytest.mark.parametrize("check", CHECKED)
def test_the_order_of_rows_changes_no_flag(check, rows):
    shuffled = rows.sample(frac=1, random_state=1)
    first, second = CHECKED[check](rows), CHECKED[check](shuffled)
    assert sorted(zip(first["level"], first["unit"], first["flag"], strict=True)) == sorted(
        zip(second["level"], second["unit"], second["flag"], strict=True)
    )


def test_a_straight_lining_interviewer_is_found(rows):
    rng, at = np.random.default_rng(1), rows.index[rows["interviewer"] == "I007"][:15]
    planted = changed(rows, at, **dict.fromkeys(ITEMS, rng.integers(1, 6, len(at))))
    assert flagged(straight_lining(planted, ITEMS, fields=FIELDS), "interviewer") == ["I007"]
    county = changed(rows, rows.index[rows["county"] == "990003"][:90], **dict.fromkeys(ITEMS, 4))
    assert flagged(straight_lining(county, ITEMS, fields=FIELDS), "county") == ["990003"]


@given(answers)
def test_patterns_equal_those_counted_one_by_one(given_answers):
    found = answer_patterns(given_answers)
    for i, row in enumerate(given_answers):
        known = [value for value in row if not np.isnan(value)]
        run, longest = 0, 0
        for k, value in enumerate(row):
            run = 0 if np.isnan(value) else run + 1 if k and value == row[k - 1] else 1
            longest = max(longest, run)
        assert (found.answered[i], found.longest[i]) == (len(known), longest)
        if known:
            assert found.identical[i] == max(known.count(value) for value in known) / len(known)
        else:
            assert np.isnan(found.identical[i])


def test_an_interviewer_and_a_county_whose_answers_hardly_differ_are_found(rows):
    rng = np.random.default_rng(2)
    for level, column, unit in (
        ("interviewer", "interviewer", "I013"),
        ("county", "county", "990004"),
    ):
        at = rows.index[rows[column] == unit]
        typical = rows.loc[at, ITEMS].median().round().to_numpy()
        copied = np.where(rng.random((len(at), len(ITEMS))) < 0.85, typical, rows.loc[at, ITEMS])
        assert flagged(
            little_variance(
                changed(rows, at, **{ITEMS[i]: copied[:, i] for i in range(12)}),
                ITEMS,
                fields=FIELDS,
            ),
            level,
        ) == [unit]


def test_relative_variances_add_up_to_the_share_of_the_largest_variance():
    values = np.array([[1.0], [5.0], [3.0], [3.0], [2.0], [np.nan]])
    found = relative_variances(values, unit=np.array([0, 0, 1, 1, -1, 0]))
    np.testing.assert_allclose(found[:2].mean(), values[:2, 0].var(ddof=1) / 4)
    assert found[2:4].tolist() == [0, 0]
    assert np.isnan(found[4:]).all()


def copied(rows: pd.DataFrame, at: pd.Index, twin: int) -> pd.DataFrame:
    """Interviews that repeat another but for one answer."""
    planted, rng = (
        changed(rows, at, **{item: rows.loc[twin, item] for item in ITEMS}),
        np.random.default_rng(3),
    )
    for row in at:
        planted.loc[row, rng.choice(ITEMS)] = 1
    return planted


def test_copied_interviews_are_found_with_their_twin(rows):
    at, twin = (
        rows.index[rows["interviewer"] == "I020"][:12],
        rows.index[rows["interviewer"] == "I021"][0],
    )
    found = near_duplicates(copied(rows, at, twin), ITEMS, fields=FIELDS)
    assert flagged(found, "interviewer") == ["I020"]
    own = found[found["level"] == "respondent"].set_index("unit").loc[rows.loc[at, "id"]]
    assert (own["figure"] >= 11 / 12).all()
    assert own["other"].isin(rows.loc[[*at, twin], "id"]).all()
    county = near_duplicates(
        copied(rows, rows.index[rows["county"] == "990003"][:60], twin), ITEMS, fields=FIELDS
    )
    assert flagged(county, "county") == ["990003"]


def test_a_near_duplicate_is_flagged_where_other_counties_show_none(rows):
    rng = np.random.default_rng(10)
    more = rows.assign(**{f"r{i}": rng.integers(1, 6, len(rows)) for i in range(12)})
    items = [*ITEMS, *(f"r{i}" for i in range(12))]
    twin = changed(more, 40, **more.loc[41, items].to_dict())
    found = near_duplicates(twin, items, fields=FIELDS)
    assert {"P00040", "P00041"} <= set(flagged(found, "respondent"))
    assert found["flag"].mean() <= 0.011


def test_a_mark_that_all_counties_reach_flags_nobody():
    alike = clean(4).assign(**dict.fromkeys(ITEMS, 4))
    assert not near_duplicates(alike, ITEMS, fields=FIELDS)["flag"].any()


@given(answers)
def test_the_highest_match_equals_all_pairs(given_answers):
    codes = np.where(np.isnan(given_answers), -1, given_answers).astype(int)
    share, other = highest_match(codes, least=2)
    for i, own in enumerate(codes):
        pairs = [(own >= 0) & (one >= 0) for one in codes]
        matches = [
            (own == one)[both].mean() if both.sum() >= 2 and j != i else -1
            for j, (one, both) in enumerate(zip(codes, pairs, strict=True))
        ]
        if max(matches) < 0:
            assert np.isnan(share[i])
            assert other[i] == -1
        else:
            assert share[i] == max(matches) == matches[other[i]]


def test_blocks_do_not_change_the_match(monkeypatch):
    codes = np.random.default_rng(5).integers(-1, 4, (100, 9))
    whole = highest_match(codes, least=4)
    monkeypatch.setattr("satisfaction.fieldwork.answers.BLOCK", 7)
    for first, second in zip(whole, highest_match(codes, least=4), strict=True):
        np.testing.assert_array_equal(first, second)


def test_a_county_of_perfect_scores_is_found(rows):
    at = rows.index[rows["county"] == "990005"][:60]
    found = top_box(changed(rows, at, **TOPS), TOPS, fields=FIELDS)
    assert flagged(found, "county") == ["990005"]
    assert found.set_index("unit").loc["990005", "figure"] >= 60 / 150


def test_knowledge_without_participation_is_found_and_participation_excuses(rows):
    at = rows.index[rows["county"] == "990006"]
    taught = changed(rows, at, aware=1.0, active=0.0)
    found = knowledge_ceiling(taught, knowledge="aware", participation="active", fields=FIELDS)
    assert flagged(found, "county") == ["990006"]
    active = changed(taught.assign(active=0.0), at, active=np.repeat([1.0, 0.0], [10, 140]))
    excused = knowledge_ceiling(active, knowledge="aware", participation="active", fields=FIELDS)
    assert flagged(excused, "county") == []
    assert excused["zh"].eq("").all()


def test_a_mode_gap_of_one_county_is_found_and_one_of_all_is_not(rows):
    at = rows.index[(rows["county"] == "990007") & (rows["mode"] == "1")]
    lifted = changed(rows.astype({"q00": float}), at, q00=5.0)
    everywhere = rows.assign(q00=np.where(rows["mode"] == "1", 5.0, 3.0) + 0.1 * rows["q00"])
    design_free = mode_gap(lifted, "q00", modes=("1", "2"), fields=FIELDS)
    assert flagged(design_free, "county") == ["990007"]
    assert flagged(mode_gap(everywhere, "q00", modes=("1", "2"), fields=FIELDS), "county") == []
    estimates = estimate(
        SurveyDesign(lifted[["county", "mode", "q00"]], strata=["county", "mode"]),
        "q00",
        by=["county", "mode"],
    )
    by_mode = {mode: rows.reset_index() for mode, rows in estimates.table.groupby("mode")}
    gap = by_mode["1"]["estimate"] - by_mode["2"]["estimate"]
    se = np.hypot(by_mode["1"]["se"], by_mode["2"]["se"])  # modes are strata: no covariance
    np.testing.assert_allclose(design_free["figure"], gap, rtol=1e-12)
    compared = among(gap.to_numpy(), se=se.to_numpy(), side="high")
    np.testing.assert_allclose(design_free["p_bh"], compared.p_bh, rtol=1e-9)
    assert design_free["n"].tolist() == (by_mode["1"]["n"] + by_mode["2"]["n"]).tolist()


def test_a_jump_of_one_county_is_found_and_a_rise_of_all_is_not():
    rng = np.random.default_rng(6)
    changes = pd.DataFrame(
        {"code": [str(c) for c in range(40)], "difference": 5 + rng.standard_normal(40), "se": 1.0}
    )
    assert flagged(jumps(changes, county="code"), "county") == []
    changes.loc[3, "difference"] = 18.0
    found = jumps(changes, county="code")
    assert flagged(found, "county") == ["3"]
    # all rose beyond sampling error; only one beyond the others
    assert (changes["difference"] > 1.96 * changes["se"]).sum() > 30


def test_an_interviewer_apart_from_the_county_is_found(rows):
    at = rows.index[rows["interviewer"] == "I031"]
    planted = changed(rows, at, **{item: np.minimum(rows.loc[at, item] + 1, 5) for item in ITEMS})
    assert flagged(interviewer_means(planted, ITEMS, fields=FIELDS), "interviewer") == ["I031"]
    assert interviewer_means(planted, ITEMS, fields=replace(FIELDS, interviewer=None)).empty


def test_interviewer_effects_are_those_of_the_reliability_module(rows):
    rng = np.random.default_rng(7)
    led = rows.assign(
        q03=rows["interviewer"].map(
            dict(zip(rows["interviewer"].unique(), rng.integers(1, 6, 72), strict=True))
        )
    )
    led.loc[::2, "q03"] = rows.loc[::2, "q03"]
    found = interviewer_effects(led, ITEMS, fields=FIELDS).set_index("unit")
    assert found.index[found["flag"]].tolist() == ["q03"]
    expected = intraclass_correlation(SurveyDesign(led), "q03", by="interviewer", within="county")
    assert found.loc["q03", "figure"] == pytest.approx(expected.rho, rel=1e-12)


def test_interviewers_who_cannot_be_told_from_counties_leave_the_figure_empty(rows):
    found = interviewer_effects(rows.assign(interviewer=rows["county"]), ITEMS[:2], fields=FIELDS)
    assert found["figure"].isna().all()
    assert not found["flag"].any()


def test_speeders_are_found_within_their_mode(rows):
    long = rows.assign(duration=rows["duration"] * np.where(rows["mode"] == "2", 4, 1))
    at = long.index[long["mode"] == "2"][:5]
    found = speeders(changed(long, at, duration=600.0), fields=FIELDS)
    assert set(long.loc[at, "id"]) <= set(flagged(found, "respondent"))
    assert not speeders(changed(rows, at, duration=np.nan), fields=FIELDS)["flag"][at].any()


def test_impossible_times_are_found(rows):
    first, second = rows.loc[0, "started"], rows.loc[0, "ended"]
    backwards = changed(rows, 0, started=second, ended=first)
    assert flagged(reversed_times(backwards, fields=FIELDS), "respondent") == ["P00000"]
    night = changed(rows, 3, started="2026-07-06T23:10:00+08:00")
    assert flagged(odd_hours(night, fields=FIELDS), "respondent") == ["P00003"]
    unreadable = changed(rows, 3, started="昨天")
    found = odd_hours(unreadable, fields=FIELDS)
    assert np.isnan(found["figure"][3])
    assert not found["flag"].any()


@pytest.mark.parametrize("time", ["9/18 23:10", "23:10", "09-18 23:10:05"])
def test_a_time_without_a_year_is_not_known(rows, time):
    found = odd_hours(changed(rows, 3, started=time), fields=FIELDS)
    assert np.isnan(found["figure"][3])
    assert not found["flag"].any()


def test_two_interviews_at_once_are_both_found(rows):
    start = pd.to_datetime(rows.loc[10, "started"])
    planted = changed(
        rows, 11, started=str(start + pd.Timedelta("60s")), ended=str(start + pd.Timedelta("1h"))
    )
    found = overlaps(planted, fields=FIELDS)
    assert flagged(found, "respondent") == ["P00010", "P00011"]
    assert found["figure"][10] == rows.loc[10, "duration"] - 60
    elsewhere = changed(planted, 11, interviewer="J001")
    assert flagged(overlaps(elsewhere, fields=FIELDS), "respondent") == []


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(1, 30)), min_size=1, max_size=15))
def test_overlaps_equal_all_pairs(spans):
    start = np.array([a for a, _ in spans], float)
    end = start + np.array([b for _, b in spans])
    expected = [
        max(
            [
                max(0, min(end[i], end[j]) - max(start[i], start[j]))
                for j in range(len(spans))
                if j != i
            ],
            default=0,
        )
        for i in range(len(spans))
    ]
    assert overlap_seconds(start, end).tolist() == expected


def test_too_many_interviews_in_a_day_are_found(rows):
    planted = changed(rows, rows.index[rows["interviewer"] == "I002"], day="2026-07-07")
    found = many_a_day(planted, fields=FIELDS)
    assert flagged(found, "day") == ["I002 2026-07-07"]
    assert found["n"].sum() == len(rows)


def test_the_same_number_device_and_address_are_found(rows):
    planted = changed(rows, [4, 5], id="P00004")
    assert flagged(duplicate_ids(planted, fields=FIELDS), "respondent") == ["P00004", "P00004"]
    together = changed(rows, rows.index[100:140], ip="same")
    found = shared_values(together, fields=FIELDS, field="ip")
    assert flagged(found, "ip") == ["same"]
    assert found.loc[0, ["n", "county"]].tolist() == [40, rows.loc[100, "county"]]


@pytest.mark.parametrize("value", ["10.0.0.7", "fe80::1c2b", "13800138000", "127.0.0.1(贵州-贵阳)"])
def test_addresses_and_telephones_as_they_are_are_refused(rows, value):
    with pytest.raises(ResponsesError) as caught:
        shared_values(changed(rows, 0, ip=value), fields=FIELDS, field="ip")
    assert caught.value.code == "R405"
    assert value not in str(caught.value)


def test_a_column_that_is_not_there_is_named(rows):
    for run in (
        lambda: straight_lining(rows, [*ITEMS, "q99"], fields=FIELDS),
        lambda: speeders(rows, fields=replace(FIELDS, duration="seconds")),
        lambda: overlaps(rows, fields=replace(FIELDS, interviewer=None)),
    ):
        with pytest.raises(ResponsesError) as caught:
            run()
        assert caught.value.code == "R401"


def again(rows: pd.DataFrame, *, share: float, wrong: str = "") -> pd.DataFrame:
    """Re-interviews of every fifth respondent; a share of answers differ, those of one interviewer are unrelated."""
    rng, checked = np.random.default_rng(8), rows.iloc[::5][["id", "interviewer", *ITEMS]].copy()
    other = rng.integers(1, 6, (len(checked), len(ITEMS)))
    differs = (rng.random(other.shape) < share) | (checked["interviewer"] == wrong).to_numpy()[
        :, None
    ]
    return checked.assign(
        **{
            name: np.where(differs[:, i], other[:, i], checked[name])
            for i, name in enumerate(ITEMS)
        }
    )


def test_an_interviewer_whose_back_checks_disagree_is_found(rows):
    found = back_check(rows, again(rows, share=0.1, wrong="I040"), ITEMS, fields=FIELDS)
    assert flagged(found, "interviewer") == ["I040"]
    assert flagged(found, "item") == []
    assert not back_check(rows, again(rows, share=0.1), ITEMS, fields=FIELDS)["flag"].any()


def test_an_item_that_is_answered_anew_each_time_is_found(rows):
    second = again(rows, share=0.1)
    second["q05"] = np.random.default_rng(9).permutation(second["q05"])
    assert flagged(back_check(rows, second, ITEMS, fields=FIELDS), "item") == ["q05"]


def test_back_checks_of_nobody_are_listed(rows):
    second = changed(again(rows, share=0.1), 5, id="X1")
    found = back_check(rows, second, ITEMS, fields=FIELDS)
    assert found.loc[found["check"] == "back_check_lost", ["unit", "flag"]].to_numpy().tolist() == [
        ["X1", True]
    ]
    assert (found.loc[found["level"] == "item", "n"] == len(second) - 1).all()


def test_kappa_equals_the_textbook():
    first, second = (
        np.repeat([1.0, 1, 2, 2], [20, 5, 10, 15]),
        np.repeat([1.0, 2, 1, 2], [20, 5, 10, 15]),
    )
    kappa, _, n = cohen_kappa(first, second)
    assert (round(kappa, 10), n) == (0.4, 50)  # Cohen 1960's two-by-two: chance 0.5
    assert np.isnan(cohen_kappa(np.ones(5), np.ones(5))[0])
    assert cohen_kappa(np.array([np.nan]), np.ones(1))[2] == 0


@given(st.lists(st.tuples(st.integers(1, 4), st.integers(1, 4)), min_size=1, max_size=50))
def test_kappa_is_bounded_and_symmetric(pairs):
    first, second = np.array(pairs, float).T
    kappa, se, _ = cohen_kappa(first, second)
    agreement = (first == second).mean()
    np.testing.assert_allclose(kappa, cohen_kappa(second, first)[0], rtol=1e-9)
    assert np.isnan(kappa) or (-1 <= kappa <= agreement + 1e-12 <= 1 + 1e-12 and se >= 0)


def quota(rows: pd.DataFrame, planned: int = 100) -> pd.DataFrame:
    cells = (
        rows[["county", "mode"]]
        .drop_duplicates()
        .sort_values(["county", "mode"], ignore_index=True)
    )
    return cells.assign(planned=planned)


def test_cells_behind_and_outside_the_quota_are_found(rows):
    counts = rows.value_counts(["county", "mode"])
    behind = counts.index[counts < 0.8 * 90].map(" x ".join)
    found = quota_progress(rows, quota(rows), by=["county", "mode"], elapsed=0.9)
    assert sorted(flagged(found, "cell")) == sorted(behind)
    assert found["accepted"].sum() == len(rows)
    missing = quota(rows).iloc[1:]
    lost = quota_progress(rows, missing, by=["county", "mode"], elapsed=0.5)
    assert lost.loc[lost["flag"], ["check", "unit"]].to_numpy().tolist() == [
        ["outside_quota", "990000 x 1"]
    ]
    assert lost["accepted"].sum() == len(rows)


def test_a_quota_table_that_contradicts_itself_is_refused(rows):
    table = quota(rows)
    for wrong in (pd.concat([table, table.iloc[:1]]), table.assign(planned="many")):
        with pytest.raises(ResponsesError, match="R402"):
            quota_progress(rows, wrong, by=["county", "mode"])


def test_days_add_up(rows):
    table = by_day(changed(rows, 0, day=None), fields=FIELDS)
    assert table["interviews"].sum() == len(rows) == table["cumulative"].iloc[-1]
    assert table["day"].tolist() == ["", *sorted(rows["day"].unique())]
    assert table["counties"].iloc[1:].tolist() == [12] * 5
