"""What the commands of this package have in common."""

import signal
import sys
from collections.abc import Sequence
from typing import NoReturn


def end_on_sigterm() -> None:
    """Makes SIGTERM act like Ctrl-C: the command stops the processes that it started, and deletes
    its temporary folder.
    """
    signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))


def conclude(faults: Sequence[str]) -> NoReturn:
    """Prints the first faults, and ends the command. Exit code 1: there is a fault."""
    print(*(faults[:50] or ["All checks passed."]), sep="\n")
    sys.exit(1 if faults else 0)
