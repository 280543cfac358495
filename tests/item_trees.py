"""A tree of 7 aspects, 119 items and 261 standards, with sheets, sites and waves, for tests of assessments."""

from __future__ import annotations

import numpy as np
import pandas as pd
from ruamel.yaml import YAML

from conftest import COUNTIES
from satisfaction.declarations.combined import Assessment

ASPECTS = 7
ITEMS = 119
STANDARDS = 261
DEPARTMENTS = ("城管局", "住建局", "市场监管局", "卫健局", "宣传部", "")
MEASURED = {"s000": ("satisfaction", 0.6), "s001": ("awareness", 0.5)}
AT_SITES = ("s010", "s011", "s012")
BONUS = "s260"
CLASSES = (None, "winnable", "difficult", "dead")


def tree_data(*, not_applicable: str | None = "tree") -> dict:
    """What the tree's file says: points 1 to 4, departments in turn, some standards scored otherwise."""
    aspects = {}
    for number in range(ITEMS):
        aspect = aspects.setdefault(
            f"a{number % ASPECTS}",
            {"zh": f"方面{number % ASPECTS}", "en": f"Aspect {number % ASPECTS}", "items": {}},
        )
        aspect["items"][f"i{number:03d}"] = {
            "zh": f"项目{number}",
            "en": f"Item {number}",
            "items": {},
        }
    for number in range(STANDARDS):
        name = f"s{number:03d}"
        item = number % ITEMS
        leaf = {"zh": f"标准{number}", "en": f"Standard {number}", "points": float(1 + number % 4)}
        if DEPARTMENTS[number % 6]:
            leaf["department"] = DEPARTMENTS[number % 6]
        if CLASSES[number % 4]:
            leaf["points_class"] = CLASSES[number % 4]
        if name in MEASURED:
            leaf["measure"], leaf["at_least"] = MEASURED[name]
        if name in AT_SITES:
            leaf["sites"] = True
        if name == BONUS:
            leaf["bonus"] = True
        aspects[f"a{item % ASPECTS}"]["items"][f"i{item:03d}"]["items"][name] = leaf
    data = {
        "title": {"zh": "测评体系（模拟）", "en": "Assessment system (simulated)"},
        "source": "模拟 simulated",
        "levels": [{"zh": "方面", "en": "aspect"}, {"zh": "项目", "en": "item"}, {"zh": "标准", "en": "standard"}],
        "items": aspects,
        "bonus_most": 1.5,
        "veto": {"fraud": {"zh": "造假", "en": "Fraud", "effect": "cap", "cap": 60, "source": "模拟 simulated"}},
        "preconditions": {
            "model_city": {"zh": "省级环保模范城市", "en": "Provincial model city", "effect": "exclude", "source": "模拟 simulated"},
            "enough": {
                "zh": "群众满意率达标", "en": "Satisfied enough", "effect": "cap", "cap": 90, "measure": "satisfaction", "at_least": 0.3,
                "source": "模拟 simulated",
            },
        },
    }  # fmt: skip
    if not_applicable:
        data["not_applicable"] = not_applicable
    return data


def tree(**changes) -> Assessment:
    return Assessment.model_validate(tree_data(**changes))


def by_sheet() -> list[str]:
    """Standards that lose points by the sheet."""
    other = {*MEASURED, *AT_SITES, BONUS}
    return [name for name in (f"s{k:03d}" for k in range(STANDARDS)) if name not in other]


def sheet(seed: int = 1, entries: int = 160) -> pd.DataFrame:
    """A sheet of lost points, as handed in: text."""
    rng = np.random.default_rng(seed)
    rows = []
    items = by_sheet()
    absent = {(COUNTIES[0], items[5]), (COUNTIES[0], items[6]), (COUNTIES[2], items[50])}
    for _number in range(entries):
        code = COUNTIES[rng.integers(len(COUNTIES))]
        item = items[rng.integers(len(items))]
        if (code, item) in absent:
            continue
        points = f"{rng.choice([0.25, 0.5, 1, 2])}"
        rows.append((code, item, points, "模拟 simulated", "", "", ""))
    for code, item in sorted(absent):
        rows.append((code, item, "", "没有这类场所 no such place", "not applicable", "", ""))
    rows.append((COUNTIES[1], BONUS, "2.5", "亮点 highlight", "", "", ""))
    rows.append((COUNTIES[3], "fraud", "", "模拟 simulated", "", "", ""))
    rows.append((COUNTIES[0], "model_city", "", "文件 document", "met", "", ""))
    columns = ["code", "item", "points", "reason", "state", "site", "class"]
    return pd.DataFrame(rows, columns=columns)


def sites(seed: int = 2, *, population: str = "") -> pd.DataFrame:
    """Points of inspection: two kinds of five sites a county; the last county's second kind has one."""
    rng = np.random.default_rng(seed)
    rows = []
    for code in COUNTIES:
        for item in AT_SITES:
            for kind in ("市场", "公厕"):
                number = 1 if (code, kind) == (COUNTIES[3], "公厕") else 5
                for k in range(number):
                    score = rng.integers(0, 11)
                    rows.append((code, item, f"{kind}{k}", kind, str(score), "10", population))
    columns = ["code", "item", "site", "kind", "score", "possible", "population"]
    return pd.DataFrame(rows, columns=columns)


COMBINED = """
title: {zh: 综合测评（模拟）, en: Combined assessment (simulated)}
source: 模拟 simulated
components:
  survey: {zh: 满意指数, en: Index, weight: 0.4, measure: topic_index, source: 模拟 simulated}
  onsite: {zh: 暗访, en: Undercover, weight: 0.2, file: onsite.csv, source: 模拟 simulated}
  system:
    zh: 测评体系
    en: Assessment system
    weight: 0.4
    assessment: tree.yaml
    lost: lost.csv
    sites: sites.csv
    date: 2026-05-01
    source: 模拟 simulated
    earlier:
      - {wave: 2025T3, lost: lost_1.csv, sites: sites_1.csv, source: 模拟 simulated}
      - {wave: 2025T4, lost: lost_2.csv, sites: sites_2.csv, source: 模拟 simulated}
"""


def write_files(folder, **changes) -> None:
    """Write combined.yaml and all it names."""
    (folder / "combined.yaml").write_text(COMBINED, encoding="utf-8")
    with (folder / "tree.yaml").open("w", encoding="utf-8") as file:
        YAML().dump(tree_data(**changes), file)
    sheet().to_csv(folder / "lost.csv", index=False)
    sites().to_csv(folder / "sites.csv", index=False)
    for number in (1, 2):
        sheet(10 + number).to_csv(folder / f"lost_{number}.csv", index=False)
        sites(20 + number).to_csv(folder / f"sites_{number}.csv", index=False)
    onsite = pd.DataFrame({"code": COUNTIES, "score": [80, 70, 90, 60], "se": [2, 1, 3, 1.5]})
    onsite.to_csv(folder / "onsite.csv", index=False)
