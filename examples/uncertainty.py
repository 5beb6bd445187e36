"""Denoise an image and say for every pixel how sure the result is, with HQ-SSL.

    python uncertainty.py noisy.tif denoised.tif deviation.tif [GAIN OFFSET READ_NOISE]

`deviation.tif` is the standard deviation of each pixel of the result, in grey values. Gain (grey
values per photo-electron), offset and read noise are those of the camera; without them they are
estimated from the image.
"""

import sys

import numpy as np

from n2v_tk import denoise, estimate_noise, read_image, write_image

source, target, deviation, *camera = sys.argv[1:]
image = read_image(source)
level = tuple(map(float, camera)) or estimate_noise(image.data, image.axes).camera()
print("gain {:.3g}, offset {:.3g}, read noise {:.3g}".format(*level))

_, model = denoise(
    image.data,
    image.axes,
    method="hqssl",
    noise_model="camera",
    noise_level=level,
    return_model=True,
)
found = model.predict(image.data, image.axes, output="all")
write_image(target, image.like(found["posterior_mean"]))
write_image(deviation, image.like(np.sqrt(found["posterior_variance"])))
