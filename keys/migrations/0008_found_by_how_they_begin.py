"""Keys are found by how their name begins."""

from django.db import migrations, models

from portal.online import AddIndexOnline
from portal.prefixes import Folded


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("keys", "0007_key_labels")]

    operations = [
        AddIndexOnline("key", models.Index(Folded("name"), name="key_name_begins")),
    ]
