"""Fieldwork as files: every flag reaches workbook and pages with its mark, what was not looked at is named, nobody is."""

from __future__ import annotations

import datetime
import json
import re
import shutil
from dataclasses import replace
from html.parser import HTMLParser

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from conftest import SmallSurvey
from satisfaction.collection.responses import load_responses
from satisfaction.fieldwork.answers import points
from satisfaction.fieldwork.daily import (
    SHEETS,
    checks_index_page,
    county_pages,
    summary_lines,
    write_fieldwork,
)
from satisfaction.fieldwork.findings import CHECKS, LEVELS, written
from satisfaction.fieldwork.standing import elapsed, stand
from satisfaction.foundation.errors import ResponsesError, SatisfactionError
from satisfaction.foundation.language import Text, use
from satisfaction.foundation.pages import page_of
from satisfaction.foundation.tables import read_tables

COUNTIES = ["990101", "990102", "990201", "990202"]
PARADATA = {"speed", "reversed_times", "overlap", "odd_hours", "shared_device"}
IMEI, PHONE, IP = "356938035643809", "13800001234", "58.16.42.7"
SIMULATED = "selection: probability\nsimulated: {seed: 1, note: {zh: 测试, en: test}}"
OUTCOMES = "outcomes: {file: outcomes.csv, source: 测试 test, date: 2026-01-01}"
QUOTA = "quota: {file: quota.csv, by: [county, sex], source: 测试 test, date: 2026-01-01}"


class Page(HTMLParser):
    """What a page links to, its tags, and the rows of its tables."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self.links += [value for name, value in attrs if name in ("href", "src")]


def recorded(rows: pd.DataFrame) -> pd.DataFrame:
    """Interviews as KoboToolbox exports them: half an hour apart, ten minutes long, a device an interviewer."""
    start = pd.to_datetime(rows["day"]) + pd.to_timedelta(
        9 * 60 + 30 * (rows.groupby(["interviewer", "day"]).cumcount() % 20), "min"
    )
    times = {"start": start, "end": start + pd.Timedelta("10min"), "_submission_time": start}
    said = {name: time.dt.strftime("%Y-%m-%dT%H:%M:%S") for name, time in times.items()}
    return rows.assign(
        **said,
        _uuid=[f"u{i}" for i in range(len(rows))],
        deviceid=IMEI + rows["interviewer"].str[1:],
    )


def standing(small, **given):
    survey = small.read()
    return stand(survey, load_responses(survey), **given)


def declare(small, block: str, **tables: pd.DataFrame) -> None:
    small.edit("survey.yaml", "weighting:", f"{block}\nweighting:")
    for name, table in tables.items():
        table.to_csv(small.folder / f"{name}.csv", index=False)


def quota(planned: int = 20) -> pd.DataFrame:
    return pd.DataFrame(
        [(county, sex, planned) for county in COUNTIES for sex in (1, 2)],
        columns=["county", "sex", "planned"],
    )


def flag(small):
    rows = small.rows()
    own = (rows["county"] == "990101") & (rows["interviewer"] == "I1")
    rows.loc[own, ["heard", "streets", "parks", "safety", "overall"]] = "98"
    small.write(recorded(rows))
    small.edit("survey.yaml", "selection: probability", SIMULATED)
    return small


@pytest.fixture
def flagged(small):
    """A marked wave in which one interviewer of one county writes don't know for everything."""
    return flag(small)


@pytest.fixture(scope="module")
def shelf(small_template, tmp_path_factory):
    """Such a wave and its set of the fieldwork; no test changes them."""
    root = tmp_path_factory.mktemp("fieldbook") / "small"
    survey = flag(SmallSurvey(shutil.copytree(small_template, root)))
    return survey, write_fieldwork(standing(survey))


@pytest.fixture
def kept(shelf):
    return shelf[0]


@pytest.fixture
def folder(shelf):
    return shelf[1]


def sheets(folder, language) -> dict[str, pd.DataFrame]:
    """The sheets of the workbook of a language, sheets and columns under the names that programs know them by."""
    end = "-en" if language == "en" else ""
    names = {words.in_language(language): name for name, words in SHEETS.items()}
    tables = {}
    for sheet in read_tables(folder / f"fieldwork-2026-04-14{end}.xlsx"):
        table = sheet.frame()
        columns = [re.sub(r".*\((\w+)\)", r"\1", column) for column in table.columns]
        tables[names[sheet.sheet]] = table.set_axis(columns, axis="columns")
    return tables


def pages(folder, language="zh") -> dict[str, str]:
    """The pages of a language under the names they have in the first one."""
    texts = {}
    for path in sorted(folder.rglob("*.html")):
        if path.stem.endswith("-en") == (language == "en"):
            name = path.with_stem(path.stem.removesuffix("-en")).relative_to(folder).as_posix()
            texts[name] = path.read_text(encoding="utf-8")
    return texts


def test_every_check_has_names_a_unit_and_what_it_needs():
    for check in CHECKS.values():
        assert all((*check.name, check.unit, *check.needs, *check.figure, *check.advice))


def test_the_set_appears_in_one_step_and_latest_stays(kept, folder):
    names = {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}
    assert names == {
        "fieldwork-2026-04-14.xlsx", "fieldwork-2026-04-14-en.xlsx", "index.html", "index-en.html", "findings.csv", "run.json",
        *(f"counties/{code}{end}.html" for code in COUNTIES for end in ("", "-en")),
    }  # fmt: skip
    assert re.fullmatch(r"\d{8}T\d{6}Z-fieldwork", folder.name)
    assert [path.name for path in (kept.folder / "out").iterdir()] == [folder.name]
    stamp = json.loads((folder / "run.json").read_text(encoding="utf-8"))
    assert set(stamp["outputs"]) == names - {"run.json"}
    assert stamp["rows"] == {"rows": 120, "accepted": 120, "rejected": 0}


def test_a_second_set_overwrites_nothing_and_says_the_same(kept, folder, tmp_path):
    copy = SmallSurvey(shutil.copytree(kept.root, tmp_path / "small"))
    first = copy.folder / "out" / folder.name
    again = write_fieldwork(standing(copy))
    assert again != first
    for path in folder.rglob("*.*"):
        assert path.read_bytes() == (first / path.relative_to(folder)).read_bytes(), path.name
        if path.name != "run.json":
            assert path.read_bytes() == (again / path.relative_to(folder)).read_bytes(), path.name


def test_a_failure_leaves_nothing(flagged, monkeypatch):
    monkeypatch.setattr("satisfaction.fieldwork.daily.checks_index_page", lambda *_: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        write_fieldwork(standing(flagged))
    assert list((flagged.folder / "out").iterdir()) == []


def test_the_mark_stands_in_every_file(kept, folder):
    said = kept.read().marks
    for language in ("zh", "en"):
        for name, text in pages(folder, language).items():
            assert text.count(said.in_language(language)) >= 2, name
    for language in ("zh", "en"):
        for name, table in sheets(folder, language).items():
            assert set(table["mark"]) <= {said.in_language(language)}, name
    assert set(pd.read_csv(folder / "findings.csv", encoding="utf-8-sig")["mark"]) == {said.both}
    assert json.loads((folder / "run.json").read_text(encoding="utf-8"))["mark"] == said.both


@pytest.mark.parametrize(
    ("language", "lang", "end", "other_end"), [("zh", "zh-CN", "", "-en"), ("en", "en", "-en", "")]
)
def test_pages_are_whole_linked_and_readable_without_sight_or_network(
    folder, language, lang, end, other_end
):
    found = pages(folder, language)
    across, *links = Page(found["index.html"]).links
    assert across == f"index{other_end}.html"
    assert set(links) == {f"counties/{code}{end}.html" for code in COUNTIES}
    for name, text in found.items():
        page = Page(text)
        tags = [tag for tag, _ in page.tags]
        assert not re.search(r"https?://|<script src|@import|url\(", text), name
        assert dict(page.tags)["html"]["lang"] == lang
        assert tags.count("h1") == 1
        assert all(attrs.get("scope") in ("col", "row") for tag, attrs in page.tags if tag == "th")
        assert tags.count("table") == tags.count("thead")
        if name != "index.html":
            code = name.removeprefix("counties/").removesuffix(".html")
            assert page.links == [f"{code}{other_end}.html", f"../index{end}.html"]


def test_long_texts_have_room_on_a_phone(folder):
    """A column of text beside columns of figures was one character wide and made rows as high as the screen."""
    for text in pages(folder).values():
        assert "td.prose { min-width: 17rem; }" in text
    assert '<td class="prose">' in pages(folder)["index.html"]


def test_a_planted_interviewer_leads_the_index_and_its_county_page(folder):
    found = pages(folder)
    assert Page(found["index.html"]).links[1] == "counties/990101.html"
    first = found["counties/990101.html"].split("先看这里")[1].split("</section>")[0]
    assert all(word in first for word in ("不知道", "I1", CHECKS["dont_know"].advice.zh))
    english = pages(folder, "en")["counties/990101.html"].split("Look here first")[1]
    first = english.split("</section>")[0]
    assert all(word in first for word in ("don&#39;t know", "I1"))
    for other in COUNTIES[1:]:
        assert "均无标记" in found[f"counties/{other}.html"]


def test_findings_hold_every_finding_and_the_workbook_every_flag(kept, folder):
    of = standing(kept)
    findings = pd.read_csv(folder / "findings.csv", encoding="utf-8-sig")
    assert len(findings) == len(of.found)
    assert findings["flag"].sum() == of.found["flag"].sum() > 0
    for language in ("zh", "en"):
        tables = sheets(folder, language)
        assert len(tables["flags"]) == of.found["flag"].sum()
        named = {CHECKS[check].name.in_language(language) for check in of.left_out["check"]}
        assert set(tables["left_out"]["check"]) == named
        assert tables["progress"]["accepted"].tolist() == ["30"] * 4


def test_what_was_not_recorded_is_named_as_left_out(small):
    bare = standing(small)
    assert set(bare.left_out["check"]) >= PARADATA
    assert set(bare.left_out["check"]) | set(bare.found["check"]) == set(CHECKS)
    assert not set(bare.left_out["check"]) & set(bare.found["check"])
    text = checks_index_page(bare, "zh")
    assert "未做的检查" in text
    assert all(one in text for one in bare.left_out["needs_zh"])
    small.write(recorded(small.rows()))
    full = standing(small)
    assert not PARADATA & set(full.left_out["check"])
    assert set(full.found["level"]) <= set(LEVELS)


def test_paradata_that_hold_nothing_are_not_there(small):
    survey = small.read()
    responses = load_responses(survey)
    empty = responses.accepted.assign(
        _started="", _ended=" ", _seconds=pd.array([pd.NA] * 120, "Int64"), _device="", _ip=""
    )
    assert set(stand(survey, replace(responses, accepted=empty)).left_out["check"]) >= PARADATA


def test_who_and_from_where_never_shows(flagged):
    rows = flagged.rows()
    rows.loc[rows["interviewer"] == "I2", "interviewer"] = PHONE
    flagged.write(rows)
    survey = flagged.read()
    responses = load_responses(survey)
    responses = replace(responses, accepted=responses.accepted.assign(_ip="ip 1"))
    folder = write_fieldwork(stand(survey, responses))
    everything = "".join(pages(folder).values()) + (folder / "findings.csv").read_text(
        encoding="utf-8-sig"
    )
    everything += (folder / "run.json").read_text(encoding="utf-8")
    for table in read_tables(folder / "fieldwork-2026-04-14.xlsx"):
        everything += table.frame().to_csv()
    assert "device 1" in everything
    assert "ip 1" in everything
    assert not [value for value in (IMEI, PHONE) if value in everything]


def test_a_network_address_as_it_stands_is_refused(small):
    survey = small.read()
    responses = load_responses(survey)
    with pytest.raises(ResponsesError, match="R405"):
        stand(survey, replace(responses, accepted=responses.accepted.assign(_ip=IP)))


def test_a_day_looks_at_what_was_done_by_then(small):
    early = standing(small, day=datetime.date(2026, 4, 11))
    assert len(early.rows) == 48
    assert early.rows["day"].max() == "2026-04-11" == early.day
    assert early.progress["accepted"].sum() == 48
    assert standing(small).day == "2026-04-14"


def test_a_day_before_the_first_interview_is_refused(small):
    with pytest.raises(ResponsesError, match="R407") as refused:
        standing(small, day=datetime.date(2026, 4, 9))
    assert refused.value.available == ("2026-04-10", "2026-04-14")


def test_columns_of_the_workbook_are_as_wide_as_what_they_hold(folder):
    import openpyxl

    book = openpyxl.load_workbook(folder / "fieldwork-2026-04-14.xlsx")
    for sheet in book:
        dimensions = list(sheet.column_dimensions.values())  # one for neighbours of one width
        for cell in sheet[1]:
            widths = [one.width for one in dimensions if one.min <= cell.column <= one.max]
            assert max(widths) >= len(cell.value)


def test_without_days_there_is_one_workbook_without_a_day(small):
    small.edit(small.questionnaire, "  interview_date: day\n", "")
    assert write_fieldwork(standing(small)).joinpath("fieldwork.xlsx").is_file()
    with pytest.raises(ResponsesError, match="R406"):
        standing(small, day=datetime.date(2026, 4, 11))


def test_interviews_whose_day_nobody_knows_are_looked_at_all_the_same(small):
    survey = small.read()
    responses = load_responses(survey)
    without = stand(survey, replace(responses, accepted=responses.accepted.assign(day=None)))
    assert (without.day, len(without.rows)) == ("", 120)


def test_without_interview_dates_the_day_is_that_of_the_start(small):
    rows = recorded(small.rows())
    small.write(rows.assign(start=rows["start"].str.replace("2026-04", "2026-05")))
    small.edit(small.questionnaire, "  interview_date: day\n", "")
    assert standing(small).day == "2026-05-14"


@given(st.integers(-40, 60), st.integers(0, 40))
def test_the_share_of_the_period_that_has_passed_grows_from_0_to_1(unchanged, offset, later):
    start = unchanged.declared.fielded.start
    shares = [
        elapsed(unchanged, (start + datetime.timedelta(offset + more)).isoformat())
        for more in (0, later)
    ]
    assert 0 <= shares[0] <= shares[1] <= 1
    assert elapsed(unchanged, "2026-04-26") == 1
    assert elapsed(unchanged, "2026-04-06") == pytest.approx(1 / 21)
    assert elapsed(unchanged, "") == 1


def test_quotas_are_compared_with_what_is_due(small):
    declare(small, QUOTA, quota=quota().query("county != '990202'"))
    of = standing(small)
    cells = of.found[of.found["level"] == "cell"].set_index("unit")
    assert cells.loc["990101 x 1", "figure"] == pytest.approx(18 / (20 * 9 / 21))
    assert cells["check"].value_counts().to_dict() == {"quota": 6, "outside_quota": 2}
    text = dict(county_pages(of, "zh"))["990202.html"]
    assert "配额外单元" in text.split("先看这里")[1].split("</section>")[0]
    assert not {"quota", "outside_quota"} & set(of.left_out["check"])


def test_pages_name_the_cells_of_a_quota_and_take_the_plan_from_it(small):
    declare(small, QUOTA, quota=quota(planned=400))
    sample = "sample: {file: sample.csv, source: 测试 test, date: 2026-01-01}\n"
    small.edit("survey.yaml", sample, "")
    small.edit("survey.yaml", "  - {step: base}\n", "")
    of = standing(small)
    assert of.progress["planned"].tolist() == [800] * 4
    chinese = dict(county_pages(of, "zh"))["990101.html"]
    english = dict(county_pages(of, "en"))["990101-en.html"]
    assert chinese.count("县990101 × 女") == english.count("County 990101 × Female") == 2
    assert "990101 x 2" not in chinese + english


def test_a_quota_that_is_reached_leaves_nothing_out(small):
    declare(small, QUOTA, quota=quota())
    assert not {"quota", "outside_quota"} & set(standing(small).left_out["check"])


def cases() -> pd.DataFrame:
    """Twenty complete interviews a county, and ten refusals; in the last county fifty."""
    rows = [
        (county, code)
        for county in COUNTIES
        for code, n in (("1", 20), ("2", 50 if county == "990202" else 10))
        for _ in range(n)
    ]
    return pd.DataFrame(rows, columns=["county", "outcome"])


CODES = pd.DataFrame({"code": ["1", "2"], "disposition": ["I", "R"]})


def test_response_rates_are_those_of_the_cases(small):
    block = OUTCOMES.replace("outcomes.csv", "outcomes.csv, cases: cases.csv")
    declare(small, block, outcomes=CODES, cases=cases())
    of = standing(small)
    rates = of.found[of.found["check"] == "response_rate"].set_index("county")["figure"]
    assert rates.to_dict() == pytest.approx(dict.fromkeys(COUNTIES[:3], 2 / 3) | {"990202": 2 / 7})
    assert of.outcomes.rates.set_index("rate").loc["RR1", "value"] == pytest.approx(80 / 160)
    assert "28.6%" in checks_index_page(of, "zh")
    assert small.folder / "cases.csv" in small.read().sources
    workbook = write_fieldwork(of) / "fieldwork-2026-04-14.xlsx"
    assert {"结果", "率"} <= {table.sheet for table in read_tables(workbook)}


def test_response_rates_from_response_files_count_the_refusals(small):
    rows = small.rows().assign(访问员编号=small.rows()["interviewer"], 访问结果="1")
    blank = rows[rows["id"].isin([f"P{i:03d}" for i in range(10)])].copy()
    blank["id"] = [f"R{i:03d}" for i in range(10)]
    blank[["访问结果", "sex", "age_group", "lived_here"]] = ["2", "", "", ""]
    small.write(pd.concat([rows, blank]))
    declare(small, OUTCOMES, outcomes=CODES)
    of = standing(small)
    assert len(of.rows) == 120
    rates = of.found[of.found["check"] == "response_rate"].set_index("county")["figure"]
    assert rates.to_dict() == pytest.approx({"990101": 30 / 40} | dict.fromkeys(COUNTIES[1:], 1.0))


def test_outcome_codes_without_outcomes_leave_the_rate_out(small):
    declare(small, OUTCOMES, outcomes=CODES)
    assert "response_rate" in set(standing(small).left_out["check"])


REFUSED = {
    "S132": (QUOTA.replace("sex", "age"), {"quota": quota()}),
    "S136": (QUOTA.replace("[county, sex]", "[sex, county]"), {"quota": quota()}),
    "S131": (QUOTA, {"quota": quota().rename(columns={"planned": "plan"})}),
    "S133": (QUOTA, {"quota": quota().astype({"planned": str}).replace({"planned": {"20": ""}})}),
    "S134": (QUOTA, {"quota": pd.concat([quota(), quota()])}),
    "S135": (QUOTA, {"quota": quota().replace({"county": {"990202": "990209"}})}),
    "S191": (OUTCOMES, {"outcomes": pd.concat([CODES, CODES])}),
    "S192": (OUTCOMES, {"outcomes": CODES.replace("I", "complete")}),
    "S193": (
        OUTCOMES.replace(".csv", ".csv, cases: cases.csv"),
        {"outcomes": CODES, "cases": cases().replace("990202", "1")},
    ),
    "S194": (
        OUTCOMES.replace(".csv", ".csv, cases: cases.csv"),
        {"outcomes": CODES, "cases": cases().replace("2", "77")},
    ),
    "S543": (
        OUTCOMES.replace(".csv", ".csv, cases: cases.csv"),
        {"outcomes": CODES, "cases": cases().assign(id=["P001", *["P000"] * (len(cases()) - 1)])},
    ),
}


@pytest.mark.parametrize("code", REFUSED)
def test_a_faulty_declaration_is_refused_with_its_place(small, code):
    block, tables = REFUSED[code]
    declare(small, block, **tables)
    with pytest.raises(SatisfactionError) as refused:
        small.read()
    assert refused.value.code == code
    assert re.search(
        r"survey\.yaml:\d+" if code in ("S132", "S136") else r"\.csv", refused.value.where
    )


@given(st.text())
def test_a_page_never_leaves_its_folder(code):
    assert re.fullmatch(r"[0-9A-Za-z_-]*\.html", page_of(code))


def test_the_command_line_says_what_is_flagged_and_where_the_files_lie(call, flagged):
    code, out, err = call("fieldwork", flagged.folder)
    assert (code, err) == (0, "")
    assert "read 120 = accepted 120 + rejected 0" in out
    assert "don't know: 1 / 12 interviewers" in out
    assert CHECKS["dont_know"].advice.en in out
    assert all(
        (flagged.folder / "out" / path).is_file()
        for path in re.findall(r"out/(\S+\.(?:xlsx|html|csv))", out)
    )
    assert not (flagged.folder / "out" / "latest").exists()


def test_what_is_flagged_is_told_in_one_language(flagged):
    lines = summary_lines(standing(flagged), flagged.folder)
    assert all(isinstance(line, Text) for line in lines)
    with use("zh"):
        chinese = [str(line) for line in lines]
    with use("en"):
        english = [str(line) for line in lines]
    assert "读入 120 = 有效 120 + 无效 0" in chinese
    assert "  不知道：1 / 12 访问员" in chinese
    assert f"    {CHECKS['dont_know'].advice.zh}" in chinese
    assert "  don't know: 1 / 12 interviewers" in english
    assert not re.search("[\u4e00-\u9fff]", "".join(english))


def test_a_day_nobody_interviewed_by_is_one_message(call, small):
    code, out, err = call("fieldwork", small.folder, "--day", "2026-01-01")
    assert (code, out) == (2, "")
    assert err.startswith("[R407]")
    assert call("fieldwork", small.folder, "--day", "tomorrow")[0] == 2
    assert not (small.folder / "out").exists()


# ---- what survey.yaml declares under `fieldwork` ----


def again(small, **changes):
    """Re-interviews of the first forty respondents, all the same but for the changes."""
    rows = small.rows().head(40)[["id", "sex", "took_part"]]
    for column, values in changes.items():
        rows.loc[rows.index[: len(values)], column] = values
    rows.to_csv(small.folder / "again.csv", index=False)
    declare(
        small,
        "fieldwork:\n  backcheck: {file: again.csv, items: [sex, took_part], source: test, date: 2026-04-20}\n",
    )


def test_declared_reinterviews_are_compared(small):
    again(small, id=["NOBODY"], sex=["2", "2", "2"])
    of = standing(small)
    found = of.found[of.found["check"] == "back_check"].set_index("unit")
    assert not {"back_check", "back_check_lost"} & set(of.left_out["check"])
    assert found.loc["took_part", "figure"] == 1
    assert found.loc["sex", "figure"] < 1
    assert of.found.loc[of.found["check"] == "back_check_lost", "unit"].tolist() == ["NOBODY"]
    assert len(of.rows) == 120


def test_answers_of_reinterviews_are_read_or_refused_never_left_out(small):
    again(small, sex=["１", "男", "女"])
    of = standing(small)
    found = of.found[of.found["check"] == "back_check"].set_index("unit")
    everyone = found.loc["sex", "n"]
    assert everyone == found.loc["took_part", "n"]
    table = small.folder / "again.csv"
    table.write_text(table.read_text(encoding="utf-8").replace("男", "男的"), encoding="utf-8")
    with pytest.raises(ResponsesError, match=r"(?s)R408.*'sex'.*男的.*rows 3\b"):
        standing(small)
    header, *lines = table.read_text(encoding="utf-8").splitlines(keepends=True)
    table.write_text("".join([header, "\n", *lines]), encoding="utf-8")  # a line that is empty
    with pytest.raises(ResponsesError, match=r"(?s)R408.*'sex'.*男的.*rows 4\b"):
        standing(small)


def test_a_respondent_has_one_reinterview(small):
    again(small, id=["P000", "P000"])
    with pytest.raises(SatisfactionError, match=r"S544[\s\S]*rows 2, 3"):
        small.read()


def test_declared_modes_are_compared(small):
    declare(small, "fieldwork:\n  modes: {item: residence, compared: [1, 2]}\n")
    of = standing(small)
    found = of.found[of.found["check"] == "mode_gap"]
    assert found["unit"].tolist() == list(COUNTIES)
    scores = points(of.rows, of.survey.questionnaire, ["streets", "parks", "safety"])
    mean = pd.DataFrame(scores).mean(axis=1)
    one = of.rows["county"] == COUNTIES[0]
    gap = (
        mean[one & (of.rows["residence"] == 1)].mean()
        - mean[one & (of.rows["residence"] == 2)].mean()
    )
    assert found["figure"].iloc[0] == pytest.approx(gap)


def test_the_wave_before_is_compared_and_what_is_not_possible_says_why(small):
    shutil.copytree(small.folder, small.root / "surveys" / "before")
    small.edit(small.root / "surveys" / "before" / "survey.yaml", "wave: 2026T1", "wave: 2025T1")
    declare(small, "fieldwork:\n  earlier: ../before\n")
    of = standing(small)
    found = of.found[of.found["check"] == "jump"]
    assert found["unit"].tolist() == list(COUNTIES)
    assert found["figure"].abs().max() < 1e-9  # the same answers twice
    rows = small.rows()
    small.write(
        rows[rows["county"] != COUNTIES[0]]
    )  # not in the field yet: its margin cannot be met
    assert standing(small).left_out.set_index("check").loc["jump", "needs_en"].startswith("[")


@pytest.mark.parametrize(
    ("block", "code"),
    [
        ("  backcheck: {file: again.csv, items: [age], source: test, date: 2026-04-20}\n", "S163"),
        ("  backcheck: {file: gone.csv, items: [sex], source: test, date: 2026-04-20}\n", "F101"),
        ("  modes: {item: nothing, compared: [1, 2]}\n", "S163"), ("  earlier: ../gone\n", ""),
    ],
)  # fmt: skip
def test_what_is_declared_for_the_fieldwork_is_checked(small, block, code):
    declare(small, f"fieldwork:\n{block}")
    if code:
        with pytest.raises(SatisfactionError, match=code):
            small.read()
    else:
        assert "F1" in standing(small).left_out.set_index("check").loc["jump", "needs_zh"]


def test_the_share_of_a_back_check_that_differs_is_named_so_and_written_in_per_cent():
    assert CHECKS["back_check"].name == ("回访不一致率", "back-check disagreement")
    assert written("back_check", 1 / 6, "interviewer") == "16.7%"
    assert written("back_check", 0.45, "item") == "kappa 0.45"
