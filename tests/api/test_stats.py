"""The statistics are right for none, some, failed, retried and deleted pictures."""

from typing import Any

from flask.testing import FlaskClient

from tests.factories import jpeg, upload

BROKEN = jpeg(900, 900)[:9000]


def stats(client: FlaskClient) -> dict[str, Any]:
    data: dict[str, Any] = client.get("/api/stats").json["data"]  # type: ignore[index]
    return data


def test_an_empty_database_has_statistics_too(client: FlaskClient) -> None:
    assert stats(client) == {
        "total_images": 0,
        "successful": 0,
        "failed": 0,
        "processing": 0,
        "success_rate": 0.0,
        "failure_rate": 0.0,
        "average_processing_time_seconds": None,
        "total": 0,
        "success": 0,
        "avg_processing_time_ms": None,
    }


def test_they_count_by_how_pictures_ended_in_percent_of_all(client: FlaskClient) -> None:
    for data in (jpeg(), jpeg(), BROKEN):
        upload(client, data)
    told = stats(client)
    assert (told["total_images"], told["successful"], told["failed"], told["processing"]) == (3, 2, 1, 0)
    assert (told["success_rate"], told["failure_rate"]) == (66.7, 33.3)
    assert (told["total"], told["success"]) == (3, 2)
    assert told["average_processing_time_seconds"] == round(told["avg_processing_time_ms"] / 1000, 3)


def test_a_deleted_picture_counts_no_more(client: FlaskClient) -> None:
    for data in (jpeg(), BROKEN):
        client.delete(f"/api/images/{upload(client, data)}")
    told = stats(client)
    assert (told["total"], told["success"], told["failed"]) == (0, 0, 0)
    assert told["avg_processing_time_ms"] is None


def test_a_retried_picture_counts_once(client: FlaskClient) -> None:
    image_id = upload(client, BROKEN)
    client.post(f"/api/images/{image_id}/retry")
    told = stats(client)
    assert (told["total"], told["failed"], told["processing"]) == (1, 1, 0)
