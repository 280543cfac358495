"""Platform exports: every shape in one neutral form, every planted fault at its row and column, no record lost."""

from __future__ import annotations

import csv
import io
import os
import random
import tempfile
import zipfile
from pathlib import Path

import pandas as pd
import pyreadstat
import pytest
import xlsxwriter
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from conftest import ROOT
from happiness_survey import write_answers
from platforms import make
from satisfaction.collection.platforms import PLATFORMS, SHAPES, read_exports
from satisfaction.collection.platforms.export import EMPTY, NOTES, SKIPPED, iso_time, seconds
from satisfaction.collection.platforms.header import find_header
from satisfaction.foundation.errors import InputFileError
from satisfaction.foundation.grids import read_grids, refuse_unplaced_errors

HERE = Path(make.__file__).parent
IEHFC = Path(__file__).parents[1] / "data" / "iehfc" / "LWH_FUP2_raw.csv"
LEFT_OUT = ("F202", "F203", "F204")
SHAPE_OF = {
    "wjx_text.xlsx": "wjx-text", "wjx_text.csv": "wjx-text", "wjx_code.xlsx": "wjx-code", "kobo.csv": "kobo", "kobo.xlsx": "kobo",
    "odk.csv": "odk", "odk.zip": "odk", "cati.xlsx": "cati", "cati.csv": "cati", "tencent.csv": "tencent", "limesurvey.csv": "limesurvey",
    "plain.csv": "plain", "plain.parquet": "plain", "labelled.sav": "sav",
}  # fmt: skip
CATI_FAULTS = [("F204", 2, "", ""), ("F202", 6, "", "合 计"), ("F208", 5, "通话时长", "03:20")]
KOBO_FAULTS = [("F211", 0, "heard", "tv; paper"), ("F208", 3, "end", "late")]
TEXT_FAULTS = [
    ("F202", 6, "", "合计"), ("F201", 5, "", "多出"), ("F214", 0, "3、(1)您的年龄", "(空) × 1"), ("F214", 0, "3、(2)居住年数", "(空) × 1"),
    ("F213", 0, "4、您参加过哪些活动？", "(跳过) × 1"), ("F208", 4, "提交答卷时间", "2026/9/31 9:05:01"), ("F208", 5, "所用时间", "很久"),
    ("F207", 5, "2、您对环境卫生满意吗？", "2023/8/20"), ("F206", 4, "6、编号", "5.20102E+17"),
]  # fmt: skip
AS_EXCEL = {"2023/8/20": "2023-08-20", "5.20102E+17": "520102000000000000"}
FAULTS = {
    "wjx_text.csv": TEXT_FAULTS,
    "wjx_text.xlsx": [(*fault, AS_EXCEL.get(value, value)) for *fault, value in TEXT_FAULTS],
    "wjx_code.xlsx": [
        ("F213", 0, "第2题(打扫)", "-3 × 1"), ("F213", 0, "第2题(植树)", "-3 × 1"), ("F214", 0, "第3题(公园)", "-2 × 1"),
        ("F214", 0, "4、其他意见", "-2 × 1"),
    ],
    "kobo.csv": KOBO_FAULTS,
    "kobo.xlsx": [("F210", 0, "", "children"), *KOBO_FAULTS],
    "odk.csv": [],
    "odk.zip": [("F210", 0, "", name) for name in ("media/1.jpg", "wm - audit.csv", "wm-children.csv")],
    "cati.csv": CATI_FAULTS,
    "cati.xlsx": [("F203", 1, "", "2026年第三季度电话调查"), *((rule, row + 1, *rest) for rule, row, *rest in CATI_FAULTS)],
    "tencent.csv": [("F208", 3, "提交时间", "昨天")],
    "limesurvey.csv": [],
    "plain.csv": [("F205", 0, "id#2", "id"), ("F212", 0, "#6", ""), ("F207", 4, "Q2", "1月2日")],
    "plain.parquet": [("F215", 0, "gps", "")],
    "labelled.sav": [("F209", 0, "sat", "98..99 × 1")],
}  # fmt: skip


def read(name):
    return read_exports(HERE / name)[0]


def columns(export):
    """Return number, name, option and role of every column that has one, by title."""
    return {c.title: (c.number, c.name, c.option, c.role) for c in export.columns}


def assert_accounted(path, exports):
    """Records of the file = header + rows + rows that notes say are left out; every cell stands somewhere."""
    grids = {grid.sheet: grid for grid in read_grids(path)[0]}
    for export in exports:
        grid = grids[export.sheet]
        out = [note.row for note in export.notes if note.rule in LEFT_OUT]
        assert len(grid.numbers) == 1 + len(export.rows) + len(out)
        header = set(grid.numbers.tolist()) - set(export.numbers.tolist()) - set(out)
        assert len(header) == 1
        assert len(set(export.rows)) == len(export.columns)
        assert [column.key for column in export.columns] == list(export.rows)


# ---- the examples ----


def test_the_examples_are_what_the_script_makes(tmp_path):
    make.make(tmp_path)
    for name in SHAPE_OF:
        if name != "labelled.sav":  # SPSS stamps the clock
            assert (tmp_path / name).read_bytes() == (HERE / name).read_bytes(), name


def test_every_shape_has_an_example():
    assert set(SHAPE_OF.values()) == set(PLATFORMS)
    assert (
        {p.name for p in HERE.iterdir() if p.suffix not in (".py", "")}
        == set(SHAPE_OF)
        == set(FAULTS)
    )


@pytest.mark.parametrize("name", SHAPE_OF)
def test_a_shape_is_recognised_and_no_other(name):
    assert read(name).platform == SHAPE_OF[name]
    if name != "labelled.sav":
        table, _ = find_header(
            max(read_grids(HERE / name)[0], key=lambda grid: grid.sheet.startswith("wm."))
        )
        assert {key for key, shape in SHAPES.items() if shape.recognises(table)} == {
            SHAPE_OF[name],
            "plain",
        }


@pytest.mark.parametrize("name", SHAPE_OF)
def test_every_planted_fault_is_found_at_its_place(name):
    export = read(name)
    assert sorted((n.rule, n.row, n.column, n.value) for n in export.notes) == sorted(FAULTS[name])
    assert all(n.text == NOTES[n.rule] for n in export.notes)
    if name != "labelled.sav":
        assert_accounted(HERE / name, [export])


def test_every_note_has_an_example():
    assert {rule for faults in FAULTS.values() for rule, *_ in faults} == set(NOTES) - {
        "F315",  # test_responses_words.py
        "F316",  # test_responses_files.py
        "F317",  # test_responses_words.py
        "F318",  # test_responses_files.py
    }


# ---- shapes ----


def test_text_of_wjx_is_unfolded():
    export = read("wjx_text.csv")
    found = columns(export)
    assert [found[t][3] for t in make.WJX] == ["id", "submitted", "duration", "source", "", "ip"]
    assert found["您的年龄"][0] == "3(1)"
    assert found["居住年数"][0] == "3(2)"
    assert export.rows["提交答卷时间"].tolist()[:2] == [
        "2026-09-18T19:20:55",
        "2026-09-18T09:05:01",
    ]
    assert export.rows["所用时间"].tolist()[:3] == ["64", "64", "3723"]
    assert export.rows["4、您参加过哪些活动？"].tolist() == [
        "打扫┋植树",
        "打扫┋其他",
        SKIPPED,
        "植树",
    ]
    assert export.rows["4、您参加过哪些活动？#text"].tolist() == ["", "看电影", "", ""]
    assert export.rows["3、(1)您的年龄"].tolist() == ["34", EMPTY, "51", "28"]
    assert found["您参加过哪些活动？#text"] == ("", "", "", "")


def test_the_workbook_and_the_csv_of_wjx_give_the_same_answers():
    workbook, text = read("wjx_text.xlsx").rows, read("wjx_text.csv").rows
    pd.testing.assert_frame_equal(workbook, text.replace(AS_EXCEL))


def test_codes_of_wjx_part_options_from_rows_of_a_matrix():
    export = read("wjx_code.xlsx")
    assert columns(export)["打扫"] == ("2", "", "打扫", "")
    assert columns(export)["道路"] == ("3", "", "", "")
    assert export.rows["第2题(打扫)"].tolist() == ["1", SKIPPED, "0"]
    assert export.rows["第3题(公园)"].tolist() == ["4", EMPTY, "1"]


def test_the_kind_of_a_question_of_wjx_is_no_part_of_its_title(tmp_path):
    path = tmp_path / "a.csv"
    path.write_text(
        "序号,提交答卷时间,1、参加了哪些活动【多选题】\n1,2026/7/1 9:00:00,清洁┋劝导\n",
        encoding="utf-8",
    )
    export = read_exports(path)[0]
    assert export.platform == "wjx-text"
    assert [column.title for column in export.columns][2:] == ["参加了哪些活动"]


def test_kobo_groups_are_cut_and_options_belong_to_their_question():
    export = read("kobo.csv")
    found = columns(export)
    assert found["group/satisfied"] == ("", "satisfied", "", "")
    assert found["group/acts"] == ("", "acts", "", "")
    assert found["group/acts/1"] == ("", "acts", "1", "")
    assert found["heard/tv"] == ("", "heard", "tv", "")
    assert [found[t][3] for t in ("_uuid", "_submission_time", "start", "end", "_validation_status")] == [
        "uuid", "submitted", "started", "ended", "status",
    ]  # fmt: skip
    assert export.rows["group/acts/2"].tolist() == ["1", ""]  # not asked is not 0


def test_questions_of_a_group_are_not_taken_for_options(tmp_path):
    header = ["_uuid", "_submission_time", "g/road", "g/park", "基本/性别", "基本/年龄"]
    rows = [
        header,
        ["u1", "2026-09-18", "1", "5", "男", "34"],
        ["u2", "2026-09-18", "0", "4", "女", "51"],
    ]
    (tmp_path / "k.csv").write_text(make.delimited(rows), encoding="utf-8")
    (export,) = read_exports(tmp_path / "k.csv")
    assert [(c.name, c.option) for c in export.columns[2:]] == [
        ("road", ""),
        ("park", ""),
        ("", ""),
        ("", ""),
    ]
    assert export.notes == ()


def test_odk_central_gives_the_same_from_csv_and_zip():
    pd.testing.assert_frame_equal(read("odk.csv").rows, read("odk.zip").rows)
    assert read("odk.zip").sheet == "wm.csv"
    assert columns(read("odk.csv"))["g1-acts/1"] == ("", "acts", "1", "")
    assert columns(read("odk.csv"))["KEY"][3] == "uuid"


def test_a_telephone_file_keeps_its_outcomes_as_text():
    for name in ("cati.xlsx", "cati.csv"):
        export = read(name)
        (outcome,) = [c.key for c in export.columns if c.role == "outcome"]
        assert export.rows[outcome].tolist() == ["完成", "拒访", "空号"]
        assert [c.title for c in export.columns[5:]] == [
            "基本情况/性别",
            "基本情况/年龄",
            "满意度评价/道路",
            "满意度评价/公园",
        ]
        assert export.rows["通话时长"].tolist() == ["200", "12", "03:20"]


def test_spss_labels_and_missing_codes_are_kept():
    export = read("labelled.sav")
    assert export.columns[1].title == "您对环境卫生满意吗？"
    assert export.rows["sat"].tolist() == ["5", "99", ""]
    assert export.rows["weight"].tolist() == ["1.25", "1", "0.5"]
    assert export.rows["day"].tolist() == ["2026-09-18"] * 3


def test_a_plain_table_is_matched_by_name_label_or_number():
    found = columns(read("plain.csv"))
    assert found["您的性别"] == ("1", "", "", "")
    assert found["Q2"] == ("2", "Q2", "", "")
    assert found["年龄"] == ("3", "", "", "")
    assert read("plain.csv").rows.iloc[1].tolist() == [
        "008",
        "女",
        "5",
        "　51　",
        "y",
        "无名",
        "两\n行",
    ]


# ---- headers ----


def test_a_second_row_of_answers_is_no_header(tmp_path):
    rows = [["id", "", "road"], ["a", "男", "满意"], ["b", "男", "一般"], ["c", "女", "满意"]]
    (tmp_path / "t.csv").write_text(make.delimited(rows), encoding="utf-8")
    (export,) = read_exports(tmp_path / "t.csv")
    assert len(export.rows) == 3
    assert [n.rule for n in export.notes] == ["F212"]


def test_a_total_within_the_rows_stays(tmp_path):
    rows = [
        ["id", "n"],
        ["a", "1"],
        ["合计", "1"],
        ["b", "2"],
        ["小计", "2"],
        ["总计：", "3"],
        ["Total", "3"],
    ]
    (tmp_path / "t.csv").write_text(make.delimited(rows), encoding="utf-8")
    (export,) = read_exports(tmp_path / "t.csv")
    assert export.rows["id"].tolist() == ["a", "合计", "b"]
    assert [(n.rule, n.row) for n in export.notes] == [("F202", 7), ("F202", 6), ("F202", 5)]


def test_a_date_question_is_not_suspect(tmp_path):
    rows = [
        ["day", "answer"],
        ["2026-09-18", "1"],
        ["2026-09-19", "2"],
        ["", "2026/1/2"],
        ["2026-09-19", "2"],
    ]
    (tmp_path / "t.csv").write_text(make.delimited(rows), encoding="utf-8")
    assert [(n.rule, n.row, n.column) for n in read_exports(tmp_path / "t.csv")[0].notes] == [
        ("F207", 4, "answer")
    ]


def test_days_spelt_in_several_ways_are_one_column_of_days(tmp_path):
    rows = [["day"], ["2026年9月18日"], ["2026.9.19"], ["20260920"], ["2026-09-21"], ["9月30日"]]
    (tmp_path / "t.csv").write_text(make.delimited(rows), encoding="utf-8")
    assert [note.rule for note in read_exports(tmp_path / "t.csv")[0].notes] == []


@pytest.mark.parametrize(
    ("written", "in_china"),
    [
        ("2026-07-05T20:00:00Z", "2026-07-06T04:00:00+08:00"),
        ("2026-07-05T20:00:00.250+00:00", "2026-07-06T04:00:00+08:00"),
        ("2026-07-05T20:00:00+08:00", "2026-07-05T20:00:00+08:00"),
        ("2026-07-05T25:00:00Z", "2026-07-05T25:00:00Z"),
    ],
)
def test_a_moment_in_universal_time_is_shown_by_the_clock_in_china(written, in_china):
    assert iso_time(written) == in_china


@pytest.mark.parametrize("name", ["errors.xls", "errors.ods"])
def test_errors_in_cells_of_an_old_workbook_are_refused_and_no_empty_answers(name):
    with pytest.raises(InputFileError, match="F447") as stop:
        read_exports(ROOT / "tests" / "data" / "error_cells" / name)
    assert "2 cells show errors" in stop.value.en


def test_errors_in_cells_of_a_binary_workbook_are_counted():
    def record(kind, body):
        return bytes(kind) + bytes([len(body)]) + body

    cell = bytes(8)
    sheet = record([0], bytes(17)) + record([2], cell + bytes(4)) + record([3], cell + b"\x2a")
    sheet += record([0x94, 0x01], bytes(3)) + record([11], cell + b"\x07" + bytes(10))
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("xl/worksheets/sheet1.bin", sheet)
        archive.writestr("xl/worksheets/sheet2.bin", record([2], cell + b"\x03\x0b\x03\x0b"))
    with pytest.raises(InputFileError, match="F447") as stop:
        refuse_unplaced_errors(packed.getvalue(), where="a.xlsb")
    assert "2 cells show errors" in stop.value.en


def test_names_that_stand_twice_never_share_a_key(tmp_path):
    (tmp_path / "t.csv").write_text("a,a#2,a,a,\n1,2,3,4,\n", encoding="utf-8")
    (export,) = read_exports(tmp_path / "t.csv")
    assert len(set(export.rows)) == 4
    assert export.rows.iloc[0].tolist() == ["1", "2", "3", "4"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("64秒", "64"), ("1分4秒", "64"), ("1小时2分3秒", "3723"), ("2 小时", "7200"), ("64", "64"), ("0:01:04", "64"), ("", None), ("秒", None),
        ("1:04", None), ("-5", None), ("1.5", None),
    ],
)  # fmt: skip
def test_durations_are_seconds(text, expected):
    assert seconds(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026/9/18 19:20:55", "2026-09-18T19:20:55"), ("2026/9/8", "2026-09-08"), ("2026年9月8日 7:05", "2026-09-08T07:05:00"),
        ("2026-09-18T01:02:03.000Z", "2026-09-18T09:02:03+08:00"), ("2026-09-18 01:02:03.25", "2026-09-18T01:02:03"), ("2026/2/30", None),
        ("2026/9/18 25:00:00", None), ("9/18/2026", None), ("", None),
        ("2026/9/18 下午 3:20:11", "2026-09-18T15:20:11"), ("2026年9月8日上午9:05", "2026-09-08T09:05:00"), ("2026/9/18 下午15:20", "2026-09-18T15:20:00"),
        ("2026-09-18 3:20:11 PM", "2026-09-18T15:20:11"), ("2026/9/18 上午 12:05", "2026-09-18T00:05:00"), ("2026/9/18 12:05 pm", "2026-09-18T12:05:00"),
    ],
)  # fmt: skip
def test_times_are_iso(text, expected):
    assert iso_time(text) == expected


# ---- the caller's word, and files that cannot be read ----


def test_the_platform_may_be_named():
    export = read_exports(HERE / "wjx_code.xlsx", platform="plain")[0]
    assert export.platform == "plain"
    assert export.rows["第2题(打扫)"].tolist() == ["1", "-3", "0"]
    for name in SHAPE_OF:
        for platform in SHAPES:
            if name != "labelled.sav":
                assert_accounted(HERE / name, read_exports(HERE / name, platform=platform))


@pytest.mark.parametrize(
    ("name", "platform", "code"),
    [("kobo.csv", "kobbo", "F115"), ("kobo.csv", "sav", "F116"), ("labelled.sav", "kobo", "F116")],
)
def test_a_platform_that_cannot_be_is_refused(name, platform, code):
    with pytest.raises(InputFileError) as refused:
        read_exports(HERE / name, platform=platform)
    assert refused.value.code == code


def test_a_file_of_repeats_alone_is_refused(tmp_path):
    (tmp_path / "r.csv").write_text(
        make.delimited(make.ODK_REPEAT).replace("name", "SubmissionDate"), encoding="utf-8"
    )
    with pytest.raises(InputFileError, match="F117"):
        read_exports(tmp_path / "r.csv")


def test_an_spss_file_that_is_damaged_is_refused(tmp_path):
    (tmp_path / "d.sav").write_bytes((HERE / "labelled.sav").read_bytes()[:300])
    with pytest.raises(InputFileError, match="F113"):
        read_exports(tmp_path / "d.sav")
    with pytest.raises(InputFileError, match="F101"):
        read_exports(tmp_path / "none.sav")


def test_an_spss_file_in_gb18030_is_read(tmp_path):
    path = tmp_path / "old.sav"
    pyreadstat.write_sav(
        pd.DataFrame({"county": ["贵阳贵阳"]}), str(path), column_labels=["县级市"]
    )
    content = path.read_bytes()
    for text in ("贵阳贵阳", "县级市"):
        old = text.encode()
        content = content.replace(old, text.encode("gb18030").ljust(len(old)))
    path.write_bytes(content.replace(b"UTF-8", b"cp936"))
    export = read_exports(path)[0]
    assert export.columns[0].title.strip() == "县级市"
    assert export.rows.iloc[0, 0].strip() == "贵阳贵阳"


# ---- real files ----


def assert_read_as_plain_without_loss(path, expected):
    (export,) = read_exports(path)
    assert export.platform == "plain"
    assert export.rows.shape == expected.shape
    assert (export.rows.to_numpy() == expected.to_numpy()).all()
    assert not any(note.rule in (*LEFT_OUT, "F201") for note in export.notes)


def test_a_real_file_is_read_as_plain_without_loss():
    expected = pd.read_csv(IEHFC, dtype=str, keep_default_na=False)
    assert expected.shape == (1206, 46)
    assert_read_as_plain_without_loss(IEHFC, expected)


def test_the_file_of_a_real_wave_is_read_as_plain_without_loss():
    path = ROOT / "surveys" / "san-diego-2015" / "responses" / "sandiego_2015.csv"
    expected = pd.read_csv(path, dtype=str, keep_default_na=False)
    assert expected.shape == (2477, 119)
    assert_read_as_plain_without_loss(path, expected)


def test_dotted_titles_and_quoted_cells_are_read_as_plain_without_loss(tmp_path):
    expected = write_answers(tmp_path / "all.csv")
    assert expected.shape == (6545, 43)
    assert_read_as_plain_without_loss(tmp_path / "all.csv", expected)


# ---- anything at all ----

CELLS = st.one_of(
    st.sampled_from(["", " ", "满意", "(跳过)", "(空)", "-3", "0", "1", "合计", "5.2E+17", "2026/9/18 1:02:03", "64秒", "其他〖x〗", "\x00", "┋", '"', "a,b", "\n"]),
    st.text(max_size=6).map(lambda text: text.encode("utf-8", "ignore").decode()),
)  # fmt: skip
TITLES = st.sampled_from(
    sorted(
        {
            t
            for rows in (
                make.TEXT,
                make.CODE,
                make.KOBO,
                make.ODK,
                make.CATI,
                make.TENCENT,
                make.LIMESURVEY,
            )
            for t in rows[0]
        }
    )
)
TABLES = st.lists(st.lists(st.one_of(CELLS, TITLES), max_size=8), min_size=1, max_size=8)
EXAMPLES = int(os.environ.get("SATISFACTION_FUZZ", "60"))
FUZZ = settings(
    max_examples=EXAMPLES,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def read_or_refuse(content, suffix):
    """Return a file's exports, or nothing where it is refused with the one error a user may meet."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"t{suffix}"
        path.write_bytes(content)
        try:
            exports = read_exports(path)
        except InputFileError:
            return []
        assert exports
        assert_accounted(path, exports)
        return exports


@FUZZ
@given(head=st.lists(TITLES, max_size=8), table=TABLES)
def test_any_csv_is_read_or_refused_and_no_record_is_lost(head, table):
    rows = [row for row in [head, *table] if "".join(row).strip()]
    exports = read_or_refuse(make.delimited([head, *table]).encode("utf-8"), ".csv")
    if exports:
        (export,) = exports
        assert len(rows) == 1 + len(export.rows) + sum(
            note.rule in LEFT_OUT for note in export.notes
        )


@FUZZ
@given(head=st.lists(TITLES, max_size=8), table=TABLES)
def test_any_workbook_is_read_or_refused_and_no_record_is_lost(head, table):
    content = io.BytesIO()
    with xlsxwriter.Workbook(content) as book:
        sheet = book.add_worksheet()
        for r, row in enumerate([head, *table]):
            for c, text in enumerate(row):
                sheet.write_string(r, c, text)
    read_or_refuse(content.getvalue(), ".xlsx")


@FUZZ
@given(
    name=st.sampled_from(sorted(set(SHAPE_OF) - {"labelled.sav"})),
    seed=st.integers(0, 2**32),
    many=st.integers(1, 40),
)
def test_damaged_bytes_are_read_or_refused(name, seed, many):
    content, chance = bytearray((HERE / name).read_bytes()), random.Random(seed)
    for _ in range(many):
        at = chance.randrange(len(content))
        content[at : at + chance.choice([0, 1, 3])] = bytes(
            chance.randrange(256) for _ in range(chance.choice([0, 1, 2]))
        )
    read_or_refuse(bytes(content), Path(name).suffix)


@FUZZ
@given(cells=st.lists(st.lists(CELLS, min_size=3, max_size=3), min_size=1, max_size=6))
def test_cells_of_a_plain_table_stay_as_they_stand(cells):
    text = make.delimited([["a", "b", "c"], *cells])
    kept = [row for row in csv.reader(io.StringIO(text, newline="")) if "".join(row).strip()][1:]
    exports = read_or_refuse(text.encode("utf-8"), ".csv")
    for export in exports:
        out = sum(note.rule in LEFT_OUT for note in export.notes)
        assert export.rows.to_numpy().tolist() == kept[: len(kept) - out]
