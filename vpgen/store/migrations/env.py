"""What Alembic runs around the scripts: it uses the connection, and the transaction, it is given."""

from alembic import context

from vpgen.store.schema_lab import Base  # with the tables of both files

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    render_as_batch=True,
    transactional_ddl=True,
)
with context.begin_transaction():
    context.run_migrations()
