"""The README tells what the code has; ``python -m tests.test_readme`` rewrites its tables."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask import Flask

from imgpipe.config import entries
from imgpipe.errors import ConfigError, ImgpipeError
from tests.servers import ROOT

README = ROOT / "README.md"
EXAMPLE = ROOT / ".env.example"
HIDDEN = {"static", "docs.page"}
OLDER = "compat."


def options(app: Flask) -> str:
    rows = [
        f"| `{entry.metadata['variable']}` | {_default(entry.default)} | {entry.metadata['expected']} "
        f"| {entry.metadata['help']} |"
        for entry in entries()
    ]
    return "\n".join(["| variable | default | expected | meaning |", "|---|---|---|---|", *rows])


def _default(value: Any) -> str:
    if isinstance(value, Path):
        return "`instance/`"
    if isinstance(value, tuple):
        value = ",".join(value)
    text = str(value).lower() if isinstance(value, bool) else str(value)
    return f"`{text}`" if text else ""


def example(app: Flask) -> str:
    lines = ["# Copy to .env, which is read from the working directory at the start.", ""]
    for entry in entries():
        variable, default = entry.metadata["variable"], _default(entry.default).strip("`")
        lines += [f"# {entry.metadata['help']} ({entry.metadata['expected']})", f"#{variable}={default}", ""]
    return "\n".join(lines)


def routes(app: Flask) -> str:
    return _routes(app, lambda endpoint: not endpoint.startswith(OLDER))


def older(app: Flask) -> str:
    return _routes(app, lambda endpoint: endpoint.startswith(OLDER))


def _routes(app: Flask, wanted: Callable[[str], bool]) -> str:
    rows = []
    for rule in sorted(app.url_map.iter_rules(), key=lambda rule: _path(rule.rule)):
        if rule.endpoint in HIDDEN or not wanted(rule.endpoint):
            continue
        methods = sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})
        summary = (app.view_functions[rule.endpoint].__doc__ or "").strip().splitlines()[0]
        rows += [f"| `{method} {_path(rule.rule)}` | {summary} |" for method in methods]
    return "\n".join(["| route | what it does |", "|---|---|", *rows])


def _path(rule: str) -> str:
    return re.sub(r"<(?:\w+:)?(\w+)>", r"{\1}", rule)


def errors(app: Flask) -> str:
    leaves = [leaf for leaf in ImgpipeError.__subclasses__() if leaf is not ConfigError]
    every: list[type[ImgpipeError]] = [*leaves, ImgpipeError]
    ordered = sorted(every, key=lambda leaf: (leaf.status, leaf.code))
    rows = [f"| {leaf.status} | `{leaf.code}` | {leaf.sentence} |" for leaf in ordered]
    return "\n".join(["| HTTP | code | sentence |", "|---|---|---|", *rows])


TABLES: dict[str, Callable[[Flask], str]] = {
    "options": options,
    "routes": routes,
    "older": older,
    "errors": errors,
}


def section(name: str) -> str:
    found = re.search(rf"<!-- {name} -->\n(.*?)\n?<!-- /{name} -->", README.read_text(), re.DOTALL)
    assert found, name
    return found[1]


@pytest.mark.parametrize("name", TABLES)
def test_the_readme_tells_what_the_code_has(app: Flask, name: str) -> None:
    assert section(name) == TABLES[name](app), "python -m tests.test_readme rewrites the tables"


def test_the_example_of_an_env_file_has_every_option(app: Flask) -> None:
    assert EXAMPLE.read_text() == example(app), "python -m tests.test_readme rewrites it"


def test_the_readme_shows_only_pictures_that_are_there() -> None:
    shown = re.findall(r"!\[[^\]]*\]\(([^)]+)\)", README.read_text())
    assert shown
    assert [path for path in shown if not (ROOT / path).is_file()] == []


def test_no_document_names_a_machine() -> None:
    documents = [README, ROOT / "CHANGELOG.md", *(ROOT / "docs").glob("*.md")]
    assert not [str(path) for path in documents if re.search(r"/(?:root|home|work)/\w", path.read_text())]


def rewrite(app: Flask) -> None:
    """Put the tables of the code into the README."""
    text = README.read_text()
    for name, make in TABLES.items():
        begin, end = f"<!-- {name} -->\n", f"<!-- /{name} -->"
        before, _, rest = text.partition(begin)
        text = f"{before}{begin}{make(app)}\n{end}{rest.partition(end)[2]}"
    README.write_text(text)
    EXAMPLE.write_text(example(app))


if __name__ == "__main__":
    import tempfile

    from imgpipe import create_app
    from imgpipe.config import load

    with tempfile.TemporaryDirectory() as folder:
        rewrite(create_app(load({"IMGPIPE_DATA_DIR": folder, "IMGPIPE_JOBS": "inline"})))
