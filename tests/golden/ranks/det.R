# Deterministic rank procedures (no bootstrap) in R alone, independent of this package: sets, membership,
# list verification, empirical Bayes, rank bounds of two waves.
# usage: Rscript det.R OUT_DIR      run in this folder; reads data_pisa2018.csv and data_pisa2022.csv
suppressMessages(library(jsonlite)); out_dir <- commandArgs(TRUE)[1]
irank <- function(x) rank(-x, ties.method = "min")   # as csranks::irank(x): 1 = largest
w <- function(obj, file) writeLines(toJSON(obj, auto_unbox=TRUE, digits=NA, na="null"), file)
crit_exact <- function(sj, sk, alpha, two=TRUE){ sg<-sqrt(sj^2+sk^2)
  cov <- function(c) integrate(function(z) sapply(z,function(zz){ lo<-pnorm((sj*zz-c*sg)/sk); hi<-if(two) pnorm((sj*zz+c*sg)/sk) else 1; dnorm(zz)*prod(hi-lo)}),-8.5,8.5,rel.tol=1e-10,subdivisions=500)$value
  uniroot(function(c) cov(c)-(1-alpha),c(0.5,8),tol=1e-9)$root }
simes_true_disc <- function(p, alpha){ q<-sort(p); n<-length(q); for(i in n:1){ if(all(q[(n-i+1):n] > (1:i)*alpha/i)) return(n-i) }; n }
pbin <- function(pr){ d<-1; for(a in pr) d<-c(d*(1-a),0)+c(0,d*a); d }   # Poisson-binomial pmf 0..n
one <- function(name,x,se,alpha=.05,taus=c(1,3,5,10)){
 p<-length(x); sg<-sqrt(outer(se^2,se^2,"+")); D<-outer(x,x,"-"); T<-D/sg; diag(T)<-0     # T[j,k]>0: j better (larger)
 out<-list(case=name,x=x,se=se,alpha=alpha,rank=irank(x))
 # exact Dunnett-type marginal sets, single step
 c2<-sapply(1:p,function(j) crit_exact(se[j],se[-j],alpha,TRUE)); c1<-sapply(1:p,function(j) crit_exact(se[j],se[-j],alpha,FALSE))
 out$marg_two_sided<-list(crit=c2,L=sapply(1:p,function(j) 1+sum(T[j,-j]< -c2[j])),U=sapply(1:p,function(j) p-sum(T[j,-j]>c2[j])))
 out$marg_one_sided<-list(crit=c1,L=sapply(1:p,function(j) 1+sum(T[j,-j]< -c1[j])),U=sapply(1:p,function(j) p-sum(T[j,-j]>c1[j])))
 # Tukey-Kramer simultaneous (conservative, deterministic)
 ct<-qtukey(1-alpha,p,Inf)/sqrt(2); out$simul_tukey_kramer<-list(crit=ct,L=sapply(1:p,function(j) 1+sum(T[j,-j]< -ct)),U=sapply(1:p,function(j) p-sum(T[j,-j]>ct)))
 # Bonferroni & Holm on the p(p-1) one-sided ordered-pair hypotheses H_jk: theta_j<=theta_k
 ij<-which(row(T)!=col(T),arr.ind=TRUE); pv<-pnorm(T[ij],lower.tail=FALSE)
 rej<-function(adj){ M<-matrix(FALSE,p,p); M[ij]<-p.adjust(pv,adj)<=alpha; list(L=1+colSums(M),U=p-rowSums(M)) }
 out$simul_bonferroni<-rej("bonferroni"); out$simul_holm<-rej("holm")
 mh<-t(sapply(1:p,function(j){ pp<-c(pnorm(T[j,-j],lower.tail=FALSE),pnorm(T[j,-j])); r<-p.adjust(pp,"holm")<=alpha; n<-p-1; c(1+sum(r[(n+1):(2*n)]),p-sum(r[1:n])) })); out$marg_holm<-list(L=mh[,1],U=mh[,2])
 ms<-t(sapply(1:p,function(j) c(1+simes_true_disc(pnorm(T[j,-j]),alpha/2), p-simes_true_disc(pnorm(T[j,-j],lower.tail=FALSE),alpha/2)))); out$marg_simes_closed<-list(L=ms[,1],U=ms[,2])
 # membership tests: p-value that j IS in the tau worst / tau best (partial conjunction), and that it is NOT
 pc<-function(pv,u,type){ q<-sort(pv)[u:length(pv)]; h<-length(q); if(type=="simes") min(1,min(h/(1:h)*q)) else min(1,h*q[1]) }
 out$membership<-lapply(taus,function(tau) list(tau=tau,
   p_in_worst_simes=sapply(1:p,function(j) pc(pnorm(T[j,-j]),p-tau,"simes")), p_in_worst_bonf=sapply(1:p,function(j) pc(pnorm(T[j,-j]),p-tau,"b")),
   p_notin_worst_simes=sapply(1:p,function(j) pc(pnorm(T[j,-j],lower.tail=FALSE),tau,"simes")),
   p_in_best_simes=sapply(1:p,function(j) pc(pnorm(T[j,-j],lower.tail=FALSE),p-tau,"simes")), p_notin_best_simes=sapply(1:p,function(j) pc(pnorm(T[j,-j]),tau,"simes"))))
 # top-K / bottom-K set verification (independent normals): two-sided p of the smallest standardized boundary gap
 o<-order(-x); out$setverify<-lapply(taus,function(tau){ inn<-o[(p-tau+1):p]; outt<-o[1:(p-tau)]; zb<-min(outer(x[outt],x[inn],"-")/sqrt(outer(se[outt]^2,se[inn]^2,"+"))); inb<-o[1:tau]; ob<-o[(tau+1):p]; zt<-min(outer(x[inb],x[ob],"-")/sqrt(outer(se[inb]^2,se[ob]^2,"+"))); list(tau=tau,p_bottom_set=2*pnorm(-zb),p_top_set=2*pnorm(-zt)) })
 # normal-normal empirical Bayes (ML and DL tau2), rankability, expected ranks, exact posterior rank pmf by quadrature
 dl<-{ w0<-1/se^2; m0<-sum(w0*x)/sum(w0); Q<-sum(w0*(x-m0)^2); max(0,(Q-(p-1))/(sum(w0)-sum(w0^2)/sum(w0))) }
 nll<-function(lt){ A<-exp(lt); v<-A+se^2; m<-sum(x/v)/sum(1/v); .5*sum(log(v))+.5*sum((x-m)^2/v) }; rnll<-function(lt){ A<-exp(lt); v<-A+se^2; nll(lt)+.5*log(sum(1/v)) }
 ml<-exp(optimize(nll,c(-12,12),tol=1e-10)$minimum); reml<-exp(optimize(rnll,c(-12,12),tol=1e-10)$minimum)
 A<-reml; v<-A+se^2; m<-sum(x/v)/sum(1/v); B<-A/v; pm<-m+B*(x-m); pvv<-B*se^2
 er<-sapply(1:p,function(j) 1+sum(pnorm((pm[-j]-pm[j])/sqrt(pvv[-j]+pvv[j])))); 
 z<-seq(-7,7,length.out=281); wz<-dnorm(z); wz<-wz/sum(wz); 
 pmf<-t(sapply(1:p,function(j){ a<-numeric(p); for(i in seq_along(z)){ tt<-pm[j]+sqrt(pvv[j])*z[i]; a<-a+wz[i]*pbin(pnorm((pm[-j]-tt)/sqrt(pvv[-j]))) }; a }))  # P(rank=r)
 out$eb<-list(tau2_dl=dl,tau2_ml=ml,tau2_reml=reml,mu=m,rankability_median=A/(A+median(se^2)),rankability_mean=A/(A+mean(se^2)),I2=max(0,1-(p-1)/sum((x-sum(x/se^2)/sum(1/se^2))^2/se^2)),post_mean=pm,post_sd=sqrt(pvv),expected_rank=er,expected_rank_from_pmf=as.vector(pmf%*%(1:p)),p_worst=lapply(taus,function(tau) list(tau=tau,p=rowSums(pmf[,(p-tau+1):p,drop=FALSE]))),p_best=lapply(taus,function(tau) list(tau=tau,p=rowSums(pmf[,1:tau,drop=FALSE]))),note="posterior independent given hyperparameters (REML tau2, GLS mu plugged in); pmf by 281-node grid over +-7 sd and exact Poisson-binomial")
 out }
two <- function(name,x1,s1,x2,s2,alpha=.05,names=NULL){ a<-one(paste0(name,"_w1"),x1,s1,alpha/2); b<-one(paste0(name,"_w2"),x2,s2,alpha/2)
 list(case=name,names=names,alpha=alpha,x1=x1,s1=s1,x2=x2,s2=s2,note="Bonferroni over waves: each wave one-sided at alpha/2 per bound (Dunnett exact) ; rise = rank1-rank2; guaranteed rise >= L1-U2 (lower bound), <= U1-L2",
  dunnett=list(L1=a$marg_one_sided$L,U1=a$marg_one_sided$U,L2=b$marg_one_sided$L,U2=b$marg_one_sided$U,rise_lo=a$marg_one_sided$L-b$marg_one_sided$U,rise_hi=a$marg_one_sided$U-b$marg_one_sided$L), rank1=irank(x1),rank2=irank(x2)) }
p18<-read.csv("data_pisa2018.csv"); p22<-read.csv("data_pisa2022.csv"); k<-!is.na(p18$math_score)&!is.na(p22$math_score)
syn<-function(seed,mu,sd){ set.seed(seed); n<-sample(120:400,88,TRUE); th<-rnorm(88,mu,sd); se<-20/sqrt(n); data.frame(county=sprintf("C%02d",1:88),n=n,theta=round(th,4),x=round(rnorm(88,th,se),2),se=round(se,4)) }
s1<-syn(88,78,4); write.csv(s1,file.path(out_dir,"data_synthetic88_a.csv"),row.names=FALSE)
w(one("pisa2018_math",p18$math_score,p18$math_se),file.path(out_dir,"det_pisa2018_math.json"))
w(one("synthetic88_a",s1$x,s1$se),file.path(out_dir,"det_synthetic88_a.json"))
stopifnot(all(p18$jurisdiction==p22$jurisdiction))
w(two("pisa_math_2018_2022",p18$math_score[k],p18$math_se[k],p22$math_score[k],p22$math_se[k],names=as.character(p18$jurisdiction[k])),file.path(out_dir,"two_wave_pisa_math.json"))
