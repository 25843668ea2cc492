"""What a linter finds, and the reviewed list of what may stay: `tools/lint_allow.txt`.

A line of the list is `code file subject reason…`. subject is what the finding names: a table, an object, a key, or the
digest of a statement, so that the line lapses when the statement changes. A line that nothing needs is a finding.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

ALLOW = "tools/lint_allow.txt"


@dataclass(frozen=True, order=True)
class Finding:
    """One finding. file: from the repository's root. remedy: what to do about it."""

    file: str
    line: int
    code: str
    subject: str
    message: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.file}:{self.line}: {self.code} {self.subject}: {self.message} ({self.remedy})"


def without_allowed(findings: Iterable[Finding], repo: Path) -> list[Finding]:
    """The findings that no line of the allow list lets pass, sorted, and one for each line that nothing needs."""
    path = repo / ALLOW
    left = set(findings)
    for number, line in enumerate(path.read_text().splitlines() if path.exists() else [], 1):
        if not line.strip() or line.startswith("#"):
            continue
        key, reason = line.split()[:3], line.split()[3:]
        passed = {finding for finding in left if [finding.code, finding.file, finding.subject] == key}
        left -= passed
        if not passed:
            left.add(Finding(ALLOW, number, "stale-allow", " ".join(key), "nothing needs this line", "take it out"))
        elif not reason:
            left.add(
                Finding(ALLOW, number, "bare-allow", " ".join(key), "the line gives no reason", "say why it is right")
            )
    return sorted(left)
