"""What others may react to, such as keys/, which companies know nothing of. Sent inside the act's transaction."""

from __future__ import annotations

from django.dispatch import Signal

# Sent with sender=Company, company, actor: the company was activated, suspended, reactivated, closed or reopened.
company_state_changed = Signal()

# Sent with sender=Company, company, actor, fields: the company has another name, currency or time zone now, or asks for
# a second factor or no longer does.
company_updated = Signal()

# Sent with sender=Company, company, actor: the company has another plan, and its keys other limits.
plan_changed = Signal()

# Sent with sender=Company, company, actor: a closed company's time to come back is over.
company_finalised = Signal()

# Sent with sender=Membership, company, user, actor, heir: the user is no member of the company any more. What acted for
# the user goes to the membership `heir`; without one (None) it ends.
member_removed = Signal()

# Sent with sender=Membership, membership, actor: the member has another role now.
role_changed = Signal()
