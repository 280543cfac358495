"""The workbench of a wave's notebooks: the declared recipe, trials beside it, and one of them adopted, with its reason.

What survey.yaml declares is official. A trial is looked at, and every look is kept: whoever chooses weights while watching
ranks can choose the ranks. A trial that is adopted becomes what survey.yaml declares; the recipe before it, the reason and
all trials stay in weighting_record.yaml, and every later output says that the recipe was chosen after results were seen.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pandas as pd
from matplotlib.figure import Figure

from satisfaction.comparison.recipes import (
    DECLARED,
    LISTED,
    Recipes,
    set_side_by_side,
    weight_figures,
)
from satisfaction.declarations.survey import (
    Survey,
    read_declared,
    read_survey,
    with_measures,
    with_ranking_rules,
    with_tables_of_weights,
    with_weighting,
)
from satisfaction.declarations.wave import CalibrationStep, Step, SurveyFile, TrimmingStep
from satisfaction.declarations.weighting_record import (
    RECORD_FILE,
    AdoptedRecipe,
    StepLines,
    TriedRecipe,
    WeightingRecord,
    block_of,
    read_weighting_record,
    same_steps,
    step_lines,
    write_weighting_record,
)
from satisfaction.estimation.domains import Variance
from satisfaction.estimation.replicate_weights import Method, replicate_weights
from satisfaction.foundation.conventions import VALUES, key
from satisfaction.foundation.errors import SurveyError, WeightsError
from satisfaction.foundation.files import (
    dated_folder,
    locked,
    new_file,
    put_bytes,
    read_bytes,
    scratch_folder,
    sha256,
)
from satisfaction.foundation.language import Text, _, comma_list, rendered, use
from satisfaction.foundation.tables import write_csv
from satisfaction.foundation.yaml import parse_yaml, validated
from satisfaction.notebook.show import in_project
from satisfaction.notebook.table_view import margin_labels
from satisfaction.pipeline import Ranked, Results, ranked_further, reweighted, run
from satisfaction.publication.labels import mark
from satisfaction.publication.manifest import ListMoves, list_moves
from satisfaction.publication.plots.strips import rank_sets_plot, recipes_plot
from satisfaction.publication.verify import publish

TRIALS_FILE = "weighting_trials.yaml"
MOST_DRAWN = 24  # areas of a picture
USUAL_BOUNDS = (2, 3, 5)  # times the mean weight
WIDER_LOW = 0.95
WIDER_HIGH = 1.05


@dataclass(frozen=True, slots=True, repr=False)
class WeightingTrial:
    """Another recipe on the same responses.

    Attributes
    ----------
    name : str
    results : Results
        Marked as a trial wherever they are written.
    moves : ListMoves
        The areas that enter or leave the list.
    """

    name: str
    results: Results
    moves: ListMoves

    @property
    def steps(self) -> list[Step]:
        """Return its weighting steps."""
        return self.results.survey.declared.weighting

    def __repr__(self) -> str:
        kinds = ", ".join(step.step for step in self.steps)
        moves = self.moves.in_words(self.results.survey)
        return f"WeightingTrial({self.name}: {kinds}; {moves})"


class Workbench:
    """A wave on the statistician's table; see `open_wave`.

    Attributes
    ----------
    survey : Survey
        As its folder says it.
    """

    def __init__(self, survey: Survey) -> None:
        self.survey = survey
        self._results: Results | None = None
        self._trials: dict[str, WeightingTrial] = {}

    def __repr__(self) -> str:
        return f"Workbench({self.survey!r}, {len(self._trials)} trials)"

    @property
    def results(self) -> Results:
        """Return what the declared recipe gives; computed once."""
        if self._results is None:
            self._results = run(self.survey)
        return self._results

    @property
    def recipe(self) -> pd.DataFrame:
        """Return the declared steps, one row each."""
        rows = []
        for step in self.survey.declared.weighting:
            keys = step.model_dump(exclude_none=True)
            rows.append({key: _one_line(value) for key, value in keys.items()})
        return pd.DataFrame(rows).fillna("")

    @property
    def record(self) -> WeightingRecord:
        """Return the adoptions of the wave, and every trial that was looked at."""
        record = read_weighting_record(self.survey.folder / RECORD_FILE)
        looked_at = read_weighting_record(self._trials_path)
        return record.with_trials(looked_at.trials)

    @property
    def _trials_path(self) -> Path:
        return self.survey.folder / "out" / TRIALS_FILE

    def try_weighting(
        self, steps: Sequence[object], *, name: str, variance: Variance = "default"
    ) -> WeightingTrial:
        """Run the wave under other weighting steps; survey.yaml stays as it is.

        Parameters
        ----------
        steps : sequence of dict or Step
            As under `weighting` in survey.yaml: `{"step": "trimming", "upper": 3}`. Margins are those that survey.yaml declares.
        name : str
            Of the trial; kept in the wave's record.
        variance : str, optional
            Of its standard errors; default that of a run, which may replay all steps in replicates. "linearized" is quick.

        Raises
        ------
        SurveyError
            For steps that survey.yaml could not hold.
        WeightsError
            W521 for a name that another trial of other steps bears; else as the steps.

        Examples
        --------
        >>> wave = sat.open_wave("surveys/wave")
        >>> steps = [*wave.survey.declared.weighting, {"step": "trimming", "upper": 3}]
        >>> trial = wave.try_weighting(steps, name="upper 3")
        >>> wave.trials[["recipe", "respondents", "areas_moved", "entered"]]
             recipe  respondents  areas_moved entered
        0  declared          120            0
        1   upper 3          120            0
        """
        survey = with_weighting(self.results.survey, steps, name=name)
        return self._tried(survey, name, variance)

    def try_weights(
        self,
        table: pd.DataFrame,
        *,
        name: str,
        source: str,
        date: datetime.date,
        replicates: pd.DataFrame | None = None,
        scale: float | None = None,
        rscales: Sequence[float] | None = None,
        mse: bool = False,
        degrees_of_freedom: int | None = None,
        variance: Variance = "default",
    ) -> WeightingTrial:
        """Run the wave under final weights made elsewhere: in R, or by another office.

        Adopted, the tables become files of the wave's folder, hashed like every input. Standard errors take the weights as
        fixed, and the report says so; with replicate weights they are those of R's `svrepdesign`.

        Parameters
        ----------
        table : DataFrame
            One row a respondent: the respondent's number, under the name it has in the questionnaire, and `weight`.
        name : str
            Of the trial, and of the files: letters, digits, - and _.
        source, date
            Where the weights come from, and the day they were made.
        replicates : DataFrame, optional
            One row a respondent: the number, and a column a replicate, full weights.
        scale, rscales, mse
            V = scale sum_r rscales_r (theta_r - centre)^2, as in R; see `SurveyDesign`. scale is needed with replicates.
        degrees_of_freedom : int, optional
            Of the replicates; default their rank minus 1, as in R.

        Raises
        ------
        WeightsError
            W521 as `try_weighting`, W527 respondents without a weight, W528 a name that no file can bear.
        SurveyError
            S131 a column that is not there, S523, S524, S534 weights that are none.
        DesignError
            D527 replicates or scales that cannot be.
        """
        if not re.fullmatch(r"[A-Za-z0-9_-]+", name):
            raise WeightsError(
                "W528",
                _("'{name}' cannot be the name of a file of weights.", name=name),
                where="name",
                hint=_("Use letters, digits, - and _."),
            )
        stem = f"weights-{name}"
        origin = {"source": source, "date": date.isoformat()}
        files = {f"{stem}.csv": table}
        step: dict[str, Any] = {"step": "base", "source": "table"}
        step["table"] = {"file": f"{stem}.csv", **origin}
        if replicates is not None:
            declared = {"file": f"{stem}-replicates.csv", "scale": scale, "mse": mse, **origin}
            files[f"{stem}-replicates.csv"] = replicates
            if rscales is not None:
                declared["rscales"] = f"{stem}-rscales.csv"
                files[f"{stem}-rscales.csv"] = pd.DataFrame({"rscale": list(rscales)})
            if degrees_of_freedom is not None:
                declared["df"] = degrees_of_freedom
            step["replicates"] = declared
        survey = with_weighting(self.results.survey, [step], name=name)
        with scratch_folder("satisfaction-weights") as scratch:
            for file, content in files.items():
                write_csv(content, scratch / file)
            survey = with_tables_of_weights(survey, scratch)
        return self._tried(survey, name, variance)

    def _tried(self, survey: Survey, name: str, variance: Variance) -> WeightingTrial:
        """Run a trial and keep it."""
        chosen = survey.declared.weighting
        known = self._trials.get(name)
        is_other = known is not None and not same_steps(known.steps, chosen)
        if is_other or name == DECLARED or not name.strip():
            raise WeightsError(
                "W521",
                _("'{name}' is no name for this trial: it is empty or taken.", name=name),
                where="name",
                hint=_("Give every trial a name of its own."),
            )
        results = reweighted(self.results, survey, variance=variance)
        tried = self.keep_look(name, results)
        moves = ListMoves(tuple(tried.entered), tuple(tried.left))
        trial = WeightingTrial(name, results, moves)
        self._trials[name] = trial
        return trial

    def try_rules(self, **changes: object) -> Results:
        """Rank the wave under other ranking rules; rules.yaml stays as it is.

        Parameters
        ----------
        **changes
            As under `ranking` in rules.yaml: list_size=20, level=0.9.

        Returns
        -------
        Results
            Marked as a trial wherever they are written.

        Raises
        ------
        SurveyError
            For what rules.yaml could not hold.
        RankingError
            K160 for a list that is no shorter than the ranking.

        Examples
        --------
        >>> wave = sat.open_wave("surveys/wave")
        >>> trial = wave.try_rules(list_size=2)
        >>> trial.ranking.summary["listed"]
        ('990102', '990201')
        """
        results = self.results
        survey = with_ranking_rules(results.survey, changes, name="try_rules")
        with use(None):
            return ranked_further(results, survey)

    def try_measures(
        self,
        *,
        dont_know: str | None = None,
        weights: Mapping[str, float | str] | None = None,
        variance: Variance = "default",
    ) -> Results:
        """Run the wave under another don't-know rule or other index weights; the questionnaire stays as it is.

        Parameters
        ----------
        dont_know : {"in", "out"}, optional
            Whether don't-know stays in the denominator of every rate.
        weights : mapping, optional
            Of the ranked index: {"streets": 0.5}, or "1/3"; those left out stay as declared, all add to 1.
        variance : str, optional
            As `try_weighting`.

        Returns
        -------
        Results
            Marked as a trial wherever they are written.

        Raises
        ------
        QuestionnaireError
            Q153 for a rule, an index or a component that is none, Q121 for weights that do not add to 1.
        """
        results = self.results
        survey = with_measures(
            results.survey, dont_know=dont_know, weights=weights, name="try_measures"
        )
        return reweighted(results, survey, variance=variance)

    def usual_trials(self) -> dict[str, list[Step]]:
        """Return other choices that a reader would ask for, by name; none where no step is declared.

        The weights cut at 2, 3 and 5 times their mean and calibrated again; no trimming; logit and linear calibration, bounds a
        little wider than the factors of the declared method.
        """
        steps = self.survey.declared.weighting
        calibrations = [step for step in steps if isinstance(step, CalibrationStep)]
        untrimmed = [step for step in steps if not isinstance(step, TrimmingStep)]
        trials: dict[str, list[Step]] = {}
        for multiple in USUAL_BOUNDS if steps else ():
            trials[f"trim {multiple} x mean"] = trimmed_at(multiple, untrimmed)
        if len(untrimmed) < len(steps):
            trials["no trimming"] = list(untrimmed)
        if not calibrations:
            return trials
        log = self.results.design.log
        factors = log[log["step"] == "calibration"]
        low = min(WIDER_LOW * factors["factor_low"].min(), WIDER_LOW)
        high = max(WIDER_HIGH * factors["factor_high"].max(), WIDER_HIGH)
        for method in ("logit", "linear"):
            changes = {"method": method, "bounds": (float(f"{low:.3g}"), float(f"{high:.3g}"))}
            recipe: list[Step] = []
            for step in steps:
                if isinstance(step, CalibrationStep):
                    step = step.model_copy(update=changes)
                recipe.append(step)
            trials[f"{method} [{low:.2f}, {high:.2f}]"] = recipe
        return trials

    def keep_look(self, name: str, result: Results | Ranked) -> TriedRecipe:
        """Note that a recipe's results were looked at, in the wave's folder of outputs; the same one is noted once.

        Parameters
        ----------
        name : str
            Of the trial.
        result : Results or Ranked

        Returns
        -------
        TriedRecipe
            What the record says of it.
        """
        whole = result.whole.of(result.survey.questionnaire.ranked).table.iloc[0]
        moves = list_moves(result, self.results)
        tried = TriedRecipe(
            name=name,
            weighting=result.survey.declared.weighting,
            estimate=_digits(whole["estimate"]),
            se=_digits(whole["se"]),
            effective_n=float(f"{weight_figures(result)['effective_n']:.12g}"),
            entered=list(moves.entered),
            left=list(moves.left),
        )
        path = self._trials_path
        path.parent.mkdir(exist_ok=True)
        with locked(path):
            looked_at = read_weighting_record(path)
            more = looked_at.with_trials([tried])
            if len(more.trials) > len(looked_at.trials):
                write_weighting_record(more, path)
        return tried

    @property
    def side_by_side(self) -> Recipes:
        """Return the declared recipe and all trials of this session, compared."""
        results = {DECLARED: self.results}
        results |= {name: trial.results for name, trial in self._trials.items()}
        return set_side_by_side(results)

    @property
    def trials(self) -> pd.DataFrame:
        """Return one row a recipe, the declared one first; columns as in `comparison.recipes.Recipes`, the steps in words.

        Without a probability sample nothing is said of errors.
        """
        table = self.side_by_side.table
        every = [self.survey, *(trial.results.survey for trial in self._trials.values())]
        table = table.drop(columns="steps").assign(steps=[steps_in_words(one) for one in every])
        if self.survey.declared.selection != "probability":
            table = table.drop(columns=["kish_deff", "effective_n", "se", "variance"])
        return table

    @property
    def trials_by_area(self) -> pd.DataFrame:
        """Return one row an area and recipe: index, se, rank sets, and how they move."""
        return self.side_by_side.areas

    def picture(self) -> Figure:
        """Draw the declared recipe and all trials: weights, effective size, shifts of areas, who enters or leaves the list."""
        recipes = self.side_by_side
        return recipes_plot(recipes.table, recipes.areas)

    def rank_picture(self) -> Figure:
        """Draw ranks and sets under every recipe, of the areas on any list and of those whose rank moves most."""
        areas = self.trials_by_area
        on_a_list = areas.loc[areas["listed"].isin(LISTED), "code"]
        furthest = areas.assign(size=areas["rank_shift"].abs())
        furthest = furthest.sort_values("size", ascending=False, kind="stable")
        codes = list(dict.fromkeys([*on_a_list, *furthest["code"]]))[:MOST_DRAWN]
        declared = areas[areas["recipe"] == DECLARED].sort_values("rank", kind="stable")
        return rank_sets_plot(areas, codes=[code for code in declared["code"] if code in codes])

    def adopt(
        self,
        trial: WeightingTrial | str,
        *,
        reason: str,
        source: str,
        by: str,
        date: datetime.date | None = None,
    ) -> AdoptedRecipe:
        """Make a trial the declared recipe: its steps go into survey.yaml, all else into weighting_record.yaml.

        The next `satisfaction run` is that weighting, under a new revision. Manifest, report and confirmation page say that it
        was adopted after results were seen, and what the recipe declared before would give.

        Parameters
        ----------
        trial : WeightingTrial or str
            A trial of this session, or its name.
        reason, source, by : str
            Why; what the choice rests on; who adopts it.
        date : date, optional
            Default: today.

        Raises
        ------
        WeightsError
            W522 for a trial that was not looked at, W523 without reason, source or name, W524 where the folder changed since
            the wave was opened.
        """
        trial = self._looked_at(trial)
        words = {"reason": reason, "source": source, "by": by}
        lacking = [key for key, text in words.items() if not text.strip()]
        if lacking:
            raise WeightsError(
                "W523",
                _("An adoption needs words for: {lacking}.", lacking=", ".join(lacking)),
                where="adopt",
                hint=_("Say why, what the choice rests on, and who adopts it."),
            )
        with locked(self.survey.folder / RECORD_FILE):
            self._refuse_changed_folder()
            before, after = self._lines_with(trial.steps)
            recipe = AdoptedRecipe(
                name=trial.name,
                reason=Text(reason),
                source=Text(source),
                by=by,
                date=date or datetime.date.today(),
                weighting=trial.steps,
                lines=after.block,
                before=self.survey.declared.weighting,
                lines_before=before.block,
                entered=list(trial.moves.entered),
                left=list(trial.moves.left),
            )
            record = self.record
            adopted = [*record.adopted, recipe]
            _write_tables_of_weights(trial.results.survey)
            self._write(record.model_copy(update={"adopted": adopted}), after)
        return recipe

    def _looked_at(self, trial: WeightingTrial | str) -> WeightingTrial:
        """Return a trial of this session."""
        name = trial if isinstance(trial, str) else trial.name
        if name in self._trials:
            return self._trials[name]
        raise WeightsError(
            "W522",
            _("There is no trial named '{name}' in this session.", name=name),
            where="trial",
            available=self._trials,
            got=name,
            hint=_("Look at it first: wave.try_weighting(steps, name=...)."),
        )

    def _refuse_changed_folder(self) -> None:
        """Refuse to adopt a trial of inputs that are no longer those of the folder."""
        now = read_survey(self.survey.sources[0])
        changed = replace(self.survey, as_read=now).departures()
        if changed:
            raise WeightsError(
                "W524",
                _(
                    "The wave's folder changed since it was opened: {changed}.",
                    changed=comma_list(changed),
                ),
                where=str(self.survey.folder),
                hint=_("Open the wave again, and look at the trial again."),
            )

    def _lines_with(self, steps: list[Step]) -> tuple[StepLines, StepLines]:
        """Return the lines of survey.yaml as they are, and with other steps; all that they declare beside stays."""
        document, declared, _questionnaire = read_declared(self.survey.sources[0])
        before = step_lines(document)
        after = before.with_block(block_of(document, declared, steps, at=before))
        written = "".join(after.lines).lstrip("\ufeff")
        document = parse_yaml(written, after.path, SurveyError)
        read_back = validated(document, SurveyFile, SurveyError)
        others = read_back.model_copy(update={"weighting": []})
        unchanged = self.survey.declared.model_copy(update={"weighting": []})
        if others != unchanged or not same_steps(read_back.weighting, list(steps)):
            raise WeightsError(
                "W526",
                _("The steps cannot be put into this survey.yaml without changing other lines."),
                where=str(after.path),
                hint=_("Write `weighting:` as a list, one step a line, and adopt again."),
            )
        return before, after

    def undo(self) -> Text:
        """Withdraw the adoption that holds: survey.yaml has the bytes again that it had before; the record keeps both.

        Raises
        ------
        WeightsError
            W525 where no adoption holds, or the steps were edited since.
        """
        path = self.survey.folder / RECORD_FILE
        with locked(path):
            record = self.record
            recipe = record.in_force
            document, _declared, _questionnaire = read_declared(self.survey.sources[0])
            now = step_lines(document)
            if recipe is None or now.block != recipe.lines:
                raise WeightsError(
                    "W525",
                    _("There is no adoption to undo, or the steps were edited since."),
                    where=str(self.survey.sources[0]),
                    hint=_("Edit survey.yaml by hand; the record holds the lines before."),
                )
            adopted = []
            for known in record.adopted:
                if known is recipe:
                    known = known.model_copy(update={"withdrawn": True})
                adopted.append(known)
            self._write(
                record.model_copy(update={"adopted": adopted}), now.with_block(recipe.lines_before)
            )
        return _("{name} is withdrawn; the recipe before it is declared again.", name=recipe.name)

    def write_weights(self, *, replicates: Method | None = None) -> Path:
        """Write the respondents' final weights to a new folder out/<time>-weights: beside the file set, never in it.

        weights.csv holds the respondent's number, `weight` and the mark; `try_weights` reads it. It is respondent-level, for
        colleagues of the survey only, as the responses are.

        Parameters
        ----------
        replicates : {"jkn", "brr", "fay", "rao-wu"}, optional
            Also replicates/: the weights of every replicate, as R's `svrepdesign` takes them.

        Raises
        ------
        EstimatesError
            As `replicate_weights`.
        """
        results = self.results
        respondent = self.survey.questionnaire.roles.respondent
        numbers = results.responses.accepted[respondent]
        weights = pd.DataFrame(
            {respondent: numbers, "weight": results.design.weights[: len(numbers)]}
        )
        repeated = None
        if replicates is not None:
            repeated = replicate_weights(results.design, method=replicates, identifier=respondent)
        stamp = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%SZ")
        with dated_folder(self.survey.folder / "out" / f"{stamp}-weights") as dated:
            write_csv(weights.assign(mark=mark(self.survey)), dated.scratch / "weights.csv")
            if repeated is not None:
                repeated.write(dated.scratch / "replicates")
        return dated.target

    def publish(self) -> Path:
        """Write the official set of the declared recipe, or a trial where this session went its own way; see `sat.publish`."""
        return publish(self.results)

    def _write(self, record: WeightingRecord, lines: StepLines) -> None:
        """Write record and steps; where the steps cannot be written the record is as before."""
        path = self.survey.folder / RECORD_FILE
        before = read_weighting_record(path)
        write_weighting_record(record, path)
        try:
            lines.write()
        except BaseException:
            write_weighting_record(before, path)
            raise
        self.survey = read_survey(self.survey.sources[0])
        self._results = None


def open_wave(folder: str | Path) -> Workbench:
    """Open a wave to work on its weighting.

    Parameters
    ----------
    folder : path
        The wave's folder, as seen from here or from any folder above.

    Returns
    -------
    Workbench
        `results`, `recipe`, `try_weighting`, `trials`, `trials_by_area`, `picture`, `adopt`, `undo`.

    Raises
    ------
    SurveyError
        As `read_survey`.

    Examples
    --------
    >>> wave = sat.open_wave("surveys/wave")
    >>> wave.recipe[["step", "method"]]
              step   method
    0         base
    1  calibration   raking
    """
    return Workbench(read_survey(in_project(folder)))


def steps_in_words(survey: Survey) -> Text:
    """Return a survey's weighting steps in one line.

    Examples
    --------
    >>> steps_in_words(sat.read_survey("surveys/wave")).en
    'base weight → raking (county × Sex, county × Age group)'
    """
    margins = margin_labels(survey)
    parts = []
    for step in survey.declared.weighting:
        details = []
        words = VALUES[step.step]
        if isinstance(step, CalibrationStep):
            words = VALUES.get(step.method, Text(step.method))
            details = [margins[name] for name in step.margins or ()]
        if isinstance(step, TrimmingStep):
            limits = step.model_dump(include={"lower", "upper"}, exclude_none=True)
            details = [
                _("{name}: {value}", name=key(name), value=f"{limit:g}")
                for name, limit in limits.items()
            ]
        if details:
            words = _("{step} ({details})", step=words, details=comma_list(details))
        parts.append(words)
    return rendered(lambda: " → ".join(map(str, parts)))


def _write_tables_of_weights(survey: Survey) -> None:
    """Put the tables of weights that a trial brought with it into the wave's folder; one that lies there already stays."""
    step = survey.declared.base
    if step is None or step.table is None:
        return
    tables = {step.table.file: survey.weights}
    if step.replicates is not None:
        tables[step.replicates.file] = survey.replicate_weights
        if step.replicates.rscales is not None:
            tables[step.replicates.rscales] = survey.rscales
    with scratch_folder("satisfaction-weights") as scratch:
        for file, table in tables.items():
            assert table is not None
            fresh = scratch / file
            write_csv(table, fresh)
            target = survey.folder / file
            if target.is_file() and sha256(target) == sha256(fresh):
                continue
            with new_file(target) as new:
                put_bytes(read_bytes(fresh), new)


def _one_line(value: object) -> str:
    """Return a value of survey.yaml as one text; nothing of an empty list."""
    if isinstance(value, list | tuple):
        return ", ".join(map(str, value))
    return str(value)


def trimmed_at(multiple: float, untrimmed: Sequence[Step]) -> list[Step]:
    """Return steps that also cut weights at a multiple of their mean, and calibrate again as the last calibration does."""
    cut = TrimmingStep(step="trimming", upper=multiple, relative_to="mean")
    calibrations = [step for step in untrimmed if isinstance(step, CalibrationStep)]
    return [*untrimmed, cut, *calibrations[-1:]]


def _digits(value: float) -> float | None:
    """Return a figure to 12 digits, None where there is none."""
    if pd.isna(value):
        return None
    return float(f"{value:.12g}")
