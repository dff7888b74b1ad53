"""Distinctive secrets in every option that takes one: none is found in what the service says or keeps."""

import json
import os
from base64 import b64decode, b64encode
from collections.abc import Iterator
from urllib.parse import quote

import psutil
import psycopg
import pytest
import requests

from imgpipe import config
from tests import s3
from tests.captions.provider import serve
from tests.factories import jpeg
from tests.postgres import Postgres
from tests.s3 import ObjectServer
from tests.servers import Server, free_port, run, serving
from tests.webhooks.receiver import SECRET as SIGNING
from tests.webhooks.receiver import receiving

KEY = "fullkey-Vb3nTq8RwZ-0001"
SECRETS = {
    "IMGPIPE_API_KEYS": KEY,
    "IMGPIPE_API_KEYS, the second": "fullkey-Jc6mXy2LpD-0002",
    "DATABASE_URL": "dbpass-Kw5hNz9SgF",
    "CELERY_BROKER_URL": "brokerpass-Ht4vQm7XbC",
    "AWS_SECRET_ACCESS_KEY": "awssecret/Pn8cWr3JkY+Zd",
    "HF_API_KEY": "hf_Yd2sLb6GxMtQwErTy",
    "OPENAI_API_KEY": "sk-proj-Rf7kCv1NjHuZaSdF",
    "IMGPIPE_WEBHOOK_SECRET": SIGNING,
    "IMGPIPE_WEBHOOK_SECRET, its key": b64decode(SIGNING.removeprefix("whsec_")).hex(),
    "IMGPIPE_WEBHOOK_URL, its password": "hookpass-Gx9tBs4VqL",
    "IMGPIPE_WEBHOOK_URL, its token": "hunter2",
    "IMGPIPE_CAPTION_URL, its password": "urlpass-Mz1wDk5TnR",
}
pytestmark = pytest.mark.soak
CREATED = "a key that was created"
FAULTS = ("repeat_key", "key_in_caption", "traceback_500", "html_502", "")
Traces = dict[str, bytes]


def options(store: ObjectServer, database: str, provider: str, hook: str) -> dict[str, str]:
    hook = hook.replace("//", f"//user:{SECRETS['IMGPIPE_WEBHOOK_URL, its password']}@")
    return {
        **store.environ,
        "IMGPIPE_STORAGE": store.make_bucket(),
        "IMGPIPE_API_KEYS": f"{KEY},{SECRETS['IMGPIPE_API_KEYS, the second']}",
        "DATABASE_URL": database.replace("postgres@", f"postgres:{SECRETS['DATABASE_URL']}@"),
        "CELERY_BROKER_URL": f"redis://:{SECRETS['CELERY_BROKER_URL']}@127.0.0.1:{free_port()}/0",
        "AWS_SECRET_ACCESS_KEY": SECRETS["AWS_SECRET_ACCESS_KEY"],
        "HF_API_KEY": SECRETS["HF_API_KEY"],
        "OPENAI_API_KEY": SECRETS["OPENAI_API_KEY"],
        "IMGPIPE_CAPTIONER": "openai",
        "IMGPIPE_CAPTION_URL": provider,
        "IMGPIPE_WEBHOOK_URL": hook,
        "IMGPIPE_WEBHOOK_SECRET": SIGNING,
        "IMGPIPE_LOG_LEVEL": "DEBUG",
        "WEB_CONCURRENCY": "1",
    }


class Client:
    """Ask in many ways, and keep every answer."""

    def __init__(self, server: Server, key: str) -> None:
        self._server = server
        self._key = key
        self.heard = b""

    def ask(self, method: str, path: str, key: str | None = None, **more: object) -> requests.Response:
        headers = {"Authorization": f"Bearer {key or self._key}"}
        answer = requests.request(method, self._server.url + path, headers=headers, timeout=60, **more)  # type: ignore[arg-type]
        self.heard += repr(answer.headers).encode() + answer.content
        return answer

    def upload(self, data: bytes) -> str | None:
        answer = self.ask("POST", "/api/images", files={"file": ("a.jpg", data)})
        return answer.json()["data"]["image_id"] if answer.ok else None

    def settle(self, image_id: str | None) -> None:
        """Wait for a picture's caption to be written or given up."""
        self.ask("GET", f"/api/images/{image_id}?wait=30")
        self.ask("GET", f"/api/images/{image_id}/captions")


def create_key(server: Server, environ: dict[str, str]) -> str:
    """Create one as an operator does; it is shown once, which is no leak."""
    done = run("flask --app wsgi keys create team --scope all", server.data_dir, **environ)
    assert done.returncode == 0, done.stdout
    return done.stdout.splitlines()[-1]


def exercise(client: Client, provider: object, store: ObjectServer) -> None:
    """Let things go well, and badly in every way that has a secret near it."""
    for number, fault in enumerate(FAULTS):
        provider.fault = fault  # type: ignore[attr-defined]
        client.settle(client.upload(jpeg(90 + number, 60)))
        client.ask("POST", f"/api/images/{client.upload(jpeg(50, 60 + number))}/retry")
    client.upload(jpeg(80, 60)[:-300])
    client.upload(b"no picture")
    for path in ("/api/openapi.json", "/api/docs", "/metrics", "/api/stats", "/api/images?limit=500", "/"):
        client.ask("GET", path)
    client.ask("GET", "/api/images", key="a-wrong-one")
    client.ask("DELETE", "/api/images/nothing")
    with store.refusing():
        client.upload(jpeg(40, 40))
        client.ask("GET", "/api/health/ready")


def rows(database: str) -> bytes:
    """Return every row of every table as text."""
    with psycopg.connect(database) as connection:
        tables = connection.execute("SELECT tablename FROM pg_tables WHERE schemaname = 'public'").fetchall()
        found = [
            connection.execute(f'SELECT row_to_json(t)::text FROM "{name}" t'.encode()) for (name,) in tables
        ]
        return "\n".join(str(row[0]) for cursor in found for row in cursor).encode()


def titles(server: Server) -> bytes:
    assert server.process is not None
    main = psutil.Process(server.process.pid)
    return repr([process.cmdline() for process in (main, *main.children(recursive=True))]).encode()


def files(server: Server) -> bytes:
    found = [path for path in server.data_dir.rglob("*") if path.is_file()]
    return b"\n".join(path.read_bytes() for path in found)


@pytest.fixture(scope="module")
def found(tmp_path_factory: pytest.TempPathFactory, postgres: Postgres) -> Iterator[tuple[Traces, str]]:
    """Return everything that was said and kept, by where, and the key that was created."""
    postgres.create("secrets")
    folder = tmp_path_factory.mktemp("secrets")
    with s3.running() as store, serve() as provider, receiving() as receiver:
        receiver.answer = lambda number: 500 if number % 3 else 204
        environ = options(store, postgres.url("secrets"), provider.openai_url, receiver.url)
        with serving(folder / "data", **environ) as server:
            created = create_key(server, environ)
            client = Client(server, created)
            exercise(client, provider, store)
            traces = {
                "answers": client.heard,
                "rows": rows(postgres.url("secrets")),
                "titles": titles(server),
                "config": run("flask --app wsgi config", server.data_dir, **environ).stdout.encode(),
                "files and logs": files(server),
                "refusals": failures(folder, environ),
            }
    yield traces, created
    postgres.drop("secrets")


def failures(folder: os.PathLike[str], environ: dict[str, str]) -> bytes:
    """Return what commands say that cannot start for one fault or another near a secret."""
    password = SECRETS["IMGPIPE_CAPTION_URL, its password"]
    nowhere = f"postgresql://user:{SECRETS['DATABASE_URL']}@127.0.0.1:{free_port()}/nothing"
    faults = (
        {"DATABASE_URL": nowhere},
        {
            "DATABASE_URL": nowhere.replace("postgresql", "nonsense"),
            "IMGPIPE_CAPTION_URL": f"http://user:{password}@127.0.0.1/v1",
            "IMGPIPE_WEBHOOK_SECRET": SIGNING[6:],
            "IMGPIPE_WEBHOOK_URL": f"ftp://user:{SECRETS['IMGPIPE_WEBHOOK_URL, its password']}@host/",
            "IMGPIPE_NONSENSE_KEY": KEY,
            "OPENAI_API_KEY": f"{SECRETS['OPENAI_API_KEY']} {SECRETS['OPENAI_API_KEY']}",
            "CELERY_BROKER_URL": f"nonsense://:{SECRETS['CELERY_BROKER_URL']}@127.0.0.1/0",
        },
    )
    said = [run("flask --app wsgi db upgrade", folder / "data", **environ | fault) for fault in faults]  # type: ignore[operator]
    assert all(done.returncode for done in said)
    assert len(said[1].stdout.splitlines()) == len(faults[1])
    return "\n".join(done.stdout for done in said).encode()


def spellings(secret: str) -> Iterator[bytes]:
    """Yield the ways in which a secret may stand somewhere."""
    raw = secret.encode()
    yield from (raw, quote(secret, "").encode(), b64encode(raw).rstrip(b"="), raw.hex().encode())
    yield json.dumps(secret)[1:-1].encode()


@pytest.mark.parametrize("name", [*SECRETS, CREATED])
def test_a_secret_is_found_nowhere(found: tuple[Traces, str], name: str) -> None:
    traces, created = found
    for place, trace in traces.items():
        for spelled in spellings(SECRETS.get(name, created)):
            at = trace.find(spelled)
            assert at < 0, f"{place}: {trace[max(0, at - 80) : at + 40]!r}"


def test_the_hunt_looked_at_what_there_is(found: tuple[Traces, str]) -> None:
    traces, _ = found
    assert b"auth_error" in traces["answers"]
    assert b"unsupported_type" in traces["answers"]
    assert b"webhook not delivered" in traces["files and logs"]
    assert b"webhook delivered" in traces["files and logs"]
    assert b"storage" in traces["files and logs"]
    assert b"gunicorn" in traces["titles"]
    assert b'"stage":' in traces["rows"]
    assert b"DATABASE_URL" in traces["config"]


def test_every_option_that_is_a_secret_is_planted() -> None:
    planted = {name.partition(",")[0] for name in SECRETS}
    assert {it.metadata["variable"] for it in config.entries() if it.metadata["secret"]} <= planted
