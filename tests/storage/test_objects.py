"""Files in an S3-compatible store: its errors, its addresses, and what travels over real HTTP."""

from collections.abc import Callable, Iterator

import pytest
import requests

from imgpipe.config import load
from imgpipe.errors import ConfigError
from imgpipe.storage.objects import PART_BYTES, URL_S, ObjectStorage
from tests.factories import AppFactory, jpeg, transparent_png, upload
from tests.s3 import ObjectServer, running

KEY = "derivatives/7f/0190a1b2-small.png"


@pytest.fixture(scope="module")
def store() -> Iterator[ObjectServer]:
    with running() as server:
        yield server


@pytest.fixture
def address(store: ObjectServer, monkeypatch: pytest.MonkeyPatch) -> str:
    """Return the address of an empty folder, with the environment set for it."""
    for name, value in store.environ.items():
        monkeypatch.setenv(name, value)
    return store.make_bucket()


@pytest.fixture
def storage(address: str) -> ObjectStorage:
    return ObjectStorage(address)


@pytest.fixture
def signing(address: str) -> ObjectStorage:
    return ObjectStorage(address, signed=True)


def test_what_needs_several_parts_arrives_whole(storage: ObjectStorage) -> None:
    data = bytes(range(256)) * (PART_BYTES // 256 * 2 + 1)
    storage.put(KEY, data)
    with storage.open(KEY) as stream:
        assert stream.read() == data


def test_every_key_is_listed_with_its_age(storage: ObjectStorage) -> None:
    for number in range(3):
        storage.put(f"originals/7f/{number}.jpg", b"x")
    ages = dict(storage.keys())
    assert set(ages) == {f"originals/7f/{number}.jpg" for number in range(3)}
    assert all(-5 < age_s < 60 for age_s in ages.values())


def test_another_prefix_of_the_same_bucket_is_another_storage(storage: ObjectStorage, address: str) -> None:
    storage.put(KEY, b"x")
    assert list(ObjectStorage(f"{address}er").keys()) == []
    bucket = address.removesuffix("/some/folder")
    assert list(dict(ObjectStorage(bucket).keys())) == [f"some/folder/{KEY}"]


def test_a_storage_without_signatures_has_its_bytes_streamed(storage: ObjectStorage) -> None:
    storage.put(KEY, b"x")
    assert storage.url(KEY) is None


def test_a_signed_address_gives_anybody_the_bytes_and_their_type_for_a_while(signing: ObjectStorage) -> None:
    signing.put(KEY, b"some bytes")
    signed = signing.url(KEY)
    assert signed is not None
    assert f"X-Amz-Expires={URL_S}&" in signed
    answer = requests.get(signed, timeout=10)
    assert (answer.content, answer.headers["Content-Type"]) == (b"some bytes", "image/png")


def test_a_store_that_refuses_is_an_os_error_in_every_call(
    storage: ObjectStorage, store: ObjectServer
) -> None:
    storage.put(KEY, b"old")
    calls: list[Callable[[], object]] = [
        lambda: storage.put(KEY, b"new"),
        lambda: storage.open(KEY),
        lambda: storage.read(KEY),
        lambda: storage.delete(KEY),
        lambda: list(storage.keys()),
        storage.ping,
    ]
    with store.refusing():
        for call in calls:
            with pytest.raises(OSError):
                call()
    with storage.open(KEY) as stream:
        assert stream.read() == b"old"


def test_a_store_that_says_nothing_is_an_os_error(storage: ObjectStorage, store: ObjectServer) -> None:
    with store.silent(), pytest.raises(OSError):
        storage.open(KEY)
    storage.ping()


def test_a_bucket_that_does_not_exist_is_a_store_that_is_away_not_a_missing_file(address: str) -> None:
    nowhere = ObjectStorage("s3://no-such-bucket")
    with pytest.raises(OSError):
        nowhere.open(KEY)
    with pytest.raises(OSError):
        nowhere.put(KEY, b"x")


@pytest.mark.parametrize(
    "address", ["s3://", "s3://B", "s3://bucket/a//b", "s3://user:word@bucket/", "gs://bucket"]
)
def test_an_address_that_is_no_bucket_is_refused_at_the_start(address: str) -> None:
    with pytest.raises(ConfigError, match="IMGPIPE_STORAGE"):
        load({"IMGPIPE_STORAGE": address})


def test_thumbnails_and_originals_are_streamed_unless_signed_addresses_are_wanted(
    make_app: AppFactory, address: str
) -> None:
    client = make_app(IMGPIPE_STORAGE=address).test_client()
    data = jpeg()
    image_id = upload(client, data)
    assert client.get(f"/api/images/{image_id}/original").data == data
    thumbnail = client.get(f"/api/images/{image_id}/thumbnails/small", headers={"Range": "bytes=0-1"})
    assert (thumbnail.status_code, thumbnail.data) == (206, b"\xff\xd8")


def test_signed_addresses_send_the_client_to_the_store(make_app: AppFactory, address: str) -> None:
    client = make_app(IMGPIPE_STORAGE=address, IMGPIPE_SIGNED_URLS="true").test_client()
    image_id = upload(client, transparent_png())
    path = f"/api/images/{image_id}/thumbnails/medium"
    sent_on = client.get(path)
    assert sent_on.status_code == 302
    assert sent_on.headers["Cache-Control"] == "private, max-age=60"
    answer = requests.get(sent_on.headers["Location"], timeout=10)
    assert (answer.content[1:4], answer.headers["Content-Type"]) == (b"PNG", "image/png")
    head = client.head(path)
    assert (head.status_code, int(head.headers["Content-Length"])) == (200, len(answer.content))


def test_the_original_keeps_its_name_though_addresses_are_signed(make_app: AppFactory, address: str) -> None:
    client = make_app(IMGPIPE_STORAGE=address, IMGPIPE_SIGNED_URLS="true").test_client()
    image_id = upload(client, jpeg(), "holiday.jpg")
    original = client.get(f"/api/images/{image_id}/original")
    assert (original.status_code, "holiday.jpg" in original.headers["Content-Disposition"]) == (200, True)


def test_a_deleted_picture_leaves_no_object(make_app: AppFactory, address: str) -> None:
    client = make_app(IMGPIPE_STORAGE=address).test_client()
    image_id = upload(client)
    assert client.delete(f"/api/images/{image_id}").status_code == 204
    assert list(ObjectStorage(address).keys()) == []
