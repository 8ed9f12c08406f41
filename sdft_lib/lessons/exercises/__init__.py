"""Kind checks of the exercises, one file a lesson."""
