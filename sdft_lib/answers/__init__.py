"""Readers of answers: numbers, labels, calls, phrases, constraints."""
