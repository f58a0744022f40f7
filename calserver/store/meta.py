"""Small facts about the store itself."""

from sqlalchemy import bindparam, select, update

from calserver.store.schema import REVISION, alembic_version, meta
from calserver.store.statements import Connection, Statement, inserting
from calserver.store.tables import SchemaMismatch

_m = meta.c

TABLES = Statement(select(alembic_version.c.version_num))
GET = Statement(select(_m.value).where(_m.key == bindparam("key")))
UPDATE = Statement(update(meta).values(value=bindparam("value")).where(_m.key == bindparam("which")))
INSERT = Statement(inserting(meta))


class SqlMeta:
    """`calserver.store.interface.Meta` on SQL."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def see_tables(self) -> None:
        """Raise `SchemaMismatch` where the tables are not those that the store was opened with."""
        found = self._connection.value(TABLES)
        if found != REVISION:
            raise SchemaMismatch(str(found))

    def get(self, key: str) -> str | None:
        """A value."""
        value: str | None = self._connection.value(GET, key=key)
        return value

    def set(self, key: str, value: str) -> None:
        """Set a value."""
        if not self._connection.run(UPDATE, which=key, value=value):
            self._connection.run(INSERT, key=key, value=value)
