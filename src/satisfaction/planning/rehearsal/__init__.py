"""A province with known truth: population, answers, samples of it, and the files field teams would deliver.

Areas and population are facts; communities, people and their answers are simulated and every file says so. The truth is
the finite-population value under the questionnaire's own denominator rules, computed here apart from `measures`.
"""
