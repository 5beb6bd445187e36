#!/usr/bin/env bash
# A virtual environment with the genuine n2v 0.3.3: setup_n2v.sh FOLDER [PYTHON]
set -euo pipefail
folder=${1:?usage: setup_n2v.sh FOLDER [PYTHON]}
"${2:-python3}" -m venv "$folder"
"$folder/bin/pip" install --quiet "tensorflow-cpu==2.15.1" "numpy<2" "n2v==0.3.3" "csbdeep==0.7.4"
"$folder/bin/python" -c "import n2v, tensorflow; print('TensorFlow', tensorflow.__version__)"
