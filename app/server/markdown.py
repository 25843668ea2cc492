"""Renders an OpenAPI 3.1 document as Markdown, and as an index for llms.txt (https://llmstxt.org).

The functions are pure. Nothing is left out:
a keyword that this module does not know is shown as JSON.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

Node = Mapping[str, Any]
_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_DEPTH = 4
"""How many levels of nested objects a table shows."""

_SHOWN = {"type", "description", "properties", "required", "items", "$ref", "allOf", "anyOf", "oneOf", "enum", "format"}
_SHOWN |= {"additionalProperties", "const", "example", "examples", "title"}
_PARTS = ("allOf", "anyOf", "oneOf")
_TYPE_KEYWORDS = {"$ref", "format", "type"}


def reference(document: Node) -> str:
    """The reference as Markdown."""
    return "\n\n".join(_parts(document)) + "\n"


def index(document: Node) -> str:
    """The index for llms.txt: a title, a summary, and a link to each operation."""
    info = document["info"]
    lines = [f"# {info['title']}"]
    if summary := info.get("summary"):
        lines += ["", f"> {summary}"]
    chapters = [line.removeprefix("## ") for line in info.get("description", "").splitlines() if line.startswith("## ")]
    lines += [
        "",
        f"Version {info['version']}. There is one Markdown file, which begins with a guide, and one OpenAPI file.",
        "",
        "## Reference",
        "",
        f"- [Reference in Markdown](/docs.md): {', '.join(chapters) or 'the guide'}, and each operation",
        "- [OpenAPI document](/openapi.json): the same content for tools",
    ]
    for tag, operations in _chapters(document):
        lines += ["", f"## {tag['name']}", ""]
        if description := tag.get("description"):
            lines += [_line(description), ""]
        lines += [
            f"- [{method.upper()} {path}](/docs.md#{operation['operationId']}): {_line(operation.get('summary', ''))}"
            for method, path, operation in operations
        ]
    lines += ["", "## Optional", "", "- [Interactive reference](/docs): a page that can send requests"]
    lines += ["- [Changelog](/docs/changelog): what each release changed"]
    return "\n".join(lines) + "\n"


def _parts(document: Node) -> Iterator[str]:
    info = document["info"]
    yield f"# {info['title']}"
    servers = ", ".join(f"`{server['url']}`" for server in document.get("servers", ()))
    yield f"Version {info['version']}. All paths are below {servers}."
    if description := info.get("description"):
        yield description
    for tag, operations in _chapters(document):
        yield f"## {tag['name']}"
        if description := tag.get("description"):
            yield description
        for method, path, operation in operations:
            yield from _operation(document, method, path, operation)
    yield "## Objects"
    for name, schema in document.get("components", {}).get("schemas", {}).items():
        yield f"### {name}"
        if description := schema.get("description"):
            yield description
        if "enum" in schema:
            yield _rules(schema, False, {})
        parts = {word: schema[word] for word in (*_PARTS, "additionalProperties") if schema.get(word)}
        if any(isinstance(part, dict | list) for part in parts.values()):
            yield "Schema:\n\n" + _block(parts)
        yield from _fields(schema)


def _chapters(document: Node) -> Iterator[tuple[Node, list[tuple[str, str, Node]]]]:
    """Each tag with its operations, in the order of the document.
    Tags that are not declared come last.
    """
    by_tag: dict[str, list[tuple[str, str, Node]]] = {}
    for path, item in document["paths"].items():
        for method in _METHODS:
            if method in item:
                tag = next(iter(item[method].get("tags", ())), "Other")
                by_tag.setdefault(tag, []).append((method, path, item[method]))
    declared = {tag["name"]: tag for tag in document.get("tags", ())}
    for name in (*declared, *(name for name in by_tag if name not in declared)):
        if name in by_tag:
            yield declared.get(name, {"name": name}), by_tag[name]


def _operation(document: Node, method: str, path: str, operation: Node) -> Iterator[str]:
    yield f'<a id="{operation["operationId"]}"></a>\n\n### {operation.get("summary", path)}'
    yield f"`{method.upper()} {path}`"
    if description := operation.get("description"):
        yield description
    if parameters := [_resolved(document, parameter) for parameter in operation.get("parameters", ())]:
        rows = [
            (
                f"`{field['name']}`",
                field["in"],
                _type(field["schema"]),
                _rules(field["schema"], field.get("required", False), field),
            )
            for field in parameters
        ]
        yield _table(("parameter", "in", "type", "meaning"), rows)
    if body := operation.get("requestBody"):
        yield f"**Body**, {'required' if body.get('required') else 'optional'}:"
        yield from _content(body.get("content", {}))
    for status, response in operation["responses"].items():
        response = _resolved(document, response)
        headers = [f"`{name}`" for name in response.get("headers", {})]
        # The description of a problem has a paragraph for each code.
        paragraphs = [_line(part) for part in response.get("description", "").split("\n\n")]
        header_line = f"Headers: {', '.join(headers)}." if headers else ""
        if len(paragraphs) == 1:
            yield " ".join(part for part in (f"**{status}**", *paragraphs, header_line) if part)
        else:
            yield f"**{status}** {header_line}".rstrip()
            yield "\n".join(f"- {part}" for part in paragraphs)
        # All problems have the same schema, which is under Objects.
        if status.startswith("2"):
            yield from _content(response.get("content", {}))


def _content(content: Node) -> Iterator[str]:
    types_of: dict[str, list[str]] = {}
    for media_type, media in content.items():
        types_of.setdefault(json.dumps(media), []).append(f"`{media_type}`")
    for media_json, types in types_of.items():
        media = json.loads(media_json)
        schema = media.get("schema", {})
        yield f"{', '.join(types)}: {_type(schema)}"
        if any(word in schema for word in _PARTS):
            yield "Schema:\n\n" + _block(schema)
        yield from _fields(schema)
        examples = [(name, example.get("value")) for name, example in media.get("examples", {}).items()]
        if "example" in media:
            examples.append(("", media["example"]))
        for name, value in examples:
            yield (f"Example, {name}:" if name else "Example:") + "\n\n" + _block(value)


def _block(value: object) -> str:
    return f"```json\n{json.dumps(value, indent=2, ensure_ascii=False)}\n```"


def _fields(schema: Node) -> Iterator[str]:
    rows = list(_rows(schema, "", _DEPTH))
    if rows:
        yield _table(("field", "type", "meaning"), rows)


def _rows(schema: Node, prefix: str, depth: int) -> Iterator[tuple[str, str, str]]:
    for part in schema.get("allOf", ()):
        yield from _rows(part, prefix, depth)
    required = schema.get("required", ())
    for name, field in schema.get("properties", {}).items():
        place = f"{prefix}{name}"
        yield f"`{place}`", _type(field), _rules(field, name in required, field)
        if depth > 1:
            yield from _rows(field, f"{place}.", depth - 1)
            yield from _rows(field.get("items", {}), f"{place}[].", depth - 1)


def _type(schema: Node) -> str:
    """The type of a value, in a few words."""
    if "$ref" in schema:
        name = schema["$ref"].rpartition("/")[2]
        return f"[{name}](#{name.lower()})"
    for word, joint in (("anyOf", " or "), ("oneOf", " or "), ("allOf", " and ")):
        if word in schema:
            alternatives = dict.fromkeys(_type(part) for part in schema[word])
            return joint.join(alternative for alternative in alternatives if alternative != "any") or "any"
    if "const" in schema:
        return f"`{json.dumps(schema['const'])}`"
    types = schema.get("type", "any")
    names = [types] if isinstance(types, str) else list(types)
    each = [
        f"array of {_type(schema['items'])}"
        if name == "array" and "items" in schema
        else f"{name} ({schema['format']})"
        if name == "string" and "format" in schema
        else name
        for name in names
    ]
    return " or ".join(each)


def _code(value: object) -> str:
    return f"`{json.dumps(value, ensure_ascii=False)}`"


def _rules(schema: Node, is_required: bool, described: Node) -> str:
    """The other properties of a value: whether it is required, what it means,
    and its constraints.
    """
    sentences = ["Required."] if is_required else []
    if description := described.get("description"):
        sentences.append(_line(description))
    items = schema.get("items", {})
    sentences += [
        f"{word} of {', '.join(map(_code, one['enum']))}."
        for word, one in (("One", schema), ("Each one", items))
        if "enum" in one
    ]
    sentences += [f"{word}: {_code(value)}." for word, value in schema.items() if word not in _SHOWN]
    # The type names the parts of a value, and not their constraints.
    # The fields of an object have their own rows.
    sentences += [
        f"{word}: {_code(schema[word])}."
        for word in _PARTS
        if any(set(part) - _TYPE_KEYWORDS for part in schema.get(word, ()))
    ]
    if "properties" not in items and set(items) - _TYPE_KEYWORDS - {"enum"}:
        sentences.append(f"items: {_code(items)}.")
    # A parameter has a mapping of named examples, a field of a body has a list.
    examples = described.get("examples")
    example = next((one["value"] for one in examples.values()), None) if isinstance(examples, dict) else None
    if example is None:
        example = next(iter(schema.get("examples", ())), None)
    if example is not None:
        sentences.append(f"Example: {_code(example)}.")
    return " ".join(sentences)


def _table(head: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    lines = [head, ("---",) * len(head), *(tuple(cell.replace("|", "\\|") for cell in row) for row in rows)]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _line(text: str) -> str:
    return " ".join(text.split())


def _resolved(document: Node, node: Node) -> Node:
    """The target of a local reference (RFC 6901)."""
    if "$ref" not in node:
        return node
    target: Any = document
    for step in node["$ref"].removeprefix("#/").split("/"):
        target = target[step.replace("~1", "/").replace("~0", "~")]
    resolved: Node = target
    return resolved
