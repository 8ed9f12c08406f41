"""The training loop under ``train``: weights, adapters, loss, processes."""
