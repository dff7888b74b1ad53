"""Everything looks the same through the shipped nginx, and slow clients stop there."""

import contextlib
import json
import socket
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest
import requests

from imgpipe.settings import Settings
from tests.compose import services
from tests.factories import jpeg, transparent_png
from tests.nginx import proxying
from tests.servers import ROOT, Server, free_port, serving

SEEN = (
    "Accept-Ranges",
    "Cache-Control",
    "Content-Disposition",
    "Content-Length",
    "Content-Range",
    "Content-Type",
    "ETag",
    "Last-Modified",
    "Location",
    "Retry-After",
    "X-Content-Type-Options",
    "X-Request-ID",
)
ID = {"X-Request-ID": "the-id-of-this-request"}
REQUESTS = {
    "whole": {},
    "known": {"If-None-Match": "{etag}"},
    "known-among-others": {"If-None-Match": '"other", {etag}'},
    "unknown": {"If-None-Match": '"other"'},
    "part": {"Range": "bytes=10-19"},
    "end": {"Range": "bytes=-10"},
    "part-of-the-same": {"Range": "bytes=10-19", "If-Range": "{etag}"},
    "part-of-another": {"Range": "bytes=10-19", "If-Range": '"other"'},
    "two-parts": {"Range": "bytes=1-2,5-6"},
    "no-range": {"Range": "lines=1-2"},
    "behind-the-end": {"Range": "bytes=99999999-"},
    "by-date": {"If-Modified-Since": "Fri, 01 Jan 2100 00:00:00 GMT"},
}


@dataclass
class Site:
    """A service, the proxy in front of it, and the same service as it would be without one."""

    service: Server
    plain: Server
    url: str


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """Return what compose.sqlite.yaml runs, with small limits and few threads."""
    folder = tmp_path_factory.mktemp("site")
    few = {"WEB_CONCURRENCY": "1", "IMGPIPE_WEB_THREADS": "2", "IMGPIPE_MAX_UPLOAD_BYTES": "500000"}
    shipped = services("compose.sqlite.yaml", PROXY_MAX_BODY="1m", PROXY_MAX_CSV="4m", **few)
    nginx = shipped["nginx"]
    inside = ("HOST", "PORT", "IMGPIPE_DATA_DIR")  # the container's own places
    environ = {name: value for name, value in shipped["web"].environ.items() if name not in inside} | few
    with serving(folder / "data", **environ) as service:
        upstream, media = f"127.0.0.1:{service.port}", folder / "data" / "media"
        with (
            proxying(nginx.environ, upstream, folder / "nginx", media, nginx.command) as url,
            serving(folder / "data", **few) as plain,
        ):
            yield Site(service, plain, url)


@pytest.fixture(scope="module")
def paths(site: Site) -> dict[str, str]:
    """Return the addresses of stored files of each kind."""
    photo = f"/api/images/{site.service.upload(jpeg(900, 700), 'Bär, groß.jpg')}"
    logo = f"/api/images/{site.service.upload(transparent_png(), 'logo.png')}"
    site.service.await_all_done()
    return {
        "thumbnail": f"{photo}/thumbnails/medium",
        "transparent": f"{logo}/thumbnails/small",
        "original": f"{photo}/original",
        "older": f"/api/thumbnails/thumbnail_{photo.rpartition('/')[2]}.jpg",
        "missing": f"{photo}/thumbnails/huge",
    }


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("headers", REQUESTS.values(), ids=REQUESTS)
@pytest.mark.parametrize("name", ["thumbnail", "transparent", "original", "older", "missing"])
def test_a_stored_file_looks_the_same_through_the_proxy(
    site: Site, paths: dict[str, str], name: str, headers: dict[str, str], method: str
) -> None:
    etag = requests.head(site.plain.url + paths[name], timeout=10).headers.get("ETag", '""')
    sent = ID | {header: value.replace("{etag}", etag) for header, value in headers.items()}
    direct, through = (
        requests.request(method, url + paths[name], headers=sent, timeout=10)
        for url in (site.plain.url, site.url)
    )
    assert (through.status_code, _seen(through)) == (direct.status_code, _seen(direct))
    assert through.content == direct.content


def _seen(response: requests.Response) -> dict[str, str]:
    seen = {name: response.headers[name] for name in SEEN if name in response.headers}
    if response.status_code != 200:
        seen.pop("Accept-Ranges", None)  # which nginx says only there
    return seen


def test_nginx_sends_stored_files_itself(site: Site, paths: dict[str, str]) -> None:
    told = requests.get(site.service.url + paths["thumbnail"], timeout=10)
    assert told.content == b""
    where = told.headers["X-Accel-Redirect"].removeprefix("/protected-media/")
    assert (site.service.data_dir / "media" / where).is_file()
    assert "X-Accel-Redirect" not in requests.get(site.url + paths["thumbnail"], timeout=10).headers


@pytest.mark.parametrize("name", ["X-Accel-Prefix", "X-Accel-Redirect", "X-Sendfile-Type"])
def test_no_header_of_a_client_has_the_service_point_elsewhere(
    site: Site, paths: dict[str, str], name: str
) -> None:
    for url in (site.plain.url, site.url):
        answer = requests.get(url + paths["thumbnail"], headers={name: "/x?"}, timeout=10)
        assert answer.content
        assert "X-Accel-Redirect" not in answer.headers


def test_the_proxy_lets_one_address_ask_only_so_often(site: Site, tmp_path: Path) -> None:
    environ = services("compose.sqlite.yaml", PROXY_RATE="1r/m", PROXY_BURST="2")["nginx"].environ
    command = services("compose.sqlite.yaml")["nginx"].command
    upstream = f"127.0.0.1:{site.plain.port}"
    with proxying(environ, upstream, tmp_path / "nginx", tmp_path, command) as url:
        answers = [requests.get(f"{url}/api/stats", headers=ID, timeout=10) for _ in range(4)]
    assert [answer.status_code for answer in answers] == [200, 200, 200, 503]
    _assert_error(answers[-1], 503, "busy")
    assert answers[-1].headers["Retry-After"] == "1"


def test_stored_files_have_no_address_of_their_own(site: Site) -> None:
    file = next((site.service.data_dir / "media").rglob("*-small.jpg"))
    place = file.relative_to(site.service.data_dir / "media").as_posix()
    for path in (
        f"/protected-media/{place}",
        "/protected-media/../imgpipe.db",
        "/static/../deploy/nginx.conf",
    ):
        _assert_error(_get_as_it_stands(site.url, path), 404, "not_found")


def test_json_is_compressed(site: Site, paths: dict[str, str]) -> None:
    answer = requests.get(f"{site.url}/api/images", timeout=10)
    assert answer.headers["Content-Encoding"] == "gzip"
    assert len(answer.json()["data"]) == 2


def test_nobody_learns_the_version_of_nginx(site: Site) -> None:
    assert requests.get(f"{site.url}/nothing", timeout=10).headers["Server"] == "nginx"


def test_static_files_come_from_nginx_and_are_asked_for_each_time(site: Site) -> None:
    answer = requests.get(f"{site.url}/static/index.html", timeout=10)
    assert answer.content == (ROOT / "static" / "index.html").read_bytes()
    assert answer.headers["Cache-Control"] == "no-cache"
    assert answer.headers["Content-Type"] == "text/html; charset=utf-8"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    known = {"If-None-Match": answer.headers["ETag"]}
    assert requests.get(f"{site.url}/static/index.html", headers=known, timeout=10).status_code == 304


def test_every_static_file_has_the_type_that_the_service_gives_it(site: Site) -> None:
    names = [path.name for path in (ROOT / "static").iterdir()]
    through, direct = (
        {name: requests.get(f"{url}/static/{name}", timeout=10).headers["Content-Type"] for name in names}
        for url in (site.url, site.service.url)
    )
    assert through == direct


@pytest.mark.parametrize("size", [900_000, 3_000_000], ids=["by-the-service", "by-nginx"])
@pytest.mark.parametrize("chunked", [False, True], ids=["announced", "chunked"])
def test_the_refusal_of_a_large_body_is_readable(site: Site, size: int, chunked: bool) -> None:
    form = requests.Request("POST", site.url, files={"file": ("a.jpg", jpeg() + bytes(size))}).prepare()
    assert isinstance(form.body, bytes)
    body = iter([form.body]) if chunked else form.body
    kind = {"Content-Type": form.headers["Content-Type"]}
    answer = requests.post(f"{site.url}/api/images", data=body, headers=ID | kind, timeout=30)
    _assert_error(answer, 413, "too_large")


@pytest.mark.parametrize("path", ["/api/frames", "/api/frames/", "/upload"])
def test_a_depth_log_may_be_larger_than_a_picture(site: Site, path: str) -> None:
    names = ",".join(str(number) for number in range(2000))
    csv = f"depth,{names}\n" + "".join(f"{depth}.5{',123' * 2000}\n" for depth in range(300))
    answer = requests.post(site.url + path, files={"file": ("well.csv", csv)}, timeout=60)
    assert answer.ok, answer.text


def test_while_the_service_is_away_the_page_is_served_and_the_rest_says_so(tmp_path: Path) -> None:
    nginx = services("compose.sqlite.yaml")["nginx"]
    nobody = f"127.0.0.1:{free_port()}"
    with proxying(nginx.environ, nobody, tmp_path / "nginx", tmp_path, nginx.command) as url:
        assert requests.get(f"{url}/static/index.html", timeout=10).ok
        away = requests.get(f"{url}/api/images", headers=ID, timeout=10)
        _assert_error(away, 503, "unavailable")
        assert away.headers["Retry-After"] == "2"


def test_slow_clients_hold_no_thread_of_the_service(site: Site) -> None:
    request = requests.Request("POST", site.url + "/api/images", files={"file": ("a.jpg", jpeg())}).prepare()
    assert isinstance(request.body, bytes)
    lines = [f"POST /api/images HTTP/1.1\r\nHost: {urlsplit(site.url).netloc}\r\nConnection: close"]
    lines += [f"{name}: {value}" for name, value in request.headers.items()]
    head = ("\r\n".join(lines) + "\r\n\r\n").encode()
    with contextlib.ExitStack() as held:
        slow = [held.enter_context(_connected(site.url)) for _ in range(40)]
        for client in slow:
            client.sendall(head + request.body[:-1])
        assert requests.get(f"{site.url}/api/stats", timeout=10).ok
        for client in slow:
            client.sendall(request.body[-1:])
            assert client.recv(12) == b"HTTP/1.1 202"
    assert site.service.await_all_done()["failed"] == 0


def test_the_proxy_lets_through_what_the_service_takes() -> None:
    environ = services("compose.sqlite.yaml")["nginx"].environ
    settings = Settings()
    assert _bytes(environ["PROXY_MAX_BODY"]) >= settings.max_upload_bytes * 4 // 3 + 2**20
    assert _bytes(environ["PROXY_MAX_CSV"]) >= settings.max_csv_bytes + 2**20


def _bytes(size: str) -> int:
    return int(size.removesuffix("m")) * 2**20


def _connected(url: str) -> socket.socket:
    place = urlsplit(url)
    return socket.create_connection((place.hostname, place.port or 80), timeout=30)


def _get_as_it_stands(url: str, path: str) -> requests.Response:
    """Ask for a path with its dots, which any client library would resolve."""
    prepared = requests.Request("GET", url, headers=ID).prepare()
    prepared.url = url + path
    with requests.Session() as session:
        return session.send(prepared, timeout=10)


def _assert_error(answer: requests.Response, status: int, code: str) -> None:
    assert answer.status_code == status
    assert answer.headers["Content-Type"] == "application/json"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    body = json.loads(answer.text)
    assert body.keys() == {"status", "data", "error", "code", "details", "request_id"}
    assert (body["status"], body["data"], body["code"]) == ("error", None, code)
    assert body["request_id"] == answer.headers["X-Request-ID"] == ID["X-Request-ID"]
