"""What a company asks of its new keys: how long they live, who makes them, from where they work."""
