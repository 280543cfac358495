"""What every output says of a weighting recipe that was adopted after results were seen, beside the one declared before."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from satisfaction.declarations.survey import Survey
from satisfaction.foundation.figures import unit_of
from satisfaction.foundation.language import Text, _, comma_list
from satisfaction.pipeline import Ranked, Results
from satisfaction.publication.labels import area_labels, measure_labels


@dataclass(frozen=True, slots=True)
class ListMoves:
    """Codes of the areas that enter the list, and of those that leave it."""

    entered: tuple[str, ...]
    left: tuple[str, ...]

    def in_words(self, survey: Survey) -> Text:
        """Say who enters and who leaves."""
        if not self.entered and not self.left:
            return _("the list stays as it is")
        names = area_labels(survey)
        return _(
            "enter the list: {entered}; leave it: {left}",
            entered=comma_list([names[code] for code in self.entered]) or _("none"),
            left=comma_list([names[code] for code in self.left]) or _("none"),
        )


def adoption_record(results: Results) -> dict[str, Any] | None:
    """Return the adoption for the manifest, with what the recipe declared before gives; None without one."""
    record = results.survey.weighting_record
    if record is None:
        return None
    content: dict[str, Any] = {
        "adoptions": len(record.adopted),
        "withdrawn": sum(recipe.withdrawn for recipe in record.adopted),
        "trials_looked_at": [
            trial.model_dump(mode="json", exclude_unset=True) for trial in record.trials
        ],
        "in_force": None,
    }
    recipe = record.in_force
    before = results.declared_first
    if recipe is None or before is None:
        return content
    moves = list_moves(results, before)
    content["in_force"] = recipe.model_dump(
        mode="json", include={"name", "reason", "source", "by", "date"}
    ) | {
        "after_results_were_seen": True,
        "entered_the_list": moves.entered,
        "left_the_list": moves.left,
    }
    row = before.whole.of(before.survey.questionnaire.ranked).table.iloc[0]
    content["declared_before"] = {
        "steps": [step.model_dump(exclude_unset=True) for step in record.declared_first],
        "measure": row["measure"],
        "estimate": row["estimate"],
        "se": row["se"],
        "listed": list(before.ranking.summary.filed),
    }
    return content


def adoption_notes(results: Results) -> list[Text]:
    """Say that the recipe was adopted after results were seen, why, and what the one before gives; empty without adoption."""
    record = results.survey.weighting_record
    before = results.declared_first
    recipe = record.in_force if record else None
    if record is None or recipe is None or before is None:
        return []
    adopted = _(
        "The weighting “{name}” was adopted after results were seen, by {by} on {date}. Reason: {reason}. Rests on: "
        "{source}. Trials looked at: {trials}.",
        name=recipe.name,
        by=recipe.by,
        date=recipe.date,
        reason=recipe.reason,
        source=recipe.source,
        trials=len(record.trials),
    )
    measure = results.survey.questionnaire.ranked
    kind, label = measure_labels(results.survey.questionnaire)[measure]
    unit = unit_of("rate" if kind == "rate" else "index")
    beside = _(
        "{measure}, all together: {now} with it, {then} with the weighting declared before. Beside that one: {moves}.",
        measure=label,
        now=unit.level(results.whole.of(measure).table["estimate"].iloc[0]),
        then=unit.level(before.whole.of(measure).table["estimate"].iloc[0]),
        moves=list_moves(results, before).in_words(results.survey),
    )
    return [adopted, beside]


def list_moves(results: Results | Ranked, before: Results) -> ListMoves:
    """Compare the list of one recipe with that of another, before it."""
    now = set(map(str, results.ranking.summary.filed))
    then = set(map(str, before.ranking.summary.filed))
    entered = sorted(now - then)
    left = sorted(then - now)
    return ListMoves(tuple(entered), tuple(left))
