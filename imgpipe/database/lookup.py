"""Look up one row by the driver itself: SQLAlchemy takes several times as long around so small a query."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Dialect, Engine, Select

from imgpipe.database.engine import asking, db

Row = Sequence[Any]


@dataclass(frozen=True, slots=True)
class _Spelled:
    """A statement as a driver takes it: its text, and how each value is written, by name or in an order."""

    text: str
    named: bool
    writers: Sequence[tuple[str, Callable[[Any], Any] | None]]

    def write(self, values: Mapping[str, Any]) -> Any:
        written = {name: write(values[name]) if write else values[name] for name, write in self.writers}
        return written if self.named else list(written.values())


class Lookup:
    """Find at most one row by ``statement``, outside of any transaction.

    Its columns are texts and numbers, which need no translation from what the drivers return.
    """

    def __init__(self, statement: "Select[*tuple[Any, ...]]") -> None:
        self._statement = statement
        self._spelled: dict[str, _Spelled] = {}

    def find(self, **values: Any) -> Row | None:
        """Return the row, or None. Raises: what SQLAlchemy raises.

        Where the driver fails, SQLAlchemy asks anew: it knows what is wrong, and whether to connect again.
        """
        engine = db.engine
        try:
            return self._ask(engine, values)
        except engine.dialect.loaded_dbapi.Error:
            with asking() as connection:
                return connection.execute(self._statement, values).one_or_none()

    def _ask(self, engine: Engine, values: Mapping[str, Any]) -> Row | None:
        spelled = self._spelled.get(engine.dialect.dialect_description) or self._spell(engine.dialect)
        connection = engine.raw_connection()
        try:
            rows = _run(engine.dialect, connection.driver_connection, spelled.text, spelled.write(values))
        except BaseException:
            connection.invalidate()
            raise
        finally:
            connection.close()
        return rows[0] if rows else None

    def _spell(self, dialect: Dialect) -> _Spelled:
        compiled = self._statement.compile(dialect=dialect)
        order = compiled.positiontup or list(compiled.binds)
        types = {name: compiled.binds[name].type.dialect_impl(dialect) for name in order}
        writers = [(name, type_.bind_processor(dialect)) for name, type_ in types.items()]
        spelled = _Spelled(str(compiled), not compiled.positional, writers)
        self._spelled[dialect.dialect_description] = spelled
        return spelled


def _run(dialect: Dialect, driver: Any, text: str, values: Any) -> Sequence[Row]:
    """Run a statement without a transaction, which would be two more trips; on SQLite only we begin one."""
    if dialect.name != "sqlite":
        dialect.set_isolation_level(driver, "AUTOCOMMIT")
    cursor = driver.cursor()
    cursor.execute(text, values)
    rows: Sequence[Row] = cursor.fetchall()
    cursor.close()
    if dialect.name != "sqlite":
        dialect.reset_isolation_level(driver)
    return rows
