#!/usr/bin/env bash
# A virtual environment with this package alone, changes followed: setup_n2v_tk.sh FOLDER [PYTHON]
set -euo pipefail
folder=${1:?usage: setup_n2v_tk.sh FOLDER [PYTHON]}
repository=$(cd "$(dirname "$0")/../.." && pwd)
"${2:-python3}" -m venv "$folder"
"$folder/bin/pip" install --quiet --editable "$repository[openvino]"
"$folder/bin/python" -c "import n2v_tk; print('n2v_tk', n2v_tk.__version__)"
