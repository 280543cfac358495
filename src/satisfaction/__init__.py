"""Resident satisfaction surveys: questionnaire-driven rates and indices, design-based errors, ranks with certainty."""

from .design import SurveyDesign
from .errors import SatisfactionError
from .estimates import Estimates, estimate
from .measures import compile_measures
from .questionnaire import Questionnaire, read_questionnaire
from .survey import Survey, read_survey
from .weights import calibrate

__all__ = [
    "Estimates",
    "Questionnaire",
    "SatisfactionError",
    "Survey",
    "SurveyDesign",
    "calibrate",
    "compile_measures",
    "estimate",
    "read_questionnaire",
    "read_survey",
]
__version__ = "0.1.0"
