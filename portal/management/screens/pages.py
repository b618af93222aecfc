"""Which pages are looked at, by who sees them: the name of the picture, and the address. All queries are made here."""

from __future__ import annotations

from django.urls import NoReverseMatch, reverse

from keys.models import Key, McpServer
from portal.companies.models import Company
from portal.companies.roles import Role
from portal.management import example_data
from portal.staff.models import RevocationRun
from portal.ui import navigation


def visitor_pages() -> list[tuple[str, str]]:
    """Those that need no sign-in, and those that go wrong."""
    names = {"landing": "landing", "sign-up": "account_signup", "sign-in": "account_login",
             "reset-password": "account_reset_password", "api-docs": "api-docs", "connect": "connect",
             "styleguide": "styleguide", "mails": "styleguide_mail", "docs": "help:index",
             "leaked": "leaks:leaked"}  # fmt: skip
    pages = [(name, reverse(url)) for name, url in names.items()] + [("not-found", "/nothing-here/")]
    pages += [(f"docs-{name}", reverse("help:page", args=[name])) for name in ("quickstart", "connect", "security")]
    pages.append(("docs-search", f"{reverse('help:search')}?q=rotate"))
    pages.append(("invitation-unknown", reverse("invitation_link", args=["no-such-invitation"])))
    pages.append(("cannot-connect", reverse("oauth:authorize")))
    errors = (400, 403, 404, 429, 500, 503)
    return pages + [(f"error-{status}", reverse("styleguide_error", args=[status])) for status in errors]


def member_pages(company: Company) -> list[tuple[str, str]]:
    """Those of `company`, and those of an account, with its example data."""
    entries = {str(entry.label).lower().replace(" ", "-"): entry.url_name for entry in navigation.COMPANY}
    pages = [(name, address) for name, url in entries.items() if (address := _address(url, slug=company.slug))]
    rotating = Key.objects.get(company=company, name="Nightly report", overlap_ends_at__isnull=False)
    key = Key.objects.get(company=company, name="Gemini CLI on my laptop")
    revoked = Key.objects.get(company=company, name="Old notebook")
    pages.append(("new-key", reverse("keys:new", args=[company.slug])))
    for name, url, one in [
        ("key", "keys:detail", key), ("key-edit", "keys:edit", key), ("key-rotate", "keys:rotate", key),
        ("key-revoke", "keys:revoke", key), ("key-test", "keys:test", key), ("key-rotating", "keys:detail", rotating),
        ("key-revoked", "keys:detail", revoked),
    ]:  # fmt: skip
        pages.append((name, reverse(url, args=[company.slug, one.pk])))
    listed = reverse("keys:list", args=[company.slug])
    pages.append(("keys-needing", f"{listed}?needs=refused"))
    pages.append(("keys-revoke", f"{reverse('keys:revoke_many', args=[company.slug])}?key={key.pk}&key={rotating.pk}"))
    pages.append(("key-asked-tool", f"{reverse('keys:edit', args=[company.slug, rotating.pk])}?tool=whoami"))
    portal_server = McpServer.objects.get(is_portal=True)
    pages.append(("server", reverse("servers:detail", args=[company.slug, portal_server.pk])))
    pages.append(("server-check", reverse("servers:check", args=[company.slug, portal_server.pk])))
    for name, url in [("account", "account"), ("second-factor", "mfa_index"), ("sessions", "usersessions_list"),
                      ("sign-ins", "sign_ins"), ("delete-account", "account_delete"),
                      ("change-email", "account_email"), ("change-password", "account_change_password"),
                      ("passkeys", "mfa_list_webauthn"),
                      ("new-company", "new_company"), ("mailbox", "mailbox")]:  # fmt: skip
        pages.append((name, reverse(url)))
    for name, url in [("invite", "invite"), ("leave", "leave"), ("transfer", "transfer"),
                      ("settings-security", "security"), ("settings-keys", "key_policy"),
                      ("settings-export", "company_export"), ("settings-close", "close_company")]:  # fmt: skip
        pages.append((name, reverse(url, args=[company.slug])))
    member = company.memberships.get(user__email="dev@example.com")
    for name, url in [("member-role", "member_role"), ("member-remove", "member_remove")]:
        pages.append((name, reverse(url, args=[company.slug, member.user_id])))
    endpoint = company.webhooks.first()
    if endpoint is not None:
        for name, url in [("webhook", "webhooks:detail"), ("webhook-edit", "webhooks:edit"),
                          ("webhook-secret", "webhooks:rotate"), ("webhook-delete", "webhooks:delete")]:  # fmt: skip
            pages.append((name, reverse(url, args=[company.slug, endpoint.pk])))
    pages += [("new-machine", reverse("connections:machine_new", args=[company.slug])),
              ("device", reverse("oauth:device") + "?user_code=WDJB-MJHT")]  # fmt: skip
    pages.append(("leaks", reverse("leaks:company", args=[company.slug])))
    review = company.reviews.first()
    if review is not None:
        pages.append(("review", reverse("reviews:one", args=[company.slug, review.pk])))
        pages.append(("review-print", reverse("reviews:print", args=[company.slug, review.pk])))
    pages += [(f"new-{name}", reverse(url, args=[company.slug])) for name, url in
              [("webhook", "webhooks:new"), ("token", "tokens:new"), ("server", "servers:new")]]  # fmt: skip
    own = company.servers.get(name="stock")
    for name, url in [("own-server", "servers:detail"), ("server-edit", "servers:edit"),
                      ("new-credential", "servers:credential_new")]:  # fmt: skip
        pages.append((name, reverse(url, args=[company.slug, own.pk])))
    credential, token = own.credentials.get(name="Production"), company.management_tokens.get(name="Deploy job")
    pages.append(
        ("credential-revoke", reverse("servers:credential_revoke", args=[company.slug, own.pk, credential.pk]))
    )
    pages.append(("token-revoke", reverse("tokens:revoke", args=[company.slug, token.pk])))
    pages.append(("usage-waiting", f"{reverse('usage', args=[company.slug])}?days={example_data.crowd(company)}"))
    pages.append(("usage-of-key", f"{reverse('usage', args=[company.slug])}?key={key.pk}"))
    return pages


def staff_pages(company: Company) -> list[tuple[str, str]]:
    """The operator's, with what they see of `company`."""
    entries = {f"staff-{str(entry.label).lower().replace(' ', '-')}": entry.url_name for entry in navigation.STAFF}
    pages = [(name, address) for name, url in entries.items() if (address := _address(url))]
    key = Key.objects.get(company=company, name="Gemini CLI on my laptop")
    server = McpServer.objects.get(is_portal=True)
    run = RevocationRun.objects.latest("created_at")
    suspended = example_data.neighbour_named(example_data.NEIGHBOURS[1][0])
    leaving = company.memberships.exclude(role=Role.OWNER).order_by("pk")[0]
    for name, url, one in [
        ("company", "staff:company", company.pk), ("company-suspended", "staff:company", suspended.pk),
        ("key", "staff:key", key.pk), ("key-revoke", "staff:key_revoke", key.pk),
        ("server", "staff:server", server.pk), ("server-stop", "staff:server_stop", server.pk),
        ("person", "staff:person", key.user_id), ("person-role", "staff:person_role", key.user_id),
        ("person-erase", "staff:person_erase", leaving.user_id), ("person-held", "staff:person_erase", key.user_id),
        ("key-limits", "staff:key_limits", key.pk), ("company-suspend", "staff:company_suspend", company.pk),
        ("company-plan", "staff:company_plan", company.pk), ("server-edit", "staff:server_edit", server.pk),
        ("new-credential", "staff:credential_new", server.pk),
        ("person-sign-out", "staff:person_sign_out", key.user_id),
        ("run", "staff:run", run.pk), ("incident", "incidents:incident", run.incident_id),
        ("incident-keys", "incidents:keys", run.incident_id),
        ("incident-notices", "incidents:notices", run.incident_id),
    ]:  # fmt: skip
        pages.append((f"staff-{name}", reverse(url, args=[one])))
    pages += [
        ("staff-rule-found", f"{reverse('staff:revoke_rule')}?company={company.slug}"),
        ("staff-find", reverse("staff:find")), ("staff-runs", reverse("staff:runs")),
        ("staff-new-incident", reverse("incidents:new")),
    ]  # fmt: skip
    return [*pages, ("staff-new-server", reverse("staff:server_new")), ("admin", reverse("admin:index"))]


def _address(url_name: str, **kwargs: str) -> str:
    """The address of an entry of a sidebar; '' where the page does not exist."""
    try:
        return reverse(url_name, kwargs=kwargs)
    except NoReverseMatch:
        return ""
