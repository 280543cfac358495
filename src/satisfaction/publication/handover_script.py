"""survey.R: the design, its single calibration and the means by area in R's own words.

README.txt of a hand-over: what the files and columns are, the design, the recipe and the conventions. Each is written in
the current language.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import combinations
from math import prod
from typing import Any

import numpy as np
import pandas as pd

from satisfaction.foundation.language import LANGUAGES, Language, Text, _
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
from satisfaction.publication.labels import mark_as_text
from satisfaction.sampling.design import ONE, SampleDesign
from satisfaction.sampling.measures import Measure

WHOLE = "(all)"  # of the file's levels and codes; no R name, hence no column's
EPSILON = 1e-10
FAR = 1e9  # bounds that bind nobody
MANY = 50  # levels, from which R's sparse matrices are worth while
WIDTH = 110
QUOTES = str.maketrans({"“": '"', "”": '"', "‘": "'", "’": "'"})  # R takes them for an error
USE = (
    _(
        'Use: in R set the working directory to this folder, then source("survey.R", encoding = '
        '"UTF-8"). Needs package survey, 4.1 or newer.'
    ),
    _(
        "Unless noted, compare estimates and standard errors only: df differ (ours are the "
        "domain's PSUs minus its strata, R's the design's), and so do intervals."
    ),
)
DESIGN = _(
    "The sample design. Domains never filter it: svyby and subset keep the "
    "number of PSUs of every stratum, as ours do."
)
CALIBRATED = _(
    "Calibration to the same margins, with the same distance and bounds. "
    "Variance by residuals of the regression weighted by the weights entering it "
    "(R's calibrate convention), so standard errors credit the calibration, as "
    "ours do."
)
MEANS = _("Means by domain: R's beside those of expected.csv. A large survey takes some minutes.")
SEVERAL = _(
    "The weights come from several steps (see README.txt). Final weights are used here: R's "
    "standard errors treat them as fixed and agree with se_fixed of expected.csv; the published "
    "ones (se) come from JKn replicates that replay the whole recipe."
)
LONELY = {
    "average": _(
        "A stratum with one PSU counts as the average of the others: within a domain "
        "R counts only strata with members of it, we count all strata; standard "
        "errors of domains may differ."
    ),
    "adjust": _(
        "A stratum with one PSU is centred at the population mean: R takes 0, we "
        "take the mean of all units; after calibration and at a second stage the two "
        "may differ slightly."
    ),
}
COMPARE = """\
expected <- read.csv("expected.csv", fileEncoding = "UTF-8", na.strings = "", check.names = FALSE,
  colClasses = c(level = "character", code = "character", measure = "character"))
in_r <- function(measure, level) {
  valid <- design[!is.na(design$variables[[measure]]), ]
  formula <- as.formula(paste0("~", measure))
  if (level == "(all)") {
    found <- svymean(formula, valid, na.rm = TRUE)
    codes <- level
  } else {
    found <- svyby(formula, as.formula(paste0("~", level)), valid, svymean, na.rm = TRUE)
    codes <- as.character(found[[level]])
  }
  data.frame(level = level, code = codes, measure = measure, r_estimate = as.numeric(coef(found)), r_se = as.numeric(SE(found)))
}
wanted <- unique(expected[!is.na(expected$estimate), c("level", "measure")])
compared <- merge(expected[setdiff(names(expected), "mark")], do.call(rbind, Map(in_r, wanted$measure, wanted$level)),
  by = c("level", "code", "measure"), all.x = TRUE)
options(width = 200, max.print = 1e6)
print(compared, digits = 9, row.names = FALSE)
apart <- function(ours, theirs) max(abs(ours - theirs) / pmax(abs(ours), 1e-6 * abs(compared$estimate), 1e-300), na.rm = TRUE)
cat("largest relative difference of estimates:", apart(compared$estimate, compared$r_estimate), "\\n")
cat("largest relative difference of standard errors:", apart(compared${se}, compared$r_se), "\\n")
"""


def survey_script(design: SampleDesign, rows: Rows, *, heading: Iterable[object]) -> str:
    """Return the R script that reads the files, declares the design and compares the means by area.

    Parameters
    ----------
    design : SampleDesign
    rows : Rows
    heading : iterable
        Title and mark; become comments.
    """
    several = design.weighting is not None and not repeatable(design)
    design_comments = [DESIGN]
    if design.lonely_psu in LONELY:
        design_comments.append(LONELY[design.lonely_psu])
    if several:
        design_comments.append(SEVERAL)
    parts = [
        _comment(*heading, *USE),
        f'library(survey)\noptions(survey.lonely.psu = "{design.lonely_psu}")',
        _reading(rows),
        f"{_comment(*design_comments)}\n{svydesign_call(design, rows)}",
    ]
    if repeatable(design):
        parts.append(_calibration(design, rows))
    compare = COMPARE.replace("{se}", "se_fixed" if several else "se")
    parts.append(f"{_comment(MEANS)}\n{compare}")
    return "\n\n".join(parts)


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
    fixed = design.weighting is not None and not repeatable(design)
    weights = rows.column("final" if fixed else "base")
    arguments += [f"weights = ~{weights}", "data = respondents"]
    return "design <- svydesign(\n  " + ",\n  ".join(arguments) + "\n)"


def _reading(rows: Rows) -> str:
    """Return the call that reads respondents.csv."""
    classes = _vector(f'{column.name} = "{column.kind}"' for column in rows.columns)
    about = _comment(
        _("One row a person; codes are read as text, so that they keep their leading zeros."),
    )
    return (
        f'{about}\nrespondents <- read.csv("respondents.csv", fileEncoding = "UTF-8", na.strings = "", check.names = FALSE,\n'
        f"  colClasses = {classes})"
    )


def _calibration(design: SampleDesign, rows: Rows) -> str:
    """Return the data frames of the margins and the call that calibrates to them."""
    assert design.weighting is not None
    method = design.weighting.log[0]["method"]
    margins = calibration_margins(design)
    frames: dict[str, CalibrationMargin] = {}
    for margin in margins:
        if not margin.numeric:
            codes = "_".join(map(rows.code, margin.columns))
            frames[unique_name(f"margin_{codes}", frames)] = margin
    lines = [_comment(CALIBRATED)]
    lines += [_frame(name, margin, rows) for name, margin in frames.items()]
    if method == "poststratify":
        ((name, margin),) = frames.items()
        formula = " + ".join(map(rows.code, margin.columns))
        lines.append(f"design <- postStratify(design, ~{formula}, population = {name})")
    else:
        lines += _calibrate(design, rows, frames, margins)
    ratio = f"weights(design) / respondents${rows.column('final')}"
    lines.append(f'cat("largest relative difference of weights:", max(abs({ratio} - 1)), "\\n")')
    return "\n".join(lines)


def _frame(name: str, margin: CalibrationMargin, rows: Rows) -> str:
    """Return a margin as a data frame: its columns as text and Freq, R's word for a count."""
    columns = []
    for column in margin.columns:
        levels = _vector(map(_quoted, margin.levels[column]))
        columns.append(f"  {rows.code(column)} = {levels}")
    columns.append(f"  Freq = {_vector(map(_r_number, margin.population))}")
    return f"{name} <- data.frame(\n" + ",\n".join(columns) + "\n)"


def _calibrate(
    design: SampleDesign,
    rows: Rows,
    frames: dict[str, CalibrationMargin],
    margins: tuple[CalibrationMargin, ...],
) -> list[str]:
    """Return formula, population totals in R's order, and the call of `calibrate`."""
    assert design.weighting is not None
    # R names interactions by the order of first mention: one common order of the columns
    common_order = list(dict.fromkeys(c for margin in frames.values() for c in margin.columns))
    terms = {}
    for name, margin in frames.items():
        # R gives no contrasts to a column of a single level
        contrasted = [c for c in margin.columns if len(margin.levels[c].unique()) > 1]
        contrasted.sort(key=common_order.index)
        terms[name] = " * ".join(map(rows.code, contrasted)) or "1"
    totals = {}
    for margin in margins:
        if margin.numeric:
            totals[rows.value(margin.columns[0])] = margin.population[0]
    intercept = [] if terms else ["0"]
    formula = " + ".join(dict.fromkeys([*intercept, *terms.values(), *totals]))
    population = [f"totals(~ {term}, {name})" for name, term in terms.items()]
    population += [f"{name} = {_r_number(total)}" for name, total in totals.items()]

    record = design.weighting.log[0]
    bounds = record["bounds"]
    independent = _full_rank(design, margins)
    if record["method"] == "linear" and bounds is None and not independent:
        bounds = [-FAR, FAR]  # R then solves by a generalised inverse
    options = [f'calfun = "{record["method"]}"']
    if bounds:
        options.append(f"bounds = c({', '.join(map(_r_number, bounds))})")
    if independent and sum(len(margin.population) for margin in margins) > MANY:
        options.append("sparse = TRUE")
    options += [f"epsilon = {EPSILON:g}", "maxit = 200"]

    lines = []
    if terms:
        lines.append(
            "totals <- function(formula, margin) colSums(margin$Freq * model.matrix(formula, margin))"
        )
    return [
        *lines,
        f"formula <- ~ {formula}",
        f"population <- {_vector(population, indent='  ')}",
        "population <- population[colnames(model.matrix(formula, respondents))]",
        f"design <- calibrate(design, formula, population = population, {', '.join(options)})",
    ]


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


def _comment(*texts: object) -> str:
    """Return texts as comment lines of bounded length; nothing in them can become code."""
    lines = []
    for text in texts:
        rest = " ".join(str(text).split()).translate(QUOTES)
        while len(rest) > WIDTH:
            end = rest.rfind(" ", WIDTH // 2, WIDTH)
            if end < 0:
                end = WIDTH
            lines.append(rest[:end])
            rest = rest[end:].strip()
        lines.append(rest)
    return "\n".join(f"# {line}" for line in lines)


UNITS = {
    "rate": _("share 0-1"),
    "score": _("points 0-100"),
    "index": _("points 0-100"),
    "column": _("the column's own unit"),
}
FILES = {
    "respondents.csv": _(
        "one row a sampled person (nonrespondents too, where the recipe has them); UTF-8, RFC "
        "4180, numbers with 17 significant digits"
    ),
    "survey.R": _("the same design, calibration and means by domain in R"),
    "expected.csv": _("our estimates and standard errors, to compare with"),
}
EXPECTED = {
    "level, code": _("the domain's column and code; (all) for all together"),
    "measure": _("the measure's column"),
    "estimate, se": _(
        "estimate and standard error in the measure's unit; empty without valid answers"
    ),
    "se_fixed": _("standard error with the weights taken as fixed"),
    "n": _("valid answers"),
}
PERSONS = _(
    "This is respondent-level data. It holds no respondent number, interviewer, "
    "date or text, but units, areas and groups may still point to a person: for "
    "colleagues of the survey only, not for publication."
)
DF = _(
    "df and intervals differ: ours are the domain's (PSUs minus strata), R's the "
    "design's; compare estimates and standard errors only."
)
CREDIT = {
    "none": _("No weighting step; standard errors are linearized."),
    "single": _(
        "A single calibration: survey.R repeats it with calibrate or postStratify; "
        "standard errors credit it."
    ),
    "several": _(
        "Several weighting steps: se of expected.csv is published (replicates replay "
        "all steps), se_fixed treats the final weights as fixed, which is what R "
        "gives."
    ),
}


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
        return [self.title, mark_as_text(self.mark)] if self.mark else [self.title]


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
    weighting = design.weighting
    if weighting is None:
        credit = "none"
    elif repeatable(design):
        credit = "single"
    else:
        credit = "several"
    by_name = {measure.name: measure for measure in measures}
    columns = [_column(column, about, by_name) for column in rows.columns]
    steps = about.steps or (weighting.log if weighting else ())
    choices = [f"{name}: {_option(value)}" for name, value in conventions.items()]
    expected = [
        _("{name}: {value}", name=name, value=meaning)
        for name, meaning in EXPECTED.items()
        if credit == "several" or name != "se_fixed"
    ]
    files = [_("{name}: {value}", name=name, value=meaning) for name, meaning in FILES.items()]
    survey_title, *marks = about.heading
    sections: list[tuple[object, Iterable[object]]] = [
        (survey_title, [*marks, PERSONS]),
        (_("Files"), files),
        (_("Columns of respondents.csv"), columns),
        (_("Columns of expected.csv"), expected),
        (_("Design"), call.splitlines()),
        (_("Weighting"), [CREDIT[credit], *_steps(steps)]),
        (_("Conventions"), [*choices, DF]),
    ]
    if about.notes:
        sections.append((_("Notes"), about.notes))
    text = []
    for title, lines in sections:
        text += [str(title), "=" * 60, *map(str, lines), ""]
    return "\n".join(text)


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


def _steps(records: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    """Yield one line a step: its options as the log holds them, numbers as they are."""
    for number, record in enumerate(records, start=1):
        options = []
        for name, value in record.items():
            if name != "step" and not isinstance(value, dict):
                options.append(f"{name}={_option(value)}")
        if "margins" in record:
            options.append(f"margins={' , '.join(record['margins'])}")
        yield f"{number}. {record['step']}: {'; '.join(options)}"


def _option(value: Any) -> str:
    if isinstance(value, list | tuple):
        return " ".join(map(_option, value)) or "-"
    if isinstance(value, float):
        return f"{value:.6g}"
    return "-" if value is None else str(value)
