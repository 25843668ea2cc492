"""The report of a backtest: how well scores separate the leads that were won from those that
were lost.
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import leather

from app.cli.output import one, rows

BANDS = 10
"""The number of bands of scores: 0 to 9, 10 to 19, …, 90 to 100."""


@dataclass
class Result:
    """The scored leads: (whether it is won, the score by the file,
    the score by the active model).
    """

    unqualified: int
    """The number of leads that are won or lost but were never qualified, and so are left out."""
    rows: list[tuple[bool, int, int]] = field(default_factory=list)

    def add(self, leads: Iterable[Mapping[str, Any]]) -> None:
        """Adds rows of admin.backtest_scoring_model."""
        self.rows += ((row["is_won"], row["lead_score"], row["score_in_force"]) for row in leads)

    def scores(self, is_file: bool) -> list[tuple[bool, int]]:
        """(whether it is won, the score), by the file or by the active model."""
        return [(won, new if is_file else old) for won, new, old in self.rows]


def auc(scores: Iterable[tuple[bool, int]]) -> float | None:
    """The area under the ROC curve: the probability that a won lead has a higher score than a lost
    one.

    The value is from 0 to 1, and 0.5 is chance; a tie counts half (the Mann-Whitney statistic).
    None if all leads were won or all were lost.
    """
    won, lost = Counter[int](), Counter[int]()
    for is_won, score in scores:
        (won if is_won else lost)[score] += 1
    if not won or not lost:
        return None
    above, below = 0.0, 0
    for score in range(101):
        above += won[score] * (below + lost[score] / 2)
        below += lost[score]
    return above / (won.total() * lost.total())


def calibration(scores: Iterable[tuple[bool, int]]) -> list[dict[str, Any]]:
    """For each band that has leads: their number, their mean score, and the share that was won."""
    bands: dict[int, list[tuple[bool, int]]] = {}
    for is_won, score in scores:
        bands.setdefault(min(score * BANDS // 100, BANDS - 1), []).append((is_won, score))
    return [
        {
            "band": f"{band * 100 // BANDS}-{100 if band == BANDS - 1 else (band + 1) * 100 // BANDS - 1}",
            "leads": len(scored),
            "mean_score": round(sum(score for _, score in scored) / len(scored), 1),
            "won": sum(is_won for is_won, _ in scored),
            "won_share": round(sum(is_won for is_won, _ in scored) / len(scored), 3),
        }
        for band, scored in sorted(bands.items())
    ]


def picture(result: Result) -> str:
    """The calibration curves as an SVG without external resources."""
    chart = leather.Chart("Share of leads won, by score when qualified")
    chart.add_x_scale(0, 100)
    chart.add_y_scale(0, 100)
    chart.add_x_axis(name="Score (mean of the band)")
    chart.add_y_axis(name="Won, %")
    for name, is_file in (("by the file", True), ("by the active model", False)):
        points = [(band["mean_score"], band["won_share"] * 100) for band in calibration(result.scores(is_file))]
        chart.add_line(points, name=name)
        # A line with a single point is invisible.
        chart.add_dots(points)
    chart.add_line([(0, 0), (100, 100)], name="as the score says", stroke_color="#bbb")
    rendered: str = chart.to_svg()
    return rendered


def report(result: Result, path: Path, as_json: bool) -> None:
    """Prints the result."""
    changes = [new - old for _, new, old in result.rows]
    fields: dict[str, Any] = {
        "leads": len(result.rows),
        "left_out": result.unqualified,
        "auc": _rounded(auc(result.scores(is_file=True))),
        "auc_in_force": _rounded(auc(result.scores(is_file=False))),
        "higher": sum(change > 0 for change in changes),
        "lower": sum(change < 0 for change in changes),
        "mean_change": round(sum(changes) / len(changes), 2),
        "calibration": calibration(result.scores(is_file=True)),
        "calibration_in_force": calibration(result.scores(is_file=False)),
        "picture": str(path),
    }
    if as_json:
        one(fields, "", as_json)
        return
    for title, name in (("By the file:", "calibration"), ("By the active model:", "calibration_in_force")):
        click.echo(title)
        rows(fields[name], ("band", "leads", "mean_score", "won", "won_share"), as_json=False)
    sentences = (
        "AUC: {auc} by the file, {auc_in_force} by the active model.",
        "Leads: {leads}. Higher score: {higher}; lower score: {lower}; mean change: {mean_change}.",
        "Left out because they were never qualified: {left_out}. The calibration curve is in {picture}.",
    )
    click.echo("\n".join(sentences).format(**fields))


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
