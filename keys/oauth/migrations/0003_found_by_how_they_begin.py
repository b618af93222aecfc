"""Connections are found by how the name or host of their client begins."""

from django.db import migrations, models

from portal.online import AddIndexOnline
from portal.prefixes import Folded


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("oauth", "0002_devices_and_machines")]

    operations = [
        AddIndexOnline("connection", models.Index(Folded("client_name"), name="connection_client_begins")),
        AddIndexOnline("connection", models.Index(Folded("client_host"), name="connection_host_begins")),
    ]
