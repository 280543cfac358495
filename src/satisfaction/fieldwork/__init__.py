"""How the fieldwork stands: progress, outcome rates, quality checks. Checks compare and flag; they never delete.

Every check is a function of the respondents' table that returns a tidy frame (COLUMNS): the unit, its figure, the median
and quartiles of what it is compared with, a flag, and what to do in Chinese and English.
"""

from ..survey import DISPOSITIONS
from .answers import OUTCOMES, answer_codes, dont_know_by_interviewer, item_nonresponse, open_items, points, rate_values
from .backcheck import back_check, cohen_kappa
from .checks import CHECKS, COLUMNS, Fields, Limits, declared_fields
from .coaching import estimated_mode_gap, jumps, knowledge_ceiling, mode_gap, top_box
from .daily import county_page, daily_workbook, run_checks
from .dispositions import RATES, Dispositions, dispositions, response_rates
from .duplicates import duplicate_ids, shared_values
from .interviewers import interviewer_effects, interviewer_means
from .matches import highest_match, near_duplicates
from .patterns import answer_patterns, little_variance, straight_lining
from .progress import by_day, progress, quota_progress
from .timing import many_a_day, odd_hours, overlaps, reversed_times, speeders

__all__ = [
    "CHECKS",
    "COLUMNS",
    "DISPOSITIONS",
    "OUTCOMES",
    "RATES",
    "Dispositions",
    "Fields",
    "Limits",
    "answer_codes",
    "answer_patterns",
    "back_check",
    "by_day",
    "cohen_kappa",
    "county_page",
    "daily_workbook",
    "declared_fields",
    "dispositions",
    "dont_know_by_interviewer",
    "duplicate_ids",
    "estimated_mode_gap",
    "highest_match",
    "interviewer_effects",
    "interviewer_means",
    "item_nonresponse",
    "jumps",
    "knowledge_ceiling",
    "little_variance",
    "many_a_day",
    "mode_gap",
    "near_duplicates",
    "odd_hours",
    "open_items",
    "overlaps",
    "points",
    "progress",
    "quota_progress",
    "rate_values",
    "response_rates",
    "reversed_times",
    "run_checks",
    "shared_values",
    "speeders",
    "straight_lining",
    "top_box",
]
