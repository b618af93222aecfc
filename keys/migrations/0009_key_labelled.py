"""Keys are found by their labels. Where 0007 made this index already, with the table locked, it is made anew."""

from django.db import migrations, models

from portal.online import AddIndexOnline


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("keys", "0008_found_by_how_they_begin")]

    operations = [
        AddIndexOnline(
            "key",
            models.Index(fields=["company", "label_text"], name="key_labelled", condition=~models.Q(label_text="")),
        ),
    ]
