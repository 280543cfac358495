"""Whether items measure one thing (Cronbach's alpha, item-total correlations) and how alike an interviewer's answers are."""

from .consistency import Reliability, assess_items, reliability
from .interviewers import IntraclassCorrelation, anova, intraclass_correlation, wald_limits
from .kernels import cronbach_alpha, feldt_interval, item_total, log_interval, weighted_alpha, weighted_variances

__all__ = [
    "IntraclassCorrelation",
    "Reliability",
    "anova",
    "assess_items",
    "cronbach_alpha",
    "feldt_interval",
    "intraclass_correlation",
    "item_total",
    "log_interval",
    "reliability",
    "wald_limits",
    "weighted_alpha",
    "weighted_variances",
]
