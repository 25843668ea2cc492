"""What a backtest says: how well a score told the leads that were won from those that were lost."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import click
import leather

from app.cli.output import one, rows

BANDS = 10
"""So many bands of scores: 0 to 9, 10 to 19, …, 90 to 100."""


@dataclass
class Result:
    """The leads that were scored: (is it won, its score by the file, its score by the model in force)."""

    unqualified: int
    """Leads that are won or lost, and were never qualified: left out."""
    rows: list[tuple[bool, int, int]] = field(default_factory=list)

    def add(self, found: Iterable[Mapping[str, Any]]) -> None:
        """Adds rows of admin.backtest_scoring_model."""
        self.rows += ((row["is_won"], row["lead_score"], row["score_in_force"]) for row in found)

    def scores(self, is_file: bool) -> list[tuple[bool, int]]:
        """(is it won, its score), by the file or by the model in force."""
        return [(won, new if is_file else old) for won, new, old in self.rows]


def auc(scores: Iterable[tuple[bool, int]]) -> float | None:
    """The area under the ROC curve: how often a lead that was won has a higher score than one that was lost.

    From 0 to 1, where 0.5 is chance; a tie counts half (the Mann-Whitney statistic). None where all were won, or lost.
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
    """For each band that has leads: how many, their mean score, and the share that was won."""
    bands: dict[int, list[tuple[bool, int]]] = {}
    for is_won, score in scores:
        bands.setdefault(min(score * BANDS // 100, BANDS - 1), []).append((is_won, score))
    return [
        {
            "band": f"{band * 100 // BANDS}-{100 if band == BANDS - 1 else (band + 1) * 100 // BANDS - 1}",
            "leads": len(found),
            "mean_score": round(sum(score for _, score in found) / len(found), 1),
            "won": sum(is_won for is_won, _ in found),
            "won_share": round(sum(is_won for is_won, _ in found) / len(found), 3),
        }
        for band, found in sorted(bands.items())
    ]


def picture(result: Result) -> str:
    """The calibration curves as an SVG that loads nothing from elsewhere."""
    chart = leather.Chart("Share of leads won, by score when qualified")
    chart.add_x_scale(0, 100)
    chart.add_y_scale(0, 100)
    chart.add_x_axis(name="Score (mean of the band)")
    chart.add_y_axis(name="Won, %")
    for name, is_file in (("by the file", True), ("by the model in force", False)):
        points = [(band["mean_score"], band["won_share"] * 100) for band in calibration(result.scores(is_file))]
        chart.add_line(points, name=name)
        # A single band is a point, which a line doesn't show.
        chart.add_dots(points)
    chart.add_line([(0, 0), (100, 100)], name="as the score says", stroke_color="#bbb")
    rendered: str = chart.to_svg()
    return rendered


def report(result: Result, path: Path, as_json: bool) -> None:
    """Prints what was found."""
    changes = [new - old for _, new, old in result.rows]
    found: dict[str, Any] = {
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
        one(found, "", as_json)
        return
    for title, name in (("By the file:", "calibration"), ("By the model in force:", "calibration_in_force")):
        click.echo(title)
        rows(found[name], ("band", "leads", "mean_score", "won", "won_share"), as_json=False)
    sentences = (
        "AUC {auc} (in force {auc_in_force}).",
        "Of {leads} leads {higher} score higher and {lower} lower, by {mean_change} on average.",
        "{left_out} were never qualified and are left out. The curve is in {picture}.",
    )
    click.echo("\n".join(sentences).format(**found))


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)
