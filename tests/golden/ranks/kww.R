# Joint confidence region for ranks (Klein, Wright and Wieczorek 2020) of the travel times of 2011, and comparison
# intervals by RankingProject 0.4.0.
# usage: Rscript kww.R OUT_DIR [RANKINGPROJECT_SOURCE_DIR]      run in this folder; without the sources only the former
suppressMessages(library(jsonlite)); a <- commandArgs(TRUE); out_dir <- a[1]
w <- function(obj, file) writeLines(toJSON(obj, auto_unbox=TRUE, digits=NA, na="null"), file)
U <- read.csv("data_traveltime2011_1dec.csv"); U2 <- read.csv("data_traveltime2011_2dec.csv")   # its data-raw/USA.1dec.csv and USA.csv
kww <- function(est,se,conf,corr="indep",rnd=NA,strict=FALSE){ n<-length(est); a<-1-conf
 z <- if(corr=="indep") qnorm(1-(1-conf^(1/n))/2) else qnorm(1-a/(2*n))
 lo<-est-z*se; hi<-est+z*se; if(!is.na(rnd)){lo<-round(lo,rnd);hi<-round(hi,rnd)}
 L <- sapply(seq_len(n), function(k) if(strict) sum(hi<lo[k]) else sum(hi<=lo[k]))+1L
 R <- sapply(seq_len(n), function(k) if(strict) sum(lo>hi[k]) else sum(lo>=hi[k]))
 list(z=z,lo=lo,hi=hi,rank_lo=L,rank_hi=n-R) }
Z <- qnorm(.95); n<-nrow(U)
pub <- kww(U$Estimate.1dec, U$MOE.1dec/Z, .90, "indep", rnd=1)   # the paper's workflow: CI limits rounded to 1 decimal, non-strict separation
nor <- kww(U$Estimate.1dec, U$MOE.1dec/Z, .90, "indep"); bon <- kww(U$Estimate.1dec, U$MOE.1dec/Z, .90, "bonf")
w(list(source="Klein, Wright, Wieczorek 2020 JRSS Series C 69(3):589-606 (doi 10.1111/rssc.12402), fig. 1 workflow as in RankingProject vignette 'joint'; rank 1 = shortest travel time",conf=.90,correction="independence (Sidak): level (1-alpha)^(1/n)",z=pub$z,
 state=U$State,abbr=U$Abbreviation,est=U$Estimate.1dec,moe90=U$MOE.1dec,published_rank_in_data=U$Rank,
 published=list(note="joint CI limits rounded to 1 decimal before the comparison; k is below j when U_k <= L_j (non-strict)",ci_lo=pub$lo,ci_hi=pub$hi,rank_lo=pub$rank_lo,rank_hi=pub$rank_hi),
 unrounded=list(ci_lo=nor$lo,ci_hi=nor$hi,rank_lo=nor$rank_lo,rank_hi=nor$rank_hi), bonferroni=list(z=bon$z,rank_lo=bon$rank_lo,rank_hi=bon$rank_hi)), file.path(out_dir, "kww_traveltime2011.json"))
# RankingProject: comparison-interval level (Goldstein-Healy) and pairwise significance columns
if (is.na(a[2])) quit()
source(file.path(a[2], "R", "Utils.R"))
gh <- ConfidenceLevelGH(U2$SE.2dec,.90); cols<-list()
for(sc in c("none","demi","full")) for(ty in c("bonferroni","independence")) { M<-apply(cbind(U2$Estimate.2dec,U2$SE.2dec),1,FindSignifInColumn,alldata=cbind(U2$Estimate.2dec,U2$SE.2dec),confLevel=.90,multcomp.scope=sc,multcomp.type=ty); cols[[paste(sc,ty,sep="_")]] <- list(n_below=colSums(M==-1),n_above=colSums(M==1)) }
w(list(note="RankingProject functions on TravelTime2011 (2 decimals). NB 'demi' in version after Jan-2022 divides alpha by n-2 (nrCorr=n-1 and then nrCorr-1), not by the documented n-1; 'full' divides by choose(n,2)-1.",goldstein_healy_level=gh,z_gh=qnorm(1-(1-gh)/2),counts=cols),file.path(out_dir, "rankingproject_traveltime2011.json"))
