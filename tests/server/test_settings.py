from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from app import settings
from app.settings import SettingsError

ADDRESSES = {
    "database_url": ("DATABASE_URL", "DATABASE_PASSWORD_FILE"),
    "migrate_url": ("LEADS_MIGRATE_URL", "LEADS_MIGRATE_PASSWORD_FILE"),
    "operator_url": ("LEADS_OPERATOR_URL", "LEADS_OPERATOR_PASSWORD_FILE"),
    "worker_url": ("LEADS_WORKER_URL", "LEADS_WORKER_PASSWORD_FILE"),
    "router_url": ("LEADS_ROUTER_URL", "LEADS_ROUTER_PASSWORD_FILE"),
}
URL = "postgresql://leads_api@db.example:5433/leads?sslmode=require"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    file = tmp_path / "password"
    file.write_text("it's a \\ pass@word/ü\n", encoding="utf-8")
    return file


@pytest.mark.parametrize("member", ADDRESSES)
def test_the_password_of_an_address_may_be_in_a_file(member: str, file: Path) -> None:
    url, password_file = ADDRESSES[member]
    result = settings.read({url: URL, password_file: str(file)})
    assert conninfo_to_dict(getattr(result, member)) == {
        "user": "leads_api",
        "password": "it's a \\ pass@word/ü",
        "host": "db.example",
        "port": "5433",
        "dbname": "leads",
        "sslmode": "require",
    }
    assert {getattr(result, other) for other in ADDRESSES if other != member} == {None}


def test_an_address_without_a_file_is_unchanged() -> None:
    assert settings.read({"DATABASE_URL": URL, "DATABASE_PASSWORD_FILE": ""}).database_url == URL


def test_the_file_takes_precedence_over_the_password_in_the_address(file: Path) -> None:
    # which `leads serve` relies on: its server processes get the finished address beside the
    # variable of the file
    once = settings.read({"DATABASE_URL": "postgresql://a:old@h/d", "DATABASE_PASSWORD_FILE": str(file)}).database_url
    assert once is not None
    assert conninfo_to_dict(once)["password"] == "it's a \\ pass@word/ü"
    assert settings.read({"DATABASE_URL": once, "DATABASE_PASSWORD_FILE": str(file)}).database_url == once


@pytest.mark.parametrize(
    ("content", "fault"),
    [(None, "can't be read (No such file or directory)"), (b"\n", "is empty"), (b"\xff\xfe", "isn't text")],
)
def test_a_file_without_a_password_is_refused_by_the_variables_name(
    content: bytes | None, fault: str, tmp_path: Path
) -> None:
    file = tmp_path / "file"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(SettingsError) as caught:
        settings.read({"DATABASE_URL": URL, "DATABASE_PASSWORD_FILE": str(file)})
    assert str(caught.value) == (
        f"DATABASE_PASSWORD_FILE is {str(file)!r}, but that file {fault}. Correct it, or leave it out."
    )


def test_a_file_without_an_address_is_refused(file: Path) -> None:
    with pytest.raises(SettingsError, match=r"^LEADS_MIGRATE_PASSWORD_FILE is set, and LEADS_MIGRATE_URL isn't"):
        settings.read({"LEADS_MIGRATE_PASSWORD_FILE": str(file)})


def test_an_invalid_address_is_refused_without_its_password(file: Path) -> None:
    with pytest.raises(SettingsError, match=r"^DATABASE_URL is not an address") as caught:
        settings.read({"DATABASE_URL": "leads_api:secret@host", "DATABASE_PASSWORD_FILE": str(file)})
    assert "secret" not in str(caught.value)


def test_the_crm_key_may_be_in_a_file(file: Path) -> None:
    assert settings.read({}).crm_key is None
    assert settings.read({"LEADS_CRM_KEY": "a key"}).crm_key == "a key"
    assert settings.read({"LEADS_CRM_KEY_FILE": str(file)}).crm_key == "it's a \\ pass@word/ü"
    with pytest.raises(SettingsError, match="LEADS_CRM_KEY_FILE"):
        settings.read({"LEADS_CRM_KEY_FILE": str(file.with_name("missing"))})


def test_switches_are_read() -> None:
    assert (settings.read({}).has_worker, settings.read({}).allow_loopback_vendors) == (True, False)
    result = settings.read({"LEADS_WORKER": "off", "LEADS_ALLOW_LOOPBACK_VENDORS": "1"})
    assert (result.has_worker, result.allow_loopback_vendors) == (False, True)
    with pytest.raises(SettingsError, match="LEADS_WORKER is 'no', but it must be on or off"):
        settings.read({"LEADS_WORKER": "no"})


def test_times_are_whole_seconds() -> None:
    assert (settings.read({}).drain_seconds, settings.read({}).keep_alive_seconds) == (0, 75)
    result = settings.read({"LEADS_DRAIN_SECONDS": "5", "LEADS_KEEP_ALIVE_SECONDS": "620"})
    assert (result.drain_seconds, result.keep_alive_seconds) == (5, 620)
    with pytest.raises(SettingsError, match="LEADS_KEEP_ALIVE_SECONDS is '0', but it must be a whole number from 1 "):
        settings.read({"LEADS_KEEP_ALIVE_SECONDS": "0"})


def test_server_timing_is_on_by_default() -> None:
    assert settings.read({}).server_timing
    assert not settings.read({"LEADS_SERVER_TIMING": "off"}).server_timing


def test_statements_are_prepared_by_default() -> None:
    assert settings.read({}).prepared_statements
    assert not settings.read({"LEADS_PREPARED_STATEMENTS": "off"}).prepared_statements
    with pytest.raises(SettingsError, match="LEADS_PREPARED_STATEMENTS is '0', but it must be on or off"):
        settings.read({"LEADS_PREPARED_STATEMENTS": "0"})


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("127.0.0.1:9464", ("127.0.0.1", 9464)),
        ("[::1]:0", ("::1", 0)),
        ("metrics.internal:65535", ("metrics.internal", 65535)),
    ],
)
def test_the_address_of_the_metrics(text: str, address: tuple[str, int]) -> None:
    assert settings.read({"LEADS_METRICS": text}).metrics == address


@pytest.mark.parametrize("text", ["9464", ":9464", "127.0.0.1:", "127.0.0.1:65536", "127.0.0.1:x", "127.0.0.1:\u0661"])
def test_an_address_of_the_metrics_that_cannot_be_used(text: str) -> None:
    with pytest.raises(SettingsError, match=r"^LEADS_METRICS is .*such as 127\.0\.0\.1:9464"):
        settings.read({"LEADS_METRICS": text})


def test_the_burst_follows_from_the_rate_limit() -> None:
    def limits(**environ: str) -> tuple[int | None, int]:
        result = settings.read(environ)
        return result.rate_limit, result.rate_burst

    assert limits() == (None, 0)
    assert limits(LEADS_RATE_LIMIT="60") == (60, 120)
    assert limits(LEADS_RATE_LIMIT="60", LEADS_RATE_BURST="10") == (60, 10)
    with pytest.raises(SettingsError, match="LEADS_RATE_BURST is set, and LEADS_RATE_LIMIT isn't"):
        limits(LEADS_RATE_BURST="10")
    for wrong in ("0", "1.5", "-1", "off", "1000001"):
        with pytest.raises(SettingsError, match="LEADS_RATE_LIMIT is"):
            limits(LEADS_RATE_LIMIT=wrong)


def test_replicas_are_separated_by_blanks_or_lines(file: Path) -> None:
    urls = " postgresql://a@one/leads\tpostgresql://a@two/leads\nhost=three dbname=leads user=a\n\n"
    read = settings.read({"DATABASE_REPLICA_URL": urls, "DATABASE_REPLICA_PASSWORD_FILE": str(file)})
    hosts = [conninfo_to_dict(url) for url in read.replica_urls]
    assert [host["host"] for host in hosts] == ["one", "two", "three"]
    assert {host["password"] for host in hosts} == {"it's a \\ pass@word/ü"}
    assert settings.read({"DATABASE_REPLICA_URL": " "}).replica_urls == ()


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ("postgresql://a:secret@one,two/leads", "an address with several hosts"),
        ("host=one,two password=secret", "an address with several hosts"),
        ("postgresql://a:secret@one/leads nonsense=secret", "not a list of addresses"),
    ],
)
def test_a_wrong_replica_is_refused_without_its_password(value: str, fault: str) -> None:
    with pytest.raises(SettingsError, match=f"DATABASE_REPLICA_URL .*{fault}") as error:
        settings.read({"DATABASE_REPLICA_URL": value})
    assert "secret" not in str(error.value)
