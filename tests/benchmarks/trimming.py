"""What trimming costs a run of 88 counties: processor seconds with two trimming steps against the recipe as shipped, in turn.

usage: python tests/benchmarks/trimming.py [--wave surveys/guizhou-2026q3] [--repeats 3] [--common]

Every run is `satisfaction run` in a process of its own, start of Python included. Bar: at most 3 times the run without. The
answers are simulated. `--common`: bounds from the median of all respondents, which tie all counties together; no bar is met then.
"""

from __future__ import annotations

import argparse
import re
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[2]
BAR = 3.0
RUN = [sys.executable, "-m", "satisfaction", "run"]
COMMON = "  - {step: trimming, upper: 1.5, lower: 0.6, relative_to: median}\n"
TRIM = COMMON.replace("}", ", within: [county]}")


def with_trims(text: str, trim: str) -> str:
    """Return survey.yaml with two trimming steps: one before a second calibration, one after it."""
    calibration = re.search(r"^  - \{step: calibration.*\n", text, re.MULTILINE)
    assert calibration is not None
    further = f"{calibration[0]}{trim}{calibration[0]}{trim}"
    return text.replace(calibration[0], further)


def processor_seconds(folder: Path) -> float:
    """Run a wave; return the processor time of its process."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([*RUN, str(folder)], check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def main() -> None:
    """Time both recipes in turn and print every pair."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--wave", type=Path, default=ROOT / "surveys" / "guizhou-2026q3")
    options.add_argument("--repeats", type=int, default=3)
    options.add_argument("--common", action="store_true")
    chosen = options.parse_args()
    trim = COMMON if chosen.common else TRIM
    with tempfile.TemporaryDirectory() as temporary:
        root = Path(temporary)
        shutil.copytree(ROOT / "questionnaires", root / "questionnaires")
        ignored = shutil.ignore_patterns("out")
        shutil.copytree(chosen.wave.parent, root / "surveys", ignore=ignored)
        plain = root / "surveys" / chosen.wave.name
        trimmed = plain.with_name(f"{plain.name}-trimmed")
        shutil.copytree(plain, trimmed)
        declared = trimmed / "survey.yaml"
        recipe = with_trims(declared.read_text(encoding="utf-8"), trim)
        declared.write_text(recipe, encoding="utf-8")
        ratios = []
        for _pair in range(chosen.repeats):
            without = processor_seconds(plain)
            with_two = processor_seconds(trimmed)
            ratios.append(with_two / without)
            print(
                f"without {without:.1f} s, with two trims {with_two:.1f} s, {ratios[-1]:.2f} times"
            )
        print(f"median {statistics.median(ratios):.2f} times, bar {BAR:g}; simulated answers")


if __name__ == "__main__":
    main()
