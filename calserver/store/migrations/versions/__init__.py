"""Revisions of the tables, oldest first by number."""
