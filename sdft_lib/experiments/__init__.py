"""Methods, grids and measures of shift and forgetting (lessons 05 and 07)."""
