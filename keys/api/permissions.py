"""Who may call what."""

from __future__ import annotations

from typing import Any

from rest_framework.permissions import BasePermission

from keys.api.authentication import AskingServer


class IsServer(BasePermission):
    """An MCP server with a good credential."""

    def has_permission(self, request: Any, view: Any) -> bool:
        """Whether the caller is a server."""
        return isinstance(request.user, AskingServer)


class IsPortalServer(IsServer):
    """The portal's own MCP server: only it may sign people in by password."""

    message = "Only the portal's own MCP server may do this."

    def has_permission(self, request: Any, view: Any) -> bool:
        """Whether the caller is the portal's own server."""
        from keys.models import McpServer

        return (
            super().has_permission(request, view)
            and McpServer.objects.filter(pk=request.user.pk, is_portal=True).exists()
        )
