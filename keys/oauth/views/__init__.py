"""What people and AI clients meet of the authorization server: endpoints, and the pages of connections."""
