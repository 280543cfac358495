"""Resident satisfaction surveys: questionnaire-driven rates and indices, errors, ranks.

The floors, from the ground up. A module imports from its own floor and from those below it.

    foundation    errors, files, tables, workbooks, pages, engines, personal data
    declarations  what people declare: questionnaire, survey, rules, a new wave's folder
    collection    what comes back: exports of platforms, forms, rules, corrections, responses
    sampling      measures, the sample design, the tally, variance, replicates
    weighting     base weights, nonresponse, calibration, trimming, the recipe
    estimation    estimates, intervals, tests, change, reliability, small areas, indicators
    ranking       sets, membership, probabilities, targets, escalation, suppression
    composite     formulas of combined scores and of trees of items
    pipeline      from a survey's folder to results: the method on one page
    publication   tables, sentences, pictures, report, file set, verification, hand-over
    fieldwork     how the interviewing stands: checks, daily files, pages
    comparison    two results side by side: change, rolling, trial, stability, combined
    planning      before a wave: draw, size, allocation, plan, rehearsal
    notebook      how objects show themselves, the launcher, the notebooks
    cli           the commands

What the package offers is listed in `__init__.pyi`; each name is imported when it is
first asked for, so that no command waits for libraries it does not need.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__version__ = "0.7.0"
