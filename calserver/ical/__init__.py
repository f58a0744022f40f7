"""Calendar data as values: model, recurrence, zones, filters (RFC 5545, RFC 4791, RFC 7265, RFC 7529, RFC 7953)."""

from calserver.ical.instance import Instance
from calserver.ical.model import Component, Property

__all__ = ["Component", "Instance", "Property"]
