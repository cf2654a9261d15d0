"""The first tables: clips, projects and their events, jobs, charges, the outbox."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create every table."""
    op.create_table(
        "clip",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("parent", sa.String(length=80), nullable=True),
        sa.Column("story", sa.Text(), nullable=False),
        sa.Column("config_name", sa.Text(), nullable=False),
        sa.Column("config_hash", sa.Text(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("seconds", sa.Float(), nullable=True),
        sa.Column("manifest", sa.Text(), nullable=True),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("completed", sa.DateTime(timezone=True), nullable=True),
        sa.CheckConstraint("kind IN ('preview', 'final')", name=op.f("ck_clip_kind")),
        sa.CheckConstraint("state IN ('running', 'completed', 'failed', 'rejected')", name=op.f("ck_clip_state")),
        sa.ForeignKeyConstraint(["parent"], ["clip.id"], name=op.f("fk_clip_parent")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_clip")),
    )
    op.create_index(op.f("ix_clip_created"), "clip", ["created"], unique=False)
    op.create_table(
        "outbox",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("payload", sa.JSON(), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("next_try", sa.DateTime(timezone=True), nullable=False),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_outbox")),
    )
    op.create_index(op.f("ix_outbox_kind_next_try"), "outbox", ["kind", "next_try"], unique=False)
    op.create_table(
        "project",
        sa.Column("id", sa.String(length=80), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=True),
        sa.Column("story", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("config", sa.Text(), nullable=False),
        sa.Column("seed", sa.BigInteger(), nullable=False),
        sa.Column("prompt", sa.JSON(), nullable=True),
        sa.Column("preview_clip", sa.String(length=80), nullable=True),
        sa.Column("final_clip", sa.String(length=80), nullable=True),
        sa.Column("approved", sa.DateTime(timezone=True), nullable=True),
        sa.Column("job_id", sa.Integer(), nullable=True),
        sa.Column("created", sa.DateTime(timezone=True), nullable=False),
        sa.Column("updated", sa.DateTime(timezone=True), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.CheckConstraint(
            "state IN ('draft', 'planning', 'planned', 'previewing', 'completed')", name=op.f("ck_project_state")
        ),
        sa.ForeignKeyConstraint(["final_clip"], ["clip.id"], name=op.f("fk_project_final_clip")),
        sa.ForeignKeyConstraint(["preview_clip"], ["clip.id"], name=op.f("fk_project_preview_clip")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_project")),
        sa.UniqueConstraint("name", name=op.f("uq_project_name")),
    )
    op.create_table(
        "job",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.String(length=80), nullable=True),
        sa.Column("clip_id", sa.String(length=80), nullable=True),
        sa.Column("type", sa.String(length=32), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("worker", sa.Text(), nullable=True),
        sa.Column("queued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("heartbeat_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("error", sa.Text(), nullable=True),
        sa.Column("retry_count", sa.Integer(), nullable=False),
        sa.CheckConstraint("status IN ('queued', 'processing', 'completed', 'failed')", name=op.f("ck_job_status")),
        sa.ForeignKeyConstraint(["clip_id"], ["clip.id"], name=op.f("fk_job_clip_id")),
        sa.ForeignKeyConstraint(["project_id"], ["project.id"], name=op.f("fk_job_project_id"), ondelete="CASCADE"),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job")),
    )
    op.create_index(op.f("ix_job_status"), "job", ["status"], unique=False)
    op.create_table(
        "project_event",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("project_id", sa.String(length=80), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("actor", sa.Text(), nullable=False),
        sa.Column("move", sa.String(length=32), nullable=False),
        sa.Column("from_state", sa.String(length=16), nullable=True),
        sa.Column("to_state", sa.String(length=16), nullable=False),
        sa.Column("note", sa.Text(), nullable=True),
        sa.Column("clip_id", sa.String(length=80), nullable=True),
        sa.ForeignKeyConstraint(["clip_id"], ["clip.id"], name=op.f("fk_project_event_clip_id")),
        sa.ForeignKeyConstraint(
            ["project_id"], ["project.id"], name=op.f("fk_project_event_project_id"), ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_project_event")),
    )
    op.create_index(op.f("ix_project_event_project_id_at"), "project_event", ["project_id", "at"], unique=False)
    op.create_table(
        "charge",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("clip_id", sa.String(length=80), nullable=True),
        sa.Column("job_id", sa.Integer(), nullable=True),
        sa.Column("step_key", sa.Text(), nullable=False),
        sa.Column("stage", sa.String(length=32), nullable=False),
        sa.Column("backend", sa.Text(), nullable=False),
        sa.Column("category", sa.String(length=16), nullable=False),
        sa.Column("sku", sa.Text(), nullable=False),
        sa.Column("quantity", sa.String(length=64), nullable=True),
        sa.Column("unit_usd", sa.String(length=64), nullable=True),
        sa.Column("usd", sa.BigInteger(), nullable=True),
        sa.Column("estimate_usd", sa.BigInteger(), nullable=True),
        sa.Column("waste", sa.Boolean(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.CheckConstraint(
            "category IN ('api', 'compute', 'storage', 'network', 'overhead')", name=op.f("ck_charge_category")
        ),
        sa.ForeignKeyConstraint(["clip_id"], ["clip.id"], name=op.f("fk_charge_clip_id")),
        sa.ForeignKeyConstraint(["job_id"], ["job.id"], name=op.f("fk_charge_job_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_charge")),
    )
    op.create_index(op.f("ix_charge_at"), "charge", ["at"], unique=False)
    op.create_index(op.f("ix_charge_clip_id"), "charge", ["clip_id"], unique=False)


def downgrade() -> None:
    """Drop every table."""
    op.drop_index(op.f("ix_charge_clip_id"), table_name="charge")
    op.drop_index(op.f("ix_charge_at"), table_name="charge")
    op.drop_table("charge")
    op.drop_index(op.f("ix_project_event_project_id_at"), table_name="project_event")
    op.drop_table("project_event")
    op.drop_index(op.f("ix_job_status"), table_name="job")
    op.drop_table("job")
    op.drop_table("project")
    op.drop_index(op.f("ix_outbox_kind_next_try"), table_name="outbox")
    op.drop_table("outbox")
    op.drop_index(op.f("ix_clip_created"), table_name="clip")
    op.drop_table("clip")
