"""The quickstart of the reference works as it is printed."""

import json
import re
import subprocess

import httpx

from tests.setup.test_readme import differences
from tests.support.process import Leads, Server, printed


def test_the_commands_of_the_quickstart_work(server: Server, leads: Leads) -> None:
    text = httpx.get(f"{server.base}/docs.md").text
    assert re.match(
        r"# Leads API\n\nVersion .*\n\nThe Leads API stores the leads of a company: .*\n\n## Quickstart\n", text
    )
    section = text.partition("## Quickstart\n")[2].partition("\n## ")[0]
    blocks = re.findall(r"^```(\w+)\n(.*?)^```", section, re.MULTILINE | re.DOTALL)
    (_, set_up), (_, create), (kind, shown), (_, listing) = blocks
    assert kind == "json"

    create_organization, create_key = set_up.splitlines()
    organization = printed(leads("organizations", "create", create_organization.partition('"')[2].rstrip('"')))
    assert create_key.startswith("leads keys create --organization ID ")
    key = printed(leads(*create_key.replace("ID", organization).split()[1:]))

    own = {"API=https://leads.example.com/api/v1\n": f"API={server.base}/api/v1\n", "KEY=lk_live_…\n": f"KEY={key}\n"}
    for printed_there, here in own.items():
        assert printed_there in create
        create = create.replace(printed_there, here)

    def run(script: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(["bash", "-c", script], capture_output=True, text=True, timeout=120, check=True)

    variables = "".join(create.splitlines(keepends=True)[:2])
    created = json.loads(run(create).stdout)
    expected = json.loads(shown) | dict.fromkeys(("id", "organization_id", "created_at", "updated_at"), "…")
    assert differences(expected, created) == []
    # As the text says, a repetition creates nothing.
    assert json.loads(run(create).stdout) == created
    assert json.loads(run(variables + listing).stdout) == {"data": [created], "next_cursor": None}
