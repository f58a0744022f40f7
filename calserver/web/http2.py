"""HTTP/2 connections: what twisted.web's channel leaves open about deadlines, limits and windows.

Parsing is hyper-h2's, which bounds blocks of headers, their CONTINUATION frames and concurrent streams; the channel
itself bounds resets and control frames that nobody takes. Here are only: a least speed for bodies and for taking
answers (any frame restarts the channel's timer, so that a PING a minute would keep everything as it is), limits of
header fields with an answer for who exceeds them, an end to waiting in a loop for a window to open, and
priorities, which are obsolete (RFC 9113 section 5.3.2) and only cost memory: not kept.
"""

import contextlib
from typing import TYPE_CHECKING, Any

import attrs
import h2.config
import h2.connection
import h2.events
import h2.exceptions
from twisted.internet.error import ConnectionLost
from twisted.internet.interfaces import IDelayedCall
from twisted.python.failure import Failure
from twisted.web._http2 import H2Connection  # it has no public name

if TYPE_CHECKING:
    from calserver.web.site import Site

SLOWEST_BYTES_PER_SECOND = 4096
"""A body that comes, or an answer that is taken, more slowly than this for longer than its timeout is given up."""
LOOK_SECONDS = 1.0
"""How often open streams are looked at."""


class Machine(h2.connection.H2Connection):
    """The state of the protocol, and what the channel has to know of it.

    Attributes:
        heard: whether the last data had a whole frame in them.
        resized: whether they changed the windows of all streams.
        given_up: the streams that their requests are in, and that they reset.
        sent: bytes of content by stream.
    """

    def __init__(self) -> None:
        super().__init__(h2.config.H2Configuration(client_side=False, header_encoding=None))
        self.heard = True
        self.resized = False
        self.given_up: frozenset[int] = frozenset()
        self.sent: dict[int, int] = {}

    def receive_data(self, data: Any) -> Any:
        """Events of what has come."""
        events = super().receive_data(data)
        self.heard = bool(events)
        self.resized = any(isinstance(each, h2.events.RemoteSettingsChanged) for each in events)
        self.given_up = frozenset(each.stream_id for each in events if isinstance(each, h2.events.StreamReset))
        return events

    def send_data(self, stream_id: int, data: Any, *further: Any, **named: Any) -> None:
        """Send a part of an answer."""
        super().send_data(stream_id, data, *further, **named)
        self.heard = True
        self.sent[stream_id] = self.sent.get(stream_id, 0) + len(data)


@attrs.define
class Progress:
    """How a stream gets on: when what goes on now began, and how many bytes were moved before it."""

    began: float
    moved: int = 0
    receiving: bool = True
    received: int = 0

    def too_slow(self, now: float, moved: int, patience: float) -> bool:
        """Whether too little was moved since it began."""
        return now > self.began + patience + (moved - self.moved) / SLOWEST_BYTES_PER_SECOND


class Http2Channel(H2Connection):
    """One HTTP/2 connection.

    Args:
        site: whose limits hold.
    """

    conn: Machine
    site: "Site"  # type: ignore[assignment] # the channel begins without one
    streams: dict[int, Any]
    transport: Any
    _outboundStreamQueues: dict[int, Any]

    def __init__(self, site: "Site") -> None:
        super().__init__(site.reactor)
        self.conn = Machine()
        self.site = site
        self._progress: dict[int, Progress] = {}
        self._look: IDelayedCall | None = None

    # -- receiving -----------------------------------------------------------------------------------------------

    def dataReceived(self, data: bytes) -> None:
        """Parse what came."""
        super().dataReceived(data)
        if self.conn.resized and self._stillProducing:
            self._open_windows(list(self.streams))

    def resetTimeout(self) -> None:
        """The connection is not idle; bytes that are not even a frame do not count."""
        if self.conn.heard:
            super().resetTimeout()

    def _requestReceived(self, event: Any) -> None:
        if not self._stillProducing:  # what came with the data for which the connection was ended
            return
        if event.stream_id in self.conn.given_up:  # it is closed already, and nothing can be said on it
            event.headers = [each for each in event.headers if each[0] != b"expect"]
        elif refused := self._refusal(event.headers):
            self._refuse(event.stream_id, refused)
            self._tryToWriteControlData()
            return
        super()._requestReceived(event)
        self._progress[event.stream_id] = Progress(self.site.reactor.seconds())
        if self._look is None:
            self._look = self.site.reactor.callLater(LOOK_SECONDS, self._look_at_streams)

    def _refusal(self, fields: Any) -> int:
        """The status with which header fields are refused, before anything is made of them; 0 where they are not."""
        limits = self.site.server
        if len(fields) > limits.headers or sum(len(name) + len(value) for name, value in fields) > limits.headers_bytes:
            return 431
        lengths = [value for name, value in fields if name == b"content-length"]
        return 400 if len(lengths) > 1 or not all(each.isdigit() and len(each) < 20 for each in lengths) else 0

    def _requestDataReceived(self, event: Any) -> None:
        if event.stream_id in self.streams and event.stream_id not in self.conn.given_up:
            self._progress[event.stream_id].received += event.flow_controlled_length
            super()._requestDataReceived(event)

    def _requestEnded(self, event: Any) -> None:
        if event.stream_id in self.streams and event.stream_id not in self.conn.given_up:
            self._progress[event.stream_id].receiving = False
            super()._requestEnded(event)

    def _requestAborted(self, event: Any) -> None:
        if event.stream_id in self.streams:
            super()._requestAborted(event)

    def _handlePriorityUpdate(self, event: Any) -> None:
        """Forget what a client finds more important."""

    def _requestDone(self, streamID: int) -> None:
        super()._requestDone(streamID)
        self._progress.pop(streamID, None)
        self.conn.sent.pop(streamID, None)

    # -- sending -------------------------------------------------------------------------------------------------

    def _sendPrioritisedData(self, *arguments: Any) -> None:
        for stream, queue in self._outboundStreamQueues.items():
            if queue and isinstance(queue[0], bytes) and self.conn.local_flow_control_window(stream) <= 0:
                self.priority.block(stream)  # or the loop would go around until the window opens
        super()._sendPrioritisedData(*arguments)

    def _handleWindowUpdate(self, event: Any) -> None:
        self._open_windows([event.stream_id] if event.stream_id else list(self.streams))

    def _open_windows(self, streams: list[int]) -> None:
        """Windows are larger: go on with what waits for them."""
        for number in streams:
            stream = self.streams.get(number)
            if stream is not None:
                if self._outboundStreamQueues[number]:
                    self.priority.unblock(number)
                stream.windowUpdated()
        waiting, self._sendingDeferred = self._sendingDeferred, None
        if waiting is not None:
            waiting.callback(None)

    # -- deadlines -----------------------------------------------------------------------------------------------

    def _look_at_streams(self) -> None:
        """Give up streams that are too slow, as long as there are streams."""
        self._look = None
        now = self.site.reactor.seconds()
        for number, progress in list(self._progress.items()):
            if progress.receiving:
                if progress.too_slow(now, progress.received, self.site.server.request_timeout_seconds):
                    self._give_up(number, 408)
            elif not self._outboundStreamQueues.get(number):
                progress.began, progress.moved = now, self.conn.sent.get(number, 0)
            elif progress.too_slow(now, self.conn.sent.get(number, 0), self.site.server.idle_timeout_seconds):
                self._give_up(number)
        if self._progress:
            self._look = self.site.reactor.callLater(LOOK_SECONDS, self._look_at_streams)

    def _give_up(self, number: int, status: int = 0) -> None:
        """End a stream, with a status where nothing was answered yet."""
        stream = self.streams[number]
        try:
            if status and not stream._request.startedWriting:
                self._refuse(number, status)
            else:
                self.conn.reset_stream(number)
        except h2.exceptions.ProtocolError:  # the client has ended all of it already, and does not close
            self.transport.abortConnection()
            return
        stream.connectionLost(Failure(ConnectionLost("the client is too slow")))
        if self._tryToWriteControlData():
            self._requestDone(number)

    def _refuse(self, number: int, status: int) -> None:
        """Answer a request that will not be looked at."""
        self.site.refused(status)
        self.conn.send_headers(number, [(b":status", b"%d" % status)], end_stream=True)
        with contextlib.suppress(h2.exceptions.StreamClosedError):  # it was complete
            self.conn.reset_stream(number)

    def connectionLost(  # type: ignore[override] # so it is in the channel, too
        self, reason: Failure, _cancelTimeouts: bool = True
    ) -> None:
        """The connection is gone."""
        super().connectionLost(reason, _cancelTimeouts)
        if self._look is not None:
            self._look.cancel()
            self._look = None
