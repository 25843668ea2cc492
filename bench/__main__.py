"""``python -m bench``, which is ``make bench``."""

from app.cli.output import plain_errors
from bench.cli import bench

with plain_errors():
    bench(standalone_mode=False)
