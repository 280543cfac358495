"""One fielding of a questionnaire: survey.yaml, rules.yaml and the tables beside them, read into one frozen record.

What a wave tests, and what stands for its population, is said in words: as survey.yaml declares it, or by default.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, get_args

import pandas as pd

from satisfaction.declarations.checks import (
    area_margins,
    check_declarations,
    check_names,
    check_reference,
    check_rules,
    check_scores,
    with_default_margins,
)
from satisfaction.declarations.combined import COMBINED, CombinedInputs, read_combined_inputs
from satisfaction.declarations.delivered import Unread, find_delivered
from satisfaction.declarations.earlier import EarlierSet, history_of, read_earlier
from satisfaction.declarations.facts import (
    areas_within,
    check_areas,
    check_frame_and_sample,
    codes_of_today,
    read_areas,
    read_cases,
    read_counts,
    read_frame,
    read_history,
    read_nonrespondents,
    read_outcomes,
    read_reinterviews,
    read_replicates,
    read_rscales,
    read_sample,
    read_weights,
    tree_of,
    under_codes_of_today,
)
from satisfaction.declarations.items import Denominator, Index
from satisfaction.declarations.questionnaire import (
    Questionnaire,
    questionnaires_above,
    read_questionnaire,
)
from satisfaction.declarations.rules import RankingRules, Rules
from satisfaction.declarations.wave import NO_TESTS, Step, SurveyFile
from satisfaction.declarations.weighting_record import (
    RECORD_FILE,
    WeightingRecord,
    check_record,
    read_weighting_record,
)
from satisfaction.foundation.conventions import KEYS, in_words
from satisfaction.foundation.errors import (
    QuestionnaireError,
    SatisfactionError,
    SurveyError,
    one_of,
)
from satisfaction.foundation.files import path_below, recorded
from satisfaction.foundation.language import NOTHING, Text, _, comma_list, semicolon_list
from satisfaction.foundation.pages import card
from satisfaction.foundation.yaml import Document, Label, Location, Record, read_yaml, validated

TRIAL = _("trial, not an official result")
SIMULATED = _("simulated data, not a real survey")
NO_DESIGN_ERROR = _("not a probability sample: no sampling error; how certain ranks are is unknown")
MARKS = (TRIAL, SIMULATED, NO_DESIGN_ERROR)
TABLES = (
    "areas",
    "frame",
    "sample",
    "nonrespondents",
    "history",
    "quota",
    "outcomes",
    "cases",
    "backcheck",
    "weights",
    "replicate_weights",
    "rscales",
    "weighting_record",
)
CORRECTIONS_FILE = "corrections.csv"
WORDINGS_FILE = "wordings.csv"
COMBINED_FILE = "combined.yaml"


@dataclass(frozen=True, slots=True)
class RankedBy:
    """One ranking of a wave as declared: by which score, under which rules.

    Attributes
    ----------
    name : str
        What its files begin with; empty for the ranking of the wave itself.
    score : str
    rules : Rules
        With nothing of the wave's other rankings.
    history : DataFrame or None
        As `Survey.history`.
    at : tuple
        Where rules.yaml declares it.
    earlier : tuple of EarlierSet
        As `Survey.earlier`.
    """

    name: str
    score: str
    rules: Rules
    history: pd.DataFrame | None = field(default=None, repr=False)
    at: Location = ()
    earlier: tuple[EarlierSet, ...] = ()


@dataclass(frozen=True, slots=True)
class Survey:
    """One wave, complete: declarations, instrument, rules and tables of facts.

    Attributes
    ----------
    folder : Path
        Where survey.yaml lies.
    declared : SurveyFile
        survey.yaml.
    questionnaire : Questionnaire
    rules : Rules
    areas : DataFrame or None
        code, name, level, parent, valid_from, valid_to; text.
    frame, sample : DataFrame or None
        Strata with their population; sampled PSUs with their inclusion probabilities.
    margins : dict of DataFrame
        By name; the `by` columns as text and `population` as float.
    files : tuple of Path
        The response files, in reading order.
    nonrespondents : DataFrame or None
        Sampled persons who did not answer, one row each: strata, PSU and the items their weight and the nonresponse
        step need, coded as the respondents'.
    quota : DataFrame or None
        The cells of the quota (the `by` columns as text, the area first) and `planned` interviews.
    outcomes : dict of str to str or None
        Outcome code -> AAPOR disposition.
    cases : DataFrame or None
        Sampled cases, one row each: the area's column and `outcome`, as text.
    backcheck : DataFrame or None
        Re-interviews, one row each, its index the rows of the file: the respondent's column and the items declared, as text.
    read : dict of str to str
        SHA-256 of the bytes of every file that was read for all this, by absolute path; responses and corrections apart.
    unread : tuple of Unread
        Files beside the responses that are not read, with the reason.
    unmatched : tuple of str
        Patterns of `files` without a file; reading the responses refuses them.
    covered : frozenset of str or None
        Ranked areas with answers; None before the responses are read: all in the table of areas.
    weights : DataFrame or None
        Final weights made elsewhere, one row a respondent: the respondent's column as text, and `weight`.
    replicate_weights, rscales : DataFrame or None
        Replicate weights that belong to them, one row a respondent, one column a replicate; the replicates' scales (`rscale`).
    weighting_record : WeightingRecord or None
        Recipes that were adopted after results were seen, and trials; None without weighting_record.yaml.
    score : str
        What is ranked where that is not the questionnaire's `ranked` measure; see `ranked`.
    further : tuple of RankedBy
        The wave's other rankings; `ranked_by` makes a survey of each.
    combined : CombinedInputs or None
        combined.yaml and the files it names.
    history : DataFrame or None
        Published rankings of earlier waves, oldest first: wave, code, rank, marginal_low, marginal_high, n, listed.
    earlier : tuple of EarlierSet
        The file sets of the waves that survey.yaml names before this one, oldest first; their ranks by this ranking stand in
        `history`.
    ranking_name : str
        What the wave's own ranking is called in rules.yaml, where that is not the name of its score.
    reference : Survey or None
        The wave that was drawn and stands for the population of this one, in its model of who answers.
    rule_fault : SatisfactionError or None
        What rules.yaml asks of the ranking that this survey cannot serve, or what is wrong with combined.yaml; a survey that
        has one is not run.
    as_read : Survey or None
        The survey as its folder says it: whatever differs from it makes the survey a trial.
    altered : tuple of str
        Parts of the results that `run` did not compute from this survey; they make it a trial too.
    provisional : Text or None
        That the main ranking is awaited and another one stands in its place.

    Examples
    --------
    >>> survey = sat.read_survey("surveys/wave")
    >>> survey
    Survey(SurveyFile(small-wave, wave 2026T1, small@1, probability, weighting: base,
     calibration): 4 areas ranked, 1 files of responses)
    >>> survey.area_levels()
    ['county', 'prefecture']
    """

    folder: Path
    declared: SurveyFile
    questionnaire: Questionnaire
    rules: Rules
    areas: pd.DataFrame | None
    frame: pd.DataFrame | None
    sample: pd.DataFrame | None
    margins: dict[str, pd.DataFrame]
    files: tuple[Path, ...]
    nonrespondents: pd.DataFrame | None = None
    history: pd.DataFrame | None = None
    quota: pd.DataFrame | None = None
    outcomes: dict[str, str] | None = None
    cases: pd.DataFrame | None = None
    backcheck: pd.DataFrame | None = None
    read: Mapping[str, str] = field(default_factory=dict)
    earlier: tuple[EarlierSet, ...] = ()
    rule_fault: SatisfactionError | None = None
    as_read: Survey | None = field(default=None, repr=False, compare=False)
    altered: tuple[str, ...] = ()
    provisional: Text | None = None
    unread: tuple[Unread, ...] = ()
    unmatched: tuple[str, ...] = ()
    covered: frozenset[str] | None = None
    weighting_record: WeightingRecord | None = None
    weights: pd.DataFrame | None = None
    replicate_weights: pd.DataFrame | None = None
    rscales: pd.DataFrame | None = None
    score: str = ""
    further: tuple[RankedBy, ...] = ()
    combined: CombinedInputs | None = None
    ranking_name: str = ""
    reference: Survey | None = field(default=None, repr=False)

    def __repr__(self) -> str:
        areas = len(self.ranked_areas())
        files = len(self.files)
        return f"Survey({self.declared!r}: {areas} areas ranked, {files} files of responses)"

    def _repr_html_(self) -> str:
        declared = self.declared
        steps = []
        for step in declared.weighting:
            keys = step.model_dump(exclude_none=True)
            steps.append({key: str(value) for key, value in keys.items()})
        fielded = ""
        if declared.fielded:
            fielded = f"{declared.fielded.start} – {declared.fielded.end}"
        facts = {
            _("wave"): declared.wave,
            _("questionnaire"): declared.questionnaire,
            KEYS["selection"]: in_words(declared.selection),
            _("fielding period"): fielded,
            _("files"): len(self.files),
            _("areas ranked"): len(self.ranked_areas()),
            _("source of the ranking rule"): self.rules.ranking.source,
        }
        return card(
            str(declared.title),
            facts=facts,
            tables={str(_("weighting steps")): pd.DataFrame(steps)},
            mark=str(self.marks or ""),
        )

    @property
    def name(self) -> str:
        """Return the survey's name."""
        return self.declared.survey

    @property
    def sources(self) -> tuple[Path, ...]:
        """Return every file read, survey.yaml and the questionnaire first; the responses are listed in `files`."""
        sources = [self.folder / path_below(self.folder, path) for path in self.read]
        kept_beside = [self.folder / name for name in (CORRECTIONS_FILE, WORDINGS_FILE)]
        sources += filter(Path.is_file, kept_beside)
        if self.reference is not None:
            sources += [*self.reference.sources, *self.reference.files]
        return tuple(sources)

    @property
    def ranked(self) -> str:
        """Return the name of what is ranked: a measure of the questionnaire, `combined`, or a component of it."""
        return self.score or self.questionnaire.ranked

    @property
    def all_rankings(self) -> tuple[RankedBy, ...]:
        """Return what the wave is ranked by, *the* ranking first."""
        name = self.ranking_name or self.ranked
        first = RankedBy(name, self.score, self.rules, self.history, earlier=self.earlier)
        return (first, *self.further)

    def without_rankings(self, names: Collection[str]) -> Survey:
        """Return the same survey without some of its rankings; the next one is *the* ranking where the first is left out."""
        if not names:
            return self
        kept = [ranked for ranked in self.all_rankings if ranked.name not in names]
        first, *others = kept
        as_read = self.as_read
        if as_read is not None and as_read is not self:
            as_read = as_read.without_rankings(names)
        provisional = self.provisional
        main = self.all_rankings[0]
        if main.name in names and self.several_areas:
            provisional = _(
                "the main ranking, by {main}, is awaited; {score} is ranked in its place for now",
                main=self._title(main.score),
                score=self._title(first.score),
            )
        led = self.led_by(first)
        return replace(led, further=tuple(others), as_read=as_read, provisional=provisional)

    def _title(self, score: str | None) -> Text:
        """Return what a score is called; the questionnaire's ranked one where none is named."""
        name = score or self.questionnaire.ranked
        titles: dict[str, Label] = {**self.questionnaire.rates, **self.questionnaire.indices}
        if name in titles:
            return titles[name].text
        return self.composed.get(name, Text(name))

    def ranked_by(self, other: RankedBy) -> Survey:
        """Return the same survey, ranked otherwise; it is a trial where this one is."""
        altered = self.departures()
        return replace(self.led_by(other), further=(), as_read=None, altered=altered)

    def led_by(self, first: RankedBy) -> Survey:
        """Return the same survey with another ranking as its own."""
        name = first.name if first.name != first.score else ""
        return replace(
            self,
            score=first.score,
            ranking_name=name,
            rules=first.rules,
            history=first.history,
            earlier=first.earlier,
        )

    @property
    def composed(self) -> dict[str, Text]:
        """Return what the scores are called that combined.yaml makes: the combined one, and components that are no measure."""
        if self.combined is None:
            return {}
        labels = self.combined.labels
        for name, component in self.combined.declared.components.items():
            if component.measure is not None:
                del labels[name]
        return labels

    @property
    def overall(self) -> str | None:
        """Return the rate of the overall judgement, as declared by the survey, else by its questionnaire; None without one."""
        return self.declared.overall or self.questionnaire.overall

    @property
    def marks(self) -> Text | None:
        """Return what every output must say: a trial, simulated, no design error, or another ranking than the main one."""
        marks = []
        if self.departures():
            marks.append(TRIAL)
        if self.declared.simulated:
            marks.append(SIMULATED)
        if self.declared.selection != "probability":
            marks.append(NO_DESIGN_ERROR)
        if self.provisional is not None:
            marks.append(self.provisional)
        if not marks:
            return None
        return semicolon_list(marks)

    def departures(self) -> tuple[str, ...]:
        """Name what is not as the files of the folder say, as they call it; what follows from a survey with departures is a trial."""
        if self.as_read is None:
            return self.altered
        return (*self._differences(self.as_read), *self.altered)

    def _differences(self, original: Survey) -> Iterator[str]:
        declared = original.declared
        yield from _different_keys("survey.yaml", self.declared, declared)
        yield from _different_keys(declared.rules, self.rules, original.rules)
        yield from _different_keys(
            declared.questionnaire, self.questionnaire, original.questionnaire
        )
        for name in TABLES:
            if not _same(getattr(self, name), getattr(original, name)):
                yield name
        for name in sorted(_different(self.margins, original.margins)):
            yield f"margins: {name}"
        used_rules, written_rules = (
            [(ranked.name, ranked.score, ranked.rules) for ranked in survey.further]
            for survey in (self, original)
        )
        if used_rules != written_rules:
            yield f"{declared.rules}: rankings"
        for part in ("declared", "assessments", "tables", "sites"):
            used = getattr(self.combined, part, None)
            if not _same(used, getattr(original.combined, part, None)):
                yield COMBINED_FILE
                break
        if self.files != original.files:
            yield "responses"

    def whole(self) -> str:
        """Return the name of the level of all areas together: the table's top level, else 'all'."""
        if self.areas is None:
            return "all"
        return tree_of(self.areas).whole

    @property
    def ranked_level(self) -> str:
        """Return the level of the areas that are ranked ('county')."""
        return self.area_levels()[0]

    def area_levels(self) -> list[str]:
        """Return the levels areas are published for, the ranked one first, then its ancestors ('county', 'prefecture')."""
        item = self.questionnaire.roles.area
        if self.areas is None:
            return [item]
        levels = self.levels()
        parents = self.parents()
        upwards = []
        code = str(self.domain_values(item)[0])
        while code in levels:
            upwards.append(levels[code])
            code = parents[code]
        return [level for level in upwards if level != self.whole()]

    def levels(self) -> dict[str, str]:
        """Return the level of every area by its code; empty without a table of areas."""
        return {} if self.areas is None else tree_of(self.areas).level_of

    def parents(self) -> dict[str, str]:
        """Return the code of the area that each area lies in; empty without a table of areas."""
        return {} if self.areas is None else tree_of(self.areas).parent_of

    def earlier_waves(self) -> list[str]:
        """Return the waves with a published ranking, oldest first."""
        if self.history is None:
            return []
        return list(self.history["wave"].unique())

    def published_rank(self, code: str, wave: str) -> float | None:
        """Return the rank an area was published with, None where it has none; of a larger area that among its like."""
        tables = [self.history, *(published.larger for published in self.earlier)]
        for table in tables:
            if table is None:
                continue
            published = table[(table["wave"] == wave) & (table["code"] == code)]
            if published["rank"].notna().any():
                return float(published["rank"].iloc[0])
        return None

    def ranked_areas(self) -> list[str]:
        """Return the codes of the areas that are ranked."""
        area = self.questionnaire.roles.area
        return list(map(str, self.domain_values(area)))

    def domain_values(self, level: str) -> list[str] | list[int]:
        """Return the areas of a level as the respondents' column holds them: codes as text, or an item's own codes."""
        if self.areas is None:
            return list(self.questionnaire.answers(level))
        return list(tree_of(self.areas).current.get(level, ()))

    @property
    def several_areas(self) -> bool:
        """Whether there is more than one area to rank and to compare."""
        return len(self.domain_values(self.ranked_level)) > 1

    def coverage(self) -> dict[str, tuple[int, int]]:
        """Return for every area above the ranked ones how many of these have answers, and how many there are in all.

        Column `units_in_all` of the table of areas says how many there are where the table holds only those surveyed.
        """
        if self.areas is None:
            return {}
        ranked = self.ranked_areas()
        covered = ranked if self.covered is None else self.covered.intersection(ranked)
        answering = areas_within(covered, self.parents())
        in_all = areas_within(ranked, self.parents())
        if "units_in_all" in self.areas:
            declared = self.areas.set_index("code")["units_in_all"]
            for code, units in declared.items():
                if code in in_all and units.isdigit():
                    in_all[code] = max(in_all[code], int(units))
        return {code: (answering.get(code, 0), units) for code, units in in_all.items()}

    def area_names(self) -> dict[str, Text]:
        """Return the name of every area by its code; from the table of areas, else from the item's answers."""
        if self.areas is not None:
            return dict(tree_of(self.areas).current_names)
        answers = self.questionnaire.answers(self.questionnaire.roles.area)
        return {str(code): answer.text for code, answer in answers.items()}


def with_scores_alone(survey: Survey, scores: Collection[str | None]) -> Survey:
    """Return the survey without the combined score, and without the indices of areas that are none of some scores."""
    indices = {}
    for name, index in survey.questionnaire.indices.items():
        if index.level == "person" or name in scores:
            indices[name] = index
    questionnaire = survey.questionnaire.model_copy(update={"indices": indices})
    return replace(survey, combined=None, questionnaire=questionnaire)


def with_weighting(survey: Survey, steps: Sequence[object], *, name: str) -> Survey:
    """Return the survey with other weighting steps, checked as those of survey.yaml are; it is a trial then.

    Parameters
    ----------
    survey : Survey
    steps : sequence of dict or Step
        As under `weighting` in survey.yaml.
    name : str
        What errors call the place.

    Raises
    ------
    SurveyError
        As `read_survey`.
    """
    content = [_as_written(step) if isinstance(step, Record) else step for step in steps]
    written = read_yaml(survey.sources[0], SurveyError)
    document = Document(Path(name), {}, written.data | {"weighting": content})
    declared = validated(document, SurveyFile, SurveyError)
    check_declarations(document, declared, survey.questionnaire)
    declared = with_default_margins(document, declared, survey.questionnaire)
    return weighted_as(survey, declared.weighting)


def with_ranking_rules(survey: Survey, changes: Mapping[str, object], *, name: str) -> Survey:
    """Return the survey with other ranking rules, checked as those of rules.yaml are; it is a trial then.

    Parameters
    ----------
    survey : Survey
    changes : mapping
        As under `ranking` in rules.yaml.
    name : str
        What errors call the place.

    Raises
    ------
    SurveyError
        As `read_survey`.
    """
    content = _as_written(survey.rules.ranking) | dict(changes)
    ranking = validated(Document(Path(name), {}, content), RankingRules, SurveyError)
    return replace(survey, rules=survey.rules.model_copy(update={"ranking": ranking}))


def with_measures(
    survey: Survey,
    *,
    dont_know: str | None = None,
    weights: Mapping[str, float | str] | None = None,
    name: str,
) -> Survey:
    """Return the survey with another don't-know rule or other weights of the ranked index; it is a trial then.

    Parameters
    ----------
    survey : Survey
    dont_know : {"in", "out"}, optional
        Whether don't-know stays in the denominator of every rate.
    weights : mapping, optional
        Of the ranked index: components that stay as declared may be left out; all add to 1.
    name : str
        What errors call the place.

    Raises
    ------
    QuestionnaireError
        Q153 for a rule, an index or a component that is none, Q121 for weights that do not add to 1.
    """
    questionnaire = survey.questionnaire
    changes: dict[str, object] = {}
    if dont_know is not None:
        allowed = get_args(Denominator)
        one_of(dont_know, allowed, argument="dont_know", error=QuestionnaireError, code="Q153")
        rates = dict(questionnaire.rates)
        for rate_name, rate in rates.items():
            denominator = rate.denominator | {"dont_know": dont_know}
            rates[rate_name] = rate.model_copy(update={"denominator": denominator})
        changes["rates"] = rates
    if weights:
        indices = questionnaire.indices
        one_of(survey.ranked, indices, argument="ranked", error=QuestionnaireError, code="Q153")
        index = indices[survey.ranked]
        for component in weights:
            one_of(
                component, index.weights, argument="weights", error=QuestionnaireError, code="Q153"
            )
        content = _as_written(index)
        content["weights"] |= weights
        changed = validated(Document(Path(name), {}, content), Index, QuestionnaireError)
        changes["indices"] = indices | {survey.ranked: changed}
    return replace(survey, questionnaire=questionnaire.model_copy(update=changes))


def _as_written(record: Record) -> dict[str, Any]:
    """Return a declaration as a file holds it, without its defaults."""
    return record.model_dump(mode="json", exclude_unset=True)


def weighted_as(survey: Survey, steps: Sequence[Step]) -> Survey:
    """Return the survey with steps that are checked already in the place of its own."""
    declared = survey.declared.model_copy(update={"weighting": list(steps)})
    return replace(survey, declared=declared)


def with_tables_of_weights(survey: Survey, folder: Path) -> Survey:
    """Return the survey with the tables of weights made elsewhere that its base step names, read from a folder.

    Raises
    ------
    SurveyError
        S131, S523, S524, S534.
    """
    respondent = survey.questionnaire.roles.respondent
    base = survey.declared.base
    weights = replicate_weights = rscales = None
    if base is not None and base.table is not None:
        weights = read_weights(folder / base.table.file, respondent)
    replicates = base.replicates if base is not None else None
    if replicates is not None:
        replicate_weights = read_replicates(folder / replicates.file, respondent)
        if replicates.rscales is not None:
            rscales = read_rscales(folder / replicates.rscales)
    return replace(survey, weights=weights, replicate_weights=replicate_weights, rscales=rscales)


def _different_keys(file: str, used: Record, written: Record) -> Iterator[str]:
    """Name the keys of a declaration that differ."""
    if used is written:
        return
    for key in type(written).model_fields:
        if getattr(used, key) != getattr(written, key):
            yield f"{file}: {key}"


def _same(used: object, written: object) -> bool:
    if used is written:
        return True
    if isinstance(used, pd.DataFrame) and isinstance(written, pd.DataFrame):
        return bool(used.equals(written))
    if isinstance(used, Mapping) and isinstance(written, Mapping):
        return not _different(used, written)
    return type(used) is type(written) and bool(used == written)


def _different(used: Mapping[str, object], written: Mapping[str, object]) -> set[str]:
    """Return the names under which two sets of tables do not hold the same."""
    names = used.keys() | written.keys()
    return {name for name in names if not _same(used.get(name), written.get(name))}


def read_declared(path: str | Path) -> tuple[Document, SurveyFile, Path]:
    """Read survey.yaml alone: the document, its record, and the path of the questionnaire it names.

    Raises
    ------
    SurveyError
        For a key or reference that does not fit, with file and line.
    """
    path = Path(path)
    if path.suffix not in (".yaml", ".yml"):
        path = path / "survey.yaml"
    document = read_yaml(path, SurveyError)
    declared = validated(document, SurveyFile, SurveyError)
    questionnaires = questionnaires_above(document.path)
    if declared.questionnaire not in questionnaires:
        raise SurveyError(
            "S101",
            _("Questionnaire {questionnaire} is not there.", questionnaire=declared.questionnaire),
            where=document.place(("questionnaire",)),
            available=sorted(questionnaires),
            got=declared.questionnaire,
            hint=_("Name a version that exists, or put the file under questionnaires/."),
        )
    return document, declared, questionnaires[declared.questionnaire]


def read_survey(path: str | Path, *, ranking: bool = True) -> Survey:
    """Read one survey folder (or its survey.yaml).

    Parameters
    ----------
    path : str or Path
    ranking : bool
        Whether rules of the ranking that the survey cannot serve are refused; else they stand in `rule_fault`, for whoever
        looks at the responses alone.

    Raises
    ------
    SurveyError
        For a key, table, column or reference that does not fit, with file and line.
    QuestionnaireError, InputFileError
        From the files it points to.

    Examples
    --------
    >>> survey = sat.read_survey("surveys/wave")
    >>> survey.name, survey.declared.selection
    ('small-wave', 'probability')
    """
    with recorded() as read:
        survey = replace(_read_folder(path, ranking=ranking), read=read)
    return replace(survey, as_read=survey)


def _read_folder(path: str | Path, *, ranking: bool) -> Survey:
    document, declared, instrument = read_declared(path)
    folder = document.path.parent
    questionnaire = read_questionnaire(instrument)
    rules_document = read_yaml(folder / declared.rules, SurveyError)
    rules = validated(rules_document, Rules, SurveyError)
    check_declarations(document, declared, questionnaire)
    weighting_record = None
    if (folder / RECORD_FILE).is_file():
        weighting_record = read_weighting_record(folder / RECORD_FILE)
        check_record(document, declared, weighting_record)
    declared = with_default_margins(document, declared, questionnaire)
    tables = _tables_of_design(folder, declared, questionnaire)
    areas = tables["areas"]
    rankings = _rankings(folder, declared, questionnaire, rules=rules, areas=areas)
    where = document.place(("earlier",))
    earlier_fault = None
    if declared.earlier:
        try:
            earlier = read_earlier(folder, declared, where=where)
            codes = codes_of_today(areas)
            rankings = [
                _with_earlier(by, earlier, codes, where=where, wave=declared.wave)
                for by in rankings
            ]
        except SatisfactionError as fault:
            if ranking:
                raise
            earlier_fault = fault
    first, *further = rankings
    delivered = find_delivered(folder, declared)
    survey = Survey(
        folder=folder,
        declared=declared,
        questionnaire=questionnaire,
        rules=first.rules,
        **tables,
        files=delivered.files,
        rule_fault=earlier_fault,
        unread=delivered.unread,
        unmatched=delivered.unmatched,
        weighting_record=weighting_record,
        further=tuple(further),
    )
    survey = with_tables_of_weights(survey, folder)
    if weighting_record is not None and weighting_record.in_force:
        # an input too: the recipe declared before is computed beside the adopted one
        with_tables_of_weights(weighted_as(survey, weighting_record.declared_first), folder)
    survey = survey.led_by(first)
    try:
        survey = _with_combined(survey, where)
        for ranked in rankings:
            place = rules_document.below(ranked.at)
            check_rules(survey.ranked_by(ranked), place)
            check_scores(survey, place, ranked)
        check_names(rankings, rules_document)
    except SatisfactionError as fault:
        if ranking:
            raise
        survey = replace(survey, rule_fault=earlier_fault or fault)
    model = declared.selection_model
    if model is not None and model.reference is not None:
        survey = _with_reference(survey, model.reference, document)
    return _with_tables_of_fieldwork(survey)


def _tables_of_design(
    folder: Path, declared: SurveyFile, questionnaire: Questionnaire
) -> dict[str, Any]:
    """Read the tables of the design and the weighting: fields of the survey by name, None for one that is not declared."""
    roles = questionnaire.roles
    areas = frame = sample = nonrespondents = None
    if declared.areas is not None:
        areas = read_areas(folder / declared.areas.file, roles.area)
    if declared.frame is not None:
        frame = read_frame(folder / declared.frame.file, roles.strata, areas=areas, area=roles.area)
    if declared.sample is not None:
        sample = read_sample(
            folder / declared.sample.file,
            str(roles.psu),
            roles.strata,
            areas=areas,
            area=roles.area,
        )
    margins = {}
    for name, margin in declared.margins.items():
        margins[name] = read_counts(
            folder / margin.file, margin.by, "population", questionnaire=questionnaire, named=areas
        )
    if declared.nonrespondents is not None:
        nonrespondents = read_nonrespondents(
            folder / declared.nonrespondents.file,
            declared,
            questionnaire,
            areas=areas,
            sample=sample,
        )
    if areas is not None and declared.areas is not None:
        check_areas(areas, roles.area, folder / declared.areas.file)
    if frame is not None and sample is not None and declared.frame and declared.sample:
        check_frame_and_sample(
            frame,
            sample,
            strata=roles.strata,
            frame_path=folder / declared.frame.file,
            sample_path=folder / declared.sample.file,
        )
    return {
        "areas": areas,
        "frame": frame,
        "sample": sample,
        "margins": margins,
        "nonrespondents": nonrespondents,
    }


def _with_tables_of_fieldwork(survey: Survey) -> Survey:
    """Read what the fieldwork is compared with: the quota, outcomes of the sampled cases, re-interviews."""
    folder = survey.folder
    declared = survey.declared
    roles = survey.questionnaire.roles
    areas = survey.areas
    if declared.quota is not None:
        planned = read_counts(
            folder / declared.quota.file,
            declared.quota.by,
            "planned",
            questionnaire=survey.questionnaire,
            areas=areas,
            named=areas,
        )
        survey = replace(survey, quota=planned)
    if declared.outcomes is not None:
        outcomes = read_outcomes(folder / declared.outcomes.file)
        survey = replace(survey, outcomes=outcomes)
        if declared.outcomes.cases is not None:
            cases = read_cases(
                folder / declared.outcomes.cases,
                area=roles.area,
                areas=survey.ranked_areas(),
                outcomes=outcomes,
                named=areas,
                respondent=roles.respondent,
            )
            survey = replace(survey, cases=cases)
    backcheck = declared.fieldwork.backcheck
    if backcheck is not None:
        path_of_backcheck = folder / backcheck.file
        reinterviews = read_reinterviews(path_of_backcheck, roles.respondent, backcheck.items)
        survey = replace(survey, backcheck=reinterviews)
    return survey


def _rankings(
    folder: Path,
    declared: SurveyFile,
    questionnaire: Questionnaire,
    *,
    rules: Rules,
    areas: pd.DataFrame | None,
) -> list[RankedBy]:
    """Return the rankings that rules.yaml declares, *the* ranking of the wave first."""
    general = rules.model_copy(update={"rankings": []})
    declared_rankings = [RankedBy(questionnaire.ranked, questionnaire.ranked, general)]
    for position, further in enumerate(rules.rankings):
        of_further = RankedBy(further.title, further.score, rules.of(further))
        declared_rankings.append(replace(of_further, at=("rankings", position)))
    rankings = []
    for ranked in declared_rankings:
        history = ranked.rules.history
        if history is not None and history.file is not None:
            table = read_history(folder / history.file, wave=declared.wave, areas=areas)
            table = under_codes_of_today(table, codes_of_today(areas))
            ranked = replace(ranked, history=table)
        rankings.append(ranked)
    main = [further.main for further in rules.rankings]
    if True in main:
        rankings.insert(0, rankings.pop(1 + main.index(True)))
    return rankings


def _with_earlier(
    ranked: RankedBy, sets: Sequence[EarlierSet], codes: Mapping[str, str], *, where: str, wave: str
) -> RankedBy:
    """Return a ranking with the ranks that earlier waves published under its name."""
    earlier = tuple(published.ranked_as(ranked.name, codes) for published in sets)
    history = history_of(earlier, ranked.history, where=where, wave=wave)
    return replace(ranked, earlier=earlier, history=history)


def _with_reference(survey: Survey, folder: str, document: Document) -> Survey:
    """Read the wave that stands for the population."""
    place = survey.folder / folder
    if not (place / "survey.yaml").is_file():
        raise SurveyError(
            "S533",
            _("There is no survey.yaml in {folder}.", folder=folder),
            where=document.place(("selection_model", "reference")),
            got=folder,
            hint=_("Name the folder of a wave, as seen from this one: ../wave."),
        )
    reference = read_survey(place, ranking=False)
    check_reference(survey, reference, document)
    return replace(survey, reference=reference)


def _with_combined(survey: Survey, where: str) -> Survey:
    """Read combined.yaml where there is one; its score is ranked, in general as the wave is, where no ranking names it."""
    path = survey.folder / COMBINED_FILE
    if not path.is_file():
        return survey
    combined = read_combined_inputs(path, areas=survey.areas)
    further = survey.further
    scores = [ranked.score for ranked in further]
    if COMBINED not in (survey.score, *scores):
        general = survey.rules
        if survey.score != survey.questionnaire.ranked:
            general = next(ranked.rules for ranked in further if not ranked.at)
        ranked = RankedBy(COMBINED, COMBINED, general.alone())
        codes = codes_of_today(survey.areas)
        wave = survey.declared.wave
        ranked = _with_earlier(ranked, survey.earlier, codes, where=where, wave=wave)
        further = (*further, ranked)
    return replace(survey, combined=combined, further=further)


def what_is_tested(survey: Survey) -> Text:
    """Say what is tested and written to tests.csv and reliability.csv; nothing where respondents were not drawn."""
    declared = survey.declared
    if declared.selection != "probability":
        return NOTHING
    tested = declared.tested
    parts = []
    if tested.pairs and survey.several_areas:
        parts.append(_("all pairs of areas"))
    if tested.against_rest and survey.several_areas:
        parts.append(_("every area against all others together"))
    if tested.change and survey.earlier:
        before = survey.earlier[-1]
        part = _("change since {wave}", wave=before.wave)
        if before.survey_folder is None:
            part = _("no change since {wave}: its respondents are not there", wave=before.wave)
        parts.append(part)
    if tested.groups is None or tested.groups:
        parts.append(_("groups of respondents"))
        if tested.regression:
            parts.append(_("regression on the groups"))
    if tested.reliability:
        parts.append(_("reliability of the indices, interviewers"))
    if tested == NO_TESTS or not parts:
        return _("tests: none")
    what = semicolon_list(parts)
    if declared.tests is not None:
        return _("tests, as survey.yaml declares them: {what}", what=what)
    return _("tests, by default: {what} (`tests: none` in survey.yaml: no tests)", what=what)


def population_note(survey: Survey) -> Text:
    """Say what stands for the population in the declared model of who answers; empty without a model."""
    model = survey.declared.selection_model
    if model is None:
        return NOTHING
    reference = survey.reference
    if reference is None:
        names = area_margins(survey.declared, survey.questionnaire.roles.area)
        return _("population of the model: margins {margins}", margins=comma_list(names))
    items = [survey.questionnaire.items[name].text for name in model.by or ()]
    return _(
        "population of the model: the respondents of {title} ({name}, wave {wave}), who were drawn, "
        "with their final weights, by {items}",
        title=reference.declared.title.text,
        name=reference.name,
        wave=reference.declared.wave,
        items=comma_list(items),
    )
