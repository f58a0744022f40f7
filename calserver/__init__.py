"""calserver: a calendar server for organizations on several machines that schedule with several others.

The folder listing is the table of contents; each room's ``__init__`` holds its theory of operation. The way of a
request: ``web`` reads it, ``dav`` finds the resource in the tree and the declared method for it, the protocol rooms
(``caldav``, ``drive``, ``directory``) carry it out over one ``store`` transaction, and ``web`` writes the answer.
"""
