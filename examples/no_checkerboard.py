"""Train N2V2, which leaves no checkerboard patterns, on several images and denoise them.

python no_checkerboard.py MODEL_FOLDER OUT_FOLDER noisy_1.tif noisy_2.tif ...
"""

import sys
from pathlib import Path

from n2v_tk import N2V, N2VConfig, read_image, read_stacks, write_image
from n2v_tk.data.patches import hold_out

folder, out, *files = map(Path, sys.argv[1:])
training, validation = hold_out(read_stacks(files), (64, 64))

# blur pooling, no top skip connection, blind spots filled with the median, the last weights
config = N2VConfig.n2v2(
    training,
    unet_kern_size=3,
    train_epochs=20,
    train_steps_per_epoch=100,
    train_learning_rate=1e-3,
    train_schedule="cosine",
)
model = N2V(config, name=folder.name, basedir=folder.parent)
model.train(training, validation)

for file in files:
    image = read_image(file)
    write_image(out / file.name, image.like(model.predict(image.data, image.axes)))
