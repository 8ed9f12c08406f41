"""Your own data: split it, check it, judge whether SDFT may help, hand it on (lesson 09)."""
