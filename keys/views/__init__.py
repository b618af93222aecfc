"""The pages of a company's keys, a module for each thing that is done to them."""
