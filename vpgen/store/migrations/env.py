"""What Alembic runs around the scripts: it uses the connection, and the transaction, it is given."""

from alembic import context

from vpgen.store import schema_lab  # noqa: F401  # its tables are part of the schema
from vpgen.store.schema import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
