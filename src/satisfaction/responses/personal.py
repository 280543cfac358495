"""Personal data: found by role, by title and by pattern, and replaced before anything is kept."""

from __future__ import annotations

import hashlib
import hmac
import os
import re
import unicodedata
from collections.abc import Iterable
from itertools import count

import pandas as pd

from ..io.personal import MASK, is_personal, plain_number
from ..questionnaire import Questionnaire, TextItem
from .events import log_events

KEY = "SATISFACTION_KEY"
TITLE = re.compile(
    r"姓名|名字|电话|手机|联系方式|身份证|邮箱|电邮|微信号|微信昵称|qq号?$|住址|地址|(?<![a-z])ip(?![a-z])|\bphone|\bmobile|\btelephone|e-?mail|\bid[ _]?(?:card|number)\b"
    r"|^(?:full|first|last|your|respondent)?[ _]?name$|\baddress\b|\bwechat"
)


def is_personal_title(title: str) -> bool:
    """Tell whether a column's title or an item's label asks for personal data."""
    return bool(TITLE.search(unicodedata.normalize("NFKC", title).strip().casefold()))


def pseudonyms(values: Iterable[str], kind: str, *, taken: Iterable[str] = ()) -> dict[str, str]:
    """Return what stands for each value: a keyed hash where the environment has `KEY`, else a number by first appearance.

    One number in several spellings is one person; what is `taken` stands for nobody else.
    """
    different = {value: plain_number(value) for value in values if value}
    if key := os.environ.get(KEY):
        secret = key.encode("utf-8", "surrogateescape")
        return {value: hmac.new(secret, plain.encode(), hashlib.sha256).hexdigest()[:16] for value, plain in different.items()}
    used = {name.strip().casefold() for name in taken}
    free = (name for number in count(1) if (name := f"{kind} {number}").casefold() not in used)
    names = {plain: next(free) for plain in dict.fromkeys(different.values())}
    return {value: names[plain] for value, plain in different.items()}


def hide_personal(
    raw: pd.DataFrame, questionnaire: Questionnaire, *, titles: dict[str, set[str]], events: list[pd.DataFrame]
) -> None:
    """Replace personal data in text items in place; each cell is logged, never its value.

    Values of items that identify (respondent, PSU, interviewer, unique ones) become pseudonyms, others `MASK`.

    Parameters
    ----------
    raw : DataFrame
        One text column an item.
    titles : dict of str to set of str
        Titles of the columns that each item was read from.
    """
    roles = questionnaire.roles
    for name, item in questionnaire.items.items():
        if not isinstance(item, TextItem):
            continue
        asked = any(map(is_personal_title, (name, item.zh, item.en, *titles.get(name, ()))))
        found = [value for value in raw[name].unique() if value.strip() and (asked or is_personal(value))]
        if not found:
            continue
        identifies = item.unique or name in (roles.respondent, roles.psu, roles.interviewer)
        instead = pseudonyms(found, name, taken=raw[name].unique()) if identifies else dict.fromkeys(found, MASK)
        wrong = raw[name].isin(found)
        if name == roles.respondent:
            raw.loc[wrong, "_id"] = raw.loc[wrong, name].map(instead)
        raw.loc[wrong, name] = raw.loc[wrong, name].map(instead)
        events.append(log_events(raw, wrong, name, values=pd.Series(MASK, index=raw.index), rule="R218"))


def hide_paradata(values: pd.Series, column: str) -> pd.Series:
    """Replace what identifies a device or person in a column of paradata."""
    different = values.unique()
    if column in ("_ip", "_device"):
        return values.map(pseudonyms(different, column[1:]))
    found = [value for value in different if isinstance(value, str) and is_personal(value)]
    return values.replace(pseudonyms(found, column[1:], taken=different)) if found else values
