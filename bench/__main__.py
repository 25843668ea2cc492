"""``python -m bench``, which is ``make bench``."""

import signal
import sys

from app.cli.output import plain_errors
from bench.cli import bench

# Like Ctrl-C: stop the processes that were started, and delete the temporary folder.
signal.signal(signal.SIGTERM, lambda number, _: sys.exit(128 + number))
with plain_errors():
    bench(standalone_mode=False)
