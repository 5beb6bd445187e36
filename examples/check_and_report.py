"""Look at the noise, denoise with the method that suits it, and write a report.

    python check_and_report.py noisy.tif denoised.tif report.html [clean.tif]

With a clean image of the same scene the report has measures of quality, too.
"""

import sys

from n2v_tk import check_noise, denoise, read_image, write_image

source, target, report, *clean = sys.argv[1:]
image = read_image(source)
check = check_noise(image.data, image.axes)
print(check)

result, model = denoise(
    image.data, image.axes, method=check.method, return_model=True, **check.settings
)
write_image(target, image.like(result))
truth = read_image(clean[0]).data if clean else None
model.report(report, image=image.data, axes=image.axes, truth=truth)
