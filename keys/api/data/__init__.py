"""/api/v1/data/…: what the portal knows, for AI clients: read with a key of the portal's own MCP server.

Every answer is bounded by the key's company; each endpoint needs the scope of the tool that shows it. A key can manage
nothing here: these are reads, and the keys they list have no value.
"""
