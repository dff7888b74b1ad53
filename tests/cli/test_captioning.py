"""Captions by the run: told before they cost, tried on a few, gone on with; rewritten and labelled."""

import pytest
from click.testing import Result
from flask import Flask
from flask.testing import FlaskClient

from imgpipe.database.engine import db
from imgpipe.database.models import Image
from imgpipe.datasets import runs
from imgpipe.datasets.runs import Rewriting
from imgpipe.datasets.selection import Selection
from tests.api.test_editing import HUMAN, edit
from tests.captions.provider import SENTENCE, Provider
from tests.factories import AppFactory, jpeg, shown, upload


def call(app: Flask, *arguments: str) -> Result:
    return app.test_cli_runner().invoke(args=["images", *arguments])


@pytest.fixture
def three(make_app: AppFactory) -> list[str]:
    """Return three pictures without captions."""
    client = make_app().test_client()
    return [upload(client, jpeg(40 + n, 30), f"{n}.jpg") for n in range(3)]


@pytest.fixture
def captioning(make_app: AppFactory, provider: Provider) -> Flask:
    """Return an app with a captioner."""
    return make_app(IMGPIPE_CAPTIONER="openai", OPENAI_API_KEY="k", IMGPIPE_CAPTION_URL=provider.openai_url)


def test_a_run_says_first_what_it_costs(captioning: Flask, three: list[str], provider: Provider) -> None:
    result = call(captioning, "caption", "--missing", "--dry-run")
    assert (result.exit_code, result.output.startswith("3 pictures: 3 calls to openai")) == (0, True)
    assert provider.posts == []


def test_a_sample_is_shown_side_by_side_and_not_written(
    captioning: Flask, three: list[str], provider: Provider
) -> None:
    client = captioning.test_client()
    edit(client, three[0], labels=["dog"])
    options = (
        "--prompt",
        "See {labels} in {original_name}.",
        "--model",
        "other",
        "--sample",
        "2",
        "--dry-run",
    )
    result = call(captioning, "caption", "--all", *options)
    assert result.exit_code == 0, result.output
    assert f"{three[0]} 0.jpg\n  is:  \n  new: {SENTENCE}" in result.output
    assert [post.prompt for post in provider.posts] == ["See dog in 0.jpg.", "See  in 1.jpg."]
    assert [shown(client, id)["caption"] for id in three] == [None] * 3


def test_a_run_asks_in_its_own_words_and_keeps_them(
    captioning: Flask, three: list[str], provider: Provider
) -> None:
    client = captioning.test_client()
    edit(client, three[0], caption="Mine.")
    result = call(captioning, "caption", "--all", "--prompt", "Short.", "--model", "m2")
    assert (result.exit_code, "2 pictures are queued." in result.output) == (0, True)
    assert shown(client, three[0])["caption_source"] == HUMAN
    source = shown(client, three[1])["caption_source"]
    assert source == {"provider": "openai", "model": "m2", "prompt": "Short."}
    assert "3 pictures are queued." in call(captioning, "caption", "--all", "--overwrite-human").output
    assert shown(client, three[0])["caption"] == SENTENCE


def test_an_interrupted_run_goes_on_instead_of_beginning_again(
    make_app: AppFactory, captioning: Flask, three: list[str], provider: Provider
) -> None:
    with captioning.app_context():
        run = runs.Run("all", Selection(), {"prompt": "Short."})
        assert run.start() == 3
    result = call(captioning, "caption", "--all", "--prompt", "Short.")
    assert "3 pictures of an interrupted run are still queued" in result.output
    assert len(provider.posts) == 3
    assert "3 pictures are queued." in call(captioning, "caption", "--all", "--prompt", "Short.").output


def test_a_persons_caption_outlives_every_run(
    captioning: Flask, provider: Provider, client: FlaskClient
) -> None:
    image_id = upload(client)
    edit(client, image_id, caption="Mine.")
    with captioning.app_context():
        for _ in range(20):
            assert runs.Run("all", Selection(), {"prompt": "Short."}).start() == 0
    assert provider.posts == []
    assert shown(client, image_id)["caption"] == "Mine."


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_a_thousand_runs_over_two_hundred_captions_by_people_overwrite_none(
    captioning: Flask, provider: Provider, client: FlaskClient
) -> None:
    ids = [upload(client, jpeg(30 + n % 20, 20 + n // 20), f"{n}.jpg") for n in range(200)]
    written = {image_id: f"Number {n}." for n, image_id in enumerate(ids)}
    for image_id, text in written.items():
        edit(client, image_id, caption=text)
    machines = upload(client, jpeg(99, 99))
    for number in range(1000):
        which = ("--all", "--failed", "--missing")[number % 3]
        assert call(captioning, "caption", which, "--prompt", f"Again, {number}.").exit_code == 0
    told = {image_id: shown(client, image_id) for image_id in ids}
    assert {image_id: image["caption"] for image_id, image in told.items()} == written
    assert all(image["caption_source"] == HUMAN for image in told.values())
    assert len(provider.posts) == 334  # of the one that no person wrote for, by every third run
    assert shown(client, machines)["caption"] == SENTENCE


def test_captions_are_rewritten_and_are_a_persons_then(app: Flask, three: list[str]) -> None:
    client = app.test_client()
    edit(client, three[0], caption="a cat", labels=["x"])
    edit(client, three[1], caption="two cats")
    options = ("--prefix", "photo of ", "--suffix", ".", "--replace", "cat", "cats")
    dry = call(app, "caption", *options, "--dry-run")
    assert f"{three[0]} 0.jpg\n  is:  a cat\n  new: photo of a cats." in dry.output
    assert dry.output.splitlines()[-1] == "2 captions would change"
    assert call(app, "caption", *options).output.splitlines()[-1] == "2 captions changed"
    assert call(app, "caption", *options).output.splitlines()[-1] == "0 captions changed"
    assert [shown(client, id)["caption"] for id in three] == ["photo of a cats.", "photo of two cats.", None]
    assert shown(client, three[0])["caption_source"] == HUMAN
    assert (
        call(app, "caption", "--prefix", "my ", "--label", "x").output.splitlines()[-1]
        == "1 captions changed"
    )


def test_a_caption_that_would_be_too_long_is_told_and_stays(app: Flask, three: list[str]) -> None:
    edit(app.test_client(), three[0], caption="x" * 999)
    result = call(app, "caption", "--prefix", "long")
    assert (result.exit_code, "1 failed" in result.output) == (1, True)


@pytest.mark.parametrize(
    ("rewriting", "before", "after"),
    [
        (Rewriting(prefix="a "), "dog", "a dog"),
        (Rewriting(prefix="a "), "a dog", "a dog"),
        (Rewriting(suffix="!"), "dog!", "dog!"),
        (Rewriting(replacements=[("cat", "cats")]), "cat and cats", "cats and cats"),
        (Rewriting(replacements=[("a", ""), ("b", "c")]), "aab", "c"),
    ],
)
def test_rewriting_twice_is_rewriting_once(rewriting: Rewriting, before: str, after: str) -> None:
    assert rewriting.apply(before) == after
    assert rewriting.apply(after) == after


def test_labels_are_put_on_many_and_taken_off(app: Flask, three: list[str]) -> None:
    client = app.test_client()
    assert "3 pictures would change" in call(app, "label", "--all", "--add", "sea, sun", "--dry-run").output
    assert call(app, "label", "--all", "--add", "sea, sun").output.splitlines()[-1] == "3 pictures changed"
    assert call(app, "label", "--id", three[0], "--remove", "sea").exit_code == 0
    assert [shown(client, id)["labels"] for id in three] == [["sun"], ["sea", "sun"], ["sea", "sun"]]
    assert (
        call(app, "label", "--label", "sea", "--add", "wet").output.splitlines()[-1] == "2 pictures changed"
    )
    assert call(app, "label", "--add", "x").exit_code == 2
    assert call(app, "label", "--all").exit_code == 2


def test_the_doctor_gives_old_pictures_their_colour_and_counts_labels_again(
    app: Flask, three: list[str]
) -> None:
    client = app.test_client()
    edit(client, three[0], labels=["sea"])
    with app.app_context():
        for image in db.session.query(Image):
            image.color = image.perceptual_hash = None
        db.session.execute(db.text("DELETE FROM hash_bands"))
        db.session.execute(db.text("UPDATE labels SET pictures = 7"))
        db.session.commit()
    assert app.test_cli_runner().invoke(args=["doctor"]).exit_code == 1
    assert app.test_cli_runner().invoke(args=["doctor", "--fix"]).exit_code == 0
    assert shown(client, three[0])["color"].startswith("#")
    assert client.get("/api/labels").json["data"] == [{"label": "sea", "count": 1}]  # type: ignore[index]
    assert len(client.get(f"/api/images/{three[0]}/similar").json["data"]) == 2  # type: ignore[index]
    assert app.test_cli_runner().invoke(args=["doctor"]).exit_code == 0
