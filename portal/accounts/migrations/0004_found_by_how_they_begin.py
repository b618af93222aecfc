"""People are found by how their name or address begins, and listed by name."""

from django.db import migrations, models

from portal.online import AddIndexOnline
from portal.prefixes import Folded


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("accounts", "0003_sign_ins")]

    operations = [
        AddIndexOnline("user", models.Index(Folded("email"), name="user_email_begins")),
        AddIndexOnline("user", models.Index(Folded("name"), name="user_name_begins")),
        AddIndexOnline("user", models.Index(fields=["name", "id"], name="user_by_name")),
    ]
