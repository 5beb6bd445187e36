"""Train Noise2Void on several noisy images, keep the model, denoise with it.

python train_and_predict.py MODEL_FOLDER OUT_FOLDER noisy_1.tif noisy_2.tif ...

The images must be planes ('YX'); their sizes may differ.
"""

import sys
from pathlib import Path

import numpy as np

from n2v_tk import N2V, N2VConfig, read_image, write_image
from n2v_tk.data.patches import hold_out

folder, out, *files = map(Path, sys.argv[1:])
images = [read_image(file) for file in files]

# training images are stacks 'SYXC'; a tenth of every image is kept for validation
stacks = [image.data[np.newaxis, ..., np.newaxis] for image in images]
training, validation = hold_out(stacks, (64, 64))

config = N2VConfig(training, unet_kern_size=3, train_epochs=20, train_steps_per_epoch=100)
model = N2V(config, name=folder.name, basedir=folder.parent)
model.train(training, validation)

for file, image in zip(files, images, strict=True):
    # 'same': in the type of the input, rounded and clipped
    result = model.predict(image.data, image.axes, dtype="same")
    write_image(out / file.name, image.like(result))
