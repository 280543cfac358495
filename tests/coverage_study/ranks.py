"""The validity study of ranks: do sets hold the truth, are claims false too often, do probabilities come true?

usage: python -m tests.coverage_study.ranks [--seeds 20] [--quick] [--first 1] [--processes 2] [--survey ...] [--out ...]

Samples of 88 simulated counties with the shipped wave's numbers of PSUs and estimated se (see `rank_truths`). Of N seeds:
8N samples for methods without simulation, N for max-t and Dunnett's form, N/2 for power, 4N for P(last ten), N/4 for what is
shown only. All truths and methods of one sample share its errors. --quick: 2 seeds. Exit status 1 where a bar is missed.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator
from multiprocessing import Pool
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from tqdm import tqdm

from . import rank_errors as errors
from . import rank_scoring as scoring
from .province import read_allocation
from .rank_power import PRIORS, calibration, power
from .rank_truths import shipped_design, truths

ROOT = Path(__file__).parents[2]
Array = np.ndarray[Any, Any]
EXACT, CALIBRATED, POWER_EVERY, SHOWN_EVERY = 8, 4, 2, 4
KINDS = ("exact", "simulated", "shown", "power", "calibration")
Task = tuple[str, int]
Found = list[tuple[scoring.Key, Array]]
_held: dict[str, Any] = {}


def prepare(survey: Path) -> None:
    """Lay out the design and the truths of a worker process."""
    design = shipped_design(read_allocation(survey))
    pairs = truths(len(design.df))
    _held["design"] = design
    _held["truths"] = {
        name: (errors.Truth.of(was), errors.Truth.of(now)) for name, (was, now) in pairs.items()
    }


def work(task: Task) -> tuple[str, Any]:
    """Run one task."""
    kind, seed = task
    random = np.random.default_rng([seed, 100 + KINDS.index(kind)])
    if kind == "power":
        spread, tied = (_held["truths"][name][1] for name in ("well spread", "21, 56, 11 tied"))
        return kind, power(_held["design"], spread, tied, random)
    if kind == "calibration":
        return kind, sum(calibration(_held["design"], random) for _ in range(CALIBRATED))
    run = {"exact": exact, "simulated": simulated, "shown": shown}[kind]
    return kind, run(random, seed)


def exact(random: np.random.Generator, seed: int) -> Found:
    """Methods without simulation, under every truth."""
    design, found = _held["design"], []
    for _ in range(EXACT):
        later, earlier = errors.sampled(design, random)
        for name, (was, now) in _held["truths"].items():
            after, before = (
                errors.observed(now.score, later, design.df),
                errors.observed(was.score, earlier, design.df),
            )
            parts = errors.set_errors(after, now) | errors.membership_errors(after, now)
            found += keyed(name, parts | errors.rise_errors(before, after, was, now))
    return found


def simulated(random: np.random.Generator, seed: int) -> Found:
    """Methods by simulation or integration, under every truth."""
    design, found, critical = _held["design"], [], None
    sample, _ = errors.sampled(design, random)
    for name, (_, truth) in _held["truths"].items():
        pairs = errors.observed(truth.score, sample, design.df)
        critical = (
            errors.watched_critical(pairs, errors.watched(design)) if critical is None else critical
        )
        parts = errors.maxt_errors(pairs, truth, seed=seed) | errors.dunnett_errors(pairs, truth)
        found += keyed(name, parts | errors.marginal_maxt_errors(pairs, truth, critical))
    return found


def shown(random: np.random.Generator, seed: int) -> Found:
    """What guarantees nothing here: naming by probability, and the peer."""
    design, found = _held["design"], []
    sample, _ = errors.sampled(design, random)
    for name, (_, truth) in _held["truths"].items():
        pairs = errors.observed(truth.score, sample, design.df)
        found += keyed(
            name, errors.probability_errors(pairs, truth) | errors.peer_errors(pairs, truth, random)
        )
    return found


def keyed(truth: str, parts: errors.Errors) -> Found:
    """Put the truth's name before the keys."""
    return [((truth, *key), one) for key, one in parts.items()]


def tasks(first: int, seeds: int) -> Iterator[Task]:
    """Yield what is to be run, the slow ones first."""
    for kind, every in (
        ("simulated", 1),
        ("power", POWER_EVERY),
        ("shown", SHOWN_EVERY),
        ("exact", 1),
        ("calibration", 1),
    ):
        yield from ((kind, first + k) for k in range(-(-seeds // every)))


def study(*, first: int, seeds: int, processes: int, survey: Path) -> dict[str, Any]:
    """Run all tasks: total (Counted by key), power (a list) and calibration."""
    listed = list(tasks(first, seeds))
    total: dict[scoring.Key, scoring.Counted] = {}
    found: dict[str, Any] = {"total": total, "power": [], "calibration": 0}
    with Pool(processes, prepare, (survey,)) as pool:
        for kind, part in tqdm(
            pool.imap(work, listed, chunksize=1), total=len(listed), desc="ranks", disable=None
        ):
            if kind == "power":
                found["power"].append(part)
            elif kind == "calibration":
                found["calibration"] = found["calibration"] + part
            else:
                for key, one in part:
                    total.setdefault(key, scoring.Counted()).add(one)
    return found


def tables(found: dict[str, Any]) -> dict[str, pd.DataFrame]:
    """Return all tables by title."""
    made = {
        title: scoring.section_table(section, found["total"])
        for section, title in scoring.TITLES.items()
    }
    made["Of the truly last ten, well spread: how many are established"] = scoring.power_table(
        found["power"]
    )
    made[f"The same as multiples of the peer (at least {scoring.MORE:g})"] = scoring.power_ratios(
        found["power"]
    )
    made[f"P(last ten), truth drawn from the model (within {100 * scoring.OFF:g} points)"] = (
        scoring.calibration_table(found["calibration"])
    )
    return made


def report(*, first: int, seeds: int, processes: int, survey: Path, out: Path) -> int:
    """Run the study, print and write its tables, return how many bars were missed."""
    began = time.monotonic()
    made = tables(study(first=first, seeds=seeds, processes=processes, survey=survey))
    off = scoring.weighted_deviation(list(made.values())[-1])
    closing = [f"Weighted deviation, sd {sd:g}: {off[sd]:.2f} points" for sd in PRIORS]
    wrong = sum(
        int((table["verdict"] == scoring.WRONG).sum())
        for table in made.values()
        if "verdict" in table
    )
    closing.append(f"{wrong} bars missed; {time.monotonic() - began:.0f} s; all simulated")
    heading = f"Validity of ranks; simulated; seeds {first}-{first + seeds - 1}"
    heading += "; bars: nominal 95 % and 5 %, 1 point allowed"
    scoring.write_tables(out, heading, made, closing=closing)
    return wrong


def main() -> int:
    """Run the study from the command line."""
    assert __doc__
    options = argparse.ArgumentParser(
        prog="python -m tests.coverage_study.ranks", description=__doc__.split("\n\n")[0]
    )
    options.add_argument("--seeds", type=int, default=20)
    options.add_argument("--quick", action="store_const", const=2, dest="seeds", help="2 seeds")
    options.add_argument("--first", type=int, default=1)
    options.add_argument("--processes", type=int, default=2)
    options.add_argument("--survey", type=Path, default=ROOT / "surveys" / "guizhou-2026q3")
    options.add_argument("--out", type=Path, default=ROOT / "tests" / "out" / "rank_validity.md")
    return int(report(**vars(options.parse_args())) > 0)


if __name__ == "__main__":
    sys.exit(main())
