"""The log: what each rule says and does, and its entries."""

from __future__ import annotations

import re
import unicodedata

import pandas as pd

RULES: dict[str, tuple[str, str, str]] = {
    "R201": ("reject_row", "必填项为空", "required item is empty"),
    "R202": ("blank_item", "答案不在量表内，已作空白处理", "answer outside the scale; blanked"),
    "R203": ("reject_row", "编号重复，保留最先出现的一条", "respondent stands twice; the first is kept"),
    "R204": ("reject_row", "不属于调查对象", "not eligible"),
    "R205": ("reject_row", "访问日期不在调查期内", "interview outside the fielding period"),
    "R206": ("reject_row", "社区（村）不在样本中", "PSU is not in the sample"),
    "R207": ("reject_row", "与样本表中该社区的县或城乡不一致", "contradicts the stratum of its PSU in the sample"),
    "R208": ("reject_row", "地区代码不在地区表中", "area code is not in the table of areas"),
    "R209": ("reject_row", "单元格多于表头", "more cells than column names"),
    "R210": ("blank_item", "按跳转规则不应回答，已作空白处理", "answered although the skip rule leaves it out; blanked"),
    "R211": ("normalised", "全角字符已转为半角", "full-width characters written as plain ones"),
    "R212": ("blank_item", "不是有效的日期或数值，已作空白处理", "no valid date or number; blanked"),
    "R213": ("note", "工作表没有问卷的列，未读取", "the sheet does not have the questionnaire's columns; not read"),
}
PERSONAL = re.compile(
    r"(?<!\d)(?:\+?86|0086)?1[3-9]\d{9}(?!\d)"  # mobile telephone
    r"|(?<!\d)[1-9]\d{5}(?:19|20)\d{2}(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])\d{3}[\dXx]"  # identity number
)
LONGEST = 40
LOG = ("file", "sheet", "row", "id", "column", "value", "rule", "action", "zh", "en")


def log_events(raw: pd.DataFrame, wrong: pd.Series, column: str, *, values: pd.Series, rule: str) -> pd.DataFrame:
    """Build log entries for the rows marked; the index keeps their place in the raw table."""
    action, zh, en = RULES[rule]
    at = raw[wrong]
    return pd.DataFrame(
        {
            "file": at["_file"],
            "sheet": at["_sheet"],
            "row": at["_row"],
            "id": at["_id"].map(shown),
            "column": column,
            "value": values[wrong].map(shown),
            "rule": rule,
            "action": action,
            "zh": zh,
            "en": en,
        },
        columns=list(LOG),
    )


def sheet_note(file: str, sheet: str) -> pd.DataFrame:
    """Build the entry of a sheet that was passed over; its index is no row of the raw table."""
    action, zh, en = RULES["R213"]
    entry = {"file": file, "sheet": sheet, "row": 0, "rule": "R213", "action": action, "zh": zh, "en": en}
    return pd.DataFrame([entry], index=[-1]).reindex(columns=list(LOG), fill_value="")


def shown(value: object) -> str:
    """Return a value as a log or message may show it: what may be a telephone, identity or mail address is masked."""
    text = str(value)
    plain = unicodedata.normalize("NFKC", text)
    if "@" in plain or PERSONAL.search(plain) or PERSONAL.search(re.sub(r"[\s\-()./]", "", plain)):
        return "***"
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"
