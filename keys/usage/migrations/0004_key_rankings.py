"""The most used keys of companies with very many, as the worker counted them."""

from django.db import migrations, models


class Migration(migrations.Migration):
    dependencies = [("usage", "0003_fill_counts_by_company")]

    operations = [
        migrations.CreateModel(
            name="KeyRanking",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("company_id", models.CharField(max_length=12)),
                ("days", models.PositiveSmallIntegerField()),
                (
                    "rows",
                    models.JSONField(
                        default=list, help_text="[[key id, requests, refusals], …], the most used first."
                    ),
                ),
                ("asked_at", models.DateTimeField()),
                ("counted_at", models.DateTimeField(blank=True, null=True)),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("company_id", "days"), name="key_ranking_once")],
            },
        ),
    ]
