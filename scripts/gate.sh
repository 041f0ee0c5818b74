#!/usr/bin/env bash
# What action.yml runs: the gate, its annotations in the log, its table in the step's summary, its files in a folder.
# All comes from the environment, so that no text of a user becomes shell:
#   TRIALIGN_RUN        a run's folder, or one of its audits
#   TRIALIGN_AGAINST    the baseline; empty: none
#   TRIALIGN_CONFIG     a YAML file of rules; empty: those of the run
#   TRIALIGN_RULES      key=value, one a line
#   TRIALIGN_OUTPUT     folder for JSON, JUnit XML, Markdown and SARIF (default: gate)
set -euo pipefail

words=("${TRIALIGN_RUN:?the input run is empty; name a run}")
output=${TRIALIGN_OUTPUT:-gate}
if [ -n "${TRIALIGN_AGAINST:-}" ]; then words+=(--against "$TRIALIGN_AGAINST"); fi
if [ -n "${TRIALIGN_CONFIG:-}" ]; then words+=(--config "$TRIALIGN_CONFIG"); fi
while IFS= read -r rule; do
    if [ -n "$rule" ]; then words+=("$rule"); fi
done <<<"${TRIALIGN_RULES:-}"

rm -f "$output/gate.md" # of an earlier step: what is shown is of this one
code=0
trialign gate "${words[@]}" --format github --output "$output" || code=$?
if [ -n "${GITHUB_STEP_SUMMARY:-}" ] && [ -f "$output/gate.md" ]; then cat "$output/gate.md" >>"$GITHUB_STEP_SUMMARY"; fi
if [ -n "${GITHUB_OUTPUT:-}" ]; then echo "exit-code=$code" >>"$GITHUB_OUTPUT"; fi
exit "$code"
