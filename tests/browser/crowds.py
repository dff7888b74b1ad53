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
        (oldest,) = connection.execute("SELECT id FROM images ORDER BY id LIMIT 1").fetchone()
        first = UUID(oldest).int
        ids = (UUID(int=first - 60_000 * (n + 1) * _MILLISECOND) for n in range(count))
        connection.execute("CREATE TEMP TABLE copies (n INTEGER, id TEXT, position INTEGER)")
        rows = ((n, id.hex, position_of(id)) for n, id in enumerate(ids))
        connection.executemany("INSERT INTO copies VALUES (?, ?, ?)", rows)
        own = {"id": "copies.id", "position": "copies.position"}
        told = {
            name: f"replace(:{name}, '{{n}}', n)" if isinstance(value, str) else f":{name}"
            for name, value in changes.items()
        }
        for table, new, where in (
            ("images", own | told, "images.id = :oldest"),
            ("thumbnails", {"image_id": "copies.id"}, "image_id = :oldest AND name = 'medium'"),
        ):
            names = [row[1] for row in connection.execute(f"PRAGMA table_info({table})")]
            values = ", ".join(new.get(name, f"{table}.{name}") for name in names)
            copy = (
                f"INSERT INTO {table} ({', '.join(names)}) SELECT {values} FROM copies, {table} WHERE {where}"
            )
            connection.execute(copy, {"oldest": oldest} | changes)
        status = {"failed": "failed"}.get(str(changes.get("status")), "success")
        connection.execute(
            f"UPDATE tallies SET total = total + {count}, {status} = {status} + {count}"
            " WHERE shard = (SELECT min(shard) FROM tallies)"
        )
