"""What one move of a slider costs in the what-if of notebooks 02, 04 and 05: processor milliseconds a setting.

usage: python tests/benchmarks/what_if.py [--wave surveys/guizhou-2026q3] [--profile "trimming bound"]

The wave is copied first, as looks at weightings are kept in its folder. Settings never come back, so that no answer is
remembered; what the moves rest on is drawn up when the controls are laid out, which stands apart. Bar: 90 ms. The answers
are simulated.
"""

from __future__ import annotations

import argparse
import cProfile
import pstats
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import satisfaction as sat
from satisfaction.notebook import what_if

ROOT = Path(__file__).parents[2]
BAR = 90  # milliseconds
DEEPEST = 45  # rows of a profile

Setting = dict[str, object]


def weighting_moves(shown: what_if.WhatIf) -> dict[str, list[Setting]]:
    """Return settings of notebook 02 by the slider that is moved last."""
    margins = [name for name in shown.controls if name != "upper"]
    first, *others = [{"upper": bound} for bound in what_if.BOUNDS]
    moves: dict[str, list[Setting]] = {"first move": [first], "trimming bound": others}
    moves["margin off"] = []
    for name in margins:
        moves["margin off"] += [{"upper": what_if.AS_DECLARED}, {name: False}, {name: True}]
    moves["bound, a margin off"] = [{margins[0]: False}, first, *others]
    return moves


def measure_moves(shown: what_if.WhatIf) -> dict[str, list[Setting]]:
    """Return settings of notebook 04."""
    moves: dict[str, list[Setting]] = {}
    if "dont_know" in shown.controls:
        moves["first move"] = [{"dont_know": "in"}]
        moves["don't-know rule"] = [{"dont_know": "out"}]
    if "component" in shown.controls:
        factors = [factor for factor in what_if.FACTORS if factor != 1]
        moves["index weights"] = [{"factor": factor} for factor in factors]
        components = [value for _words, value in shown.controls["component"].options]
        moves["index weights"] += [{"component": name} for name in components[1:4]]
        rules = {"dont_know": what_if.AS_DECLARED}
        moves["index weights"].append(rules)
        moves["index weights"] += [{"factor": factor} for factor in factors[:3]]
    return moves


def rule_moves(shown: what_if.WhatIf) -> dict[str, list[Setting]]:
    """Return settings of notebook 05."""
    levels = [value for _words, value in shown.controls["level"].options]
    return {
        "first move": [{"list_size": 9}],
        "list size": [{"list_size": size} for size in (8, 5, 15, 20, 30, 40)],
        "level": [{"level": level} for level in levels],
        "list size, other level": [{"list_size": size} for size in (12, 17, 25)],
    }


def time_moves(shown: what_if.WhatIf, settings: list[Setting]) -> list[float]:
    """Move controls as a person does; return the milliseconds of every move that gave an answer not given before."""
    given = [shown.now]
    times = []
    for setting in settings:
        for name, value in setting.items():
            start = time.process_time()
            shown.controls[name].value = value
            passed = time.process_time() - start
            if not any(shown.now is answer for answer in given):
                given.append(shown.now)
                times.append(1000 * passed)
    return times


WHAT_IFS: Sequence[tuple[str, Callable, Callable]] = (
    ("02 weighting", what_if.weighting, weighting_moves),
    ("04 measures", what_if.measures, measure_moves),
    ("05 rules", what_if.rules, rule_moves),
)


def main() -> None:
    """Print a row a slider."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--wave", type=Path, default=ROOT / "surveys" / "guizhou-2026q3")
    options.add_argument("--profile", help="print where the time of moves of this name goes")
    chosen = options.parse_args()
    what_if.somebody_is_there = lambda: True
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        shutil.copytree(ROOT / "questionnaires", root / "questionnaires")
        ignored = shutil.ignore_patterns("out")
        shutil.copytree(chosen.wave.parent, root / "surveys", ignore=ignored)
        bench = sat.open_wave(root / "surveys" / chosen.wave.name)
        assert bench.results
        print(
            f"{'what-if':14}{'slider':26}{'moves':>6}{'median':>8}{'largest':>9}  ms CPU, bar {BAR}"
        )
        for title, what, moves_of in WHAT_IFS:
            start = time.process_time()
            shown = what(bench)
            laid_out = 1000 * (time.process_time() - start)
            print(f"{title:14}{'(laid out)':26}{1:6}{laid_out:8.0f}{laid_out:9.0f}")
            for name, settings in moves_of(shown).items():
                profile = cProfile.Profile() if chosen.profile == name else None
                if profile:
                    profile.enable()
                times = time_moves(shown, settings)
                if profile:
                    profile.disable()
                    pstats.Stats(profile).sort_stats("cumulative").print_stats(DEEPEST)
                median = statistics.median(times)
                print(f"{title:14}{name:26}{len(times):6}{median:8.0f}{max(times):9.0f}")


if __name__ == "__main__":
    main()
