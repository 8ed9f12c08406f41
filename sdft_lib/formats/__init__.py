"""Files of rows, and the layouts in which others keep chat data."""
