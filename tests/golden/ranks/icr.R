# Confidence intervals for ranks by ICRanks 3.1 (rank 1 = smallest).
# usage: Rscript icr.R ICRANKS_SOURCE_DIR OUT_DIR      run in this folder
suppressMessages({library(Rcpp); library(jsonlite)}); args <- commandArgs(TRUE)
# load ICRanks without multcomp/gmp: define contrMat(Tukey) ; C++ compiled with sourceCpp
contrMat <- function(n, type="Tukey"){ k<-length(n); ij<-combn(k,2); M<-matrix(0,ncol(ij),k); M[cbind(seq_len(ncol(ij)),ij[1,])]<- -1; M[cbind(seq_len(ncol(ij)),ij[2,])]<-1; M }
sourceCpp(file.path(args[1], "src", "PartitionByBlock.cpp"))
txt <- readLines(file.path(args[1], "R", "ic.ranks.R")); eval(parse(text=txt))
res <- list()
run <- function(name,y,s,Method,...){ set.seed(1); o<-order(y); r<-suppressWarnings(ic.ranks(y[o],s[o],Method=Method,alpha=.05,control=list(trace=FALSE,N=20000,...))); L<-U<-integer(length(y)); L[o]<-r$Lower; U[o]<-r$Upper; res[[length(res)+1]]<<-list(case=name,method=Method,y=y,sigma=s,alpha=.05,lower=L,upper=U); cat(name,Method,"mean width",mean(U-L+1),"\n") }
y10<-c(3,3.4,5,5.2,5.9,7,8,8.6,10,11); run("eq10",y10,rep(1,10),"Tukey"); run("eq10",y10,rep(1,10),"SeqTukey"); run("eq10",y10,rep(1,10),"ExactLR")
set.seed(5); y30<-round(rnorm(30,78,4),2); run("eq30",y30,rep(1.2,30),"Tukey"); run("eq30",y30,rep(1.2,30),"SeqTukey")
p<-read.csv("data_pisa2018.csv"); run("pisa2018_math",p$math_score,p$math_se,"Tukey"); run("pisa2018_math",p$math_score,p$math_se,"SeqTukey")
writeLines(toJSON(list(software="ICRanks 3.1, methods Tukey/SeqTukey/ExactLR; rank 1 = smallest y; Tukey with equal sigma and alpha<.3 uses qtukey (deterministic)",results=res),auto_unbox=TRUE,digits=NA),file.path(args[2], "icranks.json"))
