"""The documents of docs/ as pages of the portal, searchable."""
