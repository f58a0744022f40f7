"""iSchedule between calendar servers, as a library of its own that knows nothing of ``calserver``.

Theory of operation. A calendar server delivers iTIP messages (RFC 5546) for its users to the server of another domain,
by an HTTP request, and learns at once what became of each recipient. The two need not know each other: the DNS names
the servers of a domain, TLS proves that the receiver is the one that was named, and a signature with a key from the DNS
proves which domain the message comes from. There is no relaying: a receiver takes messages for its own users only.

    sender                                                            receiver
      discovery: SRV, TXT of _ischedules._tcp.receiver.example
      client:    GET  ?action=capabilities  ----------------------->  receiver.announce
      client:    POST, signed (dkim.sign)   ----------------------->  receiver.receive
                                                                        message, dkim.examine: without the key
                 TXT cal1._domainkey.sender.example  <--------------    keyfetch
                                                                        dkim.verify, itip: with it
                 outcome.judge  <-----------------------------------    Deliverer.deliver: a status for each

What is decided is decided by values - `message`, `xml`, `errors`, `capabilities`, `itip`, `dkim`, `trust`, `outcome` -
which are told the time and do no input or output. Around them are the parts that wait for the network: `discovery`,
`keyfetch` and `resolver` ask the DNS, `agent` makes requests to hosts whose names come from strangers, `client` sends,
`receiver` receives, `resource` is its face to twisted.web, `cli` the command ``ischedule``, `explain` what that says.

The protocol is draft-desruisseaux-ischedule-06 with the signatures of -05. ``docs/ischedule.md`` shows how to use all
this. Each module is public, and has its names in itself: nothing is loaded before it is wanted.
"""

__all__ = [
    "agent",
    "capabilities",
    "client",
    "connection",
    "discovery",
    "dkim",
    "domains",
    "errors",
    "explain",
    "guard",
    "itip",
    "keyfetch",
    "keyring",
    "message",
    "outcome",
    "rates",
    "receiver",
    "replays",
    "resolver",
    "resource",
    "trust",
    "waiting",
    "xml",
]
