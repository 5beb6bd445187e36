"""Fill the holes of a picture with a Deep Image Prior, which learns from that picture alone.

    python examples/fill_holes.py picture.png mask.png whole.png [steps]

For pictures of 8 bit. The mask is bright where the picture is known and 0 where it is missing.
"""

import sys

from n2v_tk import DeepImagePrior, DIPConfig, read_image, write_image

source, mask_path, target = sys.argv[1:4]
steps = int(sys.argv[4]) if len(sys.argv) > 4 else 1000
picture = read_image(source)
mask = read_image(mask_path).data
mask = mask > mask.max() / 2

# smaller than the paper's, for a CPU
config = DIPConfig(task="inpaint", down_channels=(32,) * 4, iterations=steps)


def tell(progress):
    print(f"step {progress.iteration}: fit {progress.history['psnr_fit'][-1]:.1f} dB")


result = DeepImagePrior(config).fit(picture.data, picture.axes, mask=mask, on_look=tell)
whole = result.image.round().clip(0, 255).astype(picture.data.dtype)
write_image(target, picture.like(whole), overwrite=True)
