"""Resident satisfaction surveys: questionnaire-driven rates and indices, design-based errors, ranks with certainty."""

from .design import SurveyDesign
from .errors import SatisfactionError
from .estimates import Estimates, estimate, read_estimates, write_estimates
from .export import export
from .handover import hand_over, hand_over_results
from .measures import compile_measures
from .office import FileSet, read_indices
from .pipeline import Results, run
from .questionnaire import Questionnaire, read_questionnaire
from .ranking import Ranking, rank, rank_counts
from .responses import Responses, load_responses
from .smallareas import SmallAreas, fay_herriot
from .survey import Survey, read_survey
from .weights import adjust_nonresponse, calibrate, trim, write_weights

__all__ = [
    "Estimates",
    "FileSet",
    "Questionnaire",
    "Ranking",
    "Responses",
    "Results",
    "SatisfactionError",
    "SmallAreas",
    "Survey",
    "SurveyDesign",
    "adjust_nonresponse",
    "calibrate",
    "compile_measures",
    "estimate",
    "export",
    "fay_herriot",
    "hand_over",
    "hand_over_results",
    "load_responses",
    "rank",
    "rank_counts",
    "read_estimates",
    "read_indices",
    "read_questionnaire",
    "read_survey",
    "run",
    "trim",
    "write_estimates",
    "write_weights",
]
__version__ = "0.4.0"
