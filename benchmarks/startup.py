"""How long `import n2v_tk` and `n2v-tk --help` take, as whole processes.

python -m benchmarks run startup
"""

import subprocess
import sys

from . import common

COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "python -c 'import n2v_tk'": [sys.executable, "-c", "import n2v_tk"],
    "n2v-tk --help": [
        sys.executable, "-c",
        "import sys; sys.argv = ['n2v-tk', '--help']; from n2v_tk.cli import main; main()",
    ],
}  # fmt: skip


def main():
    options = common.arguments(__doc__.splitlines()[0]).parse_args()
    rows = [
        (name, common.median_ms(lambda c=command: subprocess.run(c, capture_output=True), 7) / 1e3)
        for name, command in COMMANDS.items()
    ]
    common.report("Start-up, seconds", ["command", "time"], rows, options)


if __name__ == "__main__":
    main()
