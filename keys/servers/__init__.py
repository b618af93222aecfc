"""MCP servers and their credentials: their life, and the pages of a company for them."""
