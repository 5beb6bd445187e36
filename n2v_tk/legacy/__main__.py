"""Run a script that was written for n2v: ``python -m n2v_tk.legacy SCRIPT.py ARGS``."""

import runpy
import sys
from pathlib import Path

import n2v_tk.legacy  # noqa: F401


def main() -> int | None:
    """Run the script named first, with the other arguments as its own."""
    if len(sys.argv) < 2 or sys.argv[1] in ("-h", "--help"):
        print("usage: python -m n2v_tk.legacy SCRIPT.py ARGS", file=sys.stderr)
        return 2
    script = Path(sys.argv[1])
    if not script.is_file():
        print(f"Error: there is no such script. Received: {script}.", file=sys.stderr)
        return 2
    sys.argv = sys.argv[1:]
    sys.path[0] = str(script.resolve().parent)
    runpy.run_path(str(script), run_name="__main__")
    return None


if __name__ == "__main__":
    sys.exit(main())
