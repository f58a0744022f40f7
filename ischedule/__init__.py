"""iSchedule between calendar servers, as a library of its own that knows nothing of ``calserver``."""
