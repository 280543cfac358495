"""A year from its first quarter to its last, each reading the sets that were handed over; recomputed by plain pandas."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from tests.worked_year import (
    STAR,
    STAR_PREFECTURE,
    STAR_RANKS,
    WAVES,
    Quarter,
    points,
    start_year,
    tree,
    write_quarter,
)

from satisfaction import read_survey, run
from satisfaction.foundation.errors import SurveyError
from satisfaction.foundation.file_sets import mark_handed_over
from satisfaction.pipeline import Results
from satisfaction.publication.file_set import export_dated
from satisfaction.publication.tables import combined_files
from satisfaction.publication.verify import verify

LIST = 10
LOW = 0.25


@dataclass(frozen=True)
class Year:
    """Four quarters as written, as run, and as handed over."""

    root: Path
    quarters: dict[str, Quarter]
    results: dict[str, Results]
    sets: dict[str, Path]

    def table(self, wave: str, name: str) -> pd.DataFrame:
        text = {"dtype": {"code": str, "within": str}, "encoding": "utf-8-sig"}
        return pd.read_csv(self.sets[wave] / f"{name}.csv", keep_default_na=False, **text)


@pytest.fixture(scope="module")
def year(tmp_path_factory, pictures) -> Year:
    root = tmp_path_factory.mktemp("worked") / "year"
    start_year(root)
    made = Year(root, {}, {}, {})
    for wave in WAVES:
        earlier = [quarter.folder.name for quarter in made.quarters.values()]
        quarter = write_quarter(root, wave, earlier)
        results = run(read_survey(quarter.folder))
        with pictures.left_out():  # the tables alone are read
            written = export_dated(results)
        mark_handed_over(written)
        made.quarters[wave] = quarter
        made.results[wave] = results
        made.sets[wave] = written
    return made


def lists(year: Year) -> dict[str, set[str]]:
    """The list of every quarter by plain pandas: the last ten of the combined score, and who is below the threshold."""
    listed = {}
    for wave, quarter in year.quarters.items():
        ranks = quarter.counties.rank(ascending=False, method="min")
        indices = year.table(wave, "indices")
        rate = indices[(indices["measure"] == "satisfaction") & (indices["level"] == "county")]
        rate = rate.set_index("code")["estimate"].astype(float)
        listed[wave] = set(ranks.index[ranks > len(ranks) - LIST]) | set(rate.index[rate < LOW])
    return listed


def test_the_year_is_as_large_as_it_says(year):
    aspects = tree()["items"]
    items = [item for aspect in aspects.values() for item in aspect["items"].values()]
    standards = sum(len(item["items"]) for item in items)
    assert (len(aspects), len(items), standards) == (7, 119, 261)
    for wave in WAVES:
        assert len(year.table(wave, "ranking")) == 88
        marks = year.table(wave, "ranking")["mark"].unique()
        assert len(marks) == 1
        assert "simulated" in marks[0]


def test_scores_and_ranks_of_every_quarter_are_those_of_plain_pandas(year):
    for wave, quarter in year.quarters.items():
        table = year.results[wave].ranking.table.set_index("unit")
        scores = quarter.counties.reindex(table.index)
        assert np.abs(table["estimate"] - scores).max() < 1e-9
        ranks = quarter.counties.rank(ascending=False, method="min")
        assert (table["rank"].astype(float) == ranks.reindex(table.index)).all()


def test_the_tree_is_summed_as_plain_pandas_sums_it(year):
    most = points()
    for wave, quarter in year.quarters.items():
        scores = year.table(wave, "combined_scores")
        mine = scores[(scores["component"] == "documents") & (scores["level"] == "county")]
        got = mine.set_index("code")["scaled"].astype(float)
        assert np.abs(got - quarter.documents.reindex(got.index)).max() < 1e-9
        taken = quarter.lost.groupby(["code", "item"])["points"].sum().reset_index()
        taken["points"] = np.minimum(taken["points"], most[taken["item"]].to_numpy())
        by_item = taken.groupby("item")["points"].sum()
        files = combined_files(year.results[wave])
        name = next(name for name in files if name.endswith("items"))
        published = files[name].set_index("item")["points"].astype(float)
        assert np.abs(published - by_item.reindex(published.index)).max() < 1e-9
        assert set(published.index) == set(by_item.index[by_item > 0])


def test_a_county_goes_82_then_84_then_41(year):
    steps = {}
    for wave in WAVES:
        ranking = year.table(wave, "ranking").set_index("code")
        assert int(ranking.loc[STAR, "rank"]) == STAR_RANKS[wave]
        ladder = year.table(wave, "ranking_ladder" if wave != "2026Q1" else "ranking_escalation")
        mine = ladder[ladder["code"] == STAR]
        if "in_force" in mine:
            mine = mine[mine["in_force"] == "yes"]
        steps[wave] = mine["step_en"].tolist()
    assert steps == {"2026Q1": ["listed"], "2026Q2": ["talk"], "2026Q3": ["released"], "2026Q4": []}
    paths = year.table("2026Q4", "ranking_waves")
    mine = paths[paths["code"] == STAR]
    assert dict(zip(mine["wave"], mine["rank"].astype(int), strict=True)) == STAR_RANKS


def test_lists_and_steps_are_those_counted_by_plain_pandas(year):
    listed = lists(year)
    assert all(len(of_wave) > LIST for of_wave in listed.values())  # the threshold adds some
    for number, wave in enumerate(WAVES):
        ranking = year.table(wave, "ranking")
        assert set(ranking.loc[ranking["listed"] == "yes", "code"]) == listed[wave]
        if number == 0:
            continue
        so_far = [listed[name] for name in WAVES[: number + 1]]
        expected = set()
        released = set()
        for code in ranking["code"]:
            on = [code in of_wave for of_wave in so_far]
            if on[-1]:
                expected.add((code, "listed"))
                if on[-2]:
                    expected.add((code, "talk"))
                if sum(on) >= 3:
                    expected.add((code, "admonition"))
        ladder = year.table(wave, "ranking_ladder")
        counting = ladder[ladder["trigger"] != "release"]
        assert set(zip(counting["code"], counting["step_en"], strict=True)) == expected
        assert set(counting["reached"]) == {"yes"}
        ranks = [
            quarter.counties.rank(ascending=False, method="min")
            for quarter in list(year.quarters.values())[: number + 1]
        ]
        for code in ranking["code"]:
            waiting = False
            free = False
            for of_wave, rank in zip(so_far, ranks, strict=True):
                free = False
                if code in of_wave:
                    waiting = True
                elif waiting and rank[code] <= 60:
                    free = True
                    waiting = False
            if free:
                released.add(code)
        freed = ladder[(ladder["trigger"] == "release") & (ladder["reached"] == "yes")]
        assert set(freed["code"]) == released


def test_no_step_is_called_established_that_the_published_p_values_do_not_prove(year):
    for wave in WAVES[1:]:
        ladder = year.table(wave, "ranking_ladder")
        p = pd.to_numeric(ladder["p_established"], errors="coerce")
        assert ((ladder["status"] == "established") == (p <= 0.05)).all()
        first = ladder[ladder["step_en"] == "listed"].set_index("code")["status"]
        ranking = year.table(wave, "ranking").set_index("code")["list_status"]
        assert first.to_dict() == ranking[first.index].to_dict()


def test_prefecture_targets_rest_on_ranks_of_prefectures_over_the_waves(year):
    wanted = {
        "2026Q1": ["top 5"],
        "2026Q2": ["top 4", "hold the rank of 2026Q1"],
        "2026Q3": ["top 3", "rise 1 since 2026Q2"],
        "2026Q4": ["hold the rank of 2026Q3"],
    }
    ranks = {
        wave: quarter.prefectures.rank(ascending=False, method="min").astype(int)
        for wave, quarter in year.quarters.items()
    }
    for number, wave in enumerate(WAVES):
        targets = year.table(wave, "ranking_targets")
        assert targets["target"].tolist() == wanted[wave]
        assert set(targets["rank"].astype(int)) == {ranks[wave][STAR_PREFECTURE]}
        assert set(targets["verdict"]) <= {"met", "not met", "not decidable"}
        rises = targets[targets["basis"].str.startswith("published rank")]
        for basis in rises["basis"]:
            before = WAVES[number - 1]
            assert basis == f"published rank {ranks[before][STAR_PREFECTURE]} in {before}"
    paths = year.table("2026Q4", "ranking_within_waves").set_index(["wave", "code"])["rank"]
    for wave in WAVES:
        assert paths[wave].astype(int).sort_index().to_dict() == ranks[wave].sort_index().to_dict()


def test_every_ranking_keeps_its_own_history(year):
    for prefix in ("topic_index_", "satisfaction_"):
        paths = year.table("2026Q3", f"{prefix}ranking_waves").set_index(["wave", "code"])["rank"]
        for wave in WAVES[:3]:
            ranks = year.table(wave, f"{prefix}ranking").set_index("code")["rank"]
            assert paths[wave].sort_index().tolist() == ranks.sort_index().tolist()


def test_a_quarter_that_is_left_out_is_refused(year, tmp_path):
    import shutil

    folder = (
        shutil.copytree(year.root, tmp_path / "year", symlinks=True) / "surveys" / "year-2026q4"
    )
    path = folder / "survey.yaml"
    text = path.read_text(encoding="utf-8")
    path.write_text(text.replace(", ../year-2026q3]", "]"), encoding="utf-8")
    with pytest.raises(SurveyError, match="S341") as refused:
        read_survey(folder)
    assert "lack 2026Q3" in refused.value.en


@pytest.mark.usefixtures("tables_alone")
def test_the_last_quarter_is_verified_and_a_planted_rank_is_named(year, tmp_path):
    import shutil

    untouched = verify(year.sets["2026Q4"])
    assert untouched.code == 0, untouched.differing
    root = shutil.copytree(year.root, tmp_path / "year", symlinks=True)
    copy = root / "surveys" / "year-2026q4" / "out" / year.sets["2026Q4"].name
    table = copy / "ranking_within_waves.csv"
    table.write_text(
        table.read_text(encoding="utf-8-sig").replace(",2026Q1,", ",2026Q9,", 1),
        encoding="utf-8-sig",
    )
    found = verify(copy)
    assert (found.code, set(found.files)) == (10, {"ranking_within_waves.csv"})
