"""MCP servers, and the credentials that they prove themselves with."""

from __future__ import annotations

from django.conf import settings
from django.core.validators import RegexValidator
from django.db import models
from django.db.models import Q
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from keys.models.credentials import Credential, lifetime_constraints
from portal.companies.models import Company
from portal.ids import new_id
from portal.prefixes import Folded


class McpServer(models.Model):
    """A resource that keys open. Staff register servers for everyone; a company can register its own, for itself."""

    id = models.CharField(primary_key=True, max_length=12, default=new_id, editable=False)
    company = models.ForeignKey(
        Company, null=True, blank=True, on_delete=models.CASCADE, related_name="servers",
        help_text=_("Empty: open to every company."),
    )  # fmt: skip
    name = models.CharField(
        max_length=64,
        validators=[RegexValidator(r"^[a-z0-9][a-z0-9_-]*$", _("Use lower-case letters, digits, - and _."))],
        help_text=_("How AI clients call it in their settings, such as growerp-system."),
    )
    title = models.CharField(max_length=120, blank=True)
    url = models.URLField(
        max_length=500,
        help_text=_("The address that AI clients use: its OAuth resource identifier."),
    )
    alternate_urls = models.JSONField(
        default=list,
        blank=True,
        help_text=_("Other addresses of the same server, accepted as its identifier too."),
    )
    # [{"name": "get_companies", "title": "…", "description": "…", "read_only": true}, …]
    tools = models.JSONField(default=list, blank=True)
    is_portal = models.BooleanField(
        default=False, help_text=_("The portal's own MCP server: its keys may read the portal's data API.")
    )
    stopped_at = models.DateTimeField(
        null=True, blank=True, help_text=_("Emergency stop: every key is refused for this server since then.")
    )
    created_at = models.DateTimeField(default=timezone.now, editable=False)
    archived_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        verbose_name = "MCP server"
        ordering = ["name"]
        constraints = [
            # Per company: whether another company uses an address is none of anybody's business.
            models.UniqueConstraint(fields=["company", "url"], name="server_url_once_per_company"),
            models.UniqueConstraint(
                fields=["url"], condition=Q(company__isnull=True), name="server_url_once_for_everyone"
            ),
            models.UniqueConstraint(fields=["company", "name"], name="server_name_once_per_company"),
            models.UniqueConstraint(
                fields=["name"], condition=Q(company__isnull=True), name="server_name_once_for_everyone"
            ),
            models.UniqueConstraint(fields=["is_portal"], condition=Q(is_portal=True), name="server_one_portal"),
        ]
        indexes = [
            models.Index(fields=["name", "id"], name="server_by_name"),
            models.Index(Folded("name"), name="server_name_begins"),
            models.Index(Folded("title"), name="server_title_begins"),
            models.Index(Folded("url"), name="server_url_begins"),
        ]

    def __str__(self) -> str:
        return self.title or self.name

    @property
    def tool_names(self) -> list[str]:
        """Names of the tools in the catalogue."""
        return [tool["name"] for tool in self.tools]

    @property
    def read_only_tools(self) -> frozenset[str]:
        """Names of the tools that change nothing."""
        return frozenset(tool["name"] for tool in self.tools if tool.get("read_only"))


class ServerCredential(Credential):
    """With this an MCP server calls the verify API, for its own keys only. Made by staff."""

    server = models.ForeignKey(McpServer, on_delete=models.CASCADE, related_name="credentials")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")

    class Meta:
        ordering = ["-created_at"]
        constraints = lifetime_constraints
