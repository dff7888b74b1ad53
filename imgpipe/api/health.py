"""Say whether this process serves, and whether what it needs is there."""

from typing import Any

import marshmallow as ma

from imgpipe import health
from imgpipe.api.http.blueprint import PlainBlueprint
from imgpipe.api.http.scopes import PUBLIC

blp = PlainBlueprint("health", __name__, description="Health, outside the envelope")


class HealthSchema(ma.Schema):
    """`healthy` or `unavailable`, and by part `ok` or `down`."""

    status = ma.fields.String(metadata={"example": "healthy"})
    checks = ma.fields.Dict(
        keys=ma.fields.String(),
        values=ma.fields.String(),
        metadata={"example": {"database": "ok", "storage": "ok", "jobs": "ok"}},
    )
    thumbnails = ma.fields.Dict(
        metadata={
            "description": "how many pictures were given the added sizes",
            "example": {"seen": 1200, "of": 5000},
        }
    )
    captions = ma.fields.Dict(
        metadata={
            "description": "who captions, and why captioning is paused",
            "example": {"provider": "openai", "model": "gpt-4o-mini", "paused": None},
        }
    )


_DOWN = {"status": "unavailable", "checks": {"database": "ok", "storage": "down", "jobs": "ok"}}


@blp.route("/api/health/status", scope=PUBLIC)
@blp.response(200, HealthSchema)
def status() -> dict[str, Any]:
    """Answer while the process serves."""
    return {"status": "healthy"}


@blp.route("/api/health/ready", scope=PUBLIC)
@blp.response(200, HealthSchema)
@blp.alt_response(503, schema=HealthSchema, example=_DOWN)
def ready() -> tuple[dict[str, Any], int]:
    """Ping database, storage and jobs; 503 names what is down."""
    checks = health.check()
    up = all(state == "ok" for state in checks.values())
    told: dict[str, Any] = {"status": "healthy" if up else "unavailable", "checks": checks}
    if checks["database"] == "ok":
        told["captions"] = health.captions()
        told |= {"thumbnails": backfill} if (backfill := health.thumbnails()) else {}
    return told, 200 if up else 503
