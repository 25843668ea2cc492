"""``python -m app`` is ``leads``."""

from app.cli import main

main()
