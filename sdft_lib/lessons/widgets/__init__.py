"""The widgets, each below a figure or a table that says the same."""
