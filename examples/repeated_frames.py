"""Denoise a still scene that was recorded several times, with Noise2Noise.

python repeated_frames.py frames.tif denoised.tif MODEL_FOLDER

The frames ('TYX') must not move against each other. Every pair of them teaches the network; the
result is the mean of all denoised frames. The model is kept, for single frames of other scenes.
"""

import sys

from n2v_tk import denoise, read_image, write_image
from n2v_tk.io import Image

source, target, folder = sys.argv[1:]
film = read_image(source)
frames, model = denoise(film.data, film.axes, method="n2n", return_model=True)
model.save(folder)

still = frames.mean(axis=film.axes.index("T"))
sizes = {axis: size for axis, size in film.pixel_sizes.items() if axis != "T"}
write_image(target, Image(still, film.axes.replace("T", ""), sizes, film.unit))
