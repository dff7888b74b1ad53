"""Fill a gallery with tens of thousands of pictures in a second: copies of one that went the real way."""

import contextlib
from uuid import UUID

from imgpipe.database.models import position_of
from imgpipe.database.sqlitefile import sqlite
from tests.servers import Server

_MILLISECOND = 1 << 80  # of an id, version 7


def multiply(server: Server, count: int, **changes: object) -> None:
    """Copy the oldest picture ``count`` times, each a minute older; ``{n}`` in a change is its number."""
    connection = sqlite.connect(server.data_dir / "imgpipe.db", timeout=30)
    with contextlib.closing(connection), connection:
        connection.row_factory = sqlite.Row
        picture = dict(connection.execute("SELECT * FROM images ORDER BY id LIMIT 1").fetchone())
        medium = dict(
            connection.execute(
                "SELECT * FROM thumbnails WHERE image_id = ? AND name = 'medium'", [picture["id"]]
            ).fetchone()
        )
        ids = [UUID(int=UUID(picture["id"]).int - 60_000 * n * _MILLISECOND) for n in range(1, count + 1)]
        told = (
            {name: value.format(n=n) if isinstance(value, str) else value for name, value in changes.items()}
            for n in range(count)
        )
        copies = [
            picture | new | {"id": id.hex, "position": position_of(id)}
            for id, new in zip(ids, told, strict=True)
        ]
        for table, rows in (
            ("images", copies),
            ("thumbnails", [medium | {"image_id": id.hex} for id in ids]),
        ):
            names = list(rows[0])
            marks = ", ".join(f":{name}" for name in names)
            connection.executemany(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({marks})", rows)
        status = {"failed": "failed"}.get(str(changes.get("status")), "success")
        connection.execute(
            f"UPDATE tallies SET total = total + {count}, {status} = {status} + {count}"
            " WHERE shard = (SELECT min(shard) FROM tallies)"
        )
