"""The address of the metrics."""

import threading
from collections.abc import Iterator

import httpx
import pytest
from prometheus_client.core import GaugeMetricFamily, Metric

from app import metrics
from app.settings import SettingsError
from app.worker.totals import Figure, Totals


def test_it_serves_what_is_registered_until_the_end_of_the_block() -> None:
    def read() -> Iterator[Metric]:
        yield GaugeMetricFamily("some_gauge", "Some text.", value=7)

    with metrics.serving(("127.0.0.1", 0)) as (url, register):
        assert "some_gauge" not in httpx.get(url).text
        register(read)
        response = httpx.get(url)
        assert "\nsome_gauge 7.0\n" in response.text
        assert 'leads_build_info{version="' in response.text
        assert response.headers["content-type"].startswith("text/plain")
    with pytest.raises(httpx.ConnectError):
        httpx.get(url)
    assert "metrics" not in {thread.name for thread in threading.enumerate()}


def test_ipv6() -> None:
    with metrics.serving(("::1", 0)) as (url, _):
        assert url.startswith("http://[::1]:")
        assert httpx.get(url).status_code == 200


@pytest.mark.parametrize("host", ["host.invalid", "192.0.2.1"])
def test_an_address_of_another_machine_is_a_mistake(host: str) -> None:
    with pytest.raises(SettingsError, match=f"LEADS_METRICS is {host}:9464, "), metrics.serving((host, 9464)):
        pass


def test_a_second_process_with_the_address_gets_an_error_that_says_what_to_do() -> None:
    with metrics.serving(("127.0.0.1", 0)) as (url, _):
        port = httpx.URL(url).port
        assert port is not None
        message = f"LEADS_METRICS is 127.0.0.1:{port}, which is in use.*another port"
        with pytest.raises(SettingsError, match=message), metrics.serving(("127.0.0.1", port)):
            pass


def shown(totals: Totals) -> str:
    with metrics.serving(("127.0.0.1", 0)) as (url, register):
        register(metrics.of_worker(totals))
        return httpx.get(url).text


def test_the_figures_of_the_database_vanish_when_it_cannot_be_read() -> None:
    totals = Totals()
    totals.take([Figure("audit_seal_lag_seconds", "", 3), Figure("table_bytes", "app.lead", 8192)])
    text = shown(totals)
    assert "\nleads_database_up 1.0\n" in text
    assert "\nleads_audit_seal_lag_seconds 3.0\n" in text
    assert '\nleads_table_bytes{table="app.lead"} 8192.0\n' in text
    totals.figures = None
    text = shown(totals)
    assert "\nleads_database_up 0.0\n" in text
    assert "leads_audit_seal_lag_seconds" not in text
    assert "leads_table_bytes" not in text


def test_the_oldest_transaction_is_the_one_that_was_seen_for_the_longest_time(monkeypatch: pytest.MonkeyPatch) -> None:
    totals, now = Totals(), [100.0]
    monkeypatch.setattr("time.monotonic", lambda: now[0])
    totals.take([Figure("transaction", "1:700", 1)])
    assert totals.oldest_transaction == 0
    now[0] = 130.0
    totals.take([Figure("transaction", "1:700", 1), Figure("transaction", "2:705", 1)])
    assert totals.oldest_transaction == 30
    now[0] = 140.0
    totals.take([Figure("transaction", "2:705", 1), Figure("transaction", "1:709", 1)])
    assert totals.oldest_transaction == 10
    totals.take([])
    assert totals.oldest_transaction == 0
