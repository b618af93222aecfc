"""MCP servers, their credentials, and keys."""

from __future__ import annotations

from keys.models.credentials import Credential, CredentialQuerySet, CredentialState
from keys.models.feed import FeedEvent, FeedHead
from keys.models.keys import Key, KeyNotice, NoticeKind
from keys.models.management_tokens import IdempotentRequest, ManagementScope, ManagementToken
from keys.models.servers import McpServer, ServerCredential

__all__ = [
    "Credential",
    "CredentialQuerySet",
    "CredentialState",
    "FeedEvent",
    "FeedHead",
    "IdempotentRequest",
    "Key",
    "KeyNotice",
    "ManagementScope",
    "ManagementToken",
    "McpServer",
    "NoticeKind",
    "ServerCredential",
]
