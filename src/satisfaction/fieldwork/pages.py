"""One page a county and an index of them: self-contained HTML, Chinese first, English beside it.

Findings counted: by check, and by county.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import pandas as pd

from satisfaction.fieldwork.checks import CHECKS
from satisfaction.fieldwork.daily import county_page
from satisfaction.fieldwork.standing import LEVELS, NAMES, Standing, counties, written
from satisfaction.foundation.pages import fill

# levels whose units count once, whatever flags them; a county's own flags are counted one by one
UNITS = {"interviewers": "interviewer", "cells": "cell", "interviews": "respondent"}


def check_table(standing: Standing) -> pd.DataFrame:
    """Count units and flags of every check that ran, the most flagged first.

    Returns
    -------
    DataFrame
        check, zh, en, level, level_zh, level_en, units, flagged, share (0-1).
    """
    counted = (
        standing.found.groupby(["check", "level"], sort=False)["flag"]
        .agg(["size", "sum"])
        .reset_index()
    )
    table = counted.rename(columns={"size": "units", "sum": "flagged"})
    names = pd.DataFrame([NAMES[check][:2] for check in table["check"]], columns=["zh", "en"])
    levels = pd.DataFrame(
        [LEVELS[level] for level in table["level"]], columns=["level_zh", "level_en"]
    )
    table = table.join(names).join(levels).assign(share=table["flagged"] / table["units"])
    table = table[
        ["check", "zh", "en", "level", "level_zh", "level_en", "units", "flagged", "share"]
    ]
    return table.sort_values(
        ["flagged", "share"], ascending=False, kind="stable", ignore_index=True
    )


def county_table(standing: Standing) -> pd.DataFrame:
    """Count the flags of every ranked area, the most flagged first: by the county's own, then interviewers, cells, interviews.

    Returns
    -------
    DataFrame
        code, name_zh, name_en, accepted, planned, share (accepted / planned, 0-1), county (flags of its own), interviewers, cells and
        interviews (flagged at least once), interviews_share (0-1), further (flagged days, devices, addresses).
    """
    flagged, shown = (
        standing.found[standing.found["flag"]],
        ["code", "name_zh", "name_en", "accepted", "planned", "share"],
    )
    table = standing.progress[shown].set_index("code")
    by_level = {level: own.groupby("county")["unit"] for level, own in flagged.groupby("level")}
    table["county"] = by_level["county"].size() if "county" in by_level else 0
    for name, level in UNITS.items():
        table[name] = by_level[level].nunique() if level in by_level else 0
    table["further"] = flagged.loc[
        ~flagged["level"].isin(["county", *UNITS.values()]), "county"
    ].value_counts()
    counts = ["county", *UNITS, "further"]
    table[counts] = table[counts].fillna(0).astype(int)
    share = table["interviews"] / table["accepted"].where(table["accepted"] > 0)
    table.insert(table.columns.get_loc("further"), "interviews_share", share.astype(float))
    table = table.reset_index().sort_values("code", kind="stable")
    return table.sort_values(["county", *UNITS], ascending=False, kind="stable", ignore_index=True)


Row = dict[str, Any]
SINGLE = (
    "county",
    "interviewer",
    "cell",
)  # levels that have a table of their own; the others are listed where flagged
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
            "advice": [
                _finding(one)
                for one in _records(found[found["flag"] & found["level"].isin(SINGLE)])
            ],
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
    rows = [
        _county(standing, one, flagged[one["code"]], rates)
        for one in _records(county_table(standing))
    ]
    summary = standing.responses.summary[["rows", "accepted", "rejected"]].sum()
    values = _shared(standing) | {
        "summary": summary,
        "interviews": len(standing.rows),
        "counties": rows,
        "checks": [_titled(one["check"]) | one for one in _records(check_table(standing))],
        "others": [
            _finding(one)
            for one in _records(
                standing.found[standing.found["flag"] & (standing.found["county"] == "")]
            )
        ],
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
    units = {
        level: flagged.loc[flagged["level"] == level, "unit"].nunique()
        for level in ("interviewer", "respondent")
    }
    accepted, some = (
        int(stand["accepted"]),
        found.loc[found["level"] == "interviewer", "unit"].nunique(),
    )
    planned = (
        ""
        if pd.isna(stand["planned"])
        else f" / {int(stand['planned'])}（{written('quota', stand['share'])}）"
    )
    reached = (
        ""
        if pd.isna(stand["psus_planned"])
        else f"{int(stand['psus_reached'])} / {int(stand['psus_planned'])}"
    )
    cards = [
        ("接受 / 计划", "accepted / planned", f"{accepted}{planned}"),
        ("到达 / 计划初级单元", "PSUs reached / planned", reached),
        ("县级标记", "flags of the county", str(int((flagged["level"] == "county").sum()))),
        (
            "有标记的访问员",
            "interviewers flagged",
            f"{units['interviewer']} / {some}" if some else "",
        ),
        (
            "有标记的答卷",
            "interviews flagged",
            f"{units['respondent']} / {accepted}（{_share(units['respondent'], accepted)}）",
        ),
    ]
    return [card for card in cards if card[2]]


def _interviewers(found: pd.DataFrame) -> Row:
    """Set an interviewer's figures side by side: heads, and rows of a name and cells (text, flagged)."""
    checks = [check for check in NAMES if (found["check"] == check).any()]
    rows = []
    for unit, own in found.groupby("unit", sort=True):
        by = {one["check"]: one for one in _records(own)}
        cells = [
            (written(c, by[c]["figure"]), bool(by[c]["flag"])) if c in by else (ABSENT, False)
            for c in checks
        ]
        rows.append(
            {
                "unit": unit,
                "n": int(own["n"].max()),
                "cells": cells,
                "flagged": sum(flag for _, flag in cells),
            }
        )
    rows.sort(key=lambda one: (-one["flagged"], one["unit"]))
    return {"heads": [_titled(check) for check in checks], "rows": rows}


def _by_check(flags: pd.DataFrame) -> list[Row]:
    """Gather flagged interviews, days and devices under the check that flags them."""
    groups = flags.groupby(["check", "level"], sort=False)
    return [
        _titled(check)
        | _level(level)
        | {"check": check, "level": level, "rows": [_finding(one) for one in _records(own)]}
        for (check, level), own in groups
    ]


def _finding(one: Row) -> Row:
    """Write a finding's figure beside what it is compared with."""
    check, level = one["check"], one["level"]
    quartiles = (
        ""
        if pd.isna(one["q1"])
        else f"{written(check, one['q1'], level)} – {written(check, one['q3'], level)}"
    )
    figures = {
        "figure": written(check, one["figure"], level),
        "median": written(check, one["median"], level),
        "quartiles": quartiles,
    }
    return one | _titled(check) | _level(one["level"]) | figures


def _titled(check: str) -> Row:
    zh, en, _, _ = NAMES[check]
    titles = CHECKS[check]
    return {
        "zh": zh,
        "en": en,
        "title_zh": titles[0],
        "title_en": titles[1],
        "advice_zh": titles[2],
        "advice_en": titles[3],
    }


def _level(level: str) -> Row:
    return dict(zip(("level_zh", "level_en"), LEVELS[level], strict=True))


def _share(part: int, whole: int) -> str:
    return f"{100 * part / whole:.1f} %" if whole else ABSENT


def _records(table: pd.DataFrame) -> list[Row]:
    return [{str(key): value for key, value in one.items()} for one in table.to_dict("records")]
