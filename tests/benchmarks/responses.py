"""Time and memory of reading, checking and reporting 100,000 x 40 responses with 50 planted faults: python tests/benchmarks/responses.py.

Every run is a process of its own; wall and processor seconds and peak memory are its own, from read_survey to the
workbook; "command" is the whole of `satisfaction check`, start of Python and import included.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from memory import peak_mb

ITEMS, FAULTS = 40, 50
INSTRUMENT = """questionnaire: large
version: "1"
title: {{zh: 大, en: Large}}
source: made for timing
universe: {{zh: 居民, en: Residents}}
changes: [first]
scales:
  five:
    answers: {{1: {{zh: 很不满意, en: very low, score: 0, counts: false}}, 2: {{zh: 不满意, en: low, score: 25, counts: false}}, 3: {{zh: 一般, en: middle, score: 50, counts: false}}, 4: {{zh: 满意, en: high, score: 75, counts: true}}, 5: {{zh: 很满意, en: very high, score: 100, counts: true}}}}
    special: {{98: {{zh: 说不清, en: Don't know, reason: dont_know, denominator: out}}}}
items:
  id: {{type: text, zh: 编号, en: Id, required: true, unique: true}}
  county: {{type: single, zh: 县, en: County, required: true, answers: {{{counties}}}}}
  age: {{type: number, low: 18, high: 99, zh: 年龄, en: Age}}
{items}
rates:
  rate: {{zh: 率, en: Rate, items: [q1]}}
ranked: rate
roles: {{respondent: id, area: county}}
"""


def make(folder: Path, rows: int) -> None:
    """Write the survey folder, its csv in GB18030 and its workbook; answers are labels in Chinese, as platforms write them."""
    import xlsxwriter

    rng = np.random.default_rng(5)
    labels = np.array(["很不满意", "不满意", "一般", "满意", "很满意", "说不清"])
    questions = [f"q{k}" for k in range(1, ITEMS - 2)]
    table = pd.DataFrame({q: labels[rng.integers(0, 6, rows)] for q in questions})
    table.insert(0, "age", rng.integers(18, 100, rows).astype(str))
    table.insert(0, "county", rng.integers(1, 89, rows).astype(str))
    table.insert(0, "id", [f"R{k:06d}" for k in range(rows)])
    for k, row in enumerate(rng.choice(rows, FAULTS, replace=False)):
        table.loc[row, ["age", questions[k % len(questions)], "county"][k % 3]] = [
            "170",
            "好",
            "99",
        ][k % 3]
    counties = ", ".join(f"{k}: {{zh: 县{k}, en: C{k}}}" for k in range(1, 89))
    items = "\n".join(
        f"  {q}: {{type: single, scale: five, zh: 题{q}, en: Item {q}}}" for q in questions
    )
    (folder / "questionnaires" / "large").mkdir(parents=True)
    (folder / "questionnaires" / "large" / "1.yaml").write_text(
        INSTRUMENT.format(counties=counties, items=items), encoding="utf-8"
    )
    for name in ("csv", "xlsx"):
        wave = folder / "surveys" / name
        wave.mkdir(parents=True)
        (wave / "rules.yaml").write_text(
            "ranking: {list_size: 10, source: test}\n", encoding="utf-8"
        )
        (wave / "survey.yaml").write_text(
            f"survey: {name}\nwave: 2026Q3\ntitle: {{zh: 大, en: Large}}\nquestionnaire: large@1\nselection: quota\nfiles: [all.{name}]\n",
            encoding="utf-8",
        )
    (folder / "surveys" / "csv" / "all.csv").write_bytes(
        table.to_csv(index=False).encode("gb18030")
    )
    with xlsxwriter.Workbook(
        str(folder / "surveys" / "xlsx" / "all.xlsx"), {"constant_memory": True}
    ) as book:
        sheet = book.add_worksheet()
        sheet.write_row(0, 0, list(table))
        for place, record in enumerate(table.itertuples(index=False), start=1):
            sheet.write_row(place, 0, record)


def one(wave: Path) -> dict[str, float]:
    """Check one folder as `satisfaction check --rejected` does."""
    from satisfaction import read_survey
    from satisfaction.collection.corrections import write_rejected
    from satisfaction.collection.responses import load_responses

    (wave / "fix.xlsx").unlink(missing_ok=True)  # nothing is ever overwritten
    started = time.perf_counter()
    survey = read_survey(wave)
    found = load_responses(survey, purpose="check")
    write_rejected(found, survey.questionnaire, wave / "fix.xlsx")
    wall = time.perf_counter() - started
    faults = found.log["action"].isin(["reject_row", "blank_item"]).sum()
    assert len(found.to_correct) <= faults >= FAULTS - 3, faults
    used = resource.getrusage(resource.RUSAGE_SELF)
    return {"wall": wall, "cpu": used.ru_utime + used.ru_stime, "peak_mb": peak_mb()}


def whole_command(wave: Path) -> float:
    """Return the seconds of `satisfaction check --rejected` from the shell and back."""
    workbook = wave / "again.xlsx"
    workbook.unlink(missing_ok=True)  # nothing is ever overwritten
    started = time.perf_counter()
    command = [
        sys.executable,
        "-m",
        "satisfaction",
        "check",
        str(wave),
        "--rejected",
        str(workbook),
    ]
    code = subprocess.run(command, check=False, capture_output=True).returncode
    assert code == 2, code  # the planted faults would stop a run
    assert workbook.is_file()
    return time.perf_counter() - started


def main() -> None:
    """Make the files, run each kind several times, print medians."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--one", type=Path)
    asked = parser.parse_args()
    if asked.one:
        print(json.dumps(one(asked.one)))
        return
    with tempfile.TemporaryDirectory() as scratch:
        make(Path(scratch), asked.rows)
        for name in ("csv", "xlsx"):
            command = [sys.executable, __file__, "--one", str(Path(scratch) / "surveys" / name)]
            runs = [
                json.loads(
                    subprocess.run(command, check=True, capture_output=True, text=True).stdout
                )
                | {"command": whole_command(Path(command[-1]))}
                for _ in range(asked.repeats)
            ]
            medians = {key: statistics.median(run[key] for run in runs) for key in runs[0]}
            print(
                f"{name}: {asked.rows} x {ITEMS}: "
                + ", ".join(f"{key} {value:.2f}" for key, value in medians.items())
            )


if __name__ == "__main__":
    main()
