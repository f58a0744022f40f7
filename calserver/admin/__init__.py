"""What administrators do: one function per act, values in and values out.

The command line is one face of these functions; web pages and a JSON interface are others. So nothing here prints,
asks or exits. An act that cannot be done raises `Refused` with one sentence for people.

Acts that touch the store come in two shapes. Most are plain functions over one transaction, and the caller opens it:
``store.write_now(lambda txn: accounts.add(txn, ...))``. Those that need more than one (an import of a hundred thousand
events) take the store and keep each transaction short, since a server may be running over the same database.

``installation`` makes the directory of a server, ``database`` upgrades and checks the store, ``accounts`` are
principals one by one and ``directory_table`` all of them as CSV, ``calendars`` and ``calendar_files`` what they have,
``dns`` the records to publish, ``federation`` other organizations and what waits for them, ``demo`` a server to try.
"""

from calserver.admin.refused import Refused

__all__ = ["Refused"]
