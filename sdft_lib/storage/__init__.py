"""Finished steps and files: the store, atomic writes, downloads, devices, errors."""
