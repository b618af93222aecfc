"""Pages of the operator's staff, a module for each thing that they look after."""
