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


_PROBLEM = {"application/problem+json": {"schema": {"$ref": "#/components/schemas/Problem"}}}
_ALWAYS = {
    "400": "What was sent is not as described.",
    "401": "The caller's own credential is missing or not good.",
    "403": "The credential may not do this.",
    "429": "Too many requests; see `Retry-After`.",
    "503": "The database does not answer; see `Retry-After`.",
}
_WITH_BODY = {"413": "The body is too large.", "415": "The body is not `application/json`."}


def document_problems(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """Every refusal of every operation as a problem document (RFC 9457): what the views' own lists leave out too."""
    for path, operations in result["paths"].items():
        for operation in operations.values():
            responses = operation["responses"]
            expected = _ALWAYS | (_WITH_BODY if "requestBody" in operation else {})
            if "{" in path:
                expected = expected | {"404": "There is no such thing here."}
            for status, description in expected.items():
                responses.setdefault(status, {"description": description})
            for status, response in responses.items():
                if status.startswith(("4", "5")):
                    response["content"] = _PROBLEM
            operation["responses"] = dict(sorted(responses.items()))
    return result
