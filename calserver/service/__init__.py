"""Composition root: a configuration goes in, running services come out.

What the server speaks (`SPOKEN`) and what it serves (`MOUNTS`) stand in `spoken` and nowhere else.

twistd starts the daemon in three steps: `makeService` reads the configuration; privileged ports are bound while the
process may still be root; then - after a fork, and as the user that it stays - the rest is done. Connections wait in
the kernel until the reactor runs, so none comes too early.

One process (`Daemon`) does everything itself: it opens the store, with its threads and files, and answers. With
``server.workers`` it is a `Supervisor` instead, which binds the sockets, answers on the administration port and starts
**workers**: fresh processes (`worker`), each a `Daemon` that listens on the sockets that it inherits (`sockets`). They
share nothing but the store, and work done once for the site is done by the one that leads (`Store.lead`). A worker that
ends is replaced. For a new configuration or new code (SIGHUP) each worker is followed by a fresh one; only when that
one is ready, the old one takes no more connections, answers on those that it has, and ends. What does not become ready
replaces nobody.

The two talk over pipes (`orders`). A worker whose supervisor is gone stops: nobody would replace it.
"""

from calserver.service.daemon import Daemon
from calserver.service.housekeeping import jobs
from calserver.service.sockets import located
from calserver.service.spoken import MOUNTS, SPOKEN
from calserver.service.supervisor import Supervisor
from calserver.service.twistd import Options, makeService

__all__ = ["MOUNTS", "SPOKEN", "Daemon", "Options", "Supervisor", "jobs", "located", "makeService"]
