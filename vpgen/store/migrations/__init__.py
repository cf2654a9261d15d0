"""Schema migrations: Alembic scripts under versions/, run on a connection that is already open.

To change the schema: change `vpgen.store.schema`, add the next script to versions/, set
`vpgen.store.database.HEAD` to its revision. The tests hold the three together.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from alembic.util import CommandError

from vpgen.errors import StoreError


def config(connection: sa.Connection | None = None) -> Config:
    """Alembic's configuration, which needs no ini file."""
    result = Config()
    result.set_main_option("script_location", "vpgen.store:migrations")
    result.attributes["connection"] = connection
    return result


def upgrade(connection: sa.Connection, target: str = "head") -> None:
    """Run the scripts that are missing, inside the connection's transaction.

    Raises StoreError for a database of a newer vpgen, or one that is somebody else's.
    """
    where = connection.engine.url.render_as_string(hide_password=True)
    current = MigrationContext.configure(connection).get_current_revision()
    if current is None and set(sa.inspect(connection).get_table_names()) - {"alembic_version"}:
        raise StoreError(
            f"the database {where} holds tables that are not vpgen's", remedy="point vpgen at a database of its own"
        )
    if current is not None:
        try:
            ScriptDirectory.from_config(config()).get_revision(current)
        except CommandError as exc:
            raise StoreError(
                f"the database {where} was written by a newer vpgen (its schema is {current})",
                remedy="upgrade vpgen, or point it at another database",
            ) from exc
    command.upgrade(config(connection), target)
