"""Predicts with the genuine n2v or csbdeep; runs in the environment of setup_n2v.sh.

predict_n2v.py FOLDER INPUT.npy AXES OUT.npz
"""

import contextlib
import io
import json
import os
import sys
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")
import numpy as np

folder, source, axes, target = sys.argv[1:]
folder = Path(folder).resolve()
image = np.load(source)
results = {}
with contextlib.redirect_stdout(io.StringIO()):
    if "n2v_perc_pix" in json.loads((folder / "config.json").read_text()):
        from n2v.models import N2V

        model = N2V(None, folder.name, str(folder.parent))
        # which weights are opened depends on their age
        model.load_weights("weights_best.h5")
        results["best"] = model.predict(image, axes)
        if "Z" not in axes:
            results["tta"] = model.predict(image, axes, tta=True)
        if (folder / "weights_last.h5").exists():
            model.load_weights("weights_last.h5")
            results["last"] = model.predict(image, axes)
    else:
        from csbdeep.models import CARE

        model = CARE(None, folder.name, str(folder.parent))
        model.load_weights("weights_best.h5")
        prediction = model.predict_probabilistic(image, axes)
        results["mean"] = prediction.mean().astype(np.float32)
        results["scale"] = prediction.scale()
np.savez_compressed(target, **results)
print(json.dumps(sorted(results)))
