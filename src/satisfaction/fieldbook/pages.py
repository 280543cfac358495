"""One page a county and an index of them: self-contained HTML, Chinese first, English beside it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pandas as pd

from ..fieldwork import CHECKS, county_page
from ..io.pages import fill
from .standing import Standing, counties
from .tables import check_table, county_table
from .words import LEVELS, NAMES, written

Row = dict[str, Any]
SINGLE = ("county", "interviewer", "cell")  # levels that have a table of their own; the others are listed where flagged
ABSENT = "–"


def county_pages(standing: Standing) -> Iterator[tuple[str, str]]:
    """Yield the file name and the text of every county's page, in order of the areas."""
    shared, stands = _shared(standing), standing.progress.set_index("code")
    for code, rows, found in counties(standing):
        tables = county_page(rows, found, code, fields=standing.fields, mark="")
        values = shared | {
            "code": code,
            "name": standing.survey.area_names()[code],
            "cards": _cards(stands.loc[code], found),
            "advice": [_finding(one) for one in _records(found[found["flag"] & found["level"].isin(SINGLE)])],
            "figures": [_finding(one) for one in _records(found[found["level"] == "county"])],
            "interviewers": _interviewers(found[found["level"] == "interviewer"]),
            "cells": [_finding(one) for one in _records(found[found["level"] == "cell"])],
            "flags": _by_check(tables["flags"]),
            "days": _records(tables.get("days", pd.DataFrame())),
        }
        yield file_name(code), fill("county.html", values)


def index_page(standing: Standing) -> str:
    """Write the page that lists the checks and the counties with their flags, the most flagged first."""
    flagged = {code: found[found["flag"]] for code, _, found in counties(standing)}
    rates = standing.found[standing.found["check"] == "response_rate"].set_index("county")["figure"]
    rows = [_county(standing, one, flagged[one["code"]], rates) for one in _records(county_table(standing))]
    summary = standing.responses.summary[["rows", "accepted", "rejected"]].sum()
    values = _shared(standing) | {
        "summary": summary,
        "interviews": len(standing.rows),
        "counties": rows,
        "checks": [_titled(one["check"]) | one for one in _records(check_table(standing))],
        "others": [_finding(one) for one in _records(standing.found[standing.found["flag"] & (standing.found["county"] == "")])],
        "outcomes": [] if standing.outcomes is None else _records(standing.outcomes.counts),
        "rates": [] if standing.outcomes is None else _records(standing.outcomes.rates),
    }
    return fill("counties.html", values)


def file_name(code: str) -> str:
    """Return the name of a county's page; a code never leads out of the folder."""
    return re.sub(r"[^0-9A-Za-z-]", "_", code) + ".html"


def _shared(standing: Standing) -> Row:
    """Return what every page says of the survey, the limits and the checks that did not run."""
    survey = standing.survey
    return {
        "survey": survey,
        "declared": survey.declared,
        "marks": survey.marks,
        "day": standing.day,
        "limits": standing.limits,
        "left_out": _records(standing.left_out),
    }


def _county(standing: Standing, one: Row, flagged: pd.DataFrame, rates: pd.Series[Any]) -> Row:
    """Return a county's line of the index."""
    code = one["code"]
    return one | {
        "href": f"counties/{file_name(code)}",
        "name": standing.survey.area_names()[code],
        "planned": ABSENT if pd.isna(one["planned"]) else one["planned"],
        "share": written("quota", one["share"]),
        "rate": written("response_rate", rates.get(code)),
        "checks": [_titled(check) for check in flagged.loc[flagged["level"] == "county", "check"]],
        "interviews_share": _share(one["interviews"], one["accepted"]),
    }


def _cards(stand: pd.Series[Any], found: pd.DataFrame) -> list[tuple[str, str, str]]:
    """Return the figures on top of a county's page: Chinese, English, value."""
    flagged = found[found["flag"]]
    units = {level: flagged.loc[flagged["level"] == level, "unit"].nunique() for level in ("interviewer", "respondent")}
    accepted, some = int(stand["accepted"]), found.loc[found["level"] == "interviewer", "unit"].nunique()
    planned = "" if pd.isna(stand["planned"]) else f" / {int(stand['planned'])}（{written('quota', stand['share'])}）"
    reached = "" if pd.isna(stand["psus_planned"]) else f"{int(stand['psus_reached'])} / {int(stand['psus_planned'])}"
    cards = [
        ("接受 / 计划", "accepted / planned", f"{accepted}{planned}"),
        ("到达 / 计划初级单元", "PSUs reached / planned", reached),
        ("县级标记", "flags of the county", str(int((flagged["level"] == "county").sum()))),
        ("有标记的访问员", "interviewers flagged", f"{units['interviewer']} / {some}" if some else ""),
        ("有标记的答卷", "interviews flagged", f"{units['respondent']} / {accepted}（{_share(units['respondent'], accepted)}）"),
    ]
    return [card for card in cards if card[2]]


def _interviewers(found: pd.DataFrame) -> Row:
    """Set an interviewer's figures side by side: heads, and rows of a name and cells (text, flagged)."""
    checks = [check for check in NAMES if (found["check"] == check).any()]
    rows = []
    for unit, own in found.groupby("unit", sort=True):
        by = {one["check"]: one for one in _records(own)}
        cells = [(written(c, by[c]["figure"]), bool(by[c]["flag"])) if c in by else (ABSENT, False) for c in checks]
        rows.append({"unit": unit, "n": int(own["n"].max()), "cells": cells, "flagged": sum(flag for _, flag in cells)})
    rows.sort(key=lambda one: (-one["flagged"], one["unit"]))
    return {"heads": [_titled(check) for check in checks], "rows": rows}


def _by_check(flags: pd.DataFrame) -> list[Row]:
    """Gather flagged interviews, days and devices under the check that flags them."""
    groups = flags.groupby(["check", "level"], sort=False)
    return [
        _titled(check) | _level(level) | {"check": check, "level": level, "rows": [_finding(one) for one in _records(own)]}
        for (check, level), own in groups
    ]


def _finding(one: Row) -> Row:
    """Write a finding's figure beside what it is compared with."""
    check, level = one["check"], one["level"]
    quartiles = "" if pd.isna(one["q1"]) else f"{written(check, one['q1'], level)} – {written(check, one['q3'], level)}"
    figures = {
        "figure": written(check, one["figure"], level),
        "median": written(check, one["median"], level),
        "quartiles": quartiles,
    }
    return one | _titled(check) | _level(one["level"]) | figures


def _titled(check: str) -> Row:
    zh, en, _, _ = NAMES[check]
    titles = CHECKS[check]
    return {"zh": zh, "en": en, "title_zh": titles[0], "title_en": titles[1], "advice_zh": titles[2], "advice_en": titles[3]}


def _level(level: str) -> Row:
    return dict(zip(("level_zh", "level_en"), LEVELS[level], strict=True))


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else ABSENT


def _records(table: pd.DataFrame) -> list[Row]:
    return [{str(key): value for key, value in one.items()} for one in table.to_dict("records")]
