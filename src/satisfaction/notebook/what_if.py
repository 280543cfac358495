"""What if: sliders above a table that follows them, and the cell of code that gives the same figures.

The table is a trial, marked as one, and no set is written. It comes from the kernels of a run. Where nobody can move
anything (papermill, GitHub, nbconvert) the table of the declared rules stands alone.

A setting of the weighting whose figures were shown is a look, and goes into the wave's record like every other trial,
once. A slider makes looking cheap: a record that kept only the recipe that was taken over would say that one was
looked at where twenty were, and whoever picks one of twenty while watching ranks can pick the ranks. What a slider only
passes shows nothing and is not kept: figures follow when it is let go.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from typing import Any, Literal, TypeAlias

import numpy as np
import pandas as pd
from markupsafe import Markup

from satisfaction.comparison.recipes import (
    DECLARED,
    LISTED,
    calibrated_margins,
    margins_missed,
    moved_areas,
    weight_figures,
)
from satisfaction.declarations.questionnaire import Questionnaire
from satisfaction.declarations.survey import (
    Survey,
    weighted_as,
    with_measures,
    with_ranking_rules,
    with_scores_alone,
    with_weighting,
)
from satisfaction.declarations.wave import CalibrationStep, Step, TrimmingStep
from satisfaction.estimation.estimates import estimate
from satisfaction.estimation.result import Estimates
from satisfaction.foundation.engines import fetch, matched, scan
from satisfaction.foundation.errors import SatisfactionError
from satisfaction.foundation.language import Text, _, comma_list, current, use
from satisfaction.foundation.pages import fill
from satisfaction.notebook.actions import fault_as_html
from satisfaction.notebook.show import as_html, known, show
from satisfaction.notebook.table_view import margin_labels
from satisfaction.notebook.workbench import Workbench, trimmed_at
from satisfaction.pipeline import (
    Ranked,
    Results,
    rank_areas,
    rank_design,
    ranked_scores,
)
from satisfaction.publication.labels import measure_labels, recipe_words
from satisfaction.publication.manifest import list_moves
from satisfaction.publication.ranking_table import ranking_table
from satisfaction.sampling.counted_answers import (
    compile_rate,
    point_columns,
    score_from_points,
)
from satisfaction.sampling.design import SampleDesign
from satisfaction.sampling.measures import PersonScores, add_columns
from satisfaction.sampling.tally import Tally
from satisfaction.weighting.recipe import cells_for
from satisfaction.weighting.wave_design import RESPONDED, weigh

AS_DECLARED = "as declared"
"""The setting of a control that changes nothing."""
NO_TRIMMING = "no trimming"
BOUNDS = (5, 4, 3, 2.5, 2, 1.75, 1.5)  # times the mean weight
FACTORS = (0, 0.5, 1, 1.5, 2, 3)
DONT_KNOW = {
    "in": _("don't-know in the denominator"),
    "out": _("don't-know out of the denominator"),
}
LEVELS = (0.8, 0.9, 0.95, 0.99)
LIST_FIGURES = ["established_listed", "expected_true_bottom", "list_p", "decidable_share"]
AREA_COLUMNS = [
    *("rank", "rank_declared", "moved", "name_zh", "name_en", "estimate", "se"),
    *("marginal_low", "marginal_high", "status", "status_zh", "probability_bottom"),
]
LOOK = _("Every setting whose figures are shown here is a trial that was looked at, and stays in the wave's record.")  # fmt: skip
NOTHING_WRITTEN = _("A trial: no file set is written, and the official figures stay as they are.")
STATIC = _("As declared. Open this notebook in JupyterLab and run the cell to move the sliders.")
CODE_STYLE = "user-select:all;white-space:pre;overflow-x:auto;line-height:1.4"
Settings: TypeAlias = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Choice:
    """A control of a what-if.

    Attributes
    ----------
    name : str
        Of the setting.
    label : Text or str
    options : dict
        Words of every value, in order; not for a switch.
    start : object
        The value as declared.
    kind : {"slider", "list", "switch"}
    """

    name: str
    label: Text | str
    options: Mapping[Any, Text | str] = field(default_factory=dict)
    start: Any = AS_DECLARED
    kind: Literal["slider", "list", "switch"] = "slider"

    def widget(self, widgets: Any) -> Any:
        """Return the control itself; figures follow when it is let go."""
        label = str(self.label)
        if self.kind == "switch":
            shape = {"description": label, "indent": False, "layout": {"width": "98%"}}
            return widgets.Checkbox(value=self.start, **shape)
        shape = {
            "options": [(str(words), value) for value, words in self.options.items()],
            "value": self.start,
            "description": label,
            "style": {"description_width": "14rem"},
            "layout": {"width": "44rem", "max_width": "98%"},
        }
        if self.kind == "list":
            return widgets.Dropdown(**shape)
        return widgets.SelectionSlider(continuous_update=False, **shape)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a setting gives.

    Attributes
    ----------
    name : Text or str
        Of the trial; `DECLARED` where nothing was changed.
    mark : Text or None
        What every output of it must say.
    facts : tuple of Text
    tables : tuple of DataFrame
    code : str
        The cell that gives the same figures.
    """

    name: Text | str
    mark: Text | None
    facts: tuple[Text, ...]
    tables: tuple[pd.DataFrame, ...] = field(repr=False)
    code: str = field(repr=False)

    def html(self, *notes: Text) -> str:
        """Return it as HTML, in the current language; what is to be noted stands below."""
        name: Text | str = _("Trial: {name}", name=recipe_words(self.name))
        if self.name == DECLARED:
            name = _("As declared")
        values = {
            "name": name,
            "mark": self.mark or "",
            "facts": self.facts,
            "tables": [Markup(as_html(table)) for table in self.tables],
            "notes": notes,
        }
        return fill("what_if.html", values)


class WhatIf:
    """Controls above tables that follow them; the tables of the declared rules alone where nobody can move anything.

    Attributes
    ----------
    controls : dict
        The widgets by the name of their setting; empty without a front end.
    shown, code : widget or None
        The tables, and the cell of code once it was asked for.
    now : Outcome
        What is shown.
    """

    def __init__(
        self,
        choices: Sequence[Choice],
        start: Outcome,
        answer: Callable[[Settings], Outcome],
        *,
        prepare: Callable[[], object] | None = None,
        notes: Sequence[Text] = (),
    ) -> None:
        self._language = current()
        self._start = start
        self.now = start
        self._answer = answer
        self._answered: dict[tuple[Any, ...], Outcome] = {}  # a setting that comes back is known
        self._notes = (NOTHING_WRITTEN, *notes)
        self.controls: dict[str, Any] = {}
        self.shown: Any = None
        self.code: Any = None
        self.button: Any = None
        self._box: Any = None
        if somebody_is_there():
            if prepare is not None:
                prepare()
            import ipywidgets

            widgets: Any = ipywidgets  # not typed
            for choice in choices:
                control = choice.widget(widgets)
                control.observe(lambda _change: self.follow(), names="value")
                self.controls[choice.name] = control
            self.shown = widgets.HTML(self._start.html(*self._notes))
            self.button = widgets.Button(
                description=str(_("code of this trial")),
                layout={"width": "auto", "align_self": "flex-start"},
            )
            self.button.on_click(lambda _button: self.give_code())
            self.code = widgets.HTML()
            parts = [*self.controls.values(), self.shown, self.button, self.code]
            self._box = widgets.VBox(parts)

    def follow(self) -> None:
        """Show what the controls say now; a setting that cannot be is its message."""
        settings = {name: control.value for name, control in self.controls.items()}
        setting = tuple(settings.values())
        self.code.value = ""
        self.button.disabled = False
        with use(self._language):
            try:
                if setting not in self._answered:
                    self._answered[setting] = self._answer(settings)
                self.now = self._answered[setting]
                self.shown.value = self.now.html(*self._notes)
            except SatisfactionError as fault:
                self.button.disabled = True
                self.shown.value = fault_as_html(fault)

    def give_code(self) -> None:
        """Show the cell of code that gives these figures; a click on it selects it whole."""
        text = Markup('<pre style="{}">{}</pre>').format(CODE_STYLE, self.now.code)
        self.code.value = str(text)

    def __repr__(self) -> str:
        tables = [repr(show(table)) for table in self._start.tables]
        return "\n".join([str(self._start.name), *map(str, self._start.facts), *tables])

    def _repr_html_(self) -> str:
        return self._start.html(STATIC)

    def _repr_mimebundle_(self, **_options: object) -> dict[str, object]:
        """Return the tables; with the widget before them where there is one, so that a saved notebook still shows them."""
        bundle: dict[str, object] = {"text/plain": repr(self), "text/html": self._repr_html_()}
        if self._box is not None:
            bundle = self._box._repr_mimebundle_() | bundle
        return bundle


def somebody_is_there() -> bool:
    """Tell whether the cell was run by a front end with a person before it, who could also be asked for input.

    Programs that execute notebooks (papermill, nbconvert) run cells with `allow_stdin` off; the widgets they would leave
    behind move nothing.
    """
    import IPython

    environment: Any = IPython  # not typed
    kernel = getattr(environment.get_ipython(), "kernel", None)
    if kernel is None:
        return False
    request = kernel.get_parent()
    return bool(request.get("content", {}).get("allow_stdin", False))


def weighting(bench: Workbench) -> WhatIf | None:
    """Let the trimming bound and the margins be moved; None where no weighting is declared.

    Standard errors of trials are linearized, and the table says so; those of the declared recipe are those of the run.

    Parameters
    ----------
    bench : Workbench
        Named `bench` in the notebook, as the code that is given calls it.

    Examples
    --------
    >>> from satisfaction.notebook import what_if
    >>> wave = sat.open_wave("surveys/wave")
    >>> print(repr(what_if.weighting(wave)).splitlines()[0])
    declared
    """
    steps = bench.survey.declared.weighting
    if not steps:
        return None
    moved = _Weightings(bench)
    options: dict[Any, Text | str] = {AS_DECLARED: _("as declared")}
    if any(isinstance(step, TrimmingStep) for step in steps):
        options[NO_TRIMMING] = _("no trimming")
    options |= {bound: f"{bound:g}" for bound in BOUNDS}
    choices = [Choice("upper", _("weights cut at (times mean)"), options)]
    labels = margin_labels(bench.survey)
    for name in _margins(steps):
        margin = _("{label} ({name})", label=labels[name], name=name)
        label = _("calibrated to {name}", name=margin)
        choices.append(Choice(name, label, start=True, kind="switch"))
    return WhatIf(choices, moved.declared(), moved.answer, prepare=moved.prepare, notes=(LOOK,))


def rules(bench: Workbench) -> WhatIf | None:
    """Let the size of the list and the confidence level of sets and tests be moved; None where nothing is ranked.

    Parameters
    ----------
    bench : Workbench
        Named `bench` in the notebook, as the code that is given calls it.
    """
    ranking = bench.results.ranking
    if not ranking.ranks_any:
        return None
    declared = bench.results.survey.rules.ranking
    sizes = {size: str(size) for size in range(1, int(ranking.summary["p"]))}
    levels = {level: f"{level:g}" for level in sorted({*LEVELS, declared.level})}
    choices = [
        Choice("list_size", _("size of the list"), sizes, declared.list_size),
        Choice("level", _("level of sets and tests"), levels, declared.level),
    ]
    moved = _Rules(bench)
    return WhatIf(choices, moved.declared(), moved.answer)


class _Trials:
    """What a setting gives, beside what is declared: a table of its own, then the areas on the list."""

    declared_code = "bench.results"

    def __init__(self, bench: Workbench) -> None:
        self.bench = bench
        declared = bench.results
        with use(None):
            self._before = ranking_table(
                declared.survey, declared.estimates, declared.ranking, graded=False
            )

    def rows(self, name: Text | str, result: Results | Ranked) -> list[dict[str, object]]:
        """Return the rows of the table that is shown first."""
        raise NotImplementedError

    def declared(self) -> Outcome:
        """Return what stands before anything is moved."""
        return self.outcome(DECLARED, self.bench.results, self.declared_code)

    def outcome(self, name: Text | str, result: Results | Ranked, code: str) -> Outcome:
        """Return a trial as it is shown; each of its rows stands below the declared one."""
        rows = self.rows(DECLARED, self.bench.results)
        facts: tuple[Text, ...] = ()
        if name != DECLARED:
            of_trial = self.rows(name, result)
            rows = [row for pair in zip(rows, of_trial, strict=True) for row in pair]
            facts = (list_moves(result, self.bench.results).in_words(result.survey),)
        table = pd.DataFrame(rows)
        with use(None):
            areas = moved_areas(result, self._before, graded=False)
            shown = areas[areas["listed"].isin(LISTED) | (areas["moved"] != "")]
            before = shown["rank"].astype(float) - shown["rank_shift"]
            if before.mod(1).eq(0).all():
                before = before.astype("Int64")
            shown = shown.assign(rank_declared=before)
            tables = (
                table[known(table, table.columns)],
                shown[known(shown, AREA_COLUMNS)].reset_index(drop=True),
            )
        return Outcome(name, result.survey.marks, facts, tables, code)


class _Rules(_Trials):
    """Ranking rules near the declared ones, on the same estimates."""

    declared_code = "bench.results.ranking.table"

    def answer(self, settings: Settings) -> Outcome:
        """Return what a setting gives."""
        results = self.bench.results
        before = results.survey.rules.ranking
        changed = {
            name: value for name, value in settings.items() if value != getattr(before, name)
        }
        if not changed:
            return self.declared()
        words = []
        if "list_size" in changed:
            words.append(_("list of {size}", size=changed["list_size"]))
        if "level" in changed:
            words.append(_("level {level}", level=f"{changed['level']:g}"))
        arguments = ", ".join(f"{name}={value!r}" for name, value in changed.items())
        survey = with_ranking_rules(results.survey, changed, name="try_rules")
        with use(None):
            ranking = rank_areas(survey, results.estimates)
        trial = Ranked(survey, results.design, results.estimates, ranking, results.combined, {})
        code = f"trial = bench.try_rules({arguments})\ntables_of(trial).ranking"
        return self.outcome(comma_list(words), trial, code)

    def rows(self, name: Text | str, result: Results | Ranked) -> list[dict[str, object]]:
        """Return what the rules make of the list."""
        row: dict[str, object] = {"recipe": name}
        row["list_size"] = result.survey.rules.ranking.list_size
        return [row | {figure: result.ranking.summary[figure] for figure in LIST_FIGURES}]


def measures(bench: Workbench) -> WhatIf | None:
    """Let the don't-know rule and the weight of a component of the ranked index be moved; None where there is neither.

    The component's weight is multiplied, and all weights are divided by their new sum. Standard errors of trials are
    linearized, and the table says so.

    Parameters
    ----------
    bench : Workbench
        Named `bench` in the notebook, as the code that is given calls it.
    """
    survey = bench.results.survey
    questionnaire = survey.questionnaire
    choices = []
    if _asks_who_does_not_know(questionnaire):
        options: dict[Any, Text | str] = {
            AS_DECLARED: _("as declared"),
            "in": _("in the denominator"),
            "out": _("out of the denominator"),
        }
        choices.append(Choice("dont_know", _("don't-know, in all rates"), options))
    index = questionnaire.indices.get(survey.ranked)
    if index is not None and len(index.weights) > 1:
        labels = _component_labels(questionnaire)
        components = {name: labels[name] for name in index.weights}
        first = next(iter(components))
        choices.append(Choice("component", _("component of the index"), components, first, "list"))
        factors = {factor: f"{factor:g}" for factor in FACTORS}
        choices.append(Choice("factor", _("its weight, times the declared one"), factors, 1))
    if not choices:
        return None
    moved = _Measures(bench)
    return WhatIf(choices, moved.declared(), moved.answer, prepare=moved.prepare)


def _component_labels(questionnaire: Questionnaire) -> dict[str, Text]:
    """Return the words of everything an index can be made of."""
    labels = {name: Text(item.zh, item.en) for name, item in questionnaire.items.items()}
    for name, (_kind, label) in measure_labels(questionnaire).items():
        labels[name] = label
    return labels


def _asks_who_does_not_know(questionnaire: Questionnaire) -> bool:
    """Tell whether an item of a rate has an answer for who does not know."""
    for rate in questionnaire.rates.values():
        for item in rate.items:
            reasons = {special.reason for special in questionnaire.special(item).values()}
            if "dont_know" in reasons:
                return True
    return False


class _Measures(_Trials):
    """Measures near the declared ones: the same answers and weights, counted anew."""

    def __init__(self, bench: Workbench) -> None:
        super().__init__(bench)
        self._rates: dict[str, dict[str, Estimates]] = {}

    @cached_property
    def _persons(self) -> _Persons:
        return _Persons(self.bench.results)

    def prepare(self) -> None:
        """Fetch what every move counts anew, and count the rates under both rules."""
        survey = self.bench.results.survey
        self._ranked(survey)
        if _asks_who_does_not_know(survey.questionnaire):
            for rule in DONT_KNOW:
                self._ranked(with_measures(survey, dont_know=rule, name="try_measures"))

    def answer(self, settings: Settings) -> Outcome:
        """Return what a setting gives."""
        survey = self.bench.results.survey
        changes: dict[str, Any] = {}
        words: list[Text] = []
        dont_know = settings.get("dont_know", AS_DECLARED)
        if dont_know != AS_DECLARED:
            changes["dont_know"] = dont_know
            words.append(DONT_KNOW[dont_know])
        factor = settings.get("factor", 1)
        if factor != 1:
            component = settings["component"]
            index = survey.questionnaire.indices[survey.ranked]
            exact = {name: Fraction(str(weight)) for name, weight in index.weights.items()}
            exact[component] *= Fraction(str(factor))
            total = sum(exact.values())
            changed = {}
            for name, weight in exact.items():
                share = weight / total
                changed[name] = f"{share.numerator}/{share.denominator}"
            changes["weights"] = changed
            label = _component_labels(survey.questionnaire)[component]
            words.append(_("{component}: weight × {factor}", component=label, factor=f"{factor:g}"))
        if not changes:
            return self.declared()
        survey = with_measures(survey, **changes, name="try_measures")
        arguments = [f"    {name}={value!r}," for name, value in changes.items()]
        lines = ["trial = bench.try_measures(", *arguments, '    variance="linearized",', ")"]
        lines.append("indices_table(trial.survey, trial.estimates)")
        return self.outcome(comma_list(words), self._ranked(survey), "\n".join(lines))

    @use(None)
    def _ranked(self, survey: Survey) -> Ranked:
        """Count what is measured otherwise, and rank; of rates that no rank rests on, the whole is estimated alone."""
        computed, design = _needed(survey, self.bench.results.design)
        chosen = list(design.measures)
        rates = [name for name in survey.questionnaire.rates if name not in chosen]
        counted = self._persons.counted(survey.questionnaire, [*chosen, *rates])
        ranked = rank_design(computed, design, counted.of(chosen), variance="linearized")
        if rates:
            counted_rates = counted.of(rates)
            declared = repr(survey.questionnaire.rates)
            if declared not in self._rates:
                whole = estimate(
                    self.bench.results.design,
                    list(counted_rates.measures),
                    level=survey.declared.level,
                    counted=counted_rates,
                    variance="linearized",
                )
                self._rates[declared] = {name: whole.of(name) for name in counted_rates.measures}
            apart = dict(ranked.whole.apart) | self._rates[declared]
            beside = replace(ranked.whole, apart=apart)
            ranked = replace(ranked, estimates={**ranked.estimates, survey.whole(): beside})
        return replace(ranked, survey=survey)

    def rows(self, name: Text | str, result: Results | Ranked) -> list[dict[str, object]]:
        """Return all rates and the ranked measure, of all areas together."""
        measures = [*result.survey.questionnaire.rates, result.survey.ranked]
        return [_whole_row(name, result, measure) for measure in dict.fromkeys(measures)]


class _Persons:
    """The respondents' answers and points, as far as another rule or other weights change what they are worth."""

    def __init__(self, results: Results) -> None:
        self._results = results
        questionnaire = results.survey.questionnaire
        columns = results.design.table.collect_schema().names()
        wanted = [RESPONDED]
        for rate in questionnaire.rates.values():
            for item in rate.items:
                wanted += [item, *questionnaire.items[item].asked_if]
                wanted += [name for name in columns if name.startswith(f"{item}_")]
        for index in questionnaire.indices.values():
            for of_items in point_columns(index):
                wanted += of_items
        keys = list(results.counted.keys)
        chosen = dict.fromkeys([*keys, *(name for name in wanted if name in columns)])
        self._rows = fetch(results.design.rows().select(*chosen))
        self._row_of_tally = matched(self._rows, results.counted.keys, keys)
        self._of_rates: dict[str, PersonScores] = {}

    def counted(self, questionnaire: Questionnaire, names: Sequence[str]) -> Tally:
        """Return the tally of some measures, those anew that another questionnaire on the same answers declares otherwise."""
        before = self._results.survey.questionnaire
        counted = self._results.counted.of(names)
        for name, rate in questionnaire.rates.items():
            if name in names and rate != before.rates[name]:
                known = f"{name} {questionnaire.rates[name]!r}"
                if known not in self._of_rates:
                    measure = compile_rate(questionnaire, name)
                    of_persons = fetch(add_columns(scan(self._rows), [measure]))
                    valid = of_persons[measure.valid_column].to_numpy(np.int64)
                    score = of_persons[measure.score_column].to_numpy(np.int64)
                    scores = PersonScores(valid, score, measure.unit)
                    self._of_rates[known] = self._responding(scores)
                scores = self._of_rates[known]
                counted = counted.recounted(name, scores, self._row_of_tally)
        for name, index in questionnaire.indices.items():
            if name in names and index != before.indices[name]:
                valid, points = point_columns(index)
                scores = self._responding(
                    score_from_points(
                        name,
                        index,
                        valid=self._rows[valid].to_numpy(np.int64),
                        points=self._rows[points].to_numpy(np.int64),
                    )
                )
                counted = counted.recounted(name, scores, self._row_of_tally)
        return counted

    def _responding(self, scores: PersonScores) -> PersonScores:
        """Return what a measure is worth to those who responded; to the others it is not valid."""
        if RESPONDED not in self._rows:
            return scores
        responded = self._rows[RESPONDED].to_numpy(np.int64)
        return replace(scores, valid=scores.valid * responded, score=scores.score * responded)


def _needed(survey: Survey, design: SampleDesign) -> tuple[Survey, SampleDesign]:
    """Return survey and design with what ranks rest on: what-if need compute neither a combined score nor indices beside it."""
    scores = ranked_scores(survey)
    if scores & survey.composed.keys():
        return survey, design
    scores = {*scores, survey.questionnaire.ranked}
    needed = survey.questionnaire.measures_of(scores)
    measures = {name: measure for name, measure in design.measures.items() if name in needed}
    return with_scores_alone(survey, scores), replace(design, measures=measures)


def _margins(steps: Sequence[Step]) -> list[str]:
    """Name the margins of all calibrations, each once."""
    names: list[str] = []
    for step in steps:
        if isinstance(step, CalibrationStep):
            names += step.margins or ()
    return list(dict.fromkeys(names))


class _Weightings(_Trials):
    """Recipes near the declared one: each computed from the steps it shares with those before it, on one tally."""

    def __init__(self, bench: Workbench) -> None:
        super().__init__(bench)
        self._designs: dict[str, SampleDesign] = {}
        self._counted: Tally | None = None
        full = bench.results.design.weighting
        self._columns = full.columns if full else ()
        self._effective_n = {DECLARED: weight_figures(bench.results)["effective_n"]}
        self._margins = calibrated_margins(bench.results.survey)
        self._missed = {DECLARED: margins_missed(bench.results.design, self._margins)}

    def answer(self, settings: Settings) -> Outcome:
        """Return what a setting gives, and keep it as looked at."""
        upper = settings["upper"]
        steps = self.bench.survey.declared.weighting
        without = [name for name in _margins(steps) if not settings[name]]
        parts = []  # as `usual_trials` names them, so that the same recipe has one name in the record
        if upper == NO_TRIMMING:
            parts.append(NO_TRIMMING)
        elif upper != AS_DECLARED:
            parts.append(f"trim {upper:g} x mean")
        parts += [f"without {name}" for name in without]
        name = ", ".join(parts) or DECLARED
        if name == DECLARED:
            return self.declared()
        recipe: list[Step] = []
        for step in steps:
            if isinstance(step, CalibrationStep):
                names = step.margins or []
                kept = [name for name in names if name not in without]
                if not kept:
                    continue
                if len(kept) < len(names):
                    step = step.model_copy(update={"margins": kept})
            recipe.append(step)
        if upper != AS_DECLARED:
            recipe = [step for step in recipe if not isinstance(step, TrimmingStep)]
            if upper != NO_TRIMMING:
                recipe = trimmed_at(upper, recipe)
        ranked = self._ranked(with_weighting(self.bench.results.survey, recipe, name=name))
        tried = self.bench.keep_look(name, ranked)
        self._effective_n[name] = tried.effective_n
        if name not in self._missed:
            self._missed[name] = margins_missed(ranked.design, self._margins)
        lines = ["steps = ["]
        for step in recipe:
            lines.append(f"    {step.model_dump(mode='json', exclude_unset=True)!r},")
        lines.append("]")
        lines.append(f'trial = bench.try_weighting(steps, name="{name}", variance="linearized")')
        lines.append("trial")
        return self.outcome(name, ranked, "\n".join(lines))

    def rows(self, name: Text | str, result: Results | Ranked) -> list[dict[str, object]]:
        """Return the ranked measure of all areas together, and what the weights are worth."""
        row = _whole_row(name, result, result.survey.ranked)
        if result.survey.declared.selection == "probability":
            row["effective_n"] = self._effective_n.get(str(name))
        row["margins_missed"] = self._missed[str(name)]
        return [row]

    def prepare(self) -> None:
        """Count the cells, and carry out the declared steps that most recipes begin with."""
        self._ranked(self.bench.results.survey)

    @use(None)
    def _ranked(self, survey: Survey) -> Ranked:
        steps = survey.declared.weighting
        key = ""
        if key not in self._designs:
            unweighted = replace(self.bench.results.design, weighting=None)
            cells = cells_for(unweighted, self._columns, by_weight=True)
            self._designs[key] = unweighted.over(cells.table).weighted(cells.recipe)
        design = self._designs[key]
        for step in steps:
            key += json.dumps(step.model_dump(mode="json"))
            if key not in self._designs:
                self._designs[key] = weigh(weighted_as(survey, [step]), design)
            design = self._designs[key]
        computed, design = _needed(survey, design)
        if self._counted is None:
            self._counted = self.bench.results.counted.of(list(design.measures))
        ranked = rank_design(computed, design, self._counted, variance="linearized")
        return replace(ranked, survey=survey)


def _whole_row(name: Text | str, result: Results | Ranked, measure: str) -> dict[str, object]:
    """Return a measure of all areas together."""
    whole = result.whole.of(measure)
    figures = whole.table.iloc[0]
    row: dict[str, object] = {"recipe": name, "measure": measure}
    row |= {column: figures[column] for column in ("estimate", "se", "n")}
    if result.survey.declared.selection == "probability":
        row["variance"] = whole.conventions["variance"]
    return row
