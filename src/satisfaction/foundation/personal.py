"""What tells who somebody is, known by its pattern: telephone, identity and card numbers, mail and IP addresses.

By what other Chinese text in files is recognised, too: the kinds of areas in their names, the word for no answer.
Nothing of this is shown to anybody.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Iterable

MASK = "***"
DIGITS = 11  # the fewest of a number that tells who somebody is
MARKS = frozenset("@＠.．")  # of a mail or IP address
SUSPECT = re.compile(
    rf"[@＠.．]|(?:\d\D{{0,9}}){{{DIGITS}}}|\bat\b", re.IGNORECASE
)  # what may match, found quickly
GAP = r"[\s\-\u2010-\u2015_,、·•./()]{1,3}"  # what people write between the groups of a number
DAY = r"(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])"
PROVINCE = r"(?:1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5])"
NUMBER = re.compile(
    r"(?<!\d)(?:\+?86|0086)?1[3-9]\d{9}(?!\d)"  # mobile telephone
    rf"|(?<!\d)[1-9]\d{{5}}(?:19|20)\d{{2}}{DAY}\d{{3}}[\dXx]"  # identity number
    rf"|(?<!\d){PROVINCE}\d{{4}}[3-9]\d{DAY}\d{{3}}(?!\d)"  # of 15 digits, as issued until 1999; no day of this century
)
GROUPED = re.compile(
    rf"(?<!\d)(?:\+?86{GAP})?1[3-9]\d(?:{GAP}\d{{4}}{GAP}\d{{4}}|{GAP}\d{{8}}|\d{{4}}{GAP}\d{{4}}|{GAP}\d{{3}}{GAP}\d{{5}})(?!\d)"
    rf"|(?<!\d)0(?:10|2\d|[3-9]\d\d)(?:{GAP})(?!20\d\d{DAY}(?!\d))[2-8]\d{{2,3}}[\s\-]?\d{{4}}(?!\d)"  # landline; no date
)
CARD = re.compile(r"(?<!\d)(?:62(?:[ -]?\d){14,17}|(?:4\d|5[1-5])(?:[ -]?\d){14})(?!\d)")
SPELT = re.compile(
    r"[\w+-]+(?:\.[\w+-]+)*\s*[\[( ]\s*at\s*[\]) ]\s*\w[\w-]*\s*(?:[\[( ]\s*dot\s*[\]) ]\s*|\.)(?:com|cn|net|org|edu|gov)\b", re.IGNORECASE
)  # fmt: skip
SPELT_AT = re.compile(r"[\[( ]\s*at\s*[\]) ]", re.IGNORECASE)  # in every match of `SPELT`
MAIL = re.compile(
    r"[a-z0-9][\w.+-]*@(?:[\w-]+\.)+(?:com|cn|net|org|edu|gov)(?!\w)", re.IGNORECASE | re.ASCII
)
ADDRESS = re.compile(r"@|(?<![\d.])(?:\d{1,3}\.){3}\d{1,3}(?![\d.])")  # mail or IP


def is_personal(value: str) -> bool:
    """Tell whether a text holds a telephone, identity or bank card number, or a mail or IP address."""
    too_short = len(value) < DIGITS and MARKS.isdisjoint(value)
    if too_short or not SUSPECT.search(value):
        return False
    plain = _plain(value)
    patterns = (ADDRESS, NUMBER, GROUPED, *_spelt(plain))
    if any(pattern.search(plain) for pattern in patterns):
        return True
    without_gaps = re.sub(r"[\s\-()./]", "", plain)
    return bool(_cards(plain) or NUMBER.search(without_gaps))


def masked(value: object) -> str:
    """Return a value, `MASK` in its place where it may be personal data."""
    text = str(value)
    return MASK if is_personal(text) else text


def masked_within(text: str) -> str:
    """Return a text with `MASK` in the place of every number or mail address in it; what else it says stays.

    For names of files, sheets and teams, and for messages: they are needed to find what is meant.
    """
    if not SUSPECT.search(text):
        return text
    parts = re.split(r"([/\\\n])", text)  # a number does not go across folders
    return "".join(_masked_part(part) for part in parts)


def masked_names(names: Iterable[str]) -> list[str]:
    """Return names with what is personal masked, all different where the names are."""
    times = Counter[str]()
    shown = []
    for name in names:
        hidden = masked_within(name)
        if hidden != name:
            times[hidden] += 1
            if times[hidden] > 1:
                hidden = f"{hidden}#{times[hidden]}"
        shown.append(hidden)
    return shown


def plain_number(value: str) -> str:
    """Return a telephone or identity number in its one plain form; any other text as it is."""
    bare = re.sub(GAP, "", _plain(value)).removeprefix("+")
    if not NUMBER.fullmatch(bare):
        return value
    return re.sub(r"^(?:00)?86(?=1\d{10}$)", "", bare).upper()


def _masked_part(text: str) -> str:
    plain = _plain(text)
    hidden = plain
    for pattern in (MAIL, NUMBER, GROUPED, *_spelt(plain)):
        hidden = pattern.sub(MASK, hidden)
    for card in _cards(hidden):
        hidden = hidden.replace(card, MASK)
    return text if hidden == plain else hidden


def _spelt(text: str) -> tuple[re.Pattern[str], ...]:
    """Return `SPELT` where it may match: it takes a second over a long text without blanks."""
    return (SPELT,) if SPELT_AT.search(text) else ()


def _plain(text: str) -> str:
    """Return a text with full-width characters as plain ones, and without those that nobody sees."""
    if text.isascii():
        return text
    visible = [sign for sign in text if unicodedata.category(sign) != "Cf"]
    return unicodedata.normalize("NFKC", "".join(visible))


def _cards(text: str) -> list[str]:
    """Return the numbers of bank cards in a text: as long as one, and with the right check digit (Luhn)."""
    cards = []
    for number in CARD.findall(text):
        digits = [int(sign) for sign in reversed(number) if sign.isdigit()]
        checked = sum(digits[::2])
        for digit in digits[1::2]:
            checked += sum(divmod(2 * digit, 10))
        if checked % 10 == 0:
            cards.append(number)
    return cards


NO_ANSWER = "无"
_PEOPLES = (
    "布依|土家|仡佬|苗|侗|水|彝|回|瑶|壮|满|蒙古|藏|维吾尔|哈萨克|傣|白|哈尼|黎|傈僳|佤|拉祜|纳西|羌|土|东乡|景颇|"
    "柯尔克孜|撒拉|布朗|毛南|仫佬|锡伯|达斡尔|朝鲜|畲|普米|裕固|保安|独龙|怒|塔吉克|鄂温克|阿昌|各"
)
AUTONOMOUS = re.compile(
    rf"(?P<stem>.{{2,}}?)(?:(?:{_PEOPLES})族)*(?P<autonomous>自治(?P<kind>[县州旗]))"
)
"""Names of autonomous counties, prefectures and banners: 关岭布依族苗族自治县."""
ORDINARY = re.compile(r"(?P<stem>.{2,}?)(?:特区|新区|地区|[县市区省州])")
"""Names of all other areas: 丹寨县."""
