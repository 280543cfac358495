# Sobol indices, normalisations, means and Copeland scores by the sources of COINr 1.1.14.
# usage: Rscript coinr.R COINR_SOURCE_DIR OUT_DIR
suppressMessages(library(jsonlite)); args <- commandArgs(TRUE); for(f in list.files(file.path(args[1], "R"),full.names=TRUE)) try(source(f),silent=TRUE)
w <- function(obj, file) writeLines(toJSON(obj, auto_unbox=TRUE, digits=NA, na="null"), file)
set.seed(4); N<-64; d<-3; A<-matrix(runif(N*d),N); B<-matrix(runif(N*d),N); f<-function(X) X[,1]+2*X[,2]^2+X[,1]*X[,3]
XX<-rbind(A,B); for(i in 1:d){ C<-A; C[,i]<-B[,i]; XX<-rbind(XX,C) }; yy<-f(XX); s<-SA_estimate(yy,N=N,d=d)
x<-c(12.5,30,45.2,7.1,30,88.8); wt<-c(.2,.3,.5); v<-c(62,80,71.5); M<-as.data.frame(matrix(c(3,5,2,8, 7,1,4,4, 6,6,9,2),4))
w(list(software="COINr 1.1.14 sources",sobol=list(design="rows: A(N), B(N), AB_1..AB_d (A with column i from B)",N=N,d=d,X=XX,y=yy,Si=s$SensInd$Si,STi=s$SensInd$STi,formula="Si=mean(yB*(yABi-yA))/var(c(yA,yB)); STi=sum((yA-yABi)^2)/(2N var)"),
 normalise=list(x=x,minmax_0_100=n_minmax(x),scaled_0_100=n_scaled(x,c(0,100)),zscore=n_zscore(x),dist2max=n_dist2max(x),dist2ref_3=n_dist2ref(x,3),fracmax=n_fracmax(x),prank=n_prank(x),rank=n_rank(x),borda=n_borda(x),goalposts=n_goalposts(x,gposts=c(10,60,1))),
 aggregate=list(x=v,w=wt,amean=a_amean(v,wt),gmean=a_gmean(v,wt),hmean=a_hmean(v,wt),genmean_m2=a_genmean(v,wt,-2)),copeland=list(X=M,w=c(.5,.2,.3),scores=a_copeland(M,c(.5,.2,.3)))),file.path(args[2], "coinr_bits.json"))
