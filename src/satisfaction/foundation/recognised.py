"""By what Chinese text in files is recognised: the kinds of areas in their names, the word for no answer.

Nothing here is shown to anybody.
"""

from __future__ import annotations

import re

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
