"""survey.R and README.txt of a hand-over, in the current language; their words stand in the templates of these names.

survey.R declares the design, its single calibration and the means by area in R's own words; README.txt says what the
files and columns are, the design, the recipe and the conventions.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from math import prod
from typing import Any

import numpy as np
import pandas as pd

from satisfaction.foundation.language import LANGUAGES, Language, Text, _
from satisfaction.foundation.pages import fill
from satisfaction.publication.handover_rows import (
    NUMBER,
    ROLES,
    CalibrationMargin,
    RespondentColumn,
    Rows,
    calibration_margins,
    repeatable,
    unique_name,
)
from satisfaction.publication.labels import two_languages
from satisfaction.sampling.design import ONE, SampleDesign
from satisfaction.sampling.measures import Measure

WHOLE = "(all)"  # of the file's levels and codes; no R name, hence no column's
EPSILON = 1e-10
FAR = 1e9  # bounds that bind nobody
MANY = 50  # levels, from which R's sparse matrices are worth while
WIDTH = 110
QUOTES = str.maketrans({"“": '"', "”": '"', "‘": "'", "’": "'"})  # R takes them for an error
UNITS = {
    "rate": _("share 0-1"),
    "score": _("points 0-100"),
    "index": _("points 0-100"),
    "column": _("the column's own unit"),
}


@dataclass(frozen=True, slots=True)
class _CalibrationCall:
    """What survey.R says of a calibration: margins as data frames, terms of the formula, totals, options."""

    method: str
    frames: Mapping[str, CalibrationMargin]
    terms: list[str]
    population: list[str]
    options: list[str]


def survey_script(design: SampleDesign, rows: Rows, *, heading: Iterable[object]) -> str:
    """Return the R script that reads the files, declares the design and compares the means by area.

    Parameters
    ----------
    design : SampleDesign
    rows : Rows
    heading : iterable
        Title and mark; become comments.
    """
    values = {
        "heading": heading,
        "design": design,
        "rows": rows,
        "classes": [f'{column.name} = "{column.kind}"' for column in rows.columns],
        "call": svydesign_call(design, rows),
        "several": _several(design),
        "calibration": _calibration(design, rows) if repeatable(design) else None,
    }
    filters: dict[str, Callable[..., str]] = {
        "comment": _comment,
        "vector": _vector,
        "quoted": _quoted,
        "number": _r_number,
    }
    return fill("survey.R", values, filters=filters)


def _several(design: SampleDesign) -> bool:
    return design.weighting is not None and not repeatable(design)


def svydesign_call(design: SampleDesign, rows: Rows) -> str:
    """Return the call of R's `svydesign` that declares the design."""
    ids = "1" if rows.ids == (NUMBER,) else " + ".join(rows.ids)
    arguments = [f"ids = ~{ids}"]
    if rows.strata:
        strata = rows.strata[0]
        if len(rows.strata) > 1:
            columns = ", ".join(rows.strata)
            strata = f"interaction({columns}, drop = TRUE, sep = {_quoted(rows.separator)})"
        arguments += [f"strata = ~{strata}", "nest = TRUE"]
    if rows.fpc:
        arguments.append(f"fpc = ~{' + '.join(rows.fpc)}")
    weights = rows.column("final" if _several(design) else "base")
    arguments += [f"weights = ~{weights}", "data = respondents"]
    return "design <- svydesign(\n  " + ",\n  ".join(arguments) + "\n)"


def _calibration(design: SampleDesign, rows: Rows) -> _CalibrationCall:
    """Return what the call of `postStratify` or `calibrate` needs: totals in R's order above all."""
    assert design.weighting is not None
    record = design.weighting.log[0]
    margins = calibration_margins(design)
    frames: dict[str, CalibrationMargin] = {}
    totals = {}
    for margin in margins:
        if margin.numeric:
            totals[rows.value(margin.columns[0])] = margin.population[0]
        else:
            codes = "_".join(map(rows.code, margin.columns))
            frames[unique_name(f"margin_{codes}", frames)] = margin
    method = record["method"]
    if method == "poststratify":
        (margin,) = margins
        return _CalibrationCall(method, frames, list(map(rows.code, margin.columns)), [], [])

    # R names interactions by the order of first mention: one common order of the columns
    common_order = list(dict.fromkeys(c for margin in frames.values() for c in margin.columns))
    terms = {}
    for name, margin in frames.items():
        # R gives no contrasts to a column of a single level
        contrasted = [c for c in margin.columns if len(margin.levels[c].unique()) > 1]
        contrasted.sort(key=common_order.index)
        terms[name] = " * ".join(map(rows.code, contrasted)) or "1"
    intercept = [] if terms else ["0"]
    formula = list(dict.fromkeys([*intercept, *terms.values(), *totals]))
    population = [f"totals(~ {term}, {name})" for name, term in terms.items()]
    population += [f"{name} = {_r_number(total)}" for name, total in totals.items()]

    bounds = record["bounds"]
    independent = _full_rank(design, margins)
    if method == "linear" and bounds is None and not independent:
        bounds = [-FAR, FAR]  # R then solves by a generalised inverse
    options = [f'calfun = "{method}"']
    if bounds:
        options.append(f"bounds = c({', '.join(map(_r_number, bounds))})")
    if independent and sum(len(margin.population) for margin in margins) > MANY:
        options.append("sparse = TRUE")
    options += [f"epsilon = {EPSILON:g}", "maxit = 200"]
    return _CalibrationCall(method, frames, formula, population, options)


def _full_rank(design: SampleDesign, margins: tuple[CalibrationMargin, ...]) -> bool:
    """Return whether R's treatment contrasts of the margins are independent; its unbounded linear solver needs that."""
    assert design.weighting is not None
    levels = pd.concat([margin.levels for margin in margins])
    contrasts = 0
    terms: set[frozenset[str]] = set()
    for margin in margins:
        if margin.numeric:
            contrasts += 1
        else:
            for size in range(len(margin.columns) + 1):
                terms.update(map(frozenset, combinations(margin.columns, size)))
    for term in terms:
        contrasts += prod(levels[name].nunique() - 1 for name in term)
    matrix = design.weighting.margins
    gram = (matrix.T @ matrix).toarray()
    unit = np.sqrt(np.diag(gram))
    scaled = gram / np.outer(unit, unit)
    return bool(np.linalg.matrix_rank(scaled, hermitian=True, tol=1e-9) == contrasts)


def _quoted(text: str) -> str:
    """Return a text as an R string; what could end it, or look like a quotation mark, is escaped."""
    letters = []
    for letter in text:
        if letter in '\\"':
            letters.append(f"\\{letter}")
        elif letter.isprintable() and letter not in "“”‘’":
            letters.append(letter)
        elif ord(letter) < 0x10000:
            letters.append(f"\\u{ord(letter):04x}")
        else:
            letters.append(f"\\U{ord(letter):08x}")
    return '"' + "".join(letters) + '"'


def _r_number(value: float) -> str:
    """Return a number with the digits that make it the same double again."""
    return f"{value:.17g}"


def _vector(values: Iterable[str], *, indent: str = "    ") -> str:
    """Return c(...) of values that are R already, broken into lines."""
    lines = []
    line = ""
    for value in values:
        if line and len(line) + len(value) > WIDTH:
            lines.append(line.rstrip())
            line = ""
        line += f"{value}, "
    lines.append(line.rstrip().rstrip(","))
    body = "\n".join(indent + line for line in lines)
    return f"c(\n{body}\n{indent[:-2]})"


def _comment(text: object) -> str:
    """Return a text as comment lines of bounded length; nothing in it can become code."""
    lines = []
    rest = " ".join(str(text).split()).translate(QUOTES)
    while len(rest) > WIDTH:
        end = rest.rfind(" ", WIDTH // 2, WIDTH)
        if end < 0:
            end = WIDTH
        lines.append(rest[:end])
        rest = rest[end:].strip()
    lines.append(rest)
    return "\n".join(f"# {line}" for line in lines)


@dataclass(frozen=True, slots=True)
class About:
    """What a hand-over says about its survey.

    Attributes
    ----------
    title : str or Text
    mark : str
        What every row must say about the sample; empty for a real probability sample.
    labels : mapping
        Source column -> label.
    notes : tuple of str or Text
    steps : tuple of dict
        Records of the weighting steps, where there are more than the design's own (a base step).
    languages : tuple of {"zh", "en"}
        Of README.txt; survey.R has the first one.
    """

    title: str | Text = "survey"
    mark: str = ""
    labels: Mapping[str, str | Text] = field(default_factory=dict)
    notes: tuple[str | Text, ...] = ()
    steps: tuple[dict[str, Any], ...] = ()
    languages: tuple[Language, ...] = LANGUAGES

    @property
    def heading(self) -> list[str | Text]:
        """Title, and mark where there is one."""
        return [self.title, two_languages(self.mark)] if self.mark else [self.title]


def readme_text(
    design: SampleDesign,
    rows: Rows,
    about: About,
    *,
    measures: Iterable[Measure],
    conventions: Mapping[str, Any],
    call: str,
) -> str:
    """Return the text of README.txt.

    Parameters
    ----------
    design : SampleDesign
    rows : Rows
    about : About
    measures : iterable of Measure
    conventions : mapping
        Of the estimates in expected.csv.
    call : str
        The design in R.
    """
    by_name = {measure.name: measure for measure in measures}
    values = {
        "title": about.title,
        "mark": two_languages(about.mark),
        "columns": [_column(column, about, by_name) for column in rows.columns],
        "several": _several(design),
        "design": design,
        "call": call,
        "steps": about.steps or (design.weighting.log if design.weighting else ()),
        "conventions": conventions,
        "notes": about.notes,
    }
    return fill("handover.txt", values, filters={"step": _step, "option": _option})


def _column(column: RespondentColumn, about: About, measures: Mapping[str, Measure]) -> str:
    label: object = about.labels.get(column.source, "")
    unit: object = ""
    if column.role == "measure" and column.source in measures:
        measure = measures[column.source]
        label = measure.label or label
        unit = UNITS[measure.kind]
    renamed = ""
    if column.source not in ("", ONE, column.name):
        renamed = f" [{column.source}]"
    words = [str(word) for word in (ROLES[column.role], label, unit)]
    meaning = " — ".join(" ".join(word.split()) for word in words if word)
    return f"{column.name}{renamed} ({column.kind}): {meaning}"


def _step(record: Mapping[str, Any]) -> str:
    """Return a step with its options as the log holds them, numbers as they are."""
    options = []
    for name, value in record.items():
        if name != "step" and not isinstance(value, dict):
            options.append(f"{name}={_option(value)}")
    if "margins" in record:
        options.append(f"margins={' , '.join(record['margins'])}")
    return f"{record['step']}: {'; '.join(options)}"


def _option(value: Any) -> str:
    if isinstance(value, list | tuple):
        return " ".join(map(_option, value)) or "-"
    if isinstance(value, float):
        return f"{value:.6g}"
    return "-" if value is None else str(value)
