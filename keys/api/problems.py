"""RFC 9457 problem documents."""
