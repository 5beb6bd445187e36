"""Denoise an image of several channels: all by one network, or each by its own.

    python colours_and_channels.py section.tif denoised.tif together
    python colours_and_channels.py fluorescence.tif denoised.tif apart

`together` suits colours, whose channels show the same things and help each other. `apart` leaves
no trace of one channel in another: take it where channels show different things, and where you
measure colocalisation.
"""

import sys

from n2v_tk import denoise, read_image, write_image

source, target, how = sys.argv[1:]
if how not in ("together", "apart"):
    sys.exit(f"together or apart? Received: {how}")
image = read_image(source)
result = denoise(image.data, image.axes, single_net_per_channel=how == "apart")
write_image(target, image.like(result))
