"""``python -m sdft_lib`` is ``sdft``."""

from sdft_lib.cli import main

main()
