"""Internationalized domains: converted as the package ``idna`` converts them, or not at all."""

import random
import unicodedata
from collections.abc import Sequence

import idna

from tests.support.database import Database

DOMAINS = [
    "bücher.example", "BÜCHER.Example", "faß.de", "e\u0301cole.fr", "ＢÜcher.de", "mañana.com", "ştiri.ro", "l·l.cat",
    "例え.jp", "例え。jp", "президент.рф", "ПРЕЗИДЕНТ.РФ", "ελλάδα.gr", "ΕΛΛΆΔΑ.GR", "βόλος.com", "թեստ.հայ",
    "thị-trường.vn", "한국.kr", "ไทย.com", "परीक्षा.com", "مثال.إختبار", "דוגמה.co.il", "台灣.tw",
    "zażółć-gęślą-jaźń.pl",
]  # fmt: skip
SCRIPTS = [
    range(0x61, 0x7B), range(0x41, 0x5B), range(0x30, 0x3A), range(0xC0, 0x180), range(0x300, 0x341),
    range(0x390, 0x3CF), range(0x400, 0x500), range(0x5D0, 0x5EB), range(0x620, 0x64B), range(0x905, 0x93A),
    range(0xE01, 0xE3B), range(0x1EA0, 0x1EFA), range(0x3041, 0x3097), range(0x4E00, 0xA000), range(0xAC00, 0xD7A4),
]  # fmt: skip


def converted(database: Database, domains: Sequence[str]) -> list[str | None]:
    """The domains as PostgreSQL converts them. None: unchanged."""
    rows = database.sql(
        """select nullif(substr(app.ascii_email('a@' || d.domain), 3), d.domain) as domain
        from unnest(%s::text[]) with ordinality as d (domain, position)
        order by d.position""",
        domains,
    )
    return [row["domain"] for row in rows]


def expected(domain: str) -> str | None:
    """The domain as idna converts it. None: it refuses it."""
    try:
        return idna.encode(domain, uts46=True).decode()
    except idna.IDNAError:
        return None


def test_a_domain_is_converted_as_idna_does(database: Database) -> None:
    assert converted(database, DOMAINS) == [expected(domain) for domain in DOMAINS]
    assert None not in map(expected, DOMAINS)


def compared(database: Database, domains: list[str]) -> int:
    """The number of domains that both convert. Each must be converted to the same."""
    same = 0
    for domain, found in zip(domains, converted(database, domains), strict=True):
        wanted = expected(domain)
        if found is not None and wanted is not None:
            assert found == wanted, domain
            same += 1
    return same


def test_no_character_leads_to_another_domain_than_with_idna(database: Database) -> None:
    # Of the scripts whose characters UTS 46 maps, all; of the others, some.
    points = (p for p in range(0x80, 0x20000) if p < 0x600 or 0x1D00 <= p < 0x2200 or p % 16 == 0)
    characters = (chr(point) for point in points)
    domains = [f"a{c}b.de" for c in characters if unicodedata.category(c) not in ("Cn", "Co", "Cs")]
    assert compared(database, domains) > 1000


def test_random_domains_are_converted_as_idna_does(database: Database) -> None:
    chance = random.Random(3492)
    domains = []
    for _ in range(2000):
        scripts = chance.sample(SCRIPTS, 2)
        label = "".join(chr(chance.choice(chance.choice(scripts))) for _ in range(chance.randrange(1, 20)))
        domains.append(label + ".example")
    assert compared(database, domains) > 500
