"""CALDAV:calendar-data in reports: which data of an object a client wants, and in which form (RFC 4791 section 9.6)."""
