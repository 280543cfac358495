{% for text in heading %}
{{ text | comment }}
{% endfor %}
{{ _('Use: in R set the working directory to this folder, then source("survey.R", encoding = "UTF-8"). Needs package survey, 4.1 or newer.') | comment }}
{{ _("Unless noted, compare estimates and standard errors only: df differ (ours are the domain's PSUs minus its strata, R's the design's), and so do intervals.") | comment }}

library(survey)
options(survey.lonely.psu = "{{ design.lonely_psu }}")

{{ _("One row a person; codes are read as text, so that they keep their leading zeros.") | comment }}
respondents <- read.csv("respondents.csv", fileEncoding = "UTF-8", na.strings = "", check.names = FALSE,
  colClasses = {{ classes | vector }})

{{ _("The sample design. Domains never filter it: svyby and subset keep the number of PSUs of every stratum, as ours do.") | comment }}
{% if design.lonely_psu == "average" %}
{{ _("A stratum with one PSU counts as the average of the others: within a domain R counts only strata with members of it, we count all strata; standard errors of domains may differ.") | comment }}
{% elif design.lonely_psu == "adjust" %}
{{ _("A stratum with one PSU is centred at the population mean: R takes 0, we take the mean of all units; after calibration and at a second stage the two may differ slightly.") | comment }}
{% endif %}
{% if several %}
{{ _("The weights come from several steps (see README.txt). Final weights are used here: R's standard errors treat them as fixed and agree with se_fixed of expected.csv; the published ones (se) come from JKn replicates that replay the whole recipe.") | comment }}
{% endif %}
{{ call }}

{% if calibration %}
{{ _("Calibration to the same margins, with the same distance and bounds. Variance by residuals of the regression weighted by the weights entering it (R's calibrate convention), so standard errors credit the calibration, as ours do.") | comment }}
{% for name, margin in calibration.frames.items() %}
{{ name }} <- data.frame(
{% for column in margin.columns %}
  {{ rows.code(column) }} = {{ margin.levels[column].tolist() | map("quoted") | vector }},
{% endfor %}
  Freq = {{ margin.population.tolist() | map("number") | vector }}
)
{% endfor %}
{% if calibration.method == "poststratify" %}
design <- postStratify(design, ~{{ calibration.terms | join(" + ") }}, population = {{ calibration.frames | join }})
{% else %}
{% if calibration.frames %}
totals <- function(formula, margin) colSums(margin$Freq * model.matrix(formula, margin))
{% endif %}
formula <- ~ {{ calibration.terms | join(" + ") }}
population <- {{ calibration.population | vector(indent="  ") }}
population <- population[colnames(model.matrix(formula, respondents))]
design <- calibrate(design, formula, population = population, {{ calibration.options | join(", ") }})
{% endif %}
cat("largest relative difference of weights:", max(abs(weights(design) / respondents${{ rows.column("final") }} - 1)), "\n")

{% endif %}
{{ _("Means by domain: R's beside those of expected.csv. A large survey takes some minutes.") | comment }}
expected <- read.csv("expected.csv", fileEncoding = "UTF-8", na.strings = "", check.names = FALSE,
  colClasses = c(level = "character", code = "character", measure = "character"))
in_r <- function(measure, level) {
  valid <- design[!is.na(design$variables[[measure]]), ]
  formula <- as.formula(paste0("~", measure))
  if (level == "(all)") {
    found <- svymean(formula, valid, na.rm = TRUE)
    codes <- level
  } else {
    found <- svyby(formula, as.formula(paste0("~", level)), valid, svymean, na.rm = TRUE)
    codes <- as.character(found[[level]])
  }
  data.frame(level = level, code = codes, measure = measure, r_estimate = as.numeric(coef(found)), r_se = as.numeric(SE(found)))
}
wanted <- unique(expected[!is.na(expected$estimate), c("level", "measure")])
compared <- merge(expected[setdiff(names(expected), "mark")], do.call(rbind, Map(in_r, wanted$measure, wanted$level)),
  by = c("level", "code", "measure"), all.x = TRUE)
options(width = 200, max.print = 1e6)
print(compared, digits = 9, row.names = FALSE)
apart <- function(ours, theirs) max(abs(ours - theirs) / pmax(abs(ours), 1e-6 * abs(compared$estimate), 1e-300), na.rm = TRUE)
cat("largest relative difference of estimates:", apart(compared$estimate, compared$r_estimate), "\n")
cat("largest relative difference of standard errors:", apart(compared${{ "se_fixed" if several else "se" }}, compared$r_se), "\n")

