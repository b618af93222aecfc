"""Refusals of a day are found without what was let through, which is most."""

from django.db import migrations, models

from portal.online import AddIndexOnline


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("usage", "0003_fill_counts_by_company")]

    operations = [
        AddIndexOnline(
            "usageday",
            models.Index(
                fields=["period", "company_id", "key_id", "count"],
                condition=~models.Q(("code", "VALID")),
                name="usage_day_refused",
            ),
        ),
    ]
