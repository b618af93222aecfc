"""Whoever is staff so far could do everything: they become administrators, and can give others less."""

from django.db import migrations


def make_administrators(apps, schema_editor):
    """Give each of the staff the role that has the rights they had."""
    user, member = apps.get_model("accounts", "User"), apps.get_model("staff", "StaffMember")
    people = user.objects.filter(is_staff=True, staff_member=None).order_by("pk")
    member.objects.bulk_create(member(user=one, role="administrator") for one in people)


class Migration(migrations.Migration):
    dependencies = [("staff", "0001_roles_runs_and_figures")]

    operations = [migrations.RunPython(make_administrators, migrations.RunPython.noop)]
