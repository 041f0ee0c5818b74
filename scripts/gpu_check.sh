#!/usr/bin/env bash
# On a machine with an NVIDIA GPU: makes .venv with CUDA's torch, runs benchmarks/gpu_check.py, and prints one table.
#
# Environment: as of scripts/install.sh; TORCH_SPEC names another torch. Arguments go to benchmarks/gpu_check.py.
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
bash scripts/install.sh
exec .venv/bin/python benchmarks/gpu_check.py "$@"
