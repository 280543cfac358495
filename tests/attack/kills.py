"""Kill the program in every command that writes, at its file operations and at random moments, and look at what is left.

    python -m tests.attack.kills --kills 100

After a kill nothing is half-written, the same command works, and nothing unfinished is left after it. POSIX only: each kill
forks, so that the program is imported once.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import itertools
import json
import os
import pkgutil
import random
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))
import satisfaction
from conftest import SMALL, SmallSurvey, small_rows, small_tables
from satisfaction.cli import main
from satisfaction.foundation.tables import read_tables, write_csv, write_xlsx

CHANGES = (
    "os.rename",
    "os.mkdir",
    "os.link",
    "os.symlink",
    "os.remove",
    "os.rmdir",
    "os.truncate",
    "shutil.rmtree",
)
LONGEST = 300  # seconds a command may take
Arguments = list[object]


def wave(root: Path) -> Path:
    return root / "surveys" / "wave"


def sets(root: Path) -> list[Path]:
    return sorted(path for path in (root / "sets").iterdir())


COMMANDS: dict[str, Callable[[Path], Arguments]] = {
    "run": lambda root: ["run", wave(root)],
    "report": lambda root: ["report", wave(root), "--language", "zh"],
    "check": lambda root: ["check", wave(root), "--rejected", root / "made.xlsx"],
    "corrections": lambda root: ["corrections", wave(root), root / "back.xlsx", "--by", "李队"],
    "fieldwork": lambda root: ["fieldwork", wave(root)],
    "change": lambda root: ["change", root / "surveys" / "before", wave(root)],
    "new": lambda root: ["new", root / "surveys" / "made", "--like", wave(root)],
    "draw": lambda root: [
        "draw",
        root / "frame.csv",
        "--out",
        root / "made",
        "--take",
        2,
        "--waves",
        2,
        "--overlap",
        0.5,
        "--seed",
        1,
    ],
    "form": lambda root: [
        "form",
        root / "questionnaires" / "small" / "1.yaml",
        "--out",
        root / "made",
    ],
    "compare": lambda root: ["compare", *sets(root), "--out", root / "made.xlsx"],
    "next-sample": lambda root: [
        "next-sample",
        root / "draw" / "panel.csv",
        "--wave",
        2,
        "--out",
        root / "made.csv",
    ],
}
MADE = (
    "made",
    "made.xlsx",
    "made.csv",
    "surveys/made",
)  # what commands make that refuse what is there already


@dataclass
class Whole:
    """A command that nobody killed: its file operations, seconds, and the bytes it makes."""

    operations: int
    seconds: float
    made: dict[str, bytes]


@dataclass
class Report:
    kills: int = 0
    died: int = 0
    unfinished: int = 0
    faults: list[str] = field(default_factory=list)


def prepare(root: Path) -> None:
    """Write the small survey with all that the commands need: a corrected workbook, two file sets, an earlier wave, a draw."""
    shutil.copytree(SMALL, root)
    survey = SmallSurvey(root)
    for name, table in small_tables().items():
        table.to_csv(survey.folder / name, index=False, encoding="utf-8")
    survey.csv.parent.mkdir()
    rows = small_rows()
    rows.loc[[0, 1], "sex"] = ""
    survey.write(rows)
    (root / "tmp").mkdir()
    shutil.copytree(wave(root), root / "surveys" / "before")
    survey.edit("survey.yaml", "wave: 2026T1", "wave: 2026T2")
    survey.edit("survey.yaml", "survey: small-wave", "survey: small-later")
    write_csv(
        small_tables()["sample.csv"].assign(adults=100)[
            ["community", "county", "residence", "adults"]
        ],
        root / "frame.csv",
    )
    assert finished(root, COMMANDS["run"](root)) == 0
    for number in (1, 2):
        shutil.copytree(wave(root) / "out" / "latest", root / "sets" / str(number))
    assert finished(root, COMMANDS["check"](root)) == 0
    sheets = {table.sheet: table.frame() for table in read_tables(root / "made.xlsx")}
    sheets["数据"]["sex"] = "1"
    write_xlsx(sheets, root / "back.xlsx")
    (root / "made.xlsx").unlink()
    assert (
        finished(root, [*COMMANDS["draw"](root)[:3], root / "draw", *COMMANDS["draw"](root)[4:]])
        == 0
    )


def started(root: Path, arguments: Arguments, *, last: int = 0, counted: int | None = None) -> int:
    """Start a command in a child; it kills itself before file operation number `last`, or tells how many there were."""
    child = os.fork()
    if child:
        return child
    silence = os.open(os.devnull, os.O_WRONLY)
    for stream in (1, 2):
        os.dup2(silence, stream)
    sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115
    os.environ["SATISFACTION_LANG"] = "zh"  # the workbook's sheet has a name in this language
    os.environ["TMPDIR"] = tempfile.tempdir = str(root / "tmp")
    seen = itertools.count(1)

    def watch(event: str, about: tuple[object, ...]) -> None:
        writes = (
            event == "open" and isinstance(about[2], int) and about[2] & (os.O_WRONLY | os.O_RDWR)
        )
        if (writes or event in CHANGES) and str(root) in str(about[0]) and next(seen) == last:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)
    sys.argv = ["satisfaction", *map(str, arguments)]
    code = 0
    try:
        main()
    except SystemExit as stop:
        code = int(stop.code or 0)
    except BaseException:
        code = 99
    if counted is not None:
        os.write(counted, str(next(seen) - 1).encode())
    os._exit(code)


def ended(child: int, *, within: float = LONGEST) -> int:
    """Wait for a child, kill it where it takes longer; returns its exit code, negative for a signal."""
    until = time.monotonic() + within
    while True:
        there, status = os.waitpid(child, os.WNOHANG)
        if there:
            return os.waitstatus_to_exitcode(status)
        if time.monotonic() > until:
            os.kill(child, signal.SIGKILL)
            return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        time.sleep(0.002)


def finished(root: Path, arguments: Arguments) -> int:
    return ended(started(root, arguments))


def whole_run(template: Path, name: str, room: Path) -> Whole:
    """Carry a command out to its end, and note what it takes and makes."""
    root = copied(template, room)
    reading, writing = os.pipe()
    since = time.monotonic()
    code = ended(started(root, COMMANDS[name](root), counted=writing))
    seconds = time.monotonic() - since
    assert code == 0, f"{name} ends with {code}"
    operations = int(os.read(reading, 100))
    made = single_files(root)
    shutil.rmtree(root)
    return Whole(operations, seconds, made)


def copied(template: Path, room: Path) -> Path:
    root = room / "small"
    shutil.copytree(template, root, symlinks=True)
    return root


def single_files(root: Path) -> dict[str, bytes]:
    """Return what commands make that has no clock in it: single files, folders of files, the corrections."""
    found = [path for made in MADE for path in [root / made, *(root / made).rglob("*")]]
    found.append(wave(root) / "corrections.csv")
    return {
        path.relative_to(root).as_posix(): path.read_bytes() for path in found if path.is_file()
    }


def half_written(root: Path, whole: Whole) -> list[str]:
    """Name everything that is neither as before nor as the whole command makes it."""
    faults = []
    there = single_files(root)
    if there and there != whole.made:
        faults.append(f"half-written: {sorted(there)} of {sorted(whole.made)}")
    out = wave(root) / "out"
    for folder in (
        path for path in out.iterdir() if path.name != "latest" and not path.name.startswith(".")
    ):
        faults += [f"incomplete: {folder.name}/{name}" for name in incomplete(folder)]
    latest = out / "latest"
    if not latest.is_dir() or incomplete(latest):
        faults.append("latest is not whole")
    return faults


def incomplete(folder: Path) -> list[str]:
    """Return the files of a dated folder that are not what its own list says; pages that do not end."""
    listed = (
        json.loads((folder / "run.json").read_text())["outputs"]
        if (folder / "run.json").is_file()
        else {}
    )
    digest = {
        name: hashlib.sha256((folder / name).read_bytes()).hexdigest()
        for name in listed
        if (folder / name).is_file()
    }
    pages = [
        path
        for path in folder.rglob("*.html")
        if not path.read_text(encoding="utf-8").rstrip().endswith("</html>")
    ]
    lists = [] if listed or (folder / "index.html").is_file() else ["no list"]
    return (
        [name for name in listed if digest.get(name) != listed[name]]
        + [page.name for page in pages]
        + lists
    )


def leftovers(root: Path) -> list[str]:
    hidden = [path for path in root.rglob(".*") if not path.is_symlink() or path.name != "latest"]
    return [path.relative_to(root).as_posix() for path in [*hidden, *(root / "tmp").iterdir()]]


def kill_once(
    template: Path, name: str, whole: Whole, *, last: int, moment: float, report: Report
) -> None:
    """Kill a command, look at what lies there, carry the command out again, and look at what is left."""
    with tempfile.TemporaryDirectory() as room:
        root = copied(template, Path(room))
        child = started(root, COMMANDS[name](root), last=last)
        code = ended(child, within=moment or LONGEST)
        report.kills += 1
        report.died += code == -signal.SIGKILL
        report.unfinished += bool(leftovers(root))
        where = f"{name} killed " + (
            f"after {moment:.2f} s" if moment else f"at operation {last} of {whole.operations}"
        )
        report.faults += [f"{where}: {fault}" for fault in half_written(root, whole)]
        for made in MADE:
            shutil.rmtree(root / made, ignore_errors=True)
            (root / made).unlink(missing_ok=True)
        code = finished(root, COMMANDS[name](root))
        report.faults += [f"{where}: then it ends with {code}"] * (code != 0)
        report.faults += [f"{where}: afterwards {fault}" for fault in half_written(root, whole)]
        report.faults += [f"{where}: left {path}" for path in leftovers(root)]


def kill_all(
    kills: int, room: Path, *, seed: int = 1, names: tuple[str, ...] = tuple(COMMANDS)
) -> Report:
    """Kill the commands in turn; of each, every second kill at a random moment, the others spread over its operations."""
    for module in pkgutil.walk_packages(satisfaction.__path__, "satisfaction."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)  # once, not in every child
    template, report, chance = room / "template", Report(), random.Random(seed)
    prepare(template)
    for place, name in enumerate(names):
        whole = whole_run(template, name, room)
        mine = len(range(place, kills, len(names)))
        for number in range(mine):
            share = (number + 1) / mine
            random_moment = number % 2 == 1
            last = 0 if random_moment else max(1, round(share * whole.operations))
            moment = chance.uniform(0.02, whole.seconds) if random_moment else 0.0
            kill_once(template, name, whole, last=last, moment=moment, report=report)
        print(
            f"{name}: {mine} kills, {whole.operations} operations, {whole.seconds:.1f} s; faults {len(report.faults)}",
            flush=True,
        )
    return report


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int, default=1)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        told = kill_all(asked.kills, Path(folder), seed=asked.seed)
    print(
        f"{told.kills} kills, {told.died} died of it, {told.unfinished} left something unfinished for the next run to remove"
    )
    print("\n".join(told.faults) or "no faults")
    sys.exit(bool(told.faults))
