"""The description is complete enough to generate clients from, and the page shows all of it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from imgpipe.api import openapi
from imgpipe.doctor.files import ForeignStorage
from imgpipe.errors import ConfigError, ImgpipeError
from tests.factories import AppFactory, upload
from tests.postgres import on_sqlite

pytestmark = on_sqlite
UPLOADS = ("/api/images", "/api/images/analyze-image", "/analyze-image", "/api/frames", "/upload")
BIN = Path(sys.executable).parent
NPM_PACKAGES = ("openapi-typescript@7.13.0", "typescript@5.9.3")
NPM_OPTIONS = ("--no-audit", "--no-fund", "--prefer-offline", "--fetch-retries=1", "--loglevel=error")


def described(client: FlaskClient) -> dict[str, Any]:
    spec: dict[str, Any] | None = client.get("/api/openapi.json").json
    assert spec is not None
    return spec


@pytest.fixture
def spec(client: FlaskClient) -> dict[str, Any]:
    return described(client)


def test_every_operation_has_a_name_of_its_own(spec: dict[str, Any]) -> None:
    names = [operation["operationId"] for operation in openapi.operations(spec)]
    assert len(set(names)) == len(names)
    assert all(name.isidentifier() for name in names)


def test_keys_are_named_and_asked_for_where_they_are(make_app: AppFactory, spec: dict[str, Any]) -> None:
    options = {"IMGPIPE_API_KEYS": "k", "IMGPIPE_PUBLIC_DOCS": "true"}
    shut = described(make_app(**options).test_client())
    assert set(shut["components"]["securitySchemes"]) == {"bearer", "key"}
    for operation in openapi.operations(shut):
        expected: list[dict[str, list[str]]] = (
            [] if "/health/" in operation["path"] else [{"bearer": []}, {"key": []}]
        )
        assert operation["security"] == expected
    assert all({} in one["security"] or not one["security"] for one in openapi.operations(spec))


def test_every_error_code_stands_in_it_with_an_example(spec: dict[str, Any]) -> None:
    leaves = {leaf.code for leaf in ImgpipeError.__subclasses__()} - {ConfigError.code, ForeignStorage.code}
    leaves |= {ImgpipeError.code}
    assert set(spec["components"]["schemas"]["Error"]["properties"]["code"]["enum"]) == leaves
    told = json.dumps(spec["components"]["responses"])
    assert all(f"`{code}`" in told for code in leaves)
    for answer in spec["components"]["responses"].values():
        example = answer["content"]["application/json"]["example"]
        assert example["status"] == "error"
        assert example["code"] in leaves


def test_paths_say_what_goes_into_them(spec: dict[str, Any]) -> None:
    for operation in openapi.operations(spec):
        named = [parameter for parameter in operation["parameters"] if parameter["in"] == "path"]
        assert [f"{{{parameter['name']}}}" in operation["path"] for parameter in named] == [True] * len(named)
        assert operation["path"].count("{") == len(named)
        assert all(parameter["required"] and "example" in parameter["schema"] for parameter in named)
    assert {"{id}", "{log}"} <= set("".join(spec["paths"]).replace("{", " {").replace("}", "} ").split())


def test_forms_name_their_fields_and_which_is_required(spec: dict[str, Any]) -> None:
    for path in UPLOADS:
        schema = spec["paths"][path]["post"]["requestBody"]["content"]["multipart/form-data"]["schema"]
        (required,) = schema["required"]
        assert schema["properties"][required]["format"] == "binary"


def test_binary_answers_are_binary(spec: dict[str, Any]) -> None:
    def kinds(path: str) -> set[str]:
        content = spec["paths"][path]["get"]["responses"]["200"]["content"]
        return {kind for kind, media in content.items() if media["schema"].get("format") == "binary"}

    assert kinds("/api/frames") >= {"image/png", "image/webp", "application/octet-stream"}
    assert kinds("/api/images/{id}/thumbnails/{name}") >= {"image/jpeg", "image/png"}
    assert kinds("/api/exports") >= {"application/zip", "application/x-tar", "application/x-ndjson"}


def test_every_body_and_every_answer_has_an_example_that_says_something(spec: dict[str, Any]) -> None:
    for operation in openapi.operations(spec):
        said = {"the body": operation.get("requestBody", {"content": {}}), **operation["responses"]}
        for where, told in said.items():
            place = f"{operation['method']} {operation['path']}, {where}"
            assert "content" in told or "$ref" in told or where == "204", place
            for kind, media in told.get("content", {}).items():
                assert media.get("example"), f"{place}, {kind}"
                assert '"text"' not in json.dumps(media["example"]).replace('"text":', ""), place


def test_every_answer_that_is_an_error_names_its_codes(spec: dict[str, Any]) -> None:
    for operation in openapi.operations(spec):
        for status, answer in operation["responses"].items():
            if status >= "400" and operation["path"] != "/api/health/ready":
                name = answer["$ref"].removeprefix("#/components/responses/")
                assert spec["components"]["responses"][name]["description"].startswith("`"), name


def test_examples_of_bodies_are_taken_as_they_stand(spec: dict[str, Any], client: FlaskClient) -> None:
    id = upload(client)
    for operation in openapi.operations(spec):
        content = operation.get("requestBody", {"content": {}})["content"]
        if media := content.get("application/json"):
            path = operation["path"].replace("{id}", id)
            answer = client.open(path, method=operation["method"], json=media["example"])
            assert answer.status_code in (200, 201, 202, 409), (path, answer.text)


def test_the_page_shows_fields_required_marks_answers_and_an_error(client: FlaskClient) -> None:
    page = client.get("/api/docs").text
    for told in (
        "data.image_id",
        "data.metadata.width",
        "required",
        "multipart/form-data",
        "image_not_found",
    ):
        assert told in page
    assert page.count("<section id=") == len(list(openapi.operations(described(client)))) + 1
    assert '"request_id"' in page or "&#34;request_id&#34;" in page


@pytest.fixture
def file(spec: dict[str, Any], tmp_path: Path) -> Path:
    path = tmp_path / "openapi.json"
    path.write_text(json.dumps(spec))
    return path


def run(*command: str | Path, folder: Path) -> str:
    """Run a generator; return all that it said, among which is no warning."""
    done = subprocess.run(
        command,
        cwd=folder,
        env=os.environ | {"PATH": f"{BIN}:{os.environ['PATH']}", "NO_COLOR": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    assert "warning" not in done.stdout.lower(), done.stdout
    return done.stdout


@pytest.fixture
def typescript(tmp_path: Path) -> Path:
    """Return openapi-typescript; skip, or fail on CI, where npm cannot fetch it."""
    fetch = ("npm", "install", "--prefix", tmp_path, *NPM_OPTIONS, *NPM_PACKAGES)
    missing = pytest.fail if os.environ.get("CI") == "true" else pytest.skip
    if shutil.which("npm") is None:
        missing("npm is not installed")
    done = subprocess.run(fetch, capture_output=True, text=True, timeout=240, check=False)
    if done.returncode:
        missing(f"npm cannot fetch it: {done.stderr}")
    return tmp_path / "node_modules/.bin/openapi-typescript"


def test_a_python_client_is_generated_without_a_warning(file: Path, tmp_path: Path) -> None:
    program = BIN / "openapi-python-client"
    run(program, "generate", "--path", file, "--output-path", "out", folder=tmp_path)
    assert list(tmp_path.glob("out/*/api/upload/upload_upload.py"))


def test_typescript_types_are_generated_without_a_warning(
    file: Path, typescript: Path, tmp_path: Path
) -> None:
    run(typescript, file, "--output", "types.ts", folder=tmp_path)
    assert "detail_show" in (tmp_path / "types.ts").read_text()
