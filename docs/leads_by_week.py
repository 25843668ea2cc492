"""Draws the picture in bi.md: the answer to its first question, as stacked columns, on light and dark backgrounds.

    .venv/bin/python docs/leads_by_week.py ADDRESS > docs/leads_by_week.svg

ADDRESS is the address of an analyst, as leads bi create prints it.
"""

import re
import sys
from datetime import date
from html import escape
from pathlib import Path

import psycopg

_WIDTH, _HEIGHT, _LEFT, _RIGHT, _TOP, _BOTTOM = 800, 400, 50, 150, 50, 40
# Distinguishable with colour blindness (Okabe and Ito), and visible on white and on near-black.
_COLOURS = ("#0072b2", "#e69f00", "#009e73", "#cc79a7", "#56b4e9", "#d55e00", "#8c8c8c")
_STYLE = """\
rect.ground { fill: #ffffff } text { fill: #333333; font: 13px sans-serif } line { stroke: #dddddd }
@media (prefers-color-scheme: dark) { rect.ground { fill: #0d1117 } text { fill: #c9d1d9 } line { stroke: #30363d } }"""


def answer(address: str) -> list[tuple[date, str, int]]:
    """Returns week, source and leads: the rows of the page's first query. Raises psycopg.Error."""
    page = Path(__file__).with_name("bi.md").read_text(encoding="utf-8")
    query = re.search(r"```sql\n(.+?)```", page.partition("### 1.")[2], re.DOTALL)
    assert query is not None
    with psycopg.connect(address) as connection:
        return connection.execute(query.group(1).encode()).fetchall()


def picture(rows: list[tuple[date, str, int]]) -> str:
    """Returns the rows as SVG."""
    weeks = sorted({week for week, _, _ in rows})
    totals = {week: sum(leads for other, _, leads in rows if other == week) for week in weeks}
    counts = {source: sum(leads for _, other, leads in rows if other == source) for _, source, _ in rows}
    sources = sorted(counts, key=lambda source: (source == "unknown", -counts[source]))
    step = max(1, round(max(totals.values()) / 4))
    top = step * -(-max(totals.values()) // step)
    scale = (_HEIGHT - _TOP - _BOTTOM) / top
    slot = (_WIDTH - _LEFT - _RIGHT) / len(weeks)
    floor = _HEIGHT - _BOTTOM

    parts = [f'<text x="{_LEFT}" y="26" style="font-weight: bold">Leads created, by week and source</text>']
    for value in range(0, top + 1, step):
        y = floor - value * scale
        parts.append(f'<line x1="{_LEFT}" x2="{_WIDTH - _RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{_LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{value}</text>')
    for number, week in enumerate(weeks):
        x, y = _LEFT + slot * number, float(floor)
        for source, colour in zip(sources, _COLOURS, strict=False):
            height = scale * sum(leads for other, name, leads in rows if (other, name) == (week, source))
            y -= height
            box = f'x="{x + slot * 0.15:.1f}" y="{y:.1f}" width="{slot * 0.7:.1f}" height="{height:.1f}"'
            parts.append(f'<rect {box} fill="{colour}"/>')
        if number % 2 == 0:
            label = f"{week.day} {week:%b}"
            parts.append(f'<text x="{x + slot / 2:.1f}" y="{floor + 20}" text-anchor="middle">{label}</text>')
    for number, (source, colour) in enumerate(zip(sources, _COLOURS, strict=False)):
        y = _TOP + 22 * number
        parts.append(f'<rect x="{_WIDTH - _RIGHT + 20}" y="{y}" width="12" height="12" fill="{colour}"/>')
        parts.append(f'<text x="{_WIDTH - _RIGHT + 38}" y="{y + 11}">{escape(source)}</text>')

    head = f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH} {_HEIGHT}" width="{_WIDTH}" role="img">'
    ground = f'<rect class="ground" width="{_WIDTH}" height="{_HEIGHT}"/>'
    return "\n".join([head, f"<style>{_STYLE}</style>", ground, *parts, "</svg>\n"])


if __name__ == "__main__":
    sys.stdout.write(picture(answer(sys.argv[1])))
