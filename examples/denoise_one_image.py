"""Denoise one noisy image from itself: `python denoise_one_image.py noisy.tif denoised.tif`."""

import sys

import n2v_tk

source, target = sys.argv[1:3]
image = n2v_tk.read_image(source)  # axes and pixel sizes come with the file
result = n2v_tk.denoise(image.data, image.axes)
n2v_tk.write_image(target, image.like(result))
