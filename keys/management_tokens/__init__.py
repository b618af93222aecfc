"""Management tokens: the credentials of a company's scripts, and the pages of a company for them."""
