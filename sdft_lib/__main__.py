"""``python -m sdft_lib`` is ``sdft``."""

from sdft_lib.cli.main import main

main()
