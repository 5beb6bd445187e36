#!/usr/bin/env bash
# A virtual environment with CAREamics: setup_careamics.sh FOLDER [PYTHON]
set -euo pipefail
folder=${1:?usage: setup_careamics.sh FOLDER [PYTHON]}
"${2:-python3}" -m venv "$folder"
"$folder/bin/pip" install --quiet "torch==2.13.0"
"$folder/bin/pip" install --quiet "careamics==0.3.5"
"$folder/bin/python" -c "import careamics, torch; print('CAREamics', careamics.__version__, 'torch', torch.__version__)"
