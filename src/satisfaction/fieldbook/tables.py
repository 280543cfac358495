"""Findings counted: by check, and by county."""

from __future__ import annotations

import pandas as pd

from .standing import Standing
from .words import LEVELS, NAMES

# levels whose units count once, whatever flags them; a county's own flags are counted one by one
UNITS = {"interviewers": "interviewer", "cells": "cell", "interviews": "respondent"}


def check_table(standing: Standing) -> pd.DataFrame:
    """Count units and flags of every check that ran, the most flagged first.

    Returns
    -------
    DataFrame
        check, zh, en, level, level_zh, level_en, units, flagged, share (0-1).
    """
    counted = standing.found.groupby(["check", "level"], sort=False)["flag"].agg(["size", "sum"]).reset_index()
    table = counted.rename(columns={"size": "units", "sum": "flagged"})
    names = pd.DataFrame([NAMES[check][:2] for check in table["check"]], columns=["zh", "en"])
    levels = pd.DataFrame([LEVELS[level] for level in table["level"]], columns=["level_zh", "level_en"])
    table = table.join(names).join(levels).assign(share=table["flagged"] / table["units"])
    table = table[["check", "zh", "en", "level", "level_zh", "level_en", "units", "flagged", "share"]]
    return table.sort_values(["flagged", "share"], ascending=False, kind="stable", ignore_index=True)


def county_table(standing: Standing) -> pd.DataFrame:
    """Count the flags of every ranked area, the most flagged first: by the county's own, then interviewers, cells, interviews.

    Returns
    -------
    DataFrame
        code, name_zh, name_en, accepted, planned, share (accepted / planned, 0-1), county (flags of its own), interviewers, cells and
        interviews (flagged at least once), interviews_share (0-1), further (flagged days, devices, addresses).
    """
    flagged, shown = standing.found[standing.found["flag"]], ["code", "name_zh", "name_en", "accepted", "planned", "share"]
    table = standing.progress[shown].set_index("code")
    by_level = {level: own.groupby("county")["unit"] for level, own in flagged.groupby("level")}
    table["county"] = by_level["county"].size() if "county" in by_level else 0
    for name, level in UNITS.items():
        table[name] = by_level[level].nunique() if level in by_level else 0
    table["further"] = flagged.loc[~flagged["level"].isin(["county", *UNITS.values()]), "county"].value_counts()
    counts = ["county", *UNITS, "further"]
    table[counts] = table[counts].fillna(0).astype(int)
    share = table["interviews"] / table["accepted"].where(table["accepted"] > 0)
    table.insert(table.columns.get_loc("further"), "interviews_share", share.astype(float))
    table = table.reset_index().sort_values("code", kind="stable")
    return table.sort_values(["county", *UNITS], ascending=False, kind="stable", ignore_index=True)
