"""Train on images larger than memory, and denoise one into OME-Zarr, block by block.

python larger_than_memory.py MODEL_FOLDER OUT.zarr LARGE.zarr [MORE ...]

Takes OME-Zarr, large TIFFs, HDF5 (FILE.h5::NAME) and, with `pip install "n2v_tk[bio]"`, CZI, ND2
and LIF. If it is stopped while it denoises, run the last lines again: they go on from there.
"""

import sys
from pathlib import Path

from n2v_tk import N2V, N2VConfig, read_stacks
from n2v_tk.data.patches import hold_out

folder, out, *files = sys.argv[1:]
folder = Path(folder)

# arrays 'SYXC' that are read where a patch is cut; n_dim=3 for volumes, 'SZYXC'
stacks = read_stacks(files, n_dim=2)
training, validation = hold_out(stacks, (64, 64))
config = N2VConfig(training, unet_kern_size=3, train_epochs=20, train_steps_per_epoch=100)
model = N2V(config, name=folder.name, basedir=folder.parent)
model.train(training, validation)

model.predict_large(files[0], out, max_memory="4GB")
