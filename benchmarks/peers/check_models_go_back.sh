#!/usr/bin/env bash
# Makes an environment with the genuine n2v 0.3.3 from PyPI, unless it is there, and lets it open
# models that were trained here: check_models_go_back.sh FOLDER [PYTHON]
set -euo pipefail
folder=${1:?usage: check_models_go_back.sh FOLDER [PYTHON]}
folder=$(realpath -m "$folder")
here=$(cd "$(dirname "$0")" && pwd)
[ -x "$folder/bin/python" ] || bash "$here/setup_n2v.sh" "$@"
cd "$here/../.." && python -m benchmarks.models_go_back --n2v-python "$folder/bin/python"
