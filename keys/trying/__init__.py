"""Calling an MCP server as an AI client would: to test a key, and to see what a client is told on its way in."""
