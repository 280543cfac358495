"""Small example exports, one a shape, built from the documented shapes with planted faults: python tests/platforms/make.py."""

from __future__ import annotations

import csv
import datetime
import io
import zipfile
from pathlib import Path

import duckdb
import pandas as pd
import pyreadstat
import xlsxwriter

HERE = Path(__file__).parent
WJX = ["序号", "提交答卷时间", "所用时间", "来源", "来源详情", "来自IP"]
TEXT = [
    [*WJX, "1、您的性别", "2、您对环境卫生满意吗？", "3、(1)您的年龄", "3、(2)居住年数", "4、您参加过哪些活动？", "5、是否听说过", "6、编号"],
    ["1", "2026/9/18 19:20:55", "64秒", "手机提交", "直接访问", "127.0.0.1(贵州-贵阳)", "男", "满意", "34", "12", "打扫┋植树", "听说过", "A-1"],
    ["2", "2026/9/18 9:05:01", "1分4秒", "微信", "N/A", "127.0.0.1(贵州-遵义)", "女", "不满意", "(空)", "3", "打扫┋其他〖看电影〗", "没有", "A-2"],
    ["3", "2026/9/31 9:05:01", "1小时2分3秒", "微信", "N/A", "127.0.0.1", "女", "一般", "51", "(空)", "(跳过)", "没有〖真的〗", "5.20102E+17"],
    ["4", "2026/9/19 0:00:07", "很久", "链接", "N/A", "127.0.0.1", "男", "2023/8/20", "28", "1", "植树", "听说过", "A-4", "多出"],
    ["合计", "", "", "", "", "", "", "4", "", "", "", "", ""],
]  # fmt: skip
CODE = [
    [*WJX, "总分", "1、您的性别", "第2题(打扫)", "第2题(植树)", "第3题(道路)", "第3题(公园)", "4、其他意见"],
    ["1", "2026/9/18 19:20:55", "64秒", "手机提交", "直接访问", "127.0.0.1", "10", "1", "1", "0", "5", "4", "无"],
    ["2", "2026/9/18 19:21:55", "65秒", "手机提交", "直接访问", "127.0.0.1", "8", "2", "-3", "-3", "3", "-2", "-2"],
    ["3", "2026/9/18 19:22:55", "66秒", "手机提交", "直接访问", "127.0.0.1", "7", "2", "0", "1", "1", "1", "路灯"],
]  # fmt: skip
KOBO = [
    ["start", "end", "group/satisfied", "group/acts", "group/acts/1", "group/acts/2", "heard/tv", "heard/paper", "_loc_latitude", "_id",
     "_uuid", "_submission_time", "_validation_status", "_submitted_by", "_index", "satisfied"],
    ["2026-09-18T08:00:00.000+08:00", "2026-09-18T08:05:00.000+08:00", "4", "1 2", "1", "1", "1", "0", "26.6", "71", "u-1", "2026-09-18T00:05:03", "", "t1", "1", "5"],
    ["2026-09-18T09:00:00.000+08:00", "late", "2", "", "", "", "0", "0", "", "72", "u-2", "2026-09-18T01:05:03", "", "t1", "2", "1"],
]  # fmt: skip
ODK = [
    ["SubmissionDate", "start", "g1-satisfied", "g1-acts", "g1-acts/1", "g1-acts/2", "meta-instanceID", "KEY", "SubmitterID", "SubmitterName",
     "AttachmentsPresent", "AttachmentsExpected", "Status", "ReviewState", "DeviceID", "Edits", "FormVersion"],
    ["2026-09-18T01:02:03.000Z", "2026-09-18T09:00:00.000+08:00", "4", "1 2", "1", "1", "uuid:1", "uuid:1", "5", "甲组", "0", "0", "", "", "d1", "0", "1"],
    ["2026-09-18T02:02:03.000Z", "2026-09-18T10:00:00.000+08:00", "5", "2", "0", "1", "uuid:2", "uuid:2", "5", "甲组", "0", "0", "", "approved", "d1", "0", "1"],
]  # fmt: skip
ODK_REPEAT = [["name", "PARENT_KEY", "KEY"], ["child", "uuid:1", "uuid:1/r[1]"]]
ODK_AUDIT = [
    ["event", "node", "start", "end", "user"],
    ["question", "/data/g1", "1789693323000", "1789693324000", ""],
]
CATI = [
    ["样本编号", "访问员", "拨打时间", "通话时长", "访问结果", "基本情况", "", "满意度评价", ""],
    ["", "", "", "", "", "性别", "年龄", "道路", "公园"],
    ["S001", "101", "2026-09-18 19:00:00", "00:03:20", "完成", "男", "34", "满意", "一般"],
    ["S002", "101", "2026-09-18 19:04:00", "12秒", "拒访", "", "", "", ""],
    ["S003", "102", "2026-09-18 19:05:00", "03:20", "空号", "", "", "", ""],
    ["合 计", "", "", "", "3", "", "", "", ""],
]  # fmt: skip
TENCENT = [
    ["答题序号", "来源", "Q1.性别", "Q2|A1", "Q2|A2", "Q2|A2|open", "开始时间", "提交时间", "答题时长", "IP省份", "IP城市", "IP地址", "浏览器", "操作系统"],
    ["1", "微信", "男", "1", "0", "", "2026/9/18 8:00:00", "2026/9/18 8:01:04", "64秒", "贵州", "贵阳", "127.0.0.1", "微信", "Android"],
    ["2", "微信", "女", "0", "1", "看电影", "2026/9/18 8:00:00", "昨天", "1分", "贵州", "贵阳", "127.0.0.1", "微信", "iOS"],
]  # fmt: skip
LIMESURVEY = [
    ["id", "submitdate", "lastpage", "startlanguage", "seed", "G1", "ACTS[1]", "ACTS[2]", "ACTS[other]", "MX[road]", "MX[park]"],
    ["1", "2026-09-18 08:00:00", "3", "zh-Hans", "9", "A1", "Y", "", "唱歌", "A4", "A5"],
    ["2", "", "1", "zh-Hans", "8", "A2", "", "Y", "", "A1", ""],
]  # fmt: skip
PLAIN = [
    ["id", "1、您的性别", "Q2", "Q3.年龄", "id", "", "备注"],
    ["007", "男", "４", "34", "x", "", "\x00"],
    ["008", "女", "5", "　51　", "y", "无名", "两\n行"],
    ["009", "女", "1月2日", "28", "z", "", ""],
]


def delimited(rows: list[list[str]], *, delimiter: str = ",") -> str:
    """Return rows as csv text."""
    text = io.StringIO()
    csv.writer(text, delimiter=delimiter, lineterminator="\r\n").writerows(rows)
    return text.getvalue()


def workbook(
    path: Path,
    sheets: dict[str, list[list[str]]],
    *,
    cells: dict[tuple[str, int, int], object] | None = None,
) -> None:
    """Write rows as text; `cells` (sheet, row, column) are numbers or dates in their stead."""
    with xlsxwriter.Workbook(str(path), {"default_date_format": "yyyy-mm-dd"}) as book:
        book.set_properties({"created": datetime.datetime(2026, 1, 1)})
        for name, rows in sheets.items():
            sheet = book.add_worksheet(name)
            for r, row in enumerate(rows):
                for c, text in enumerate(row):
                    value = (cells or {}).get((name, r, c), text)
                    if value != "":
                        sheet.write(r, c, value) if not isinstance(
                            value, str
                        ) else sheet.write_string(r, c, value)
            if name == "话务":
                sheet.merge_range(1, 5, 1, 6, "基本情况")
                sheet.merge_range(1, 7, 1, 8, "满意度评价")


def odk_zip(path: Path) -> None:
    """Write the zip file of ODK Central: the form, a repeat, an audit and a photograph."""
    with zipfile.ZipFile(path, "w") as archive:
        for name, rows in (
            ("wm.csv", ODK),
            ("wm-children.csv", ODK_REPEAT),
            ("wm - audit.csv", ODK_AUDIT),
        ):
            archive.writestr(zipfile.ZipInfo(name), delimited(rows).encode("utf-8"))
        archive.writestr(zipfile.ZipInfo("media/1.jpg"), b"\xff\xd8")


def sav(path: Path) -> None:
    """Write an SPSS file with value labels and a range of missing values."""
    rows = pd.DataFrame(
        {"id": ["S001", "S002", "S003"], "sat": [5.0, 99.0, float("nan")], "weight": [1.25, 1.0, 0.5], "day": [datetime.date(2026, 9, 18)] * 3}
    )  # fmt: skip
    pyreadstat.write_sav(
        rows, str(path), column_labels=["编号", "您对环境卫生满意吗？", "", "访问日期"],
        variable_value_labels={"sat": {1: "不满意", 5: "满意", 99: "拒答"}}, missing_ranges={"sat": [{"lo": 98, "hi": 99}]},
    )  # fmt: skip


def make(folder: Path) -> None:
    """Write every example into a folder."""
    long = {("Sheet1", 3, 12): 5.20102e17, ("Sheet1", 4, 7): datetime.date(2023, 8, 20)}
    workbook(folder / "wjx_text.xlsx", {"Sheet1": TEXT, "说明": [["导出说明"]]}, cells=long)
    (folder / "wjx_text.csv").write_bytes(delimited(TEXT).encode("gb18030"))
    workbook(folder / "wjx_code.xlsx", {"Sheet1": CODE})
    (folder / "kobo.csv").write_bytes(delimited(KOBO, delimiter=";").encode("utf-8-sig"))
    workbook(
        folder / "kobo.xlsx",
        {
            "wm": KOBO,
            "children": [
                ["name", "_index", "_parent_table_name", "_parent_index"],
                ["x", "1", "wm", "1"],
            ],
        },
    )
    (folder / "odk.csv").write_bytes(delimited(ODK).encode("utf-8"))
    odk_zip(folder / "odk.zip")
    workbook(folder / "cati.xlsx", {"话务": [["2026年第三季度电话调查"], *CATI]})
    (folder / "cati.csv").write_bytes(delimited(CATI).encode("utf-8-sig"))
    (folder / "tencent.csv").write_bytes(delimited(TENCENT).encode("utf-8"))
    (folder / "limesurvey.csv").write_bytes(delimited(LIMESURVEY).encode("utf-8"))
    (folder / "plain.csv").write_bytes(delimited(PLAIN).encode("utf-8"))
    frame = pd.DataFrame(
        {
            "id": ["007", "008"],
            "sat": [5, 4],
            "share": [0.5, 2.0],
            "day": [datetime.date(2026, 9, 18), None],
            "ok": [True, False],
        }
    )
    connection = duckdb.connect(config={"threads": 1})
    connection.register("frame", frame.astype({"day": "datetime64[s]"}))
    connection.execute(
        f"copy (select * replace (day::date as day), [1.5, 2.5] as gps from frame) to '{folder / 'plain.parquet'}' (format parquet)"
    )
    connection.close()
    sav(folder / "labelled.sav")


if __name__ == "__main__":
    make(HERE)
