"""Nodes with calendars of their own behind front ends that have none (docs/cluster.md)."""
