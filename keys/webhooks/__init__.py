"""Webhooks (Standard Webhooks): signed events to the endpoints of companies and MCP servers."""
