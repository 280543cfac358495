"""Hand-over to other tools: the weighted respondents as csv, with the R script that declares the same design and agrees.

Respondent-level, hence no part of the ranking office's file set; a run writes it only when asked to.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pandas as pd

from satisfaction.declarations.items import SingleItem
from satisfaction.declarations.questionnaire import Questionnaire
from satisfaction.estimation.estimates import estimate
from satisfaction.estimation.result import Estimates
from satisfaction.foundation.errors import ExportError
from satisfaction.foundation.files import new_folder
from satisfaction.foundation.language import Text, _, semicolon_list, use
from satisfaction.foundation.pages import page_name
from satisfaction.foundation.tables import write_rfc4180, write_text
from satisfaction.pipeline import Results, weighting_log
from satisfaction.publication.handover_rows import Rows, repeatable, respondent_rows, text_of
from satisfaction.publication.handover_script import (
    WHOLE,
    About,
    readme_text,
    survey_script,
    svydesign_call,
)
from satisfaction.publication.labels import mark
from satisfaction.sampling.design import SampleDesign, named, refuse_subpopulation
from satisfaction.sampling.measures import Measure
from satisfaction.sampling.tally import resolve
from satisfaction.weighting.base import RESPONDED


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
    _check_measures(chosen)
    domains = [*named(by), None]
    estimates = [estimate(design, chosen, by=domain) for domain in domains]
    content = _content(design, chosen, estimates, identifiers, about or About())
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
    about = About(
        title=_("{title} ({name})", title=survey.declared.title, name=survey.name),
        mark=mark(survey),
        labels=_labels(survey.questionnaire),
        notes=tuple(_notes(results)),
        steps=weighting_log(results),
        languages=survey.declared.languages,
    )
    measures = list(results.design.measures.values())
    estimates = list(results.estimates.values())
    content = _content(results.design, measures, estimates, _identifiers(results), about)
    content.write(folder)
    return content


def design_call(results: Results) -> str:
    """Return the design of a wave as a call of R's `svydesign` on the respondents handed over."""
    design = results.design
    by = _domains(results.estimates.values())
    rows = respondent_rows(design, (), by=by, identifiers=_identifiers(results), mark="")
    return svydesign_call(design, rows)


def _identifiers(results: Results) -> tuple[str, ...]:
    return (results.survey.questionnaire.roles.respondent,)


def _domains(estimates: Iterable[Estimates]) -> list[str]:
    return [column for by_domain in estimates for column in by_domain.by]


def _content(
    design: SampleDesign,
    measures: Sequence[Measure],
    estimates: Sequence[Estimates],
    identifiers: Sequence[str],
    about: About,
) -> HandOver:
    by = _domains(estimates)
    rows = respondent_rows(design, measures, by=by, identifiers=identifiers, mark=about.mark)
    expected = pd.concat(
        [_expected(by_domain, measures, rows) for by_domain in estimates], ignore_index=True
    )
    if about.mark:
        expected["mark"] = about.mark
    call = svydesign_call(design, rows)
    conventions = estimates[0].conventions
    readmes = {}
    for language in about.languages:
        with use(language):
            readmes[page_name("README.txt", language, about.languages)] = readme_text(
                design, rows, about, measures=measures, conventions=conventions, call=call
            )
    with use(about.languages[0]):
        script = survey_script(design, rows, heading=about.heading)
    return HandOver(
        respondents=rows.table, expected=expected, call=call, script=script, readmes=readmes
    )


def _expected(estimates: Estimates, measures: Sequence[Measure], rows: Rows) -> pd.DataFrame:
    """Return estimates as the script compares them: under the names of respondents.csv."""
    names = {measure.name: rows.value(measure.name) for measure in measures}
    table = estimates.table[estimates.table["measure"].isin(list(names))].reset_index(drop=True)
    if estimates.by:
        domain = estimates.by[0]
        expected = table.assign(level=rows.code(domain), code=table[domain].map(text_of))
    else:
        expected = table.assign(level=WHOLE, code=WHOLE)
    columns = ["level", "code", "measure", "estimate", "se", "n"]
    weighting = estimates.design.weighting
    if weighting is not None and not repeatable(estimates.design):
        columns.insert(columns.index("n"), "se_fixed")
        fixed_weights = estimates.design.weighted(replace(weighting, margins=None))
        fixed = estimate(
            fixed_weights,
            measures,
            by=estimates.by or None,
            variance="linearized",
            domains=table[estimates.by[0]].unique() if estimates.by else None,
        )
        key = [*estimates.by, "measure"]
        matched = table[key].merge(fixed.table[[*key, "se"]], on=key, how="left")
        expected["se_fixed"] = matched["se"]
    expected["measure"] = expected["measure"].map(names)
    return expected[columns].astype({"n": "int64"})


def _check_measures(chosen: Sequence[Measure]) -> None:
    if not chosen:
        raise ExportError(
            "X121",
            _("There are no measures: the design declares none and `measures` names none."),
            where="measures",
            hint=_('Write measures=["index"], for instance.'),
        )


def _labels(questionnaire: Questionnaire) -> Mapping[str, Text]:
    """Return the label of every item, with its answers where it has codes."""
    labels = {RESPONDED: _("1 responded; 0 did not respond")}
    for name, item in questionnaire.items.items():
        labels[name] = Text.of(item.zh, item.en)
        if isinstance(item, SingleItem):
            answers = questionnaire.answers(name) | questionnaire.special(name)
            listed = semicolon_list(
                _("{code} {answer}", code=code, answer=answer) for code, answer in answers.items()
            )
            labels[name] = _("{label} ({name})", label=labels[name], name=listed)
    return labels


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
                label=Text.of(index.zh, index.en),
                total=" + ".join(f"{weight} x {rate}" for rate, weight in index.weights.items()),
            )
