"""One process that fuzzes one target; started by ``python -m fuzz``."""

from __future__ import annotations

import hashlib
import json
import logging
import random
import sys
import time
import traceback
import warnings
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["n2v_tk", "tifffile", "zipfile"]):
    from fuzz.targets import TARGETS
    from n2v_tk.config import size

from fuzz.seeds import MUTATE, SEEDS, WORDS


class Watcher:
    """Counts executions, and keeps the first input of each kind of finding.

    Parameters
    ----------
    target : str
    stats, findings : Path
        A file for the counts, a folder for inputs.
    """

    def __init__(self, target: str, stats: Path, findings: Path):
        self.target, self.stats, self.findings = target, stats, findings
        self.run = TARGETS[target]
        self.executions, self.found, self.written = 0, {}, 0.0

    def __call__(self, data: bytes) -> None:
        self.executions += 1
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                self.run(data)
        except Exception as error:
            self._note(error, data)
        if time.monotonic() - self.written > 1:
            self._write()

    def _note(self, error, data):
        frames = traceback.extract_tb(error.__traceback__)
        own = [f for f in frames if "n2v_tk" in f.filename] or frames
        what = f"{type(error).__name__} at {Path(own[-1].filename).name}:{own[-1].lineno}"
        if what not in self.found:
            name = f"{self.target}-{hashlib.sha1(data).hexdigest()[:12]}"
            (self.findings / name).write_bytes(data)
            self.found[what] = name
            print(f"FINDING {what}: {error}\n  kept as {name}", file=sys.stderr)
            traceback.print_exception(error)
            self._write()

    def _write(self):
        self.written = time.monotonic()
        counts = {"executions": self.executions, "findings": sorted(self.found)}
        self.stats.write_text(json.dumps(counts))


def main() -> None:
    """Fuzz until libFuzzer's time is up."""
    target, stats, findings, corpus, *options = sys.argv[1:]
    logging.disable(logging.CRITICAL)
    # so that a network which is let pass keeps within the memory of the process
    size.memory_total = lambda: 2**30
    watcher = Watcher(target, Path(stats), Path(findings))
    largest = 0
    for number, seed in enumerate(SEEDS[target]()):
        Path(corpus, f"seed{number}").write_bytes(seed)
        largest = max(largest, len(seed))
    words = Path(stats).with_suffix(".dict")
    words.write_text("".join(f'"{_escaped(word)}"\n' for word in WORDS.get(target, ())))
    arguments = [
        sys.argv[0], corpus, f"-max_len={2 * largest}", f"-dict={words}", "-verbosity=0", *options
    ]  # fmt: skip
    atheris.Setup(arguments, watcher, custom_mutator=_mutator(MUTATE.get(target)))
    atheris.Fuzz()


def _mutator(structured):
    """Bytes changed by libFuzzer, and as often by what knows the format."""

    def mutate(data, max_size, seed):
        if structured is not None and seed % 2:
            changed = structured(bytes(data), random.Random(seed))
            if changed is not None and len(changed) <= max_size:
                return changed
        return atheris.Mutate(data, max_size)

    return mutate


def _escaped(word):
    return "".join(f"\\x{byte:02x}" for byte in word.encode())


if __name__ == "__main__":
    main()
