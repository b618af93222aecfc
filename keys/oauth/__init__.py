"""The authorization server of MCP: AI clients get access by asking the person, without a pasted key."""
