"""The tables that leave the house: figures with names, units, marks, and 12 significant digits.

`columns` (what every column holds), `indices` (estimates of every level), `ranking` (the ranking, and those within parents),
`verdicts` (targets, thresholds, escalation, ranks over waves); `labels` holds what they share, `tables` makes them all.
"""

from __future__ import annotations

from .columns import COLUMNS, Column, dictionary_table, typed, with_chinese_headings
from .indicators import indicators_of, indicators_table, with_parents
from .indices import UNITS, indices_table
from .labels import BELOW, DIGITS, STATUS, VERDICT, area_labels, mark, measure_labels, twelve_digits, whole_code
from .ranking import ranking_table, within_table
from .tables import Tables, spoken, tables_of
from .verdicts import demand, escalation_table, paths_table, targets_table, thresholds_table

__all__ = [
    "BELOW",
    "COLUMNS",
    "DIGITS",
    "STATUS",
    "UNITS",
    "VERDICT",
    "Column",
    "Tables",
    "area_labels",
    "demand",
    "dictionary_table",
    "escalation_table",
    "indicators_of",
    "indicators_table",
    "indices_table",
    "mark",
    "measure_labels",
    "paths_table",
    "ranking_table",
    "spoken",
    "tables_of",
    "targets_table",
    "thresholds_table",
    "twelve_digits",
    "typed",
    "whole_code",
    "with_chinese_headings",
    "with_parents",
    "within_table",
]
