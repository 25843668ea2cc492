"""``python -m bench``, which is ``make bench``."""

from app.cli.output import plain_errors
from bench.cli import bench
from bench.command import end_on_sigterm

end_on_sigterm()
with plain_errors():
    bench(standalone_mode=False)
