"""Events are found by the id of the request that made them."""

from django.db import migrations, models

from portal.online import AddIndexOnline


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("audit", "0003_chain_verification")]

    operations = [
        AddIndexOnline(
            "auditevent",
            models.Index(fields=["request_id", "-id"], name="audit_request", condition=~models.Q(request_id="")),
        ),
    ]
