"""What a person reads when a command fails."""

from __future__ import annotations

import errno
import sys
import traceback

from rich.console import Console

from ..errors import N2VTKError

LONGEST = 400
_OUT_OF_MEMORY = ("MemoryError", "ResourceExhaustedError", "OutOfMemoryError")
_WHAT_FILES_MEET = {
    errno.ENOSPC: "The disk is full",
    errno.EDQUOT: "The disk is full",
    errno.ENAMETOOLONG: "The name of a file is longer than the file system allows",
}


def report_error(console: Console, error: Exception, debug: bool) -> None:
    """Print one line about an error, or all of it where `debug` is asked for."""
    if debug:
        traceback.print_exception(error, file=sys.stderr)
        return
    console.print("[bold red]Error:[/]", end=" ")
    console.print(in_words(error), markup=False, highlight=False, soft_wrap=True)


def in_words(error: Exception) -> str:
    """The message of an error that was made for people; of others what is known and what to do."""
    if isinstance(error, N2VTKError):
        return str(error)
    kind = type(error).__name__
    text = " ".join(str(error).split())
    text = f"{text[: LONGEST - 3]}..." if len(text) > LONGEST else text
    what = "Something went wrong that should not"
    if kind in _OUT_OF_MEMORY:
        what = "Memory ran out; smaller patches, or --max-memory when predicting, need less"
    elif isinstance(error, OSError):
        what = _WHAT_FILES_MEET.get(error.errno, "A file could not be read or written")
    # what systems say of files comes first: "[Errno 13] Permission denied: 'x'"
    told = isinstance(error, OSError) and error.strerror is not None
    received = f"{text} ({kind})" if told else f"{kind}{': ' if text else ''}{text}"
    return (
        f"{what}. Received: {received.removesuffix('.')}. If that does not help, run again with "
        "--debug for the traceback and report it."
    )
