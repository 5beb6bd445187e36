"""Train on clean images for noise that nobody knows beforehand, then denoise.

    python masked_training.py MODEL_FOLDER CLEAN_FOLDER noisy.tif denoised.tif [EPOCHS]

Most pixels are hidden in training, so the network learns what images look like rather than what
one noise looks like. It takes a GPU and many epochs of 400 steps (500 in the paper).
"""

import sys
from pathlib import Path

from n2v_tk import MaskedDenoiser, MaskedDenoiserConfig, read_image, read_stacks, write_image

folder, clean, source, target, *epochs = map(Path, sys.argv[1:])
stacks = read_stacks(clean)
config = MaskedDenoiserConfig.published(stacks)
model = MaskedDenoiser(config, name=folder.name, basedir=folder.parent)
model.train(stacks, epochs=int(str(epochs[0])) if epochs else None)

image = read_image(source)
write_image(target, image.like(model.predict(image.data, image.axes)))
