"""Made answers of the shape of a real open-link survey, with its published figures.

The City of Somerville, Massachusetts, asked its residents in 2011, 2013 and 2015 how happy they
were. The licence of its data is not stated, so they are not here. What is here are counts of
answers, which are facts; `write_answers` deals them out to made respondents in a seeded order,
beside columns as the real file has them: long dotted titles, text with commas and quotation marks,
"NA" and empty cells, spaces at the end.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd

ROWS = {2011: 6167, 2013: 193, 2015: 185}
HAPPY = {
    2011: {
        "": 123, "1": 96, "2": 55, "3": 151, "4": 207, "5": 351, "5.5": 8, "6": 511, "6.5": 8, "7": 1135, "7.5": 19,
        "8": 1722, "8.5": 12, "9": 942, "9.5": 5, "10": 817, "42": 1, "57": 1, "77": 1, "88": 1, "810": 1,
    },
    2013: {"1": 6, "2": 1, "3": 3, "4": 3, "5": 12, "5.5": 1, "6": 14, "7": 33, "8": 48, "8.5": 1, "9": 33, "9.5": 1, "10": 37},
    2015: {"": 1, "1": 4, "2": 1, "3": 1, "5": 7, "6": 18, "7": 33, "8": 52, "9": 36, "10": 32},
}  # fmt: skip
PLACE = {
    2011: {
        "": 269, "1": 68, "2": 54, "2.5": 1, "3": 104, "4": 152, "4.5": 2, "5": 256, "5.5": 3, "6": 541, "6.5": 9,
        "7": 1180, "7.5": 13, "8": 1654, "8.5": 14, "9": 1114, "9.5": 7, "10": 726,
    },
    2013: {"1": 7, "2": 1, "3": 2, "4": 4, "5": 10, "6": 14, "7": 35, "8": 44, "9": 40, "10": 36},
    2015: {"1": 1, "2": 1, "3": 2, "4": 3, "5": 6, "6": 11, "7": 24, "8": 40, "9": 52, "10": 45},
}  # fmt: skip
MOVING = {
    2011: {"NA": 6167},
    2013: {"": 6, "no": 136, "yes": 51},
    2015: {"": 13, "No": 132, "Yes": 40},
}
ASKED = {
    "How.happy.do.you.feel.right.now.": HAPPY,
    "How.satisfied.are.you.with.Somerville.as.a.place.to.live.": PLACE,
    "Do.you.plan.to.move.away.from.Somerville.in.the.next.two.years.": MOVING,
}
RATING = ["1", "2", "3", "3.5", "4", "5", "", "NA", "R"]
TEXT = [
    "Single, Never Married",
    "White, non-Hispanic, Other",
    '"Home - Boy" :) Ha-Ha-Ha',
    "100,000 and up",
    "French, Filipino ",
    "Ward 3",
    "18+",
    "",
    "NA",
]
WIDTH = 43


def answers(seed: int = 2015) -> pd.DataFrame:
    """Return 6,545 made respondents in 43 columns of text; the counts of `ASKED` hold exactly."""
    random = np.random.default_rng(seed)
    years = np.repeat(list(ROWS), list(ROWS.values()))
    columns: dict[str, object] = {
        "Combined_ID": [str(number) for number in range(1, len(years) + 1)],
        "Year": years.astype(str),
    }
    for title, counts in ASKED.items():
        columns[title] = np.concatenate([_dealt(random, counts[year]) for year in ROWS])
    for number in range(WIDTH - len(columns)):
        kind, cells = ("rate.the.following..The", RATING) if number % 2 else ("describe", TEXT)
        title = f"How.would.you.{kind}.quality.of.matter.number.{number}_{2011 + number % 5}"
        columns[title] = random.choice(cells, len(years))
    return pd.DataFrame(columns)


def _dealt(random: np.random.Generator, counts: dict[str, int]) -> np.ndarray:
    """Return every answer as often as it is counted, in random order."""
    return random.permutation(np.repeat(list(counts), list(counts.values())))


def write_answers(path: Path, seed: int = 2015) -> pd.DataFrame:
    """Write the answers as csv (cells quoted where they must be) and return them."""
    table = answers(seed)
    table.to_csv(path, index=False, encoding="utf-8", lineterminator="\n")
    return table
