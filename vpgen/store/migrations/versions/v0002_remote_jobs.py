"""The journal of paid calls; charges know their call and their experiment, clips the process at work on them."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add the table and the columns that refer to it."""
    op.create_table(
        "remote_job",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("clip_id", sa.String(length=80), nullable=True),
        sa.Column("step_key", sa.Text(), nullable=False),
        sa.Column("stage", sa.String(length=32), nullable=False),
        sa.Column("provider", sa.String(length=64), nullable=False),
        sa.Column("model", sa.String(length=128), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=True),
        sa.Column("handle", sa.JSON(), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("worker", sa.Text(), nullable=False),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("submitted", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint(
            "state IN ('reserved', 'submitting', 'submitted', 'unknown', 'closed')", name=op.f("ck_remote_job_state")
        ),
        sa.CheckConstraint(
            "outcome IN ('succeeded', 'failed', 'refused', 'cancelled', 'bad-output', 'never', 'lost')",
            name=op.f("ck_remote_job_outcome"),
        ),
        sa.ForeignKeyConstraint(["clip_id"], ["clip.id"], name=op.f("fk_remote_job_clip_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_remote_job")),
    )
    op.create_index(op.f("ix_remote_job_provider_model_created"), "remote_job", ["provider", "model", "created"])
    op.create_index(
        "uq_remote_job_open",
        "remote_job",
        ["step_key"],
        unique=True,
        sqlite_where=sa.text("state <> 'closed'"),
        postgresql_where=sa.text("state <> 'closed'"),
    )
    with op.batch_alter_table("clip") as batch:
        batch.add_column(sa.Column("worker", sa.Text(), nullable=True))
    with op.batch_alter_table("charge") as batch:
        batch.add_column(sa.Column("remote_id", sa.Integer(), nullable=True))
        batch.add_column(sa.Column("experiment", sa.String(length=80), nullable=True))
        batch.create_foreign_key(op.f("fk_charge_remote_id"), "remote_job", ["remote_id"], ["id"])
        batch.create_index(op.f("ix_charge_experiment"), ["experiment"])


def downgrade() -> None:
    """Take them away again."""
    with op.batch_alter_table("charge") as batch:
        batch.drop_index(op.f("ix_charge_experiment"))
        batch.drop_constraint(op.f("fk_charge_remote_id"), type_="foreignkey")
        batch.drop_column("experiment")
        batch.drop_column("remote_id")
    with op.batch_alter_table("clip") as batch:
        batch.drop_column("worker")
    op.drop_table("remote_job")
