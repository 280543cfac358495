# The R sources of csranks 1.2.3 without its plotting dependencies; args[1] = folder of the sources.
suppressMessages({library(MASS); library(jsonlite)})
for (f in c("utilityfunctions.R","rank_utils.R","diffmeans.R","ranks.R","ranks_multinom.R","argument_checks.R")) source(file.path(args[1],"R",f))
pisa2018 <- read.csv("data_pisa2018.csv")
