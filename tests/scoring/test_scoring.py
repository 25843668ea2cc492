"""Scoring over HTTP and on the command line."""

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from decimal import Decimal
from pathlib import Path
from uuid import uuid4
from xml.etree import ElementTree

import pytest

from app.cli import backtest
from tests.support.database import Database, Organization
from tests.support.process import Leads, Server, mistake, printed

MODEL = """\
base = 0.5
rescore_on_signal = true

[groups.intent]
cap = 0.2

[[rules]]
name = "storm_event"
signal = "storm_event"
label = "storm"
weight = 0.30
half_life_hours = 72
group = "intent"

[[rules]]
name = "many_views"
signal = "page_views"
operator = "at_least"
value = 3
label = "many views"
weight = 0.05
"""


ODD_MODEL = """\
base = 0.5
[[rules]] # \'\'\' begins no text here
name = "a"
signal = "a"
label = 'C:\\u0000'
operator = "equals"
value = 0.1234567890123456789012345
weight = 0.01
[[rules]]
weight = 0.02
"""


@pytest.fixture
def acme(new_organization: Callable[..., Organization]) -> Organization:
    """An organization without leads."""
    return new_organization()


@pytest.fixture
def model(tmp_path: Path) -> Callable[[str], str]:
    """Writes a model to a file, and returns its path."""

    def write(text: str) -> str:
        path = tmp_path / "model.toml"
        path.write_text(text)
        return str(path)

    return write


def test_the_reference_case_over_http(server: Server, acme: Organization) -> None:
    with server.client(acme.keys["write"]) as client:
        lead = client.post("/leads", json={"email": "sarah.mitchell@example.com"}).json()["id"]
        signals = [{"type": type} for type in ("storm_event", "phone_validated", "fast_form_completion")]
        assert client.post(f"/leads/{lead}/signals", json={"signals": signals}).status_code == 201
        answer = client.post(f"/leads/{lead}/score")
        assert answer.status_code == 200
        scored_at = client.get(f"/leads/{lead}/scores").json()["data"][0]["created_at"]
        assert answer.text == (
            f'{{"id":"{lead}","lead_score":91,"ai_reasoning":"Recent storm event in service radius (+0.18); phone '
            f'validated (+0.10); fast form completion (+0.08)","scored_at":"{scored_at}"}}'
        )
        assert answer.headers["etag"] == client.get(f"/leads/{lead}").headers["etag"]
        (score,) = client.get(f"/leads/{lead}/scores").json(parse_float=Decimal)["data"]
        assert score["base"] + sum(row["contribution"] for row in score["contributions"]) == Decimal("0.91")
        event = client.get("/audit-log", params={"lead_id": lead, "action": "lead.scored"}).json()["data"][0]
        assert event["payload"]["score_id"] == score["id"]
        assert event["payload"]["diff"]["lead_score"] == {"from": 0, "to": 91}


def test_history_and_signals_are_paged(server: Server, acme: Organization) -> None:
    with server.client(acme.keys["write"]) as client:
        lead = client.post("/leads", json={"email": "ada@example.com"}).json()["id"]
        signals = [{"type": "page_views", "value": number} for number in range(200)]
        created = client.post(f"/leads/{lead}/signals", json={"signals": signals}).json()["data"]
        for number in range(5):
            client.patch(f"/leads/{lead}", json={"lead_score": 10 + number})
        for path, expected in (
            ("signals", [signal["id"] for signal in reversed(created)]),
            ("scores", [14, 13, 12, 11, 10]),
        ):
            rows, url = [], f"/leads/{lead}/{path}?limit={3 if path == 'scores' else 70}"
            while url:
                page = client.get(url)
                rows += [row["id"] if path == "signals" else row["lead_score"] for row in page.json()["data"]]
                url = page.links["next"]["url"].removeprefix("/api/v1") if "next" in page.links else ""
            assert rows == expected
        assert client.post(f"/leads/{lead}/signals", json={"signals": signals + signals[:1]}).status_code == 422


def test_of_fifty_concurrent_signals_with_one_dedupe_key_one_counts(server: Server, acme: Organization) -> None:
    with server.client(acme.keys["write"]) as client:
        lead = client.post("/leads", json={"email": "ada@example.com"}).json()["id"]
        with ThreadPoolExecutor(16) as threads:
            answers = list(
                threads.map(
                    lambda n: client.post(f"/leads/{lead}/signals", json={"type": "v", "value": n, "dedupe_key": "k"}),
                    range(50),
                )
            )
        assert {answer.status_code for answer in answers} == {201}
        assert len({answer.content for answer in answers}) == 1
        assert len(client.get(f"/leads/{lead}/signals").json()["data"]) == 1


def test_concurrent_signals_are_all_in_the_score(
    server: Server,
    database: Database,
    leads: Leads,
    model: Callable[[str], str],
    new_organization: Callable[..., Organization],
) -> None:
    organization = new_organization()
    rules = [f'[[rules]]\nname = "r{n}"\nsignal = "s{n}"\nlabel = "S{n}"\nweight = 0.01\n' for n in range(20)]
    path = model("base = 0.1\nrescore_on_signal = true\n" + "\n".join(rules))
    printed(leads("scoring", "edit", path, "--organization", organization.id))
    printed(leads("scoring", "activate", "--organization", organization.id))
    with server.client(organization.keys["write"]) as client:
        lead = client.post("/leads", json={"email": "ada@example.com"}).json()["id"]
        with ThreadPoolExecutor(10) as threads:
            answers = threads.map(
                lambda n: client.post(f"/leads/{lead}/signals", json={"type": f"s{n}"}).status_code, range(20)
            )
            assert set(answers) == {201}
        assert client.get(f"/leads/{lead}").json()["lead_score"] == 30
        assert len(client.get(f"/leads/{lead}/scores").json()["data"]) == 20


def test_a_model_is_edited_tried_and_activated(
    leads: Leads, server: Server, new_organization: Callable[..., Organization], model: Callable[[str], str]
) -> None:
    organization = new_organization()
    of = ("--organization", organization.id)
    default = printed(leads("scoring", "show", *of))
    assert default.startswith("# default version 1, active\nbase = 0.55\n")
    # The output of show is valid input for edit.
    assert "version 1" in printed(leads("scoring", "edit", model(default), *of)).lower()
    assert printed(leads("scoring", "diff", *of)) == "The draft and the active model are equal."
    assert json.loads(printed(leads("scoring", "edit", model(MODEL), *of, "--json"))) == {"version": 1}
    changes = printed(leads("scoring", "diff", *of)).splitlines()
    assert "-base = 0.55" in changes
    assert "+base = 0.5" in changes
    assert changes[:2] == ["--- default version 1, active", "+++ own version 1, draft"]

    with server.client(organization.keys["write"]) as client:
        lead = client.post("/leads", json={"email": "ada@example.com"}).json()["id"]
        client.post(
            f"/leads/{lead}/signals", json={"signals": [{"type": "storm_event"}, {"type": "page_views", "value": 3}]}
        )
        tried = json.loads(printed(leads("scoring", "try", lead, *of, "--model", model(MODEL), "--json")))[0]
        assert (tried["lead_score"], tried["ai_reasoning"]) == (75, "storm (+0.20); many views (+0.05)")
        assert printed(leads("scoring", "try", lead, *of)).startswith("73  Recent storm event")
        assert printed(leads("scoring", "try", lead, *of, "--as-of", "2020-01-01")).startswith("55  No rule")
        assert client.get(f"/leads/{lead}").json()["lead_score"] == 0

        assert printed(leads("scoring", "activate", *of)) == "Version 1 is active."
        assert client.post(f"/leads/{lead}/score").json()["lead_score"] == 75
    assert "There is no draft. Version 1 is active since" in mistake(leads("scoring", "activate", *of))
    assert "already active" in mistake(leads("scoring", "activate", *of, "--version", "1"))
    printed(leads("scoring", "edit", model(MODEL.replace("0.5\n", "0.4\n")), *of))
    printed(leads("scoring", "activate", *of))
    shown = json.loads(printed(leads("scoring", "show", *of, "--json")))
    assert [(row["model"], row["version"], row["state"]) for row in shown] == [
        ("own", 2, "active"),
        ("own", 1, "retired"),
        ("default", 1, "unused"),
    ]
    printed(leads("scoring", "activate", *of, "--version", "1"))
    assert "base = 0.5\n" in printed(leads("scoring", "show", *of))


@pytest.mark.parametrize(
    ("change", "line", "words"),
    [
        (("base = 0.5", "base = 1.5"), 1, "base: This must be a number from 0 to 1"),
        (("base = 0.5", "base = "), 1, "This is not valid TOML"),
        (('operator = "at_least"', 'operator = "is"'), 18, "operator: The operators are present, absent"),
        (("weight = 0.30", "weight = 3"), 11, "weight: A rule has a weight: a number from -1 to 1"),
        (('name = "many_views"', 'name = "storm_event"'), 16, 'name: Another rule has the name "storm_event".'),
        (('label = "many views"\n', ""), 15, "label: A rule has a label"),
        (("cap = 0.2", "cap = 20"), 5, "cap: A group has a cap"),
        (('group = "intent"', 'group = "other"'), 13, "group: This group does not exist"),
        (("rescore_on_signal = true", "rescore = true"), 2, "rescore: A model has base"),
        (('label = "many views"', 'label = "many\\nviews"'), 20, "label: A rule has a label: one line of"),
        (("base = 0.5", "base = 0.5\nwhen = 1979-05-27"), 1, "A scoring model can't contain a date or time"),
        (("[groups.intent]\ncap = 0.2", "groups.intent.cap = 20"), 4, "cap: A group has a cap"),
        (('label = "storm"', 'label = """\n[[rules]]\nweight = 5\n"""'), 10, "label: A rule has a label: one line of"),
    ],
)
def test_a_mistake_in_a_model_is_reported_with_its_line(
    leads: Leads, acme: Organization, model: Callable[[str], str], change: tuple[str, str], line: int, words: str
) -> None:
    assert change[0] in MODEL
    output = mistake(leads("scoring", "edit", model(MODEL.replace(*change)), "--organization", acme.id))
    place = "model.toml" if "date or time" in words else f"model.toml:{line}"
    assert any(f"{place}: {words}" in sentence for sentence in output.splitlines()), output


def test_other_mistakes_are_reported(leads: Leads, acme: Organization, model: Callable[[str], str]) -> None:
    of = ("--organization", acme.id)
    assert "There is no draft" in mistake(leads("scoring", "diff", *of))
    assert "no such scoring model" in mistake(leads("scoring", "show", *of, "--version", "9"))
    assert "has no lead" in mistake(leads("scoring", "try", str(uuid4()), *of))
    assert "inf or nan" in mistake(leads("scoring", "edit", model("base = nan\nrules = []"), *of))
    assert "date such as 2026-04-27" in mistake(leads("scoring", "try", str(uuid4()), *of, "--as-of", "soon"))
    assert "RANGE" in mistake(leads("scoring", "activate", *of, "--version", "99999999999")).upper()
    assert "Use only one of" in mistake(leads("scoring", "show", *of, "--draft", "--default"))
    assert "nesting is too deep" in mistake(leads("scoring", "edit", model("base = " + "[" * 3000 + "]" * 3000), *of))
    assert "thousands of digits" in mistake(leads("scoring", "edit", model("base = " + "9" * 5000), *of))
    output = mistake(leads("scoring", "edit", model(ODD_MODEL), *of))
    assert {line.partition(":")[2].partition(":")[0] for line in output.splitlines()} == {"9"}
    odd = model(ODD_MODEL.replace("[[rules]]\nweight = 0.02\n", ""))
    assert "Version 1 is the draft" in printed(leads("scoring", "edit", odd, *of))
    assert "NUL" in mistake(leads("scoring", "edit", model('base = "\\u0000"'), *of))
    path = model(MODEL)
    assert "is the model's file" in mistake(leads("scoring", "backtest", "--model", path, *of, "--picture", path))
    assert "can't be written" in mistake(leads("scoring", "backtest", "--model", path, *of, "--picture", "/nowhere/a"))
    assert "There is no organization" in mistake(leads("scoring", "show", "--organization", str(uuid4())))
    assert "nothing to compare" in mistake(leads("scoring", "backtest", "--model", model(MODEL), *of))


def test_a_backtest_prints_its_result_and_draws_the_curve(
    leads: Leads, database: Database, model: Callable[[str], str], tmp_path: Path
) -> None:
    printed(leads("demo"))
    (demo,) = database.sql("select organization_id from app.organization where name = 'Demo Restoration'")
    before = database.sql("select count(*) from scoring.score")
    picture = tmp_path / "curve.svg"
    arguments = ("scoring", "backtest", "--model", model(MODEL), "--organization", str(demo["organization_id"]))
    process = leads(*arguments, "--picture", str(picture), "--json")
    assert process.returncode == 0, process.stderr
    result = json.loads(process.stdout)
    assert result["leads"] == sum(band["leads"] for band in result["calibration"]) > 10
    assert 0.5 < result["auc_in_force"] <= 1
    assert result["higher"] + result["lower"] > 0
    assert database.sql("select count(*) from scoring.score") == before
    assert ElementTree.parse(picture).getroot().tag.endswith("svg")
    output = leads(*arguments, "--picture", str(picture)).stdout
    assert "By the active model:" in output
    assert str(picture) in output


@pytest.mark.parametrize(
    ("scores", "expected"),
    [
        ([(True, 90), (False, 10)], 1.0),
        ([(True, 10), (False, 90)], 0.0),
        ([(True, 50), (False, 50)], 0.5),
        ([(True, 70), (True, 30), (False, 30), (False, 20)], 0.875),
        ([(True, 1)], None),
    ],
)
def test_auc_is_the_probability_that_a_won_lead_has_the_higher_score(
    scores: list[tuple[bool, int]], expected: float | None
) -> None:
    assert backtest.auc(scores) == expected


def test_a_score_of_100_is_in_the_last_band() -> None:
    assert [band["band"] for band in backtest.calibration([(True, 0), (True, 9), (False, 10), (True, 100)])] == [
        "0-9",
        "10-19",
        "90-100",
    ]


def test_a_change_of_one_rule_keeps_the_lines_of_the_others(
    leads: Leads, acme: Organization, model: Callable[[str], str]
) -> None:
    of = ("--organization", acme.id)
    printed(leads("scoring", "edit", model("\ufeff" + MODEL), *of))
    printed(leads("scoring", "activate", *of))
    assert printed(
        leads("scoring", "edit", model(MODEL.replace('"many views"', f'"{"views " * 20}"'.replace(' "', '"'))), *of)
    )
    changed = [line for line in printed(leads("scoring", "diff", *of)).splitlines()[2:] if line[0] in "+-"]
    assert [line.partition(" = ")[0] for line in changed] == ["-label", "+label"]


def test_the_65th_rule_is_refused(leads: Leads, acme: Organization, model: Callable[[str], str]) -> None:
    rules = "".join(f'[[rules]]\nname = "r{n}"\nsignal = "s"\nlabel = "L"\nweight = 0.01\n' for n in range(65))
    output = mistake(leads("scoring", "edit", model(f"base = 0.5\n{rules}"), "--organization", acme.id))
    assert "model.toml:322: rules[64]: A model has at most 64 rules." in output
    rules = rules.removesuffix(rules[rules.rindex("[[") :])
    printed(leads("scoring", "edit", model(f"base = 0.5\n{rules}"), "--organization", acme.id))


def test_concurrent_edits_create_one_draft(leads: Leads, acme: Organization, model: Callable[[str], str]) -> None:
    path = model(MODEL)
    with ThreadPoolExecutor(4) as threads:
        lines = list(
            threads.map(lambda _: printed(leads("scoring", "edit", path, "--organization", acme.id)), range(4))
        )
    assert all(sentence.startswith("Version 1 is the draft") for sentence in lines)
