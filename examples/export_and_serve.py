"""Write a trained model for TensorFlow Serving, and denoise with what was written.

    python export_and_serve.py MODEL SERVED_FOLDER noisy.tif denoised.tif

MODEL is a folder of n2v_tk, n2v or csbdeep for planes of one channel, or a .keras file. Here the
export is opened without a server. With one (docs/serving.md), on any other computer:

    with n2v_tk.ServedModel("localhost:8500", "cells") as served:
        denoised = served.predict(image, "YX")
"""

import sys

import numpy as np
import tensorflow as tf

from n2v_tk import load_model, read_image, write_image

folder, served, source, target = sys.argv[1:]
version = load_model(folder).export("serving", served)  # served/1, next time served/2
print("written:", version)

image = read_image(source)
model = tf.saved_model.load(str(version))
# raw grey values in and out: (batch, Y, X, channels)
stack = np.asarray(image.data, np.float32)[np.newaxis, ..., np.newaxis]
output = model.signatures["serving_default"](input=tf.constant(stack))["output"]
write_image(target, image.like(output.numpy()[0, ..., 0]))
