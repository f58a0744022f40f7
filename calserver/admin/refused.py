"""The one way in which an administrative act fails."""


class Refused(Exception):
    """The act was not done, and nothing of it; the text is one sentence for people."""
