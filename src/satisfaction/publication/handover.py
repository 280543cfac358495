"""Hand-over to other tools: the weighted respondents as csv, with the R script that declares the same design and agrees.

Respondent-level, hence no part of the ranking office's file set; a run writes it only when asked to.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from satisfaction.declarations.items import SingleItem
from satisfaction.declarations.questionnaire import Questionnaire
from satisfaction.estimation.estimates import estimate
from satisfaction.estimation.result import Estimates
from satisfaction.foundation.errors import ExportError
from satisfaction.foundation.files import new_folder
from satisfaction.foundation.tables import write_rfc4180, write_text
from satisfaction.pipeline import Results, weighting_log
from satisfaction.publication.handover_recipe import repeatable, text_of
from satisfaction.publication.handover_rows import Rows, respondent_rows
from satisfaction.publication.handover_script import (
    WHOLE,
    About,
    readme_text,
    survey_script,
    svydesign_call,
)
from satisfaction.publication.labels import mark
from satisfaction.sampling.design import SampleDesign, named
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
    script, readme : str
        survey.R and README.txt.
    """

    respondents: pd.DataFrame
    expected: pd.DataFrame
    call: str
    script: str
    readme: str

    def write(self, folder: str | Path) -> Path:
        """Write the four files into a folder that does not exist yet.

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
            write_text(self.readme, scratch / "README.txt")
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
        empty text.
    """
    names = (
        [measures]
        if isinstance(measures, str | Measure)
        else list(design.measures if measures is None else measures)
    )
    chosen, about = [resolve(design, name) for name in names], about or About()
    _check_measures(chosen)
    found = [estimate(design, chosen, by=one) for one in (*named(by), None)]
    made = _made(design, chosen, found, identifiers=identifiers, about=about)
    made.write(folder)
    return made


def hand_over_results(results: Results, folder: str | Path) -> HandOver:
    """Write the weighted respondents of a wave, and the R script that continues from them, into a new folder.

    The published estimates of every person-level measure stand beside; indices of level `area` are weighted sums of them,
    and README.txt says of which.

    Raises
    ------
    ExportError
        As `hand_over`.
    """
    survey, design = results.survey, results.design
    title = f"{survey.declared.title} ({survey.name})"
    about = About(
        title,
        mark(survey),
        _labels(survey.questionnaire),
        tuple(_notes(results)),
        weighting_log(results),
    )
    measures, found = list(design.measures.values()), list(results.estimates.values())
    made = _made(design, measures, found, identifiers=_identifiers(results), about=about)
    made.write(folder)
    return made


def design_call(results: Results) -> str:
    """Return the design of a wave as a call of R's `svydesign` on the respondents handed over."""
    levels = [column for one in results.estimates.values() for column in one.by]
    rows = respondent_rows(
        results.design, (), by=levels, identifiers=_identifiers(results), mark=""
    )
    return svydesign_call(results.design, rows)


def _identifiers(results: Results) -> tuple[str, ...]:
    return (results.survey.questionnaire.roles.respondent,)


def _made(
    design: SampleDesign,
    chosen: Sequence[Measure],
    found: Sequence[Estimates],
    *,
    identifiers: Sequence[str],
    about: About,
) -> HandOver:
    by = [column for one in found for column in one.by]
    rows = respondent_rows(design, chosen, by=by, identifiers=identifiers, mark=about.mark)
    call = svydesign_call(design, rows)
    expected = pd.concat([_expected(one, chosen, rows) for one in found], ignore_index=True)
    script = survey_script(design, rows, heading=filter(None, [about.title, about.mark]))
    readme = readme_text(
        design, rows, about, measures=chosen, conventions=found[0].conventions, call=call
    )
    return HandOver(
        rows.table,
        expected.assign(**({"mark": about.mark} if about.mark else {})),
        call,
        script,
        readme,
    )


def _expected(found: Estimates, chosen: Sequence[Measure], rows: Rows) -> pd.DataFrame:
    """Return estimates as the script compares them: under the names of respondents.csv."""
    table = found.table[
        found.table["measure"].isin([measure.name for measure in chosen])
    ].reset_index(drop=True)
    codes = table[found.by[0]].map(text_of) if found.by else WHOLE
    shown = table.assign(level=rows.code(found.by[0]) if found.by else WHOLE, code=codes)
    design, extra = found.design, []
    if design.weighting is not None and not repeatable(design):
        fixed = design.weighted(replace(design.weighting, margins=None))
        listed = table[found.by[0]].unique() if found.by else None
        again = estimate(fixed, chosen, by=found.by or None, variance="linearized", domains=listed)
        order = [*found.by, "measure"]
        shown["se_fixed"] = table[order].merge(again.table[[*order, "se"]], on=order, how="left")[
            "se"
        ]
        extra = ["se_fixed"]
    shown["measure"] = shown["measure"].map(
        {measure.name: rows.value(measure.name) for measure in chosen}
    )
    return shown[["level", "code", "measure", "estimate", "se", *extra, "n"]].astype({"n": "int64"})


def _check_measures(chosen: Sequence[Measure]) -> None:
    if not chosen:
        raise ExportError(
            "X121",
            "没有指标：设计没有声明指标，也没有给出 measures。",
            "There are no measures: the design declares none and `measures` names none.",
            where="measures",
            hint=('例如写 measures=["index"]。', 'Write measures=["index"], for instance.'),
        )


def _labels(questionnaire: Questionnaire) -> Mapping[str, str]:
    """Return the label of every item, with its answers where it has codes."""
    labels = {name: f"{item.zh} {item.en}" for name, item in questionnaire.items.items()}
    for name, item in questionnaire.items.items():
        if isinstance(item, SingleItem):
            answers = [
                f"{code} {one}"
                for code, one in (questionnaire.answers(name) | questionnaire.special(name)).items()
            ]
            labels[name] += f" ({'; '.join(answers)})"
    return {RESPONDED: "1 已应答 responded; 0 无应答 did not respond", **labels}


def _notes(results: Results) -> Iterator[str]:
    """Yield what the columns do not hold, and what the sample is."""
    survey = results.survey
    yield f"selection: {survey.declared.selection}" + (
        f" — {note}" if (note := survey.declared.selection_note) else ""
    )
    if survey.declared.simulated:
        yield str(survey.declared.simulated.note)
    for name, index in survey.questionnaire.indices.items():
        if index.level == "area":
            yield f"{name} {index.zh} {index.en}: {_sum(index.weights)}（各域均值的加权和，率乘 100 weighted sum of the domain's means, rates x 100）"


def _sum(weights: Mapping[str, object]) -> str:
    return " + ".join(f"{weight} x {name}" for name, weight in weights.items())
