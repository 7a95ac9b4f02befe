"""Dataclasses of settings, read from words and JSON and written to them; one wording of what is wrong."""
