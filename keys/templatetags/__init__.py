"""Template tags of the key pages."""
