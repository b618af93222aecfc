"""What others may react to, such as keys/, which companies know nothing of. Sent inside the act's transaction."""

from __future__ import annotations

from django.dispatch import Signal

# Sent with sender=Company, company, actor: the company was activated, suspended, reactivated or closed.
company_state_changed = Signal()

# Sent with sender=Company, company, actor: the company has another plan, and its keys other limits.
plan_changed = Signal()

# Sent with sender=Membership, company, user, actor: the user is no member of the company any more.
member_removed = Signal()

# Sent with sender=Membership, membership, actor: the member has another role now.
role_changed = Signal()
