"""The portal's own MCP server: a process of its own (`python -m keys.mcp`) that knows the portal by its API alone."""

VERSION = "0.1.0"
