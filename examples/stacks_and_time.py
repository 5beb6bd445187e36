"""Denoise a stack with a network for volumes, or a film frame by frame.

    python stacks_and_time.py noisy.tif denoised.tif
    python stacks_and_time.py film.tif denoised.tif --time-as-depth

A stack with 8 planes and more ('ZYX', 'TZYX', ...) is denoised as a volume, anything else plane by
plane. `--time-as-depth` is for films 'TYX' that are fast compared with what moves in them: frames
before and after help, as planes above and below do in a volume.
"""

import sys

from n2v_tk import denoise, read_image, write_image

source, target, *options = sys.argv[1:]
image = read_image(source)
axes = image.axes
if options == ["--time-as-depth"]:
    axes = axes.replace("T", "Z")

# a volume takes more work than a plane: a smaller network, and smaller batches by themselves
result = denoise(image.data, axes, unet_n_first=16 if "Z" in axes else 32)
write_image(target, image.like(result))
