"""What a machine meets: key lifecycle, verification, its API, the portal's MCP server, and the verifier's wheel."""
