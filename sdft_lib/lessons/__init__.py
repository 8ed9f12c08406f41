"""What the lessons show: figures, tables, widgets, the report, checks of exercises."""
