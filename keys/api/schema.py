"""How the OpenAPI document names the ways to authenticate."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension


class _Bearer(OpenApiAuthenticationExtension):
    description = ""

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """A bearer token (RFC 6750)."""
        return {"type": "http", "scheme": "bearer", "description": self.description}


class ServerCredentialScheme(_Bearer):
    """MCP servers."""

    target_class = "keys.api.authentication.ServerCredentialAuthentication"
    name = "serverCredential"
    description = (
        "An MCP server's credential, `lk_srv_…`; made by staff or, for a company's own server, by the company."
    )


class KeyScheme(_Bearer):
    """AI clients."""

    target_class = "keys.api.key_authentication.KeyAuthentication"
    name = "key"
    description = "A key of the portal's own MCP server; `api_key` and `X-API-Key` will do too."


class ManagementTokenScheme(_Bearer):
    """A company's scripts."""

    target_class = "keys.api.management.base.ManagementTokenAuthentication"
    name = "managementToken"
    description = "A management token, `lk_mgt_…`, from the company's page Management tokens."
