"""The decoding loop: batches, shared prefixes, sampling, and a check against plain decoding."""
