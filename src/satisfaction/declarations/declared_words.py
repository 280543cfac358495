"""What a wave tests, and what stands for its population, in words: as survey.yaml declares it, or by default."""

from __future__ import annotations

from satisfaction.declarations.checks import area_margins
from satisfaction.declarations.survey import Survey
from satisfaction.declarations.wave import NO_TESTS
from satisfaction.foundation.language import NOTHING, Text, _, comma_list, semicolon_list


def what_is_tested(survey: Survey) -> Text:
    """Say what is tested and written to tests.csv and reliability.csv; nothing where respondents were not drawn."""
    declared = survey.declared
    if declared.selection != "probability":
        return NOTHING
    parts = _parts(survey)
    if declared.tested == NO_TESTS or not parts:
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


def _parts(survey: Survey) -> list[Text]:
    tested = survey.declared.tested
    parts = []
    if tested.pairs:
        parts.append(_("all pairs of areas"))
    if tested.against_rest:
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
    return parts
