"""Draws the comparison as an SVG without external resources."""

import re
from collections.abc import Mapping
from typing import Any

import leather

_TITLE = "{operation}: CPU µs"


def picture(results: Mapping[str, Any], clients: int) -> str:
    """Returns a chart for each operation, with a bar for each side.
    The second colour is PostgreSQL's part.
    """
    grid = leather.Grid()
    for operation, sides in results["comparison"][clients].items():
        names = results["titles"]
        chart = leather.Chart(_TITLE.format(operation=operation))
        # The second bars are drawn over the first ones.
        total = [(figures["front_us"] + figures["postgres_us"], names[side]) for side, figures in sides.items()]
        chart.add_x_scale(0, max(cpu for cpu, _ in total))
        chart.add_bars(total, name="server")
        chart.add_bars([(figures["postgres_us"], names[side]) for side, figures in sides.items()], name="PostgreSQL")
        grid.add_one(chart)
    # The bars have coordinates of 16 digits.
    return re.sub(r"(\d\.\d)\d+", r"\1", grid.to_svg(width=1500, height=700))
