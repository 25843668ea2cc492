"""The OpenAPI document as Markdown: a small document, and the one that the server returns."""

import re
from typing import Any

import httpx

from app.server import markdown
from tests.support.process import Server

SMALL: dict[str, Any] = {
    "info": {
        "title": "Parcels",
        "version": "2",
        "summary": "Where parcels are.",
        "description": "## Keys\n\nSend one.",
    },
    "servers": [{"url": "/v2"}],
    "tags": [{"name": "Empty"}, {"name": "Parcels", "description": "What is\non its way."}],
    "paths": {
        "/parcels/{id}": {
            "get": {
                "operationId": "get_parcel",
                "tags": ["Parcels"],
                "summary": "Get a parcel",
                "parameters": [
                    {"$ref": "#/components/parameters/id"},
                    {"name": "to", "in": "query", "schema": {"enum": ["a|b", "c"]}},
                    {"name": "by", "in": "query", "schema": {"type": "array", "items": {"enum": ["air", "sea"]}}},
                ],
                "responses": {
                    "200": {
                        "description": "OK.",
                        "headers": {"ETag": {}},
                        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Parcel"}}},
                    },
                    "404": {"description": "`not_found`: No.\n\n`gone`: No more."},
                },
            },
        },
        "/odd": {
            "post": {
                "operationId": "odd",
                "responses": {},
                "requestBody": {
                    "content": {
                        "text/x": {
                            "schema": {
                                "oneOf": [
                                    {"$ref": "#/components/schemas/Parcel"},
                                    {"type": "object", "properties": {"all": {"type": "array", "maxItems": 2}}},
                                ]
                            },
                            "example": 1,
                        }
                    }
                },
            }
        },
    },
    "components": {
        "parameters": {"id": {"name": "id", "in": "path", "required": True, "schema": {"type": "string"}}},
        "schemas": {
            "Parcel": {
                "type": "object",
                "description": "A parcel.",
                "required": ["id"],
                "properties": {
                    "id": {"type": "string", "format": "uuid"},
                    "weight": {"type": ["integer", "null"], "minimum": 1, "x-unit": "g"},
                    "stops": {"type": "array", "items": {"type": "object", "properties": {"at": {"const": "x"}}}},
                },
            }
        },
    },
}


def test_a_small_document() -> None:
    assert (
        markdown.reference(SMALL)
        == """\
# Parcels

Version 2. All paths are below `/v2`.

## Keys

Send one.

## Parcels

What is
on its way.

<a id="get_parcel"></a>

### Get a parcel

`GET /parcels/{id}`

| parameter | in | type | meaning |
| --- | --- | --- | --- |
| `id` | path | string | Required. |
| `to` | query | any | One of `"a\\|b"`, `"c"`. |
| `by` | query | array of any | Each one of `"air"`, `"sea"`. |

**200** OK. Headers: `ETag`.

`application/json`: [Parcel](#parcel)

**404**

- `not_found`: No.
- `gone`: No more.

## Other

<a id="odd"></a>

### /odd

`POST /odd`

**Body**, optional:

`text/x`: [Parcel](#parcel) or object

Schema:

```json
{
  "oneOf": [
    {
      "$ref": "#/components/schemas/Parcel"
    },
    {
      "type": "object",
      "properties": {
        "all": {
          "type": "array",
          "maxItems": 2
        }
      }
    }
  ]
}
```

Example:

```json
1
```

## Objects

### Parcel

A parcel.

| field | type | meaning |
| --- | --- | --- |
| `id` | string (uuid) | Required. |
| `weight` | integer or null | minimum: `1`. x-unit: `"g"`. |
| `stops` | array of object |  |
| `stops[].at` | `"x"` |  |
"""
    )


def test_the_index_has_the_format_of_llms_txt() -> None:
    lines = markdown.index(SMALL).splitlines()
    assert lines[:3] == ["# Parcels", "", "> Where parcels are."]
    assert "- [GET /parcels/{id}](/docs.md#get_parcel): Get a parcel" in lines
    assert [line for line in lines if line.startswith("## ")] == [
        "## Reference",
        "## Parcels",
        "## Other",
        "## Optional",
    ]


def test_the_markdown_contains_the_whole_document(server: Server) -> None:
    document = httpx.get(f"{server.base}/openapi.json").json()
    whole, index = (httpx.get(server.base + path).text for path in ("/docs.md", "/llms.txt"))
    assert whole == markdown.reference(document)
    assert index == markdown.index(document)
    for path, item in document["paths"].items():
        for method, operation in item.items():
            assert f"\n`{method.upper()} {path}`\n" in whole
            assert f"(/docs.md#{operation['operationId']})" in index
            for parameter in operation.get("parameters", ()):
                assert f"| `{parameter.get('name', 'id')}` |" in whole
    for name, schema in document["components"]["schemas"].items():
        chapter = whole.partition(f"\n### {name}\n")[2].partition("\n### ")[0]
        assert {f"`{field}`" for field in schema.get("properties", {})} <= set(re.findall(r"`[^`\n]+`", chapter))
    places = set(re.findall(r'<a id="([^"]+)">', whole)) | {name.lower() for name in document["components"]["schemas"]}
    assert set(re.findall(r"\]\(#([^)]+)\)", whole)) <= places
    assert set(re.findall(r"/docs\.md#([^)]+)\)", index)) <= places


def test_the_constraints_on_the_parts_of_a_value_are_shown(server: Server) -> None:
    whole = httpx.get(f"{server.base}/docs.md").text
    events = whole.partition('<a id="list_audit_events">')[2].partition("<a id=")[0]
    create, signals, batch, value, codes = (
        whole.partition(f"\n### {name}\n")[2].partition("\n### ")[0]
        for name in ("CreateLeadBody", "CreateSignalsBody", "SignalBatch", "SignalValue", "ProblemCode")
    )
    # the rule of a body, a body with two forms, the words of a list,
    # and the limits of one of several types
    assert re.search(r'"required": \[\s+"name",\s+"company"\s+\]', create)
    assert '"$ref": "#/components/schemas/SignalBatch"' in signals
    assert "maxItems: `200`" in batch
    assert re.search(r'\| `source` \| .*Each one of `"api"`, .*`"system"`\.', events)
    assert '"maxLength": 1000' in value
    assert '`"not_found"`' in codes
