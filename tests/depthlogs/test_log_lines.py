"""Each upload into a depth log leaves one line: stored, or refused with its code."""

from pathlib import Path

from flask.testing import FlaskClient


def send(client: FlaskClient, data: bytes) -> int:
    return client.post("/api/frames?log=well-7", data=data, content_type="text/csv").status_code


def test_a_csv_that_is_stored_and_one_that_is_refused_are_told_with_the_name_of_their_log(
    client: FlaskClient, tmp_path: Path
) -> None:
    assert send(client, b"depth,a\n1.0,7\n") == 201
    assert send(client, b"depth,a\n1.0,256\n") == 400
    told = (tmp_path / "logs" / "app.log").read_text()
    assert "depth log well-7: stored, " in told
    assert "depth log well-7: refused, invalid_csv, " in told
