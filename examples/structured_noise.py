"""Remove noise that runs along lines, as of point scanners, with structN2V.

    python structured_noise.py noisy.tif denoised.tif [LENGTH]

The axis of the lines is the one along which neighbours are most alike. LENGTH, an odd number of
pixels (11 by default), is hidden around every blind spot; about twice what the noise reaches.
"""

import sys

from n2v_tk import check_noise, denoise, read_image, write_image

source, target, *length = sys.argv[1:]
image = read_image(source)
check = check_noise(image.data, image.axes)
print(check)

# 0 for noise that is independent from pixel to pixel, 1 for noise that is the same
axis = max("YX", key=check.correlation.get)
print(f"lines along {axis}: neighbours are alike by {check.correlation[axis]:.2f}")
length = int(length[0]) if length else 11
result = denoise(image.data, image.axes, method="structn2v", axis=axis, length=length)
write_image(target, image.like(result))
