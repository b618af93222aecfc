"""The portal's own MCP server: a process of its own (`python -m keys.mcp`) that knows the portal only by its public API."""

VERSION = "0.1.0"
