"""Counts by company, whatever its keys; refusals by key and day; which batches were written without either."""

from django.db import migrations, models


def counts():
    return [
        ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
        ("period", models.DateTimeField(help_text="Beginning of the hour or day, UTC.")),
        ("server_id", models.CharField(max_length=12)),
        ("company_id", models.CharField(blank=True, max_length=12)),
        ("code", models.CharField(max_length=20)),
        ("tool", models.CharField(blank=True, max_length=128)),
        ("client", models.CharField(blank=True, max_length=80)),
        ("count", models.PositiveBigIntegerField()),
    ]


def options(name):
    return {
        "indexes": [models.Index(fields=["company_id", "period"], name=f"company_{name}_company")],
        "constraints": [
            models.UniqueConstraint(
                fields=("period", "server_id", "company_id", "code", "tool", "client"), name=f"company_{name}_once"
            )
        ],
    }


class Migration(migrations.Migration):
    dependencies = [("usage", "0001_initial")]

    operations = [
        migrations.CreateModel(name="CompanyHour", fields=counts(), options=options("hour")),
        migrations.CreateModel(name="CompanyDay", fields=counts(), options=options("day")),
        migrations.CreateModel(
            name="OutcomeHour",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("period", models.DateTimeField()),
                ("company_id", models.CharField(blank=True, max_length=12)),
                ("code", models.CharField(max_length=20)),
                ("count", models.PositiveBigIntegerField()),
            ],
            options={
                "indexes": [models.Index(fields=["company_id", "period"], name="outcome_hour_company")],
                "constraints": [
                    models.UniqueConstraint(fields=("period", "company_id", "code"), name="outcome_hour_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="RefusalDay",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("period", models.DateTimeField()),
                ("company_id", models.CharField(max_length=12)),
                ("key_id", models.CharField(max_length=12)),
                ("count", models.PositiveBigIntegerField()),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(fields=("period", "company_id", "key_id"), name="refusal_day_once")
                ],
            },
        ),
        migrations.AddField("usagebatch", "by_company", models.BooleanField(db_default=False, default=True)),
        migrations.AddIndex(
            "usagebatch",
            models.Index(condition=models.Q(("by_company", False)), fields=["at"], name="usage_batch_missed"),
        ),
    ]
