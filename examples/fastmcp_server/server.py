"""An MCP server with two tools, open to those who have a Latchkey key for it."""

from __future__ import annotations

import os

import uvicorn
from latchkey import AsyncVerifier, current_verdict
from latchkey.mcp import protect
from mcp.server.mcpserver import MCPServer
from mcp.types import ToolAnnotations

PORTAL = os.environ.get("LATCHKEY_URL", "http://localhost:8000")
PORT = int(os.environ.get("PORT", "9000"))
RESOURCE = os.environ.get("RESOURCE", f"http://localhost:{PORT}/mcp")

server = MCPServer("stock")
stock = {"bolts": 120, "nuts": 80}


@server.tool(annotations=ToolAnnotations(readOnlyHint=True))
def get_stock(article: str) -> str:
    """How many of an article there are."""
    caller = current_verdict()
    return f"{caller.company.name}: {stock.get(article, 0)} {article}"


@server.tool()
def take_stock(article: str, count: int) -> str:
    """Take some of an article out of stock."""
    if not 0 < count <= stock.get(article, 0):
        return f"There are only {stock.get(article, 0)} {article}."
    stock[article] -= count
    return f"{count} {article} for {current_verdict().user.name}; {stock[article]} are left."


verifier = AsyncVerifier(PORTAL, os.environ["LATCHKEY_CREDENTIAL"])
app = protect(server.streamable_http_app(stateless_http=True), verifier, resource=RESOURCE)

if __name__ == "__main__":
    uvicorn.run(app, port=PORT)
