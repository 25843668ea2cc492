"""``python -m bench``, which is ``make bench``."""

import signal
import sys

from app.cli.output import plain_errors
from bench.cli import bench

# As on Ctrl-C: what was started is ended, and the temporary folder goes.
signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
with plain_errors():
    bench(standalone_mode=False)
