"""The staff's list of MCP servers goes by name, a page at a time."""

from django.db import migrations, models

from portal.online import AddIndexOnline


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("keys", "0010_servers_found_by_how_they_begin")]

    operations = [AddIndexOnline("mcpserver", models.Index(fields=["name", "id"], name="server_by_name"))]
