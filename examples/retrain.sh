#!/usr/bin/env bash
# Once a month, from cron or a Kubernetes CronJob: train on what lies in Kafka, measure against the model that is served, and stop.
# Nothing is promoted here: that takes people (docs/registry.md). Exit code 1: the new model did not pass, and is not to be approved.
#
#   0 3 1 * *  MONITOR_CONFIG=/etc/monitor.toml /opt/monitor/examples/retrain.sh
set -euo pipefail

version=${VERSION:-$(date -u +%Y-%m-%d)}
days=${DAYS:-120}        # of payments to learn from and to measure on
held_back=${HELD_BACK:-21} # the latest of them are only measured on
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT

day() { date -u -d "$1 days ago" +%Y-%m-%d; }

monitor export --out "$work/payments.parquet" --since "$(day "$days")"
monitor train --from "$work/payments.parquet" --until "$(day "$held_back")" --version "$version" \
	--out "${MONITOR_MODELS_DIR:?name the registry}" ${BESIDE:+--beside "$BESIDE"}
monitor evaluate --from "$work/payments.parquet" --model "$version" --record --report "$MONITOR_MODELS_DIR/$version.html"
monitor models candidate "$version"
echo "$version watches from now on; look at $MONITOR_MODELS_DIR/$version.html, then: monitor models approve $version"
