# Confidence sets for ranks by csranks 1.2.3: simulated (R draws), multinomial, and integer ranks.
# usage: Rscript csranks.R CSRANKS_SOURCE_DIR OUT_DIR pisa|small      run in this folder
args <- commandArgs(TRUE); source("load_csranks.R"); OUT <- args[2]
ver <- list(software="csranks 1.2.3 (R sources loaded with source())", R=R.version.string, RNGkind=RNGkind(), MASS=as.character(packageVersion("MASS")))
w <- function(obj, file) writeLines(toJSON(obj, auto_unbox=TRUE, digits=NA, na="null", pretty=FALSE), file)

# chunked re-implementation of csdiffmeans' critical values for large R (same algorithm, memory-light)
big_crit <- function(Sig, I, beta, R, fn, chunk=2000){
  sd <- calculate_difference_sds(Sig); ij <- which(I, arr.ind=TRUE); s <- sd[I]
  ev <- NULL; out <- numeric(0); left <- R
  while(left>0){ m <- min(chunk,left); Z <- MASS::mvrnorm(m, rep(0,nrow(Sig)), Sig)
    D <- Z[,ij[,1],drop=FALSE]-Z[,ij[,2],drop=FALSE]; D <- t(t(D)/s)
    v <- switch(fn, max=D[cbind(seq_len(m), max.col(D, "first"))], abs={D<-abs(D); D[cbind(seq_len(m), max.col(D,"first"))]}, mmax={D<- -D; D[cbind(seq_len(m), max.col(D,"first"))]})
    out <- c(out,v); left <- left-m }
  unname(quantile(out, probs=beta)) }
big_csranks <- function(x, Sig, coverage, cstype, stepdown, R, indices, seed){
  set.seed(seed); p<-length(x)
  csd <- switch(cstype, lower="upper", upper="lower", "two-sided"="symmetric")
  l <- initialize_I0(p, indices, stepdown, csd); I1<-l$I0; csd<-l$cstype; I0<-I1
  th<-outer(x,x,"-"); sd<-calculate_difference_sds(Sig); L<-matrix(-Inf,p,p); U<-matrix(Inf,p,p); crit<-c(); L[!I1]<-NA;U[!I1]<-NA
  repeat{ 
    fn <- switch(csd, lower="max", upper="mmax", symmetric="abs")
    z <- big_crit(Sig, I1, coverage, R, fn); crit<-c(crit,z)
    if(csd %in% c("lower","symmetric")) L[I1]<-th[I1]-sd[I1]*z
    if(csd %in% c("upper","symmetric")) U[I1]<-th[I1]+sd[I1]*z
    I1[which(U<0 | L>0)]<-FALSE
    if(!stepdown || sum(I1)==sum(I0) || sum(I1)==0) break
    I0<-I1 }
  if(stepdown & cstype=="two-sided"){ Np<-rowSums(L[indices,,drop=FALSE]>0,na.rm=TRUE); Nm<-colSums(L[,indices,drop=FALSE]>0,na.rm=TRUE)
  } else { Np<-rowSums(L[indices,,drop=FALSE]>0,na.rm=TRUE); Nm<-rowSums(U[indices,,drop=FALSE]<0,na.rm=TRUE)}
  list(L=as.integer(Nm+1), U=as.integer(p-Np), crit=crit) }

run_case <- function(name, x, se, Sigma=NULL, popnames=NULL, covs=c(.95), taus=c(1,2,3,5,10), Rs=1000, seed=100, Rbig=100000, Rbig_marg=100000, big_cs=c("two-sided","lower","upper"), file){
  Sig <- if(is.null(Sigma)) diag(se^2) else Sigma
  p <- length(x); res <- list()
  for(cv in covs) for(cs in c("two-sided","lower","upper")) for(sdn in c(TRUE,FALSE)) for(sm in c(TRUE,FALSE)) {
    r <- csranks(x,Sig,coverage=cv,cstype=cs,stepdown=sdn,R=Rs,simul=sm,seed=seed)
    res[[length(res)+1]] <- list(fn="csranks",coverage=cv,cstype=cs,stepdown=sdn,simul=sm,R=Rs,seed=seed,L=r$L,rank=r$rank,U=r$U) }
  for(cv in covs) for(tau in taus) for(sdn in c(TRUE,FALSE)) {
    b <- cstaubest(x,Sig,tau=tau,coverage=cv,stepdown=sdn,R=Rs,seed=seed); wst <- cstauworst(x,Sig,tau=tau,coverage=cv,stepdown=sdn,R=Rs,seed=seed)
    res[[length(res)+1]] <- list(fn="tau",tau=tau,coverage=cv,stepdown=sdn,R=Rs,seed=seed,best=which(b),worst=which(wst)) }
  big <- list()
  for(cv in covs) for(cs in big_cs) for(sdn in c(TRUE,FALSE)) {
    t0<-Sys.time(); r <- big_csranks(x,Sig,cv,cs,sdn,Rbig,1:p,seed=7)
    big[[length(big)+1]] <- list(fn="csranks_bigR",simul=TRUE,coverage=cv,cstype=cs,stepdown=sdn,R=Rbig,seed=7,L=r$L,U=r$U,crit_by_step=I(r$crit))
    Lm<-integer(p);Um<-integer(p);c1<-numeric(p)
    for(i in 1:p){ rr<-big_csranks(x,Sig,cv,cs,sdn,Rbig_marg,i,seed=7); Lm[i]<-rr$L;Um[i]<-rr$U;c1[i]<-rr$crit[1]}
    big[[length(big)+1]] <- list(fn="csranks_bigR",simul=FALSE,coverage=cv,cstype=cs,stepdown=sdn,R=Rbig_marg,seed=7,L=Lm,U=Um,crit_step1=c1)
    cat(name,cv,cs,sdn,as.numeric(Sys.time()-t0,units="secs"),"\n") }
  # tau sets at big R follow from one-sided simultaneous bounds
  tb <- list()
  for(cv in covs){ lo <- Filter(function(z) z$simul && z$cstype=="lower" && z$stepdown && z$coverage==cv, big)[[1]]; up <- Filter(function(z) z$simul && z$cstype=="upper" && z$stepdown && z$coverage==cv, big)[[1]]
    for(tau in taus) tb[[length(tb)+1]] <- list(tau=tau,coverage=cv,best=which(lo$L<=tau),worst=which(up$U>=p-tau+1), inner_best=which(up$U<=tau), inner_worst=which(lo$L>=p-tau+1)) }
  w(list(case=name,meta=ver,inputs=list(names=popnames,x=x,se=se,Sigma=if(is.null(Sigma)) NULL else Sigma),index_base=1,results_exact_seed=res,results_R100000=big,tau_R100000=tb), file) }

if("pisa" %in% args){
 p18<-pisa2018
 run_case("pisa2018_math", p18$math_score, p18$math_se, popnames=as.character(p18$jurisdiction), covs=c(.95), taus=c(1,2,3,5,10), file=file.path(OUT,"csranks_pisa2018_math_95.json"))
 run_case("pisa2018_math", p18$math_score, p18$math_se, popnames=as.character(p18$jurisdiction), covs=c(.90), taus=c(5,10), Rbig_marg=40000, big_cs=c("two-sided","lower","upper"), file=file.path(OUT,"csranks_pisa2018_math_90.json"))
}
if("small" %in% args){
 set.seed(11); p<-12; A<-matrix(rnorm(p*p),p); Sg <- 0.5*crossprod(A)/p + diag(runif(p,.3,1)); x <- round(sort(rnorm(p,0,1.6)),3)
 run_case("full_cov_12", x, sqrt(diag(Sg)), Sigma=Sg, covs=c(.95,.9), taus=c(1,3), file=file.path(OUT,"csranks_fullcov12.json"))
 set.seed(12); p<-10; x<-c(3,3,5,5,5,7,8,8,10,10); run_case("ties_equal_var", x, rep(1,p), covs=.95, taus=c(1,2,5), file=file.path(OUT,"csranks_ties10.json"))
 # irank / frank
 xs <- list(c(3,8,-4,10,2), c(3,4,7,7,10,11,15,15,15,15), c(5,5,5,5), c(1,2,2,3,3,3,9))
 ir <- list(); for(x in xs) for(om in c(0,.25,.5,1)) for(inc in c(TRUE,FALSE)) ir[[length(ir)+1]] <- list(x=x,omega=om,increasing=inc,irank=irank(x,omega=om,increasing=inc),frank=frank(x,omega=om,increasing=inc))
 ira <- list(list(x=1:10,v=c(4,4,4,3,1,10,7,7),omega=0,increasing=FALSE,irank_against=irank_against(1:10,c(4,4,4,3,1,10,7,7))), list(x=1:10,v=c(4,4,4,3,1,10,7,7),omega=1,increasing=TRUE,irank_against=irank_against(1:10,c(4,4,4,3,1,10,7,7),omega=1,increasing=TRUE)))
 w(list(meta=ver,irank=ir,irank_against=ira), file.path(OUT,"irank.json"))
 mult <- function(x, covs=c(.95,.9), indsets=list(NA,c(1,3))){ res<-list()
  for(cv in covs) for(cs in c("two-sided","lower","upper")) for(mc in c("Holm","Bonferroni")) for(sm in c(TRUE,FALSE)) for(ii in indsets){ r<-csranks_multinom(as.integer(x),coverage=cv,cstype=cs,simul=sm,multcorr=mc,indices=ii)
   res[[length(res)+1]]<-list(coverage=cv,cstype=cs,multcorr=mc,simul=sm,indices=if(any(is.na(ii))) NULL else ii,L=I(r$L),rank=I(r$rank),U=I(r$U)) }
  list(x=x,results=res) }
 set.seed(3); m1<-c(rmultinom(1,1000,1:10)); m2<-c(331,289,112,86,60,44,31,20,14,9,4); m3<-c(50,50,49,10,10,0)
 w(list(meta=ver,note="simul=FALSE in csranks 1.2.3 ignores multcorr and always uses Holm (bug: csranks_multinom_marg does not pass multcorr on)",cases=list(mult(m1),mult(m2),mult(m3))), file.path(OUT,"csranks_multinom.json"))
}
