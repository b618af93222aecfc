"""The record in an export of the company, with its hashes: enough to verify the chain elsewhere."""

from __future__ import annotations

from portal.audit.exports import JSON_FIELDS
from portal.audit.selectors import company_events
from portal.companies.datasets import columns_of

columns_of("audit", JSON_FIELDS, lambda company: company_events(company).order_by("number"))
