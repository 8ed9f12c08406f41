"""Who writes the answers at scale: vLLM and Ray, behind one call."""
