"""Resident satisfaction surveys: questionnaire-driven rates and indices, errors, ranks.

What `import satisfaction as sat` offers, in the order of the method. `help(sat.rank)` shows a name
with its arguments, its errors and an example that runs; docs/api.md holds all of them.

Read what is declared
    sat.read_questionnaire       read an instrument
    sat.Questionnaire            its items, which answers count, how they score
    sat.read_survey              read the folder of a wave
    sat.Survey                   its declarations, rules and tables of facts

Load what comes back
    sat.load_responses           read, code and check the responses
    sat.Responses                accepted and rejected rows, and an account of every one

Design
    sat.compile_measures         rates, scores and indices as values of a respondent
    sat.SurveyDesign             strata, sampling units, base weights

Weights
    sat.adjust_nonresponse       give the weight of nonrespondents to respondents
    sat.margin_targets           a table of margins, as `calibrate` takes it
    sat.calibrate                post-stratification, raking, linear (GREG) and logit
    sat.margins_table            margins beside the sums of weights
    sat.trim                     cut weights beyond bounds
    sat.weight_diagnostics       range, Kish's design effect, effective sample size
    sat.write_weights            respondents with their final weight, as Parquet
    sat.replicate_weights        replicate weights, as R's svrepdesign takes them

Estimate
    sat.estimate                 means, totals, proportions, ratios and quantiles by domain
    sat.Estimates                the table, its covariance, contrasts
    sat.write_estimates          keep estimates as a folder without respondents
    sat.read_estimates           read such a folder
    sat.fay_herriot              composite estimates of small areas
    sat.SmallAreas               their table, the model behind it
    sat.selection_estimates      quota and open link: estimates under a model of who answers
    sat.sensitivity              and how far they may be off if the answer itself decides

Test
    sat.t_test                   two groups, or a mean against a value
    sat.rank_test                Wilcoxon and Kruskal-Wallis
    sat.rao_scott                independence in a two-way table
    sat.cross_table              the table itself, with its covariance
    sat.regression               linear and logistic, on covariates
    sat.all_pairs                every area with every other
    sat.against_rest             every area with all others together
    sat.change                   two waves, with the sampling units they share
    sat.combine_waves            several waves in one table with their covariance
    sat.wald                     several linear combinations at once
    sat.reliability              Cronbach's alpha of an index, weighted and unweighted
    sat.assess_items             the same of any items
    sat.cronbach_alpha           alpha of a plain array of scores
    sat.intraclass_correlation   how alike the answers to one interviewer are

Index
    sat.add_area_indices         weighted sums of an area's estimates

Rank
    sat.rank                     ranks with sets, membership and probabilities
    sat.Ranking                  the table, its summary, targets
    sat.rank_change              scores and ranks of two waves
    sat.rank_counts              answers by how often they are named
    sat.answering_odds           how much likelier the satisfied must answer to move an area

Work on a wave
    sat.open_wave                its declared weighting, trials beside it, one of them adopted
    sat.show                     a table as a person reads it, in notebooks

The whole wave, published and verified
    sat.run                      from a survey's folder to its ranking
    sat.Results                  everything one wave yields
    sat.export                   write the file set
    sat.publish                  write the official set, or a trial where results are not the folder's
    sat.read_indices             read a published file set
    sat.FileSet                  its tables and provenance
    sat.hand_over_results        weighted respondents and an R script, of a wave
    sat.hand_over                the same of any design
    sat.verify                   recompute a file set and say whether it is the same
    sat.language                 show words in Chinese or in English
    sat.SatisfactionError        what all of these raise: code, place, way out

The floors, from the ground up. A module imports from its own floor and from those below it.

    foundation    errors, files, tables, workbooks, pages, engines, personal data
    declarations  what people declare: questionnaire, survey, rules, a new wave's folder
    collection    what comes back: exports of platforms, forms, rules, corrections, responses
    sampling      which answers count, the sample design, the tally, variance, replicates
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

Each name is imported when it is first asked for (`__init__.pyi` says from where), so that no
command waits for libraries it does not need.
"""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
__version__ = "0.16.0"
