"""The figures, one file a lesson."""
