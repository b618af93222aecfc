"""Counts by company and refusals are made from counts by key: a day in each transaction, so that nothing waits for long.

Broken off, it is run again from the beginning, and makes the same. Workers of the release before may go on writing
counts by key: their batches are known afterwards (`by_company`), and `usage.recount` puts right what they left out.
"""

from datetime import UTC, datetime, timedelta

from django.db import migrations, transaction
from django.db.models import Max, Min

COLUMNS = "period, server_id, company_id, code, tool, client"
OUTCOMES = "period, company_id, code"
REFUSALS = "period, company_id, key_id"
SUMS = (  # table, columns, what it is the sum of, which of that
    ("usage_refusalday", REFUSALS, "usage_usageday", "AND code <> 'VALID' AND key_id <> ''"),
    ("usage_companyhour", COLUMNS, "usage_usagehour", ""),
    ("usage_companyday", COLUMNS, "usage_usageday", ""),
    ("usage_outcomehour", OUTCOMES, "usage_companyhour", ""),
)


def fill(apps, schema_editor):
    connection = schema_editor.connection
    # What these wrote is there before the first sum is made. They come first: of later ones that cannot be said.
    apps.get_model("usage", "UsageBatch").objects.using(connection.alias).update(by_company=True)
    for day in days(apps, connection):
        span = [connection.ops.adapt_datetimefield_value(moment) for moment in (day, day + timedelta(days=1))]
        with transaction.atomic(connection.alias), connection.cursor() as cursor:
            if connection.vendor == "postgresql":
                # Workers of this release, if they run already, wait for the sums of one day. Older ones do not.
                cursor.execute(f"LOCK TABLE {', '.join(table for table, *_ in SUMS)} IN SHARE ROW EXCLUSIVE MODE")
            for table, columns, source, which in SUMS:
                cursor.execute(f"DELETE FROM {table} WHERE period >= %s AND period < %s", span)
                cursor.execute(
                    f"INSERT INTO {table} ({columns}, count) SELECT {columns}, SUM(count) FROM {source} "
                    f"WHERE period >= %s AND period < %s {which} GROUP BY {columns}",
                    span,
                )


def days(apps, connection):
    """From the first day that has counts to the last, each found by an index."""
    ends = []
    for name in ("UsageDay", "UsageHour"):
        found = apps.get_model("usage", name).objects.using(connection.alias)
        ends += [found.aggregate(end=end("period"))["end"] for end in (Min, Max)]
    ends = [end.astimezone(UTC) for end in ends if end]
    if not ends:
        return
    day = datetime(min(ends).year, min(ends).month, min(ends).day, tzinfo=UTC)
    while day <= max(ends):
        yield day
        day += timedelta(days=1)


class Migration(migrations.Migration):
    atomic = False

    dependencies = [("usage", "0002_counts_by_company")]

    operations = [migrations.RunPython(fill, migrations.RunPython.noop)]
