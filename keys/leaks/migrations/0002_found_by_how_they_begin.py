"""Leaks are found by their subject, their incident, or how their place begins."""

from django.db import migrations, models

from portal.online import AddIndexOnline
from portal.prefixes import Folded


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("leaks", "0001_initial")]

    operations = [
        AddIndexOnline("leak", models.Index(fields=["subject_id"], name="leak_of_subject")),
        AddIndexOnline("leak", models.Index(fields=["incident_id"], name="leak_of_incident", condition=~models.Q(incident_id=""))),
        AddIndexOnline("leak", models.Index(Folded("subject_name"), name="leak_name_begins")),
        AddIndexOnline("leak", models.Index(Folded("url"), name="leak_url_begins")),
    ]
