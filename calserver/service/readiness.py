"""Telling systemd when the server is ready (sd_notify(3)), where the unit has ``Type=notify``."""

import os
import socket

VARIABLE = "NOTIFY_SOCKET"


def notify(state: str) -> None:
    """Say what has become of the service, such as ``READY=1``; nothing happens where nobody wants to know."""
    address = os.environ.get(VARIABLE, "")
    if not address:
        return
    if address.startswith("@"):  # in the abstract namespace
        address = "\0" + address[1:]
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_CLOEXEC) as channel:
        try:
            channel.sendto(state.encode(), address)
        except OSError:  # nobody is there any more
            return
