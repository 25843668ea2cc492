"""The client repeats a request that failed, and each change is made once."""

import uuid
from collections.abc import Callable, Iterator
from contextlib import closing
from functools import partial
from typing import Any

import httpx
import pytest
import stamina

from tests.client import proxy
from tests.client.proxy import Fault, Proxy, answers
from tests.support.database import Database, Organization
from tests.support.process import Server, free_port

AMBIGUOUS: list[Fault] = [
    proxy.closes_before_the_server,
    proxy.sends_half_of_the_request,
    proxy.closes_before_the_response,
    proxy.closes_in_the_head_of_the_response,
    proxy.closes_in_the_body_of_the_response,
    answers(502),
    answers(502, is_forwarded=True),
    answers(503),
    answers(503, "outcome_unknown", is_forwarded=True),
    answers(504, is_forwarded=True),
]
"""The client can't know whether the request was executed."""

REFUSED: list[Fault] = [answers(429, "rate_limited"), answers(503, "unavailable")]

FAULTS = [*AMBIGUOUS, *REFUSED, answers(409, "idempotency_in_progress")]

each_fault = pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.__name__)
each_ambiguous_fault = pytest.mark.parametrize("fault", AMBIGUOUS, ids=lambda fault: fault.__name__)
each_refusal = pytest.mark.parametrize("fault", REFUSED, ids=lambda fault: fault.__name__)


@pytest.fixture
def network(server: Server) -> Iterator[Proxy]:
    with proxy.running(server.base) as running:
        yield running


@pytest.fixture
def no_pauses() -> Iterator[None]:
    with stamina.set_testing(True, attempts=20, cap=True):
        yield


@pytest.fixture
def client(sdk: Any, network: Proxy, acme: Organization, no_pauses: None) -> Iterator[Any]:
    """A client behind the proxy, which makes no pauses."""
    with sdk.Leads(network.base, acme.keys["admin"]) as client:
        yield client


def leads_with(database: Database, email: str) -> list[dict[str, Any]]:
    return database.sql("select name, lead_score from app.lead where email = %s", email)


@each_fault
def test_one_lead_is_created(sdk: Any, client: Any, network: Proxy, database: Database, fault: Fault) -> None:
    network.faults += [fault]
    email = f"{uuid.uuid4().hex}@example.com"
    lead = client.create_lead(sdk.models.CreateLeadBody(email=email, name="Ada"))
    assert (lead.email, leads_with(database, email)) == (email, [{"name": "Ada", "lead_score": 0}])
    assert len(network.exchanges) == 2
    assert len({exchange.header("Idempotency-Key") for exchange in network.exchanges}) == 1


def test_one_lead_is_created_if_everything_fails_in_turn(
    sdk: Any, network: Proxy, acme: Organization, database: Database, no_pauses: None
) -> None:
    network.faults += FAULTS
    with sdk.Leads(network.base, acme.keys["write"], attempts=len(FAULTS) + 1) as client:
        client.create_lead(sdk.models.CreateLeadBody(email="storm@example.com"))
        assert len(leads_with(database, "storm@example.com")) == 1
        client.create_lead(sdk.models.CreateLeadBody(email="storm@example.com"))
    assert len(leads_with(database, "storm@example.com")) == 2  # another call has another key


def test_one_lead_is_created_if_no_response_comes(
    sdk: Any, network: Proxy, acme: Organization, database: Database, no_pauses: None
) -> None:
    network.faults += [proxy.sends_no_response]
    with sdk.Leads(network.base, acme.keys["write"], timeout=3) as client:
        client.create_lead(sdk.models.CreateLeadBody(email="silent@example.com"))
    assert len(leads_with(database, "silent@example.com")) == 1


@each_fault
def test_a_lead_is_changed_once(sdk: Any, client: Any, network: Proxy, database: Database, fault: Fault) -> None:
    lead = client.create_lead(sdk.models.CreateLeadBody(email="changed@example.com"))
    _, headers = client.with_headers(client.get_lead, lead.id)
    network.faults += [fault]
    # With the repeat of an executed change, the tag no longer matches.
    client.update_lead(lead.id, sdk.models.LeadInput(name="Bea"), if_match=headers["ETag"])
    events = database.sql(
        "select id from audit.event where action = 'lead.updated' and payload ->> 'lead_id' = %s", str(lead.id)
    )
    assert len(events) == 1


def test_a_secret_is_not_shown_again(sdk: Any, client: Any, network: Proxy) -> None:
    network.faults += [proxy.closes_before_the_response]
    with pytest.raises(sdk.LeadsError) as error:
        client.create_form(sdk.models.FormInput(name="Contact page"))
    assert (error.value.status, error.value.code) == (409, "secret_already_shown")
    assert len(list(client.pages(client.list_forms))) == 1


@each_ambiguous_fault
def test_without_a_key_a_request_is_not_repeated(
    sdk: Any, client: Any, network: Proxy, database: Database, fault: Fault
) -> None:
    lead = client.create_lead(sdk.models.CreateLeadBody(email="erased@example.com"))
    for send in (
        partial(client.delete_lead, lead.id),
        partial(client.request, "POST", "/leads", json={"email": "raw@example.com"}),
    ):
        network.exchanges.clear()
        network.faults += [fault]
        with pytest.raises((httpx.TransportError, sdk.LeadsError)):
            send()
        assert len(network.exchanges) == 1


@each_refusal
def test_a_refused_request_is_repeated_without_a_key(sdk: Any, client: Any, network: Proxy, fault: Fault) -> None:
    lead = client.create_lead(sdk.models.CreateLeadBody(email="erased@example.com"))
    network.faults += [fault]
    assert client.delete_lead(lead.id).status == "erased"


@each_fault
def test_a_get_is_repeated(sdk: Any, client: Any, network: Proxy, fault: Fault) -> None:
    if fault is FAULTS[-1]:
        pytest.skip("A GET has no idempotency key.")
    network.faults += [fault]
    assert client.get_health().status == "ok"


def test_a_mistake_is_not_repeated(sdk: Any, client: Any, network: Proxy) -> None:
    with pytest.raises(sdk.LeadsError) as error:
        client.create_lead(sdk.models.CreateLeadBody(name="Ada"))
    assert (error.value.status, error.value.code) == (422, "validation_failed")
    assert len(network.exchanges) == 1


def test_the_attempts_are_bounded(sdk: Any, network: Proxy, acme: Organization, no_pauses: None) -> None:
    network.faults += [answers(429, "rate_limited")] * 10
    with sdk.Leads(network.base, acme.keys["read"], attempts=3) as client, pytest.raises(sdk.LeadsError) as error:
        client.get_health()
    assert (error.value.code, error.value.retry_after, len(network.exchanges)) == ("rate_limited", 0.0, 3)


def test_a_server_that_does_not_run_is_an_error(sdk: Any, no_pauses: None) -> None:
    base = f"http://127.0.0.1:{free_port()}"
    with sdk.Leads(base, "lk_test_x", attempts=2) as client, pytest.raises(httpx.ConnectError):
        client.delete_lead(uuid.uuid4())


def test_retry_after_is_respected(sdk: Any, network: Proxy, acme: Organization) -> None:
    network.faults += [answers(429, "rate_limited", retry_after="1")]
    with closing(sdk.Leads(network.base, acme.keys["read"])) as client:
        client.get_health()
    first, second = network.exchanges
    assert second.at - first.at >= 1


def test_a_pause_that_is_too_long_is_an_error(sdk: Any, network: Proxy, acme: Organization) -> None:
    later = "Fri, 31 Dec 2100 23:59:59 GMT"
    network.faults += [answers(503, "unavailable", retry_after="61"), answers(503, retry_after=later)]
    with sdk.Leads(network.base, acme.keys["read"]) as client:
        for code in ("unavailable", "http_503"):
            with pytest.raises(sdk.LeadsError) as error:
                client.get_health()
            assert error.value.code == code
            assert error.value.retry_after >= 61
    assert len(network.exchanges) == 2


def test_the_pauses_grow_and_are_never_equal(sdk: Any, network: Proxy, acme: Organization) -> None:
    network.faults += [answers(502), answers(502)]
    with sdk.Leads(network.base, acme.keys["read"]) as client:
        client.get_health()
    times = [exchange.at for exchange in network.exchanges]
    assert times[1] - times[0] >= 0.5
    assert times[2] - times[1] >= 1


def test_an_export_that_is_cut_off_is_an_error(sdk: Any, client: Any, network: Proxy) -> None:
    for _ in range(3):
        client.create_lead(sdk.models.CreateLeadBody(email="exported@example.com"))

    def cuts_off_the_end(exchange: proxy.Exchange) -> None:
        head, _, body = exchange.forward().partition(b"\r\n\r\n")
        assert b"chunked" in head
        last = body.rindex(b'{"complete"')
        lines = b"".join(line + b"\n" for line in body[:last].split(b"\n") if line.startswith(b"{"))
        exchange.client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(lines), lines))

    for fault in (proxy.closes_in_the_body_of_the_response, cuts_off_the_end):
        network.faults += [fault]
        rows = []
        with pytest.raises(httpx.RemoteProtocolError):
            rows.extend(client.export_leads(email=["exported@example.com"]))
    exports: Callable[..., Iterator[Any]] = client.export_leads
    assert len(list(exports(email=["exported@example.com"]))) == 3
