#!/usr/bin/env bash
# A standalone Spark cluster on this machine: a master and two workers of one core each, and the job on it.
# usage: bash tests/cluster/run.sh [ROWS]     (make cluster ROWS=10000000; Java 17 and the extra [spark])
# Everything is written under build/cluster; both workers and the master end with the script.
set -euo pipefail
cd "$(dirname "$0")/../.."
ROWS=${1:-1000000}
PYTHON=${PYTHON:-.venv/bin/python}
PORT=${PORT:-17077}
ADDRESS=127.0.0.1
WORK=$PWD/build/cluster

command -v java >/dev/null || { echo 'Java 17 is needed: apt-get install default-jre-headless' >&2; exit 1; }
SPARK_HOME=$("$PYTHON" -c 'import pyspark; print(pyspark.__path__[0])')
PYSPARK_PYTHON=$("$PYTHON" -c 'import sys; print(sys.executable)')  # the workers' Python is the program's
export SPARK_HOME SPARK_LOCAL_IP=$ADDRESS PYSPARK_PYTHON
CLASS=$SPARK_HOME/bin/spark-class

rm -rf "$WORK"
mkdir -p "$WORK"
processes=()
trap 'kill "${processes[@]}" 2>/dev/null || true; wait 2>/dev/null || true' EXIT

"$CLASS" org.apache.spark.deploy.master.Master --host $ADDRESS --port "$PORT" --webui-port 0 \
  >"$WORK/master.log" 2>&1 &
processes+=($!)
for worker in 1 2; do
  "$CLASS" org.apache.spark.deploy.worker.Worker --host $ADDRESS --cores 1 --memory 2g --webui-port 0 \
    --work-dir "$WORK/worker-$worker" "spark://$ADDRESS:$PORT" >"$WORK/worker-$worker.log" 2>&1 &
  processes+=($!)
done

for _ in $(seq 120); do
  [ "$(grep -c 'Registering worker' "$WORK/master.log")" = 2 ] && break
  sleep 0.5
done
[ "$(grep -c 'Registering worker' "$WORK/master.log")" = 2 ] || { tail "$WORK"/*.log >&2; exit 1; }

"$PYTHON" tests/cluster/job.py "spark://$ADDRESS:$PORT" "$ROWS" "$WORK"
