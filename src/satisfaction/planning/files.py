"""A draw and a plan as file sets."""

from __future__ import annotations

import datetime
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from ..errors import DesignError
from ..fileset import plain
from ..io.files import free_name, new_folder, sha256
from ..io.pages import fill
from ..io.tables import read_table
from ..io.writing import write_csv, write_json, write_text, write_xlsx
from ..pipeline import Results
from ..published import mark, twelve_digits
from .drawing import Draw
from .plan import Plan

HOUSEHOLDS = 40  # lines of a selection sheet


def write_draw(drawn: Draw, folder: Path, *, psu: str, size: str, persons: int, frame: Path, simulated: str = "") -> Path:
    """Write a draw into a folder that does not exist yet: sample.csv (the first wave), panel.csv (all waves and reserves), sheets.html, draw.json.

    sample.csv has what survey.yaml's `sample` asks for: psu_probability, person_probability (persons / size) and planned.
    """
    with new_folder(folder) as scratch:
        write_csv(sample_table(drawn.wave(1), size=size, persons=persons).assign(mark=simulated), scratch / "sample.csv")
        write_csv(drawn.table.assign(persons=persons, mark=simulated), scratch / "panel.csv")
        write_csv(drawn.summary.assign(mark=simulated), scratch / "strata.csv")
        write_text(sheets_page(drawn, psu=psu, size=size, persons=persons, simulated=simulated), scratch / "sheets.html")
        record = dict(drawn.conventions) | {
            "psu": psu,
            "size": size,
            "persons": persons,
            "frame": frame.name,
            "frame_sha256": sha256(frame),
        }
        write_json(plain(record | {"mark": simulated}), scratch / "draw.json")
    return folder


def next_sample(panel: Path, *, wave: int) -> pd.DataFrame:
    """Return the sample of a later wave from the panel.csv of an earlier draw, as sample.csv holds it.

    Raises
    ------
    DesignError
        D126 for a file that is no panel, or a wave it does not hold.
    """
    table = read_table(panel)
    waves = sorted({int(one) for one in table.get("wave", pd.Series(dtype=str)) if one.isdigit()} - {0})
    if wave not in waves or not {"probability", "persons", "role"} <= set(table):
        raise DesignError(
            "D126",
            f"轮换样本中没有第 {wave} 期。",
            f"The panel has no wave {wave}.",
            where=str(panel),
            available=waves,
            hint=("改为已有的期次；用完后重新抽取。", "Name a wave that it has; draw anew when they are used up."),
        )
    rows = table[table["wave"] == str(wave)].reset_index(drop=True)
    size = list(table)[list(table).index("probability") - 1]
    numbers = {name: rows[name].astype(float) for name in ("probability", size)}
    return sample_table(rows.assign(**numbers), size=size, persons=int(rows["persons"].iloc[0])).drop(
        columns=["persons"], errors="ignore"
    )


def sample_table(rows: pd.DataFrame, *, size: str, persons: int) -> pd.DataFrame:
    """Return a wave's sample as survey.yaml declares it."""
    table = rows.drop(columns=["wave", "probability", "order"]).assign(
        psu_probability=rows["probability"],
        person_probability=np.minimum(persons / rows[size].astype(float), 1.0),
        planned=persons,
    )
    return twelve_digits(table)


def sheets_page(drawn: Draw, *, psu: str, size: str, persons: int, simulated: str) -> str:
    """Return the printable selection sheets: which households of every PSU, which adult of a household.

    Households: a random start and an interval on the list of households; adults by a table of random numbers for one to ten
    adults, in order of age (Kish 1949 in its plain form: every adult of a household has the same chance).
    """
    seed = int(drawn.conventions["seed"])
    sheets = []
    for place, row in enumerate(drawn.wave(1).to_dict("records")):
        rng = np.random.default_rng([seed, 1, place])
        interval = row[size] / persons
        lines = [int(start) for start in np.floor(rng.random() * interval + interval * np.arange(persons)) + 1]
        picks = [[int(one) for one in rng.integers(1, np.arange(1, 11) + 1)] for _ in range(min(persons, HOUSEHOLDS))]
        sheets.append(
            {"row": row, "psu": row[psu], "size": row[size], "lines": lines, "picks": picks, "interval": f"{interval:.2f}"}
        )
    keys = [name for name in drawn.table.columns if name not in ("wave", psu, size, "probability", "role", "order")]
    return fill(
        "sheets.html", {"sheets": sheets, "keys": keys, "persons": persons, "mark": simulated, "conventions": drawn.conventions}
    )


def write_plan(results: Results, plan: Plan) -> Path:
    """Write a plan below <survey>/out/: plan.xlsx, plan.csv (areas), needs.csv, allocations.csv, plan.html, plan.json."""
    finished = datetime.datetime.now(datetime.UTC)
    said = mark(results.survey)
    tables: Mapping[str, pd.DataFrame] = {"needs": plan.needs, "allocations": plan.allocations, "areas": plan.areas}
    marked = {name: twelve_digits(table).assign(mark=said) for name, table in tables.items()}
    folder = free_name(results.survey.folder / "out" / f"{finished:%Y%m%dT%H%M%SZ}-plan")
    with new_folder(folder) as scratch:
        for name, table in marked.items():
            write_csv(table, scratch / f"{name}.csv")
        write_xlsx({**marked, "notes": pd.DataFrame({"note": plan.lines})}, scratch / "plan.xlsx")
        write_text(plan_page(results, plan), scratch / "plan.html")
        write_json(plain({"mark": said, "notes": plan.lines, **plan.conventions}), scratch / "plan.json")
    return folder


def plan_page(results: Results, plan: Plan) -> str:
    """Return the page for a budget office: what each wish needs, what each way of dividing the budget brings."""
    from ..report.pictures import picture
    from ..report.words import Words
    from .pictures import needs_plot

    survey = results.survey
    alt = Words("各项要求所需的访问数，数值见下表。", "Interviews each wish needs; the values stand in the table below.")
    figure = needs_plot(plan, mark=mark(survey))
    drawn = picture(figure, alt) if figure else None
    values: dict[str, Any] = {"declared": survey.declared, "marks": survey.marks, "plan": plan, "picture": drawn}
    return fill("plan.html", values | {"needs": _records(plan.needs), "allocations": _records(plan.allocations)})


def _records(table: pd.DataFrame) -> Sequence[dict[str, Any]]:
    return [{str(key): value for key, value in row.items()} for row in table.to_dict("records")]
