"""A simulated year: four quarters of 88 counties and 9 prefectures, each with inspection, documents and a ladder.

Small on purpose (16 respondents a county). The combined score is worked out here by plain pandas, from the answers, the
inspection's scores and the sheets of lost points; one county's inspection is set so that its ranks are 82, 84, 41 and 40.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
from ruamel.yaml import YAML
from tests.item_trees import STANDARDS, tree_data

from conftest import ROOT, SMALL

WAVES = ("2026Q1", "2026Q2", "2026Q3", "2026Q4")
STAR = "520524"  # the seed's county: 82 (listed), 84 (again), 41 (released)
STAR_RANKS = {"2026Q1": 82, "2026Q2": 84, "2026Q3": 41, "2026Q4": 40}
STAR_PREFECTURE = "520500"
GOALS = {
    "2026Q1": "{top: 5}",
    "2026Q2": "[{top: 4}, {rise: 0}]",
    "2026Q3": "[{top: 3}, {rise: 1}]",
    "2026Q4": "{rise: 0}",
}
SCORES = {1: 0.0, 2: 25.0, 3: 50.0, 4: 75.0, 5: 100.0}
TOPICS = {"streets": 0.5, "parks": 0.3, "safety": 0.2}
WEIGHTS = {"survey": 0.4, "onsite": 0.4, "documents": 0.2}
SURVEY = """
survey: {name}
wave: {wave}
title: {{zh: 模拟年度{wave}, en: Simulated year {wave}}}
questionnaire: small@1
selection: probability
simulated: {{seed: 1, note: {{zh: 全部, en: all of it}}}}
fielded: {{start: 2026-01-01, end: 2026-12-31}}
files: [responses/*.csv]
areas: {{file: areas.csv, source: 模拟 simulated, date: 2026-01-01}}
lonely_psu: fail
languages: [zh]
earlier: [{earlier}]
"""
RULES = """
ranking:
  list_size: 10
  side: last
  minimum_n: 10
  minimum_df: 1
  minimum_deff: 0.01
  source: 模拟 simulated
rankings:
  - score: satisfaction
    list_size: 5
  - score: combined
    main: true
    thresholds:
      - {measure: satisfaction, below: 0.25, on_list: listed, zh: 满意率低于 25%, en: satisfied below 25%, source: 模拟 simulated}
    targets:
      "STAR_PREFECTURE": GOAL
    escalation:
      source: 模拟 simulated
      steps: STEPS
RELEASE"""
STEPS = [
    "{listed_in_a_row: 1, zh: 挂牌督办, en: listed}",
    "{listed_in_a_row: 2, zh: 约谈, en: talk}",
    "{listed_in_a_year: 3, zh: 诫勉谈话, en: admonition}",
]
RELEASE = "      release: {off_list: 1, rank_at_most: 60, zh: 摘牌, en: released}\n"
COMBINED = """
title: {zh: 综合测评（模拟）, en: Combined assessment (simulated)}
source: 模拟 simulated
above: mean
components:
  survey: {zh: 满意指数, en: Index, weight: 0.4, measure: topic_index, source: 模拟 simulated}
  onsite: {zh: 暗访, en: Undercover, weight: 0.4, file: onsite.csv, source: 模拟 simulated}
  documents:
    zh: 材料审核
    en: Documents
    weight: 0.2
    assessment: tree.yaml
    lost: lost.csv
    exact: 模拟：扣分为定值 simulated, points taken off are final
    source: 模拟 simulated
"""


@dataclass(frozen=True)
class Quarter:
    """A quarter as written, and its combined scores by plain pandas.

    Attributes
    ----------
    counties, prefectures : Series
        Combined score by code.
    documents : Series
        Score of the tree by county.
    lost : DataFrame
        The sheet: code, item, points.
    """

    wave: str
    folder: Path
    counties: pd.Series
    prefectures: pd.Series
    documents: pd.Series
    lost: pd.DataFrame


def areas() -> pd.DataFrame:
    return pd.read_csv(
        ROOT / "surveys" / "guizhou-2026q3" / "areas.csv",
        dtype=str,
        encoding="utf-8-sig",
        keep_default_na=False,
    )


def current(level: str) -> pd.Series:
    """Return the parent of every area of a level by its code."""
    table = areas()
    return table[(table["level"] == level) & (table["valid_to"] == "")].set_index("code")["parent"]


def tree() -> dict:
    """Return the tree of 7 aspects, 119 items and 261 standards, all of them scored by the sheet."""
    data = tree_data(not_applicable=None)
    for key in ("preconditions", "bonus_most"):
        data.pop(key)
    for aspect in data["items"].values():
        for item in aspect["items"].values():
            for leaf in item["items"].values():
                for key in ("measure", "at_least", "sites", "bonus"):
                    leaf.pop(key, None)
    return data


def points() -> pd.Series:
    return pd.Series({f"s{k:03d}": float(1 + k % 4) for k in range(STANDARDS)})


def respondents(counties: list[str], seed: int) -> pd.DataFrame:
    """16 respondents a county, of two strata with two communities; counties differ and keep most of it over the year."""
    steady = np.random.default_rng(7).normal(0, 0.5, len(counties))
    rng = np.random.default_rng(seed)
    level = steady + rng.normal(0, 0.15, len(counties))
    county = np.repeat(counties, 16)
    person = np.tile(np.arange(16), len(counties))
    residence = 1 + person // 8
    community = person // 4 % 2
    rows = pd.DataFrame(
        {
            "id": [f"P{k:05d}" for k in range(len(county))],
            "day": "2026-05-06",
            "interviewer": "I1",
            "community": [
                f"{c}{r}{k}" for c, r, k in zip(county, residence, community, strict=True)
            ],
            "county": county,
            "residence": residence,
            "sex": 1 + person % 2,
            "age": 30,
            "age_group": 1,
            "lived_here": 1,
            "heard": rng.choice([1, 2], len(county)),
            "values": "1;2",
            "took_part": 2,
            "took_part_in": "",
        }
    )
    lean = np.repeat(level, 16)
    for topic in (*TOPICS, "overall"):
        rows[topic] = np.clip(np.rint(3.4 + lean + rng.normal(0, 1, len(county))), 1, 5).astype(int)
    return rows


def index_of(rows: pd.DataFrame, by: pd.Series) -> pd.Series:
    """Return the satisfaction index by area: every respondent counts the same."""
    person = sum(weight * rows[topic].map(SCORES) for topic, weight in TOPICS.items())
    return person.groupby(by).mean()


def write_quarter(root: Path, wave: str, earlier: list[str]) -> Quarter:
    """Write a quarter's folder; the star's inspection is set to the rank that the year gives it."""
    number = WAVES.index(wave)
    parents = current("county")
    counties = sorted(parents.index)
    folder = root / "surveys" / f"year-{wave.lower()}"
    (folder / "responses").mkdir(parents=True)
    rows = respondents(counties, seed=100 + number)
    rows.to_csv(folder / "responses" / "all.csv", index=False)
    areas().to_csv(folder / "areas.csv", index=False)

    rng = np.random.default_rng(200 + number)
    sheet = pd.DataFrame(
        {
            "code": rng.choice(counties, 1500),
            "item": [f"s{k:03d}" for k in rng.integers(0, STANDARDS, 1500)],
            "points": rng.choice([0.25, 0.5, 1.0], 1500),
        }
    )
    sheet["reason"] = "模拟 simulated"
    sheet.to_csv(folder / "lost.csv", index=False)
    most = points()
    taken = sheet.groupby(["code", "item"])["points"].sum()
    taken = taken.clip(
        upper=pd.Series(most[taken.index.get_level_values("item")].to_numpy(), taken.index)
    )
    documents = 100 * (1 - taken.groupby("code").sum().reindex(counties, fill_value=0) / most.sum())

    steady = np.random.default_rng(8).normal(80, 5, len(counties))
    onsite = pd.Series(np.round(steady + rng.normal(0, 1.5, len(counties)), 1), index=counties)
    survey = index_of(rows, rows["county"])
    parts = {"survey": survey, "onsite": onsite, "documents": documents}
    combined = sum(weight * parts[name] for name, weight in WEIGHTS.items())
    others = combined.drop(STAR).sort_values(ascending=False)
    place = STAR_RANKS[wave]
    between = (others.iloc[place - 2] + others.iloc[place - 1]) / 2
    onsite[STAR] += (between - combined[STAR]) / WEIGHTS["onsite"]
    combined[STAR] = between
    pd.DataFrame({"code": counties, "score": onsite.to_numpy(), "se": 1.0}).to_csv(
        folder / "onsite.csv", index=False, float_format="%.17g"
    )
    of_prefectures = {
        "survey": index_of(rows, rows["county"].map(parents)),
        "onsite": onsite.groupby(parents[counties]).mean(),
        "documents": documents.groupby(parents[counties]).mean(),
    }
    prefectures = sum(weight * of_prefectures[name] for name, weight in WEIGHTS.items())

    names = ", ".join(f"../{name}" for name in earlier)
    (folder / "survey.yaml").write_text(
        SURVEY.format(name=folder.name, wave=wave, earlier=names), encoding="utf-8"
    )
    steps = STEPS if earlier else STEPS[:1]
    rules = RULES.replace("STAR_PREFECTURE", STAR_PREFECTURE).replace("GOAL", GOALS[wave])
    rules = rules.replace("STEPS", f"[{', '.join(steps)}]")
    rules = rules.replace("RELEASE", RELEASE if earlier else "")
    (folder / "rules.yaml").write_text(rules, encoding="utf-8")
    (folder / "combined.yaml").write_text(COMBINED, encoding="utf-8")
    with (folder / "tree.yaml").open("w", encoding="utf-8") as file:
        YAML().dump(tree(), file)
    return Quarter(wave, folder, combined, prefectures, documents, sheet)


def start_year(root: Path) -> None:
    shutil.copytree(SMALL / "questionnaires", root / "questionnaires")
