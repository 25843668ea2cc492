"""Which cell answers for which organization, as the cells say it, and the map that follows from it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from uuid import UUID

from app.cells.files import Lines
from app.cli.output import counted


@dataclass(frozen=True)
class Claim:
    """An organization for which a cell answers."""

    moving_to: str | None
    """The cell to which it moves. Until then, this one refuses its requests. None: it doesn't move."""
    keys: Mapping[str, UUID]
    """The id of each of its valid keys and forms, by the digest in hexadecimal."""


Claims = dict[UUID, Claim]
"""The claims of a cell, by the organization."""


@dataclass
class Map:
    """The map that follows from the claims."""

    lines: Lines = field(default_factory=dict)
    errors: list[str] = field(default_factory=list)
    """What prevents that each credential has a line. Those credentials keep the line that they had."""
    doubtful: set[UUID] = field(default_factory=set)
    """The organizations that several cells serve, or of which another organization has a key."""


def derive(claims: Mapping[str, Claims | None], previous: Mapping[str, str]) -> Map:
    """The map. claims: of each cell; None: it has not been read, and keeps its lines. previous: the lines
    of the present map.
    """
    derived = Map()
    disputed: set[str] = set()
    for organization, cells in _claimants(claims).items():
        # A cell in which the organization is moving answers 503 only. So the one that it names may answer.
        staying = {cell for cell, claim in cells.items() if claim.moving_to is None}
        ready = [cell for cell, claim in cells.items() if claim.moving_to not in staying]
        if len(ready) > 1:
            derived.errors.append(f"The cells {' and '.join(ready)} both serve the organization {organization}.")
            derived.doubtful.add(organization)
            disputed.update(digest for claim in cells.values() for digest in claim.keys)
            continue
        for digest in cells[ready[0]].keys:
            if derived.lines.setdefault(digest, ready[0]) != ready[0]:
                others = f"{derived.lines[digest]} and {ready[0]}"
                derived.errors.append(f"The cells {others} both have a key of the organization {organization}.")
                derived.doubtful.add(organization)
                disputed.add(digest)
    for digest, cell in previous.items():
        if cell not in claims or claims[cell] is not None:
            continue
        # The cell can't be asked whether it still has the key.
        if derived.lines.setdefault(digest, cell) != cell:
            other = derived.lines[digest]
            derived.errors.append(f"The cell {other} has a key of the cell {cell}, which can't be reached.")
            disputed.add(digest)
    for digest in disputed:
        derived.lines.pop(digest, None)
        if digest in previous:
            derived.lines[digest] = previous[digest]
    return derived


def differences(name: str, lines: Mapping[str, str | None], expected: Mapping[str, str]) -> Iterator[str]:
    """Sentences about the differences between a map and the one that follows from the claims."""
    missing = len(expected.keys() - lines.keys())
    wrong = sum(1 for digest in expected.keys() & lines.keys() if lines[digest] != expected[digest])
    spare = len(lines.keys() - expected.keys())
    for number, sentence in (
        (missing, "lacks lines: requests with {} are refused"),
        (wrong, "has wrong lines: requests with {} are refused"),
        (spare, "has lines of {} that no cell has"),
    ):
        if number:
            yield f"{name} {sentence.format(counted(number, 'key'))}."


def _claimants(claims: Mapping[str, Claims | None]) -> dict[UUID, dict[str, Claim]]:
    """The claims of each organization, by the cell."""
    claimants: dict[UUID, dict[str, Claim]] = {}
    for cell, each in claims.items():
        for organization, claim in (each or {}).items():
            claimants.setdefault(organization, {})[cell] = claim
    return claimants
