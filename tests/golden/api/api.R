# R survey on its own api samples: the samples as csv, and what it makes of them as expected.json.
# usage: Rscript api.R OUT_DIR
suppressMessages({library(survey); library(jsonlite)})
out <- commandArgs(TRUE)[1]
data(api)

# ---- samples ----

# one high school is left in its stratum, at the end
lonely <- rbind(apistrat[apistrat$stype != "H", ], apistrat[apistrat$stype == "H", ][1, ])
samples <- list(apistrat = apistrat, apiclus1 = apiclus1, apiclus2 = apiclus2, lonely = lonely)
for (name in names(samples))
  write.csv(samples[[name]], file.path(out, paste0(name, ".csv")), row.names = FALSE, na = "")

designs <- list(
  apistrat = svydesign(id = ~1, strata = ~stype, weights = ~pw, fpc = ~fpc, data = apistrat),
  apistrat_nofpc = svydesign(id = ~1, strata = ~stype, weights = ~pw, data = apistrat),
  apiclus1 = svydesign(id = ~dnum, weights = ~pw, fpc = ~fpc, data = apiclus1),
  apiclus1_nofpc = svydesign(id = ~dnum, weights = ~pw, data = apiclus1),
  apiclus2 = svydesign(id = ~dnum + snum, weights = ~pw, fpc = ~fpc1 + fpc2, data = apiclus2)
)

# ---- one entry a figure ----

R <- list()
put <- function(key, ...) R[[key]] <<- lapply(list(...), function(x) unname(as.numeric(x)))
estimate <- function(key, x) put(key, est = coef(x), se = SE(x))

for (name in names(designs)) {
  D <- designs[[name]]
  at <- function(key) paste0(name, "/", key)
  estimate(at("mean/api00"), svymean(~api00, D))
  estimate(at("total/enroll"), svytotal(~enroll, D, na.rm = TRUE))
  estimate(at("ratio/api00:api99"), svyratio(~api00, ~api99, D))
  estimate(at("mean/api00|stype"), svyby(~api00, ~stype, D, svymean))
  estimate(at("total/api00|stype"), svyby(~api00, ~stype, D, svytotal))
  domain <- subset(D, awards == "No" & sch.wide == "Yes")
  estimate(at("mean/api00|awards=No&sch.wide=Yes"), svymean(~api00, domain))
  estimate(at("prop/sch.wide"), svymean(~sch.wide, D))
  estimate(at("quant/api00"), svyquantile(~api00, D, c(.25, .5, .75)))
  for (method in c("logit", "beta", "likelihood", "mean")) {
    x <- svyciprop(~I(sch.wide == "No"), D, method = method)
    put(at(paste0("ci_", method, "/sch.wide")), est = coef(x), ci = confint(x))
  }
  x <- svychisq(~stype + sch.wide, D, statistic = "F")
  put(at("chisqF/stype+sch.wide"), est = x$statistic, p = x$p.value, df = x$parameter)
  x <- svychisq(~stype + sch.wide, D, statistic = "Chisq")
  put(at("chisqRS1/stype+sch.wide"), est = x$statistic, p = x$p.value)
  x <- svyttest(api00 ~ sch.wide, D)
  put(at("ttest/api00~sch.wide"), est = x$estimate, t = x$statistic, df = x$parameter, p = x$p.value)
  x <- svyranktest(api00 ~ sch.wide, D)
  put(at("ranktest/api00~sch.wide"), t = x$statistic, p = x$p.value)
  estimate(at("glm/api00~ell+meals+mobility"), svyglm(api00 ~ ell + meals + mobility, D))
  put(at("deff/api00"), est = deff(svymean(~api00, D, deff = TRUE)))
}

# ---- calibrated weights and replicates ----

types <- data.frame(stype = c("E", "H", "M"), Freq = c(4421, 755, 1018))
wide <- data.frame(sch.wide = c("No", "Yes"), Freq = c(1072, 5122))
totals <- c(`(Intercept)` = 6194, stypeH = 755, stypeM = 1018, api99 = 3914069)
raked <- function(D)
  rake(D, list(~stype, ~sch.wide), list(types, wide), control = list(maxit = 200, epsilon = 1e-9))
both <- function(prefix, D) {
  estimate(paste0(prefix, "/mean/api00"), svymean(~api00, D))
  estimate(paste0(prefix, "/total/enroll"), svytotal(~enroll, D))
}
by_type <- function(prefix, D)
  estimate(paste0(prefix, "/mean/api00|stype"), svyby(~api00, ~stype, D, svymean))

for (name in c("apistrat", "apiclus1")) {
  D <- designs[[name]]
  at <- function(key) paste0(name, "/", key)
  rk <- raked(D)
  put(at("rakew"), w = weights(rk)); both(at("rake"), rk); by_type(at("rake"), rk)
  ps <- postStratify(D, ~stype, types)
  put(at("psw"), w = weights(ps)); both(at("ps"), ps)
  for (method in c("linear", "raking", "logit")) {
    bounds <- if (method == "logit") c(.4, 2.5) else c(-Inf, Inf)
    stop <- if (method == "raking") 1e-9 else 1e-7
    cal <- calibrate(D, ~stype + api99, totals, calfun = method, bounds = bounds, epsilon = stop)
    prefix <- at(paste0("cal_", method))
    put(paste0(prefix, "_w"), w = weights(cal)); both(prefix, cal); by_type(prefix, cal)
  }
  cal <- calibrate(D, ~stype + api99, totals, calfun = "linear", bounds = c(.5, 2))
  put(at("cal_boundlin_w"), w = weights(cal))
  jk <- as.svrepdesign(D)
  estimate(at("jk/mean/api00"), svymean(~api00, jk))
  estimate(at("jkrake/mean/api00"), svymean(~api00, raked(jk)))
}

# ---- one PSU in a stratum; without fpc ----

for (policy in c("remove", "adjust", "average", "certainty")) {
  options(survey.lonely.psu = policy)
  D <- svydesign(id = ~1, strata = ~stype, weights = ~pw, data = lonely)
  estimate(paste0("lonely/", policy, "/mean/api00"), svymean(~api00, D))
}
options(survey.lonely.psu = "fail")
D <- svydesign(id = ~1, strata = ~stype, weights = ~pw, data = lonely)
R[["lonely/fail"]] <- list(msg = as.character(try(svymean(~api00, D), silent = TRUE)))

write_json(R, file.path(out, "expected.json"), digits = NA)
