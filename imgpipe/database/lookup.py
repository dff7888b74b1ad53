"""Look rows up by the driver itself: SQLAlchemy takes several times as long around so small a query."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import Dialect, Engine, Select
from sqlalchemy.exc import OperationalError
from sqlalchemy.types import TypeEngine

from imgpipe.database.engine import asking, db
from imgpipe.database.pool import Pool

Row = Sequence[Any]
Translate = Callable[[Any], Any]


@dataclass(slots=True)
class _Spelled:
    """A statement as a driver takes it: its text, its values, by name or in an order, and its rows."""

    text: str
    order: Sequence[str] | None
    own: Mapping[str, Any]
    writers: Mapping[str, Translate]
    types: Sequence[TypeEngine[Any]]
    readers: Sequence[Translate | None] | None = None

    def write(self, values: Mapping[str, Any]) -> Any:
        values = {**self.own, **values}
        written = {name: write(values[name]) for name, write in self.writers.items()}
        return written if self.order is None else [written[name] for name in self.order]

    def read(self, dialect: Dialect, cursor: Any) -> Sequence[Row]:
        """Translate all rows by columns, whose codes the driver tells the first time."""
        if self.readers is None:
            pairs = zip(self.types, (column[1] for column in cursor.description), strict=True)
            self.readers = [type_.result_processor(dialect, code) for type_, code in pairs]
        rows: Sequence[Row] = cursor.fetchall()
        if not any(self.readers):
            return rows
        columns = zip(self.readers, zip(*rows, strict=True), strict=False)  # without rows there are none
        return [*zip(*(map(read, column) if read else column for read, column in columns), strict=True)]


class Lookup:
    """Find rows by ``statement``, outside of any transaction."""

    def __init__(self, statement: "Select[*tuple[Any, ...]]") -> None:
        self._statement = statement
        self._spelled: dict[str, _Spelled] = {}

    def find(self, **values: Any) -> Row | None:
        """Return the first row, or None. Raises: as ``find_all`` does."""
        rows = self.find_all(db.engine, values)
        return rows[0] if rows else None

    def find_all(self, engine: Engine, values: Mapping[str, Any]) -> Sequence[Row]:
        """Return all rows. Raises: what SQLAlchemy raises.

        Where the driver fails, SQLAlchemy asks anew: it knows what is wrong, and whether to connect again.
        """
        try:
            return self._ask(engine, values)
        except engine.dialect.loaded_dbapi.Error:
            with asking(engine) as connection:
                return connection.execute(self._statement, values).all()

    def _ask(self, engine: Engine, values: Mapping[str, Any]) -> Sequence[Row]:
        spelled = self._spelled.get(engine.dialect.dialect_description) or self._spell(engine.dialect)
        pool = cast(Pool, engine.pool)
        try:
            lent = pool.lend()
        except engine.dialect.loaded_dbapi.OperationalError as error:  # to ask anew were to wait anew
            raise OperationalError("connect", None, error) from error
        try:
            return _run(engine.dialect, lent.driver_connection, spelled, values)
        except BaseException:
            lent.invalidate()
            raise
        finally:
            pool.take_back(lent)

    def _spell(self, dialect: Dialect) -> _Spelled:
        compiled = self._statement.compile(dialect=dialect)
        binds = {name: bind.type.dialect_impl(dialect) for bind, name in compiled.bind_names.items()}
        columns = [column.type.dialect_impl(dialect) for column in self._statement.selected_columns]
        spelled = _Spelled(
            text=str(compiled),
            order=compiled.positiontup,
            own=compiled.params,
            writers={name: type_.bind_processor(dialect) or _as_it_is for name, type_ in binds.items()},
            types=columns,
        )
        self._spelled[dialect.dialect_description] = spelled
        return spelled


def _as_it_is(value: Any) -> Any:
    return value


def _run(dialect: Dialect, driver: Any, spelled: _Spelled, values: Mapping[str, Any]) -> Sequence[Row]:
    """Run a statement without a transaction, which would be two more trips; on SQLite only we begin one."""
    if dialect.name != "sqlite":
        dialect.set_isolation_level(driver, "AUTOCOMMIT")
    cursor = driver.cursor()
    cursor.execute(spelled.text, spelled.write(values))
    rows = spelled.read(dialect, cursor)
    cursor.close()
    if dialect.name != "sqlite":
        dialect.reset_isolation_level(driver)
    return rows
