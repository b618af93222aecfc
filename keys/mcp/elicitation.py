"""A call with a key that lacks the tool's scope: where the client can open pages, the person is offered the one that
grants it.

Only for pasted keys: a client that signed in by itself is sent back to the consent page by the 403 and its scope, and
elicitation is not meant for that. And only where the call says that its client can show addresses: since 2026-07-28
each call does. Earlier revisions say it once at `initialize`, which a server without sessions does not keep; they get
the 403.
"""

from __future__ import annotations

from typing import Any, Final
from urllib.parse import quote

from latchkey import verdicts
from starlette.responses import JSONResponse

from keys.mcp import jsonrpc
from keys.mcp.access import Refusal

SINCE: Final = "2026-07-28"
ASKED: Final = "latchkey.grant"
_META: Final = "io.modelcontextprotocol/"
_KEYS: Final = ("lk_live_", "lk_test_")


def offer(portal_url: str, key: str, message: dict[str, Any] | None, refusal: Refusal) -> JSONResponse | None:
    """The answer that offers the page, or None where the 403 has to do.

    A call that comes again after the page was offered, and still lacks the scope, fails in words for the model: the
    person may need a while, and the client must not ask in a circle.
    """
    params = message.get("params") if message and message.get("method") == "tools/call" else None
    if refusal.code != verdicts.INSUFFICIENT_SCOPE or not isinstance(params, dict) or not key.startswith(_KEYS):
        return None
    tool = str(params.get("name"))
    if not _opens_pages(params.get("_meta")):
        return None
    responses = params.get("inputResponses")
    if isinstance(responses, dict) and ASKED in responses:
        return _answer(message, _still_lacking(tool, responses[ASKED]))
    page = f"{portal_url}/oauth/grant/{key.split('_')[2]}?tool={quote(tool, safe='')}"
    request = {
        "method": "elicitation/create",
        "params": {
            "mode": "url",
            "message": f"The API key may not use {tool}. Open the page to let it, if you may.",
            "url": page,
        },
    }
    return _answer(message, {"resultType": "input_required", "inputRequests": {ASKED: request}})


def _opens_pages(meta: Any) -> bool:
    if not isinstance(meta, dict) or str(meta.get(_META + "protocolVersion") or "") < SINCE:
        return False
    capabilities = meta.get(_META + "clientCapabilities")
    elicitation = capabilities.get("elicitation") if isinstance(capabilities, dict) else None
    return isinstance(elicitation, dict) and isinstance(elicitation.get("url"), dict)


def _still_lacking(tool: str, response: Any) -> dict[str, Any]:
    accepted = isinstance(response, dict) and response.get("action") == "accept"
    text = (
        f"The API key may not use {tool} yet. When the person has saved the page that was opened, call it again."
        if accepted
        else f"The API key may not use {tool}, and the person did not open the page that would let it."
    )
    return {"resultType": "complete", "content": [{"type": "text", "text": text}], "isError": True}


def _answer(message: dict[str, Any] | None, result: dict[str, Any]) -> JSONResponse:
    return JSONResponse({"jsonrpc": "2.0", "id": jsonrpc.id_of(message), "result": result})
