"""Hand-over to other tools: the weighted respondents as csv, with the R script that declares the same design and agrees.

Respondent-level, hence no part of the ranking office's file set; a run writes it only when asked to. survey.R declares the
design, its single calibration and the means by area in R's own words; README.txt says what the files and columns are, the
design, the recipe and the conventions. The words of both stand in templates.
"""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations, starmap
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from satisfaction.declarations.items import SingleItem
from satisfaction.estimation.estimates import estimate
from satisfaction.estimation.result import Estimates
from satisfaction.foundation.errors import ExportError
from satisfaction.foundation.files import new_folder
from satisfaction.foundation.language import LANGUAGES, Language, Text, _, semicolon_list, use
from satisfaction.foundation.pages import fill, page_name
from satisfaction.foundation.tables import write_rfc4180, write_text
from satisfaction.pipeline import Results, weighting_log
from satisfaction.publication.handover_rows import (
    NUMBER,
    ROLES,
    CalibrationMargin,
    RespondentColumn,
    Rows,
    calibration_margins,
    repeatable,
    respondent_rows,
    text_of,
    unique_name,
)
from satisfaction.publication.labels import answer_with_code, mark, mark_as_text
from satisfaction.sampling.design import ONE, SampleDesign, named, refuse_subpopulation
from satisfaction.sampling.measures import Measure
from satisfaction.sampling.tally import resolve
from satisfaction.weighting.wave_design import RESPONDED

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


def _several(design: SampleDesign) -> bool:
    return design.weighting is not None and not repeatable(design)


def svydesign_call(design: SampleDesign, rows: Rows) -> str:
    """Return the call of R's `svydesign` that declares the design."""
    ids = " + ".join(rows.ids)
    if rows.ids == (NUMBER,):
        ids = "1"
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
    words = " ".join(str(text).split()).translate(QUOTES)
    lines = textwrap.wrap(words, WIDTH, break_on_hyphens=False) or [""]
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
        if not self.mark:
            return [self.title]
        return [self.title, mark_as_text(self.mark)]


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


FILTERS: dict[str, Callable[..., str]] = {
    "comment": _comment,
    "vector": _vector,
    "quoted": _quoted,
    "number": _r_number,
    "step": _step,
    "option": _option,
}


@dataclass(frozen=True, slots=True)
class HandOver:
    """What is handed over.

    Attributes
    ----------
    respondents : DataFrame (n, columns)
        respondents.csv: codes as text, measures as values, base and final weight.
    expected : DataFrame
        expected.csv: level, code, measure, estimate, se, n; with several weighting steps also se_fixed, the standard error
        that takes the weights as fixed, which R's agree with.
    call : str
        The design as a call of R's `svydesign`.
    script : str
        survey.R.
    readmes : mapping
        README.txt, and README-en.txt or README-zh.txt beside it, by their names.
    """

    respondents: pd.DataFrame = field(repr=False)
    expected: pd.DataFrame = field(repr=False)
    call: str
    script: str = field(repr=False)
    readmes: Mapping[str, str] = field(repr=False)

    @property
    def readme(self) -> str:
        """README.txt."""
        return self.readmes["README.txt"]

    def write(self, folder: str | Path) -> Path:
        """Write the files into a folder that does not exist yet.

        Raises
        ------
        ExportError
            X101 when the folder exists.
        """
        folder = Path(folder)
        with new_folder(folder) as scratch:
            write_rfc4180(self.respondents, scratch / "respondents.csv")
            write_rfc4180(self.expected, scratch / "expected.csv")
            write_text(self.script, scratch / "survey.R")
            for name, text in self.readmes.items():
                write_text(text, scratch / name)
        return folder


def hand_over(
    design: SampleDesign,
    folder: str | Path,
    *,
    measures: str | Measure | Sequence[str | Measure] | None = None,
    by: str | Sequence[str] | None = None,
    identifiers: Sequence[str] = (),
    about: About | None = None,
) -> HandOver:
    """Write the weighted respondents of a design, and the R script that continues from them, into a new folder.

    Parameters
    ----------
    design : SampleDesign
        Its margins, if it is calibrated, are taken from its own recipe.
    folder : path
        Made in one step: respondents.csv, expected.csv, survey.R, README.txt.
    measures : str, Measure, or a sequence of them, optional
        Default: all the design declares.
    by : column or list of columns, optional
        Domain columns, each on its own; all respondents together are added.
    identifiers : sequence of str
        Columns that tell who a person is. Never written; as the last sampling unit a running number stands for one.
    about : About, optional
        Title, mark and labels.

    Raises
    ------
    ExportError
        X120 an identifier where no running number can stand for it, X121 no measures, X101 the folder exists, X123 codes of
        empty text, X520 a subpopulation, X521 a design of replicate weights.

    Examples
    --------
    >>> people = pd.DataFrame({"county": ["A"] * 6 + ["B"] * 6, "psu": [1, 1, 2, 2, 3, 3] * 2})
    >>> people["score"] = [80, 60, 75, 95, 70, 40, 55, 65, 60, 40, 70, 40]
    >>> design = sat.SurveyDesign(people, strata="county", psu="psu")
    >>> handed = sat.hand_over(design, "for-r", measures="score", by="county")
    >>> print(handed.call)
    design <- svydesign(
      ids = ~psu,
      strata = ~county,
      nest = TRUE,
      weights = ~base_weight,
      data = respondents
    )
    """
    refuse_subpopulation(design, _("A hand-over"), error=ExportError, code="X520")
    if design.replicates is not None:
        raise ExportError(
            "X521",
            _(
                "The design is given by replicate weights; R's svrepdesign takes those as they came."
            ),
            where="hand_over",
            hint=_("Hand over the data as they came."),
        )
    if measures is None:
        named_measures: Sequence[str | Measure] = list(design.measures)
    elif isinstance(measures, str | Measure):
        named_measures = [measures]
    else:
        named_measures = measures
    chosen = [resolve(design, measure) for measure in named_measures]
    if not chosen:
        raise ExportError(
            "X121",
            _("There are no measures: the design declares none and `measures` names none."),
            where="measures",
            hint=_('Write measures=["index"], for instance.'),
        )
    domains = [*named(by), None]
    estimates = [estimate(design, chosen, by=domain) for domain in domains]
    content = _content(design, chosen, estimates, identifiers=identifiers, about=about or About())
    content.write(folder)
    return content


def hand_over_results(results: Results, folder: str | Path) -> HandOver:
    """Write the weighted respondents of a wave, and the R script that continues from them, into a new folder.

    The published estimates of every person-level measure stand beside; indices of level `area` are weighted sums of them,
    and README.txt says of which.

    Raises
    ------
    ExportError
        As `hand_over`.

    Examples
    --------
    >>> results = sat.run(sat.read_survey("surveys/wave"))
    >>> handed = sat.hand_over_results(results, "for-r")
    >>> list(handed.expected)
    ['level', 'code', 'measure', 'estimate', 'se', 'n']
    """
    survey = results.survey
    questionnaire = survey.questionnaire
    labels = {RESPONDED: _("1 responded; 0 did not respond")}
    for name, item in questionnaire.items.items():
        labels[name] = item.text
        if isinstance(item, SingleItem):
            answers = questionnaire.answers(name) | questionnaire.special(name)
            listed = semicolon_list(starmap(answer_with_code, answers.items()))
            labels[name] = _("{label} ({name})", label=item.text, name=listed)
    about = About(
        title=_("{title} ({name})", title=survey.declared.title, name=survey.name),
        mark=mark(survey),
        labels=labels,
        notes=tuple(_notes(results)),
        steps=weighting_log(results),
        languages=survey.declared.languages,
    )
    measures = list(results.design.measures.values())
    estimates = list(results.estimates.values())
    identifiers = (questionnaire.roles.respondent,)
    content = _content(results.design, measures, estimates, identifiers=identifiers, about=about)
    content.write(folder)
    return content


def _content(
    design: SampleDesign,
    measures: Sequence[Measure],
    estimates: Sequence[Estimates],
    *,
    identifiers: Sequence[str],
    about: About,
) -> HandOver:
    by = [column for by_domain in estimates for column in by_domain.by]
    rows = respondent_rows(design, measures, by=by, identifiers=identifiers, mark=about.mark)
    parts = [_expected(by_domain, measures, rows) for by_domain in estimates]
    expected = pd.concat(parts, ignore_index=True)
    if about.mark:
        expected["mark"] = about.mark
    call = svydesign_call(design, rows)
    values = {
        "heading": about.heading,
        "design": design,
        "call": call,
        "several": _several(design),
        "steps": about.steps or (design.weighting.log if design.weighting else ()),
        "conventions": estimates[0].conventions,
        "notes": about.notes,
        "rows": rows,
        "classes": [f'{column.name} = "{column.kind}"' for column in rows.columns],
        "calibration": _calibration(design, rows) if repeatable(design) else None,
    }
    by_name = {measure.name: measure for measure in measures}
    readmes = {}
    for language in about.languages:
        with use(language):
            columns = [_column(column, about, by_name) for column in rows.columns]
            text = fill("handover.txt", values | {"columns": columns}, filters=FILTERS)
        readmes[page_name("README.txt", language, about.languages)] = text
    with use(about.languages[0]):
        script = fill("survey.R", values, filters=FILTERS)
    return HandOver(rows.table, expected, call, script, readmes)


def _expected(estimates: Estimates, measures: Sequence[Measure], rows: Rows) -> pd.DataFrame:
    """Return estimates as the script compares them: under the names of respondents.csv."""
    names = {measure.name: rows.value(measure.name) for measure in measures}
    table = estimates.table[estimates.table["measure"].isin(list(names))].reset_index(drop=True)
    expected = table.assign(level=WHOLE, code=WHOLE, measure=table["measure"].map(names))
    domains = None
    if estimates.by:
        codes = table[estimates.by[0]]
        domains = codes.unique()
        expected = expected.assign(level=rows.code(estimates.by[0]), code=codes.map(text_of))
    columns = ["level", "code", "measure", "estimate", "se", "n"]
    weighting = estimates.design.weighting
    if weighting is not None and _several(estimates.design):
        columns.insert(columns.index("n"), "se_fixed")
        fixed_weights = estimates.design.weighted(replace(weighting, margins=None))
        by = estimates.by or None
        fixed = estimate(fixed_weights, measures, by=by, variance="linearized", domains=domains)
        key = [*estimates.by, "measure"]
        matched = table[key].merge(fixed.table[[*key, "se"]], on=key, how="left")
        expected["se_fixed"] = matched["se"]
    return expected[columns].astype({"n": "int64"})


def _notes(results: Results) -> Iterator[Text]:
    """Yield what the columns do not hold, and what the sample is."""
    survey = results.survey
    declared = survey.declared
    selection = _("selection: {selection}", selection=declared.selection)
    if declared.selection_note:
        note = declared.selection_note
        selection = _("{selection} — {note}", selection=selection, note=note)
    yield selection
    if declared.simulated:
        yield declared.simulated.note.text
    for name, index in survey.questionnaire.indices.items():
        if index.level == "area":
            yield _(
                "{name} {label}: {total} (weighted sum of the domain's means, rates x 100)",
                name=name,
                label=index.text,
                total=" + ".join(f"{weight} x {rate}" for rate, weight in index.weights.items()),
            )
