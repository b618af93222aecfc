"""Companies are found by how their name begins, and each order of the staff's list follows an index."""

from django.db import migrations, models

from portal.online import AddIndexOnline, RemoveIndexOnline
from portal.prefixes import Folded


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("companies", "0005_exports")]

    operations = [
        AddIndexOnline("company", models.Index(Folded("name"), name="company_name_begins")),
        AddIndexOnline("company", models.Index(fields=["name", "id"], name="company_by_name")),
        AddIndexOnline("company", models.Index(fields=["state", "-created_at", "id"], name="company_state_latest")),
        RemoveIndexOnline("company", "company_name"),
        RemoveIndexOnline("company", "company_state_created"),
    ]
