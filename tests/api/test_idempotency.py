"""A request that comes again is answered again and done once; a body that is not what it says is refused."""

import base64
import hashlib
import io
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from imgpipe.api.http.idempotency import _KEY
from tests.conftest import Clock
from tests.factories import AppFactory, jpeg, upload

PICTURE = jpeg(90, 60)


def send(client: FlaskClient, key: str | None, data: bytes = PICTURE, **query: Any) -> TestResponse:
    """Send a picture as a plain body."""
    headers = {"Idempotency-Key": key} if key is not None else {}
    return client.post(
        "/api/images", data=data, headers=headers, content_type="image/jpeg", query_string=query
    )


def total(client: FlaskClient) -> int:
    found: int = client.get("/api/stats").get_json()["data"]["total"]
    return found


def test_the_second_time_the_first_answer_comes_and_no_second_picture(client: FlaskClient) -> None:
    first, second = send(client, "a"), send(client, "a")
    assert (first.status_code, second.status_code) == (202, 202)
    assert first.json == second.json
    assert second.headers["Location"] == first.headers["Location"]
    assert "Idempotent-Replayed" not in first.headers
    assert second.headers["Idempotent-Replayed"] == "true"
    assert total(client) == 1


def test_without_a_key_two_of_the_same_are_two(client: FlaskClient) -> None:
    send(client, None)
    send(client, None)
    assert total(client) == 2


def test_another_body_name_or_label_under_the_key_is_refused(client: FlaskClient) -> None:
    send(client, "a", name="x.jpg")
    for other in (
        send(client, "a", jpeg(91, 60), name="x.jpg"),
        send(client, "a", name="y.jpg"),
        send(client, "a", name="x.jpg", labels="cat"),
    ):
        assert (other.status_code, other.get_json()["code"]) == (400, "idempotency_mismatch")
    assert total(client) == 1


def test_the_boundary_of_a_form_makes_no_difference(client: FlaskClient) -> None:
    answers = [
        client.post(
            "/api/images",
            data=b"".join(
                (
                    f"--{boundary}\r\nContent-Disposition: form-data; ".encode(),
                    b'name="file"; filename="a.jpg"\r\n\r\n',
                    PICTURE,
                    f"\r\n--{boundary}--\r\n".encode(),
                )
            ),
            content_type=f"multipart/form-data; boundary={boundary}",
            headers={"Idempotency-Key": "form"},
        )
        for boundary in ("one", "another")
    ]
    assert [answer.status_code for answer in answers] == [202, 202]
    assert answers[0].json == answers[1].json
    assert total(client) == 1


def test_an_answer_is_given_again_after_a_delete_and_after_a_restart(
    make_app: AppFactory,
) -> None:
    client = make_app().test_client()
    first = send(client, "a")
    client.delete(f"/api/images/{first.get_json()['data']['image_id']}")
    again = send(make_app().test_client(), "a")
    assert again.json == first.json
    assert total(client) == 0


def test_after_a_day_the_key_is_free(client: FlaskClient, service_clock: Clock) -> None:
    first = send(client, "a")
    service_clock.advance(24 * 3600 + 1)
    second = send(client, "a")
    assert first.get_json()["data"]["image_id"] != second.get_json()["data"]["image_id"]


def test_after_an_error_the_key_is_free(client: FlaskClient) -> None:
    assert send(client, "a", b"no picture").status_code == 400
    assert send(client, "a").status_code == 202


def test_a_key_belongs_to_one_route(client: FlaskClient) -> None:
    image_id = send(client, "a").get_json()["data"]["image_id"]
    comment = client.post(
        f"/api/images/{image_id}/comments", json={"text": "x"}, headers={"Idempotency-Key": "a"}
    )
    assert comment.status_code == 201


def test_a_key_belongs_to_one_api_key(make_app: AppFactory) -> None:
    client = make_app(IMGPIPE_API_KEYS="alpha,beta").test_client()
    ids = set()
    for key in ("alpha", "beta"):
        answer = client.post(
            "/api/images",
            data=PICTURE,
            content_type="image/jpeg",
            headers={"Idempotency-Key": "same", "X-API-Key": key},
        )
        ids.add(answer.get_json()["data"]["image_id"])
    assert len(ids) == 2


def test_a_comment_is_made_once(client: FlaskClient) -> None:
    image_id = upload(client)
    headers = {"Idempotency-Key": "c"}
    first, second = (
        client.post(f"/api/images/{image_id}/comments", json={"text": "Where?"}, headers=headers)
        for _ in range(2)
    )
    assert (first.status_code, second.status_code, first.json) == (201, 201, second.json)
    assert len(client.get(f"/api/images/{image_id}/comments").get_json()["data"]) == 1


def test_a_comment_on_another_picture_is_another_request(client: FlaskClient) -> None:
    ids = [upload(client, jpeg(width, 60)) for width in (80, 81)]
    answers = [
        client.post(f"/api/images/{id}/comments", json={"text": "x"}, headers={"Idempotency-Key": "c"})
        for id in ids
    ]
    assert [answer.status_code for answer in answers] == [201, 400]


def test_the_routes_of_older_services_take_keys_too(client: FlaskClient) -> None:
    for path in ("/analyze-image", "/api/images/analyze-image"):
        before = total(client)
        for _ in range(2):
            body = {"img": base64.b64encode(PICTURE).decode()}
            response = client.post(path, json=body, headers={"Idempotency-Key": "old"})
            assert response.status_code in (200, 202)
        assert total(client) == before + 1


def analyze(client: FlaskClient, data: bytes = PICTURE) -> TestResponse:
    path, headers = "/api/images/analyze-image", {"Idempotency-Key": "old"}
    return client.post(path, data=data, headers=headers, content_type="image/jpeg")


def test_an_answer_that_was_waited_for_is_given_again_after_a_delete_too(client: FlaskClient) -> None:
    first = analyze(client)
    client.delete(f"/api/images/{client.get('/api/images').get_json()['data'][0]['image_id']}")
    second = analyze(client)
    assert (first.status_code, second.status_code, first.json) == (200, 200, second.json)
    assert "Idempotent-Replayed" not in first.headers
    assert second.headers["Idempotent-Replayed"] == "true"
    assert total(client) == 0


def test_after_a_wait_that_ends_in_an_error_the_key_is_free(client: FlaskClient) -> None:
    whole = jpeg(600, 400)
    assert analyze(client, whole[: len(whole) // 2]).status_code == 400
    assert total(client) == 1
    assert analyze(client).status_code == 200


def test_eight_at_once_under_one_key_make_one_picture(app: Flask, client: FlaskClient) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: send(app.test_client(), "race"), range(8)))
    assert {answer.status_code for answer in answers} == {202}
    assert len({answer.get_json()["data"]["image_id"] for answer in answers}) == 1
    assert total(client) == 1
    assert sum("Idempotent-Replayed" not in answer.headers for answer in answers) == 1


@pytest.mark.parametrize("key", ["", "x" * 256, "tab\there", "ümlaut"])
def test_a_key_that_is_none_is_refused(client: FlaskClient, key: str) -> None:
    assert not _KEY.fullmatch(key)
    response = send(client, key.encode().decode("latin-1"))
    assert (response.status_code, response.get_json()["code"]) == (400, "invalid_parameter")
    assert total(client) == 0


def digest_of(data: bytes) -> str:
    return f"sha-256=:{base64.b64encode(hashlib.sha256(data).digest()).decode()}:"


@pytest.mark.parametrize(
    ("told", "status"),
    [
        (digest_of(PICTURE), 202),
        (f"sha-512=:AAAA:, {digest_of(PICTURE)}", 202),
        ("sha-512=:AAAA:", 202),
        (digest_of(b"another"), 400),
        ("sha-256=:%%%:", 400),
        ("sha-256=", 400),
    ],
)
def test_a_body_is_compared_with_its_digest(client: FlaskClient, told: str, status: int) -> None:
    response = client.post(
        "/api/images", data=PICTURE, content_type="image/jpeg", headers={"Content-Digest": told}
    )
    assert response.status_code == status
    assert total(client) == (status == 202)
    if status == 400:
        assert response.get_json()["code"] == "digest_mismatch"


def test_the_digest_of_a_form_is_that_of_the_whole_form(client: FlaskClient) -> None:
    head = b'--b\r\nContent-Disposition: form-data; name="file"; filename="a.jpg"\r\n\r\n'
    body = head + PICTURE + b"\r\n--b--\r\n"
    statuses = [
        client.post(
            "/api/images",
            data=body,
            content_type="multipart/form-data; boundary=b",
            headers={"Content-Digest": digest_of(data)},
        ).status_code
        for data in (body, PICTURE)
    ]
    assert statuses == [202, 400]


@pytest.mark.parametrize("kind", ["image/jpeg", "image/png", "application/octet-stream"])
def test_a_plain_body_is_a_picture_whatever_its_type_says(client: FlaskClient, kind: str) -> None:
    response = client.post("/api/images?name=harbour.jpg", data=PICTURE, content_type=kind)
    assert response.status_code == 202
    assert response.get_json()["data"]["original_name"] == "harbour.jpg"


def test_the_name_of_a_plain_body_may_come_in_a_header(client: FlaskClient) -> None:
    headers = {"X-File-Name": "Portr%C3%A4t.jpg"}
    response = client.post("/api/images", data=PICTURE, content_type="image/jpeg", headers=headers)
    assert response.get_json()["data"]["original_name"] == "Porträt.jpg"


def test_an_empty_plain_body_is_no_file(client: FlaskClient) -> None:
    assert send(client, None, b"").get_json()["code"] == "no_file"


CSV_ROWS = b"depth,a,b\n1.0,1,2\n2.0,3,4\n"


def send_csv(client: FlaskClient, key: str, data: bytes = CSV_ROWS, **query: str) -> TestResponse:
    headers = {"Idempotency-Key": key}
    return client.post("/api/frames", data=data, content_type="text/csv", headers=headers, query_string=query)


def uploads(client: FlaskClient, log: str = "default") -> int:
    found: int = client.get(f"/api/frames/logs/{log}").get_json()["data"]["uploads"]
    return found


def test_a_csv_is_stored_once(client: FlaskClient) -> None:
    first, second = send_csv(client, "csv"), send_csv(client, "csv")
    assert (first.status_code, second.status_code, first.json) == (201, 201, second.json)
    assert second.headers["Idempotent-Replayed"] == "true"
    assert uploads(client) == 1


def test_another_csv_or_log_under_the_key_is_refused(client: FlaskClient) -> None:
    send_csv(client, "csv")
    assert send_csv(client, "csv", CSV_ROWS + b"3.0,5,6\n").get_json()["code"] == "idempotency_mismatch"
    assert send_csv(client, "csv", log="other").get_json()["code"] == "idempotency_mismatch"
    assert uploads(client) == 1


def test_a_csv_of_a_form_is_stored_once(client: FlaskClient) -> None:
    for _ in range(2):
        response = client.post(
            "/api/frames",
            data={"file": (io.BytesIO(CSV_ROWS), "a.csv"), "log": "form"},
            headers={"Idempotency-Key": "f"},
        )
        assert response.status_code == 201
    assert uploads(client, "form") == 1


@pytest.mark.parametrize(("data", "status"), [(CSV_ROWS, 201), (b"another", 400)])
def test_a_csv_as_the_body_is_compared_with_its_digest(client: FlaskClient, data: bytes, status: int) -> None:
    response = client.post(
        "/api/frames", data=CSV_ROWS, content_type="text/csv", headers={"Content-Digest": digest_of(data)}
    )
    assert response.status_code == status
    assert client.get("/api/frames/logs/default").status_code == (200 if status == 201 else 404)
