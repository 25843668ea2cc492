"""The map that follows from what the cells say."""

from uuid import UUID, uuid4

from app.cells.claims import Claim, Claims, derive, differences

ORGANIZATION, OTHER = uuid4(), uuid4()


def claims(organization: UUID, *digests: str, to: str | None = None) -> Claims:
    return {organization: Claim(to, {digest: uuid4() for digest in digests})}


def test_each_key_leads_to_the_cell_of_its_organization() -> None:
    derived = derive({"a": claims(ORGANIZATION, "1", "2"), "b": claims(OTHER, "3")}, {"4": "a"})
    assert (derived.lines, derived.errors) == ({"1": "a", "2": "a", "3": "b"}, [])


def test_a_moving_organization_stays_until_the_other_cell_has_taken_it_over() -> None:
    moving = claims(ORGANIZATION, "1", to="b")
    assert derive({"a": moving, "b": {}}, {}).lines == {"1": "a"}
    derived = derive({"a": moving, "b": claims(ORGANIZATION, "1")}, {"1": "a"})
    assert (derived.lines, derived.errors) == ({"1": "b"}, [])
    assert derive({"a": {}, "b": claims(ORGANIZATION, "1")}, {"1": "a"}).lines == {"1": "b"}


def test_a_cell_that_is_not_the_target_of_a_move_gets_no_key() -> None:
    """A cell that others control says that it has the organization, while the two cells of the move refuse requests."""
    moving, forged = claims(ORGANIZATION, "1", to="b"), claims(ORGANIZATION, "1")
    for previous in ({"1": "a"}, {}):
        derived = derive({"a": moving, "b": {}, "c": forged}, previous)
        assert derived.lines == previous
        assert len(derived.errors) == 1
    # After the move, and beside a forged move.
    derived = derive({"a": moving, "b": claims(ORGANIZATION, "1"), "c": forged}, {"1": "b"})
    assert (derived.lines, len(derived.errors)) == ({"1": "b"}, 1)
    assert derive({"a": claims(ORGANIZATION, "1"), "c": claims(ORGANIZATION, "1", to="c")}, {}).lines == {}
    assert derive({"a": claims(ORGANIZATION, "1"), "c": claims(ORGANIZATION, "1", to="a")}, {}).lines == {"1": "a"}


def test_of_two_owners_none_is_chosen() -> None:
    both = {"a": claims(ORGANIZATION, "1", "2"), "b": claims(ORGANIZATION, "1", "3")}
    for previous in ({}, {"1": "a"}, {"1": "b", "3": "b"}):
        derived = derive(dict(both), previous)
        assert derived.lines == previous
        assert len(derived.errors) == 1


def test_a_key_of_two_organizations_keeps_its_line() -> None:
    both = {"a": claims(ORGANIZATION, "1", "2"), "b": claims(OTHER, "1", "3")}
    derived = derive(dict(both), {"1": "b"})
    assert derived.lines == {"1": "b", "2": "a", "3": "b"}
    assert len(derived.errors) == 1
    assert derive(dict(both), {}).lines == {"2": "a", "3": "b"}


def test_a_cell_that_was_not_read_keeps_its_lines() -> None:
    derived = derive({"a": None, "b": claims(OTHER, "3")}, {"1": "a", "2": "b", "4": "removed"})
    assert (derived.lines, derived.errors) == ({"1": "a", "3": "b"}, [])
    derived = derive({"a": None, "b": claims(OTHER, "1")}, {"1": "a"})
    assert derived.lines == {"1": "a"}
    assert len(derived.errors) == 1


def test_differences_are_counted() -> None:
    assert list(differences("The map", {"1": "a"}, {"1": "a"})) == []
    assert len(list(differences("The map", {"1": "a", "2": None, "3": "b"}, {"1": "b", "2": "a", "4": "a"}))) == 3
