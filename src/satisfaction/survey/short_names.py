"""Short forms under which people know a Chinese administrative area: 丹寨 for 丹寨县, 关岭县 for 关岭布依族苗族自治县."""

from __future__ import annotations

import re

PEOPLES = (
    "布依|土家|仡佬|苗|侗|水|彝|回|瑶|壮|满|蒙古|藏|维吾尔|哈萨克|傣|白|哈尼|黎|傈僳|佤|拉祜|纳西|羌|土|东乡|景颇|"
    "柯尔克孜|撒拉|布朗|毛南|仫佬|锡伯|达斡尔|朝鲜|畲|普米|裕固|保安|独龙|怒|塔吉克|鄂温克|阿昌|各"
)
AUTONOMOUS = re.compile(rf"(?P<stem>.{{2,}}?)(?:(?:{PEOPLES})族)*自治(?P<kind>[县州旗])")
ORDINARY = re.compile(r"(?P<stem>.{2,}?)(?:特区|新区|地区|[县市区省州])")


def short_names(name: str) -> set[str]:
    """Return the short forms of an area's name; none of them need be unique."""
    if found := AUTONOMOUS.fullmatch(name):
        stem, kind = found["stem"], found["kind"]
        return {stem, f"{stem}{kind}", f"{stem}自治{kind}"} - {name}
    if found := ORDINARY.fullmatch(name):
        return {found["stem"]}
    return set()
