"""Triggers that keep the record append-only: no event is deleted, and nothing but personal data can be blanked."""

from django.db import migrations

KEPT = (
    "id", "chain", "number", "at", "action", "actor_kind", "actor_id", "target_kind", "target_id", "reason", "data",
    "request_id", "incident_id", "personal_digest", "previous_hash", "hash",
)
BLANKED = "NEW.personal_salt = '' AND NEW.actor_label = '' AND NEW.target_label = '' AND NEW.ip IS NULL AND NEW.user_agent = ''"


def install(apps, schema_editor):
    vendor = schema_editor.connection.vendor
    if vendor == "sqlite":
        changed = " OR ".join(f"NEW.{column} IS NOT OLD.{column}" for column in KEPT)
        schema_editor.execute(
            f"CREATE TRIGGER audit_no_update BEFORE UPDATE ON audit_auditevent WHEN {changed} OR NOT ({BLANKED}) "
            "BEGIN SELECT RAISE(ABORT, 'audit events are append-only'); END"
        )
        schema_editor.execute(
            "CREATE TRIGGER audit_no_delete BEFORE DELETE ON audit_auditevent "
            "BEGIN SELECT RAISE(ABORT, 'audit events are append-only'); END"
        )
    elif vendor == "postgresql":
        changed = " OR ".join(f"NEW.{column} IS DISTINCT FROM OLD.{column}" for column in KEPT)
        schema_editor.execute(
            "CREATE FUNCTION audit_append_only() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN "
            f"IF TG_OP = 'UPDATE' THEN IF NOT ({changed}) AND {BLANKED} THEN RETURN NEW; END IF; END IF; "
            "RAISE EXCEPTION 'audit events are append-only'; END $$"
        )
        schema_editor.execute(
            "CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE ON audit_auditevent "
            "FOR EACH ROW EXECUTE FUNCTION audit_append_only()"
        )


def remove(apps, schema_editor):
    vendor = schema_editor.connection.vendor
    if vendor == "sqlite":
        schema_editor.execute("DROP TRIGGER audit_no_update")
        schema_editor.execute("DROP TRIGGER audit_no_delete")
    elif vendor == "postgresql":
        schema_editor.execute("DROP TRIGGER audit_append_only ON audit_auditevent")
        schema_editor.execute("DROP FUNCTION audit_append_only()")


class Migration(migrations.Migration):
    dependencies = [("audit", "0001_initial")]
    operations = [migrations.RunPython(install, remove)]
