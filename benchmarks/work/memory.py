"""Peak memory of training on a file: memory.py FILE."""

import json
import resource
import sys
import time

from n2v_tk import N2V, N2VConfig, read_stacks

stacks = read_stacks(sys.argv[1])
start = time.perf_counter()
config = N2VConfig(
    stacks, unet_kern_size=3, unet_n_first=32, train_batch_size=16, train_loss="mse",
    train_epochs=2, train_steps_per_epoch=30, train_seed=0,
)  # fmt: skip
statistics = time.perf_counter() - start
model = N2V(config, basedir=None)
model.train(stacks, epochs=1, verbose=0)
start = time.perf_counter()
model.train(stacks, epochs=1, verbose=0)
step = (time.perf_counter() - start) / 30 * 1e3
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
print(json.dumps({"peak": peak, "statistics": statistics, "step": step}))
