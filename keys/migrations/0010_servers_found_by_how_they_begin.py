"""MCP servers are found by how their name, title or address begins."""

from django.db import migrations, models

from portal.online import AddIndexOnline
from portal.prefixes import Folded


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("keys", "0009_key_labelled")]

    operations = [
        AddIndexOnline("mcpserver", models.Index(Folded("name"), name="server_name_begins")),
        AddIndexOnline("mcpserver", models.Index(Folded("title"), name="server_title_begins")),
        AddIndexOnline("mcpserver", models.Index(Folded("url"), name="server_url_begins")),
    ]
