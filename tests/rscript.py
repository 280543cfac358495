"""Just enough R to read back the scripts of a hand-over: tokens, calls, designs and margins they declare; and R itself."""

from __future__ import annotations

import functools
import os
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from satisfaction import SurveyDesign, calibrate
from satisfaction.sampling.design import SampleDesign
from system_packages import NEEDS_R

TOKEN = re.compile(
    r"""(?P<space>\s+)|(?P<comment>\#[^\n]*)|(?P<string>"(?:[^"\\]|\\.)*")|(?P<number>\d+\.?\d*(?:[eE][+-]?\d+)?|\.\d+)"""
    r"""|(?P<name>[^\W\d_][\w.]*|\.[^\W\d][\w.]*|`[^`]+`)|(?P<operator><-|==|!=|&&|\|\||[-+*/~<>=!&|:$^,;(){}\[\]])""",
    re.VERBOSE,
)
PAIRS = {")": "(", "]": "[", "}": "{"}
ESCAPES = re.compile(r"\\(?:u([0-9a-f]{4})|U([0-9a-f]{8})|(.))")
PLAIN = {"n": "\n", "t": "\t", "r": "\r"}


def tokens(script: str) -> list[tuple[str, str]]:
    """Split a script into tokens; what R would not take is refused."""
    found, at, open_ones = [], 0, []
    while at < len(script):
        token = TOKEN.match(script, at)
        assert token, f"no R: {script[at : at + 60]!r}"
        at, kind, text = token.end(), token.lastgroup, token.group()
        if kind in ("space", "comment"):
            continue
        if text in "([{" and kind == "operator":
            open_ones.append(text)
        elif kind == "operator" and text in PAIRS:
            assert open_ones, f"{text} closes nothing"
            assert open_ones.pop() == PAIRS[text]
        found.append((kind, text))
    assert not open_ones, f"never closed: {open_ones}"
    return found


def check_syntax(script: str) -> None:
    """Refuse what a careless script has: unbalanced brackets or quotes, typographic quotes, endless lines."""
    tokens(script)
    assert not set("“”‘’„«»\u00a0\ufeff") & set(script)
    assert max(map(len, script.splitlines())) <= 300


def call(script: str, function: str) -> dict[str, str] | None:
    """Return the arguments of the first call of a function as text without spaces; unnamed ones by position."""
    parts = [text for _, text in tokens(script)]
    start = next(
        (i for i in range(len(parts) - 1) if parts[i] == function and parts[i + 1] == "("), None
    )
    if start is None:
        return None
    arguments, depth = [[]], 0
    for text in parts[start + 1 :]:
        depth += (text in "([{") - (text in ")]}")
        if depth == 0:
            break
        if depth == 1 and text == ",":
            arguments.append([])
        elif depth > 1 or text != "(":
            arguments[-1].append(text)
    return {
        (one[0] if one[1:2] == ["="] else str(n)): "".join(one[2:] if one[1:2] == ["="] else one)
        for n, one in enumerate(arguments)
    }


def value(text: str) -> Any:
    """Return a literal: a string, a number, or c(...) of them."""
    if text.startswith("c("):
        return [value(part) for part in re.findall(r'"(?:[^"\\]|\\.)*"|-?[\d.][\d.eE+-]*', text)]
    if not text.startswith('"'):
        return float(text)
    return ESCAPES.sub(
        lambda m: chr(int(m[1] or m[2], 16)) if m[1] or m[2] else PLAIN.get(m[3], m[3]), text[1:-1]
    )


def columns_of(formula: str) -> list[str]:
    return [
        name
        for kind, name in tokens(formula)
        if kind == "name" and name not in ("interaction", "drop", "sep", "TRUE")
    ]


def frames(script: str) -> dict[str, pd.DataFrame]:
    """Return the data frames that a script writes out."""
    return {
        name: pd.DataFrame({column: value(text) for column, text in call(script[place:], "data.frame").items()})
        for name, place in ((m[1], m.start()) for m in re.finditer(r"^(\w[\w.]*) <- data\.frame\(", script, re.M))
        if name.startswith("margin_")
    }  # fmt: skip


def margins(script: str) -> dict[Any, Any]:
    """Return the margins of calibrate() or postStratify() as `satisfaction.calibrate` takes them."""
    known = frames(script)
    crossed = lambda name, columns: {  # noqa: E731
        tuple(columns): dict(
            zip(
                known[name][columns].itertuples(index=False, name=None),
                known[name]["Freq"],
                strict=True,
            )
        )
    }
    if post := call(script, "postStratify"):
        return crossed(post["population"], columns_of(post["1"]))
    found: dict[Any, Any] = {}
    population = re.search(r"^population <- c\(\n(.*?)^\)", script, re.M | re.S)[1]
    for formula, name, number, total in re.findall(
        r"totals\(~ ([^,]+), ([\w.]+)\)|([\w.]+) = ([-\d.e+]+)", population
    ):
        if number:
            found[number] = float(total)
        else:
            found |= crossed(
                name,
                [c for c in known[name] if c != "Freq"] if formula == "1" else columns_of(formula),
            )
    return found


def respondents(folder: Any) -> pd.DataFrame:
    """Read respondents.csv with the column classes that the script gives."""
    script = (folder / "survey.R").read_text(encoding="utf-8")
    inside = call(script, "read.csv")["colClasses"]
    kinds = dict(re.findall(r'([\w.]+)="(\w+)"', inside))
    return table(
        folder / "respondents.csv", [name for name, kind in kinds.items() if kind == "character"]
    )


def table(path: Any, text: list[str]) -> pd.DataFrame:
    """Read a csv file, all but the text columns as numbers, each the double nearest to its digits."""
    read = pd.read_csv(path, dtype=str, keep_default_na=False, na_values=[""], encoding="utf-8")
    return read.assign(
        **{
            name: read[name].map(float, na_action="ignore").astype(float)
            for name in read
            if name not in text
        }
    )


def declared(folder: Any) -> SampleDesign:
    """Return the design that the script declares over the file, calibrated where the script calibrates."""
    script = (folder / "survey.R").read_text(encoding="utf-8")
    arguments = call(script, "svydesign")
    ids = [] if arguments["ids"] == "~1" else columns_of(arguments["ids"])
    design = SurveyDesign(
        respondents(folder), psu=ids or None, strata=columns_of(arguments.get("strata", "")) or None,
        fpc=columns_of(arguments.get("fpc", "")) or None, base_weight=arguments["weights"][1:],
        lonely_psu=value(call(script, "options")["survey.lonely.psu"]),
    )  # fmt: skip
    if not (how := call(script, "calibrate")):
        return (
            calibrate(design, margins(script), method="poststratify")
            if call(script, "postStratify")
            else design
        )
    bounds = tuple(value(how["bounds"])) if "bounds" in how else None
    bounds = (
        None if bounds and bounds[0] < 0 else bounds
    )  # bounds that only keep R from its solver of full rank
    return calibrate(design, margins(script), method=value(how["calfun"]), bounds=bounds)


# ---- R itself ----

REQUIRED = os.environ.get("SATISFACTION_REQUIRE_R") == "1"
CHECK = 'for (name in c("survey", "MASS", "jsonlite")) stopifnot(requireNamespace(name, quietly = TRUE))'
HEAD = """
suppressPackageStartupMessages(library(survey))
results <- new.env()
keep <- function(key, numbers) {
  assign(key, format(as.numeric(numbers), digits = 17), envir = results)
}
"""
TAIL = """
for (key in ls(results)) cat(key, get(key, envir = results), "\\n", sep = "\\t", file = "results.txt", append = TRUE)
"""


@functools.cache
def r_is_here() -> bool:
    """Tell whether Rscript is there with the packages that scripts need; asked once a process."""
    if not shutil.which("Rscript"):
        return False
    return subprocess.run(["Rscript", "-e", CHECK], capture_output=True).returncode == 0


def run_r(folder: Path, script: str, tables: dict[str, pd.DataFrame]) -> dict[str, np.ndarray]:
    """Let R run a script beside some tables (csv files by name) and return what it kept by `keep(key, numbers)`.

    Skips without Rscript and its package survey; SATISFACTION_REQUIRE_R=1 makes that a failure.
    """
    if not r_is_here():
        assert not REQUIRED, NEEDS_R
        pytest.skip(NEEDS_R)
    for name, content in tables.items():
        content.to_csv(folder / f"{name}.csv", index=False)
    (folder / "run.R").write_text(HEAD + script + TAIL, encoding="utf-8")
    done = subprocess.run(
        ["Rscript", "run.R"],
        cwd=folder,
        capture_output=True,
        text=True,
        env=os.environ | {"LC_ALL": "C.UTF-8"},
    )
    assert done.returncode == 0, done.stderr[-3000:]
    kept = {}
    for line in (folder / "results.txt").read_text(encoding="utf-8").splitlines():
        key, *numbers = line.rstrip("\t").split("\t")
        kept[key] = np.array([float(number.replace("NA", "nan")) for number in numbers])
    return kept
