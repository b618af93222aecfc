"""Card confirmation and its gateways."""
