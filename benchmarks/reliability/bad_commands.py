"""Commands that cannot be done."""

from pathlib import Path

import numpy as np

CASES = {
    "files": """
        check none.tif|check folder|check text.npy|check nan.npy|check flat.npy
        denoise none.tif -o out.tif|denoise nan.npy -o out.npy|denoise empty.npy -o out.npy
        denoise *.gif -o out|denoise image.npy -o image.npy|denoise image.npy -o out.gif
        predict image.npy -m none -o out.npy|predict image.npy -m folder -o out.npy
        predict image.npy -m text.npy -o out.npy|info none|info text.npy|info folder
        evaluate image.npy --truth none.npy|evaluate image.npy --truth volume.npy
        report none -o out.html|convert none out.keras|convert folder out
        export none --to keras -o out.keras|dip denoise none.png -o out.png
        dip inpaint image.npy -o out.npy|predict image.npy -m model -o there.npy
        report model -o there.npy|report model --image nan.npy -o out.html
    """,
    "values": """
        denoise image.npy -o out.npy --axes Q|denoise image.npy -o out.npy --axes YXC
        denoise image.npy -o out.npy --method gan|denoise image.npy -o out.npy --method masked
        denoise image.npy -o out.npy --patch 7,7|denoise image.npy -o out.npy --patch 640,640
        denoise image.npy -o out.npy --patch a|denoise image.npy -o out.npy --epochs 0
        denoise image.npy -o out.npy --steps -1|denoise image.npy -o out.npy --seed -1
        denoise image.npy -o out.npy --dim 4|denoise image.npy -o out.npy --dim 3
        denoise image.npy -o out.npy --dtype uint7|denoise image.npy -o out.npy --device tpu
        denoise image.npy -o out.npy --method structn2v --struct-axis W
        denoise image.npy -o out.npy --method structn2v --struct-length 4
        denoise image.npy -o out.npy --method structn2v --struct-length 1000000001
        denoise image.npy -o out.npy --method hqssl --noise-model salt
        denoise image.npy -o out.npy --method hqssl --noise-level much
        denoise image.npy -o out.npy --noise-level 3|train image.npy -o new --method n2n
        train image.npy -o new --pairs image.npy|train image.npy -o new --from none
        train image.npy -o new --from model --method n2n|train image.npy -o model
        predict image.npy -m model -o out.npy --n-tiles 0,1
        predict image.npy -m model -o out.npy --n-tiles 2
        predict image.npy -m model -o out.npy --n-tiles two
        predict image.npy -m model -o out.npy --precision float8
        predict image.npy -m model -o out.npy --engine onnx
        predict image.npy -m model -o out.npy --max-memory much
        predict image.npy -m model -o out.npy --max-memory 1kB
        predict image.npy -m model -o out.npy --chunks 64,64
        predict image.npy -m model -o out.zarr --chunks a,b
        predict image.npy -m model -o out.zarr --ome-zarr 3
        predict image.npy -m model -o out.zarr --n-tiles 1,1
        predict image.npy -m model -o out.npy --weights none.h5
        predict image.npy -m model -o out.npy --axes YXC
        predict image.npy -m grpc://nowhere -o out.npy|predict volume.npy -m model -o out.npy
        evaluate image.npy --truth image.npy --measures beauty
        evaluate image.npy --truth image.npy --range -1
        export model --to tflite -o out|export model --to keras -o there.npy
        export model --to fiji -o out.zip --version 3|dip colour image.npy -o out.npy
        dip superres image.npy -o out.npy --factor 3|dip denoise image.npy -o out.npy --stop now
        dip denoise image.npy -o out.npy --value-range 1
        dip denoise image.npy -o out.npy --filters x
    """,
    "words": """
        denoise|denoise image.npy|predict image.npy -o out.npy|paint image.npy|train --epochs
        denoise image.npy -o out.npy --sharpen|denoise image.npy -o out.npy --epochs many
        info|convert model|export model|report model|evaluate image.npy
    """,
}
CASES = {
    group: [case.strip() for line in cases.strip().splitlines() for case in line.split("|")]
    for group, cases in CASES.items()
}


def make_files():
    """Images, a model, and files that are not what their names say, in this folder."""
    from n2v_tk import N2V, N2VConfig

    rng = np.random.default_rng(0)
    np.save("image.npy", rng.normal(100, 10, (64, 64)).astype(np.float32))
    np.save("volume.npy", rng.normal(100, 10, (3, 12, 14)).astype(np.float32))
    np.save("there.npy", np.zeros((2, 2)))
    np.save("nan.npy", np.full((8, 8), np.nan))
    np.save("empty.npy", np.zeros((0, 8)))
    np.save("flat.npy", np.zeros(9))
    Path("text.npy").write_text("no array")
    Path("broken.tif").write_bytes(b"II*\0\x08\0\0\0\xff\xff")
    Path("folder").mkdir()
    config = N2VConfig(
        unet_n_first=2, unet_n_depth=1, unet_kern_size=3, means=[0], stds=[1],
        train_precision="float32",
    )  # fmt: skip
    N2V(config, basedir=None).save("model")
