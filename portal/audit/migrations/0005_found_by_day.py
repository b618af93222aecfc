"""Events of a day of long ago are found without reading all that came since."""

from django.db import migrations, models

from portal.online import AddIndexOnline


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("audit", "0004_found_by_request_id")]

    operations = [AddIndexOnline("auditevent", models.Index(fields=["at"], name="audit_at"))]
