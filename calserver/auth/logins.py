"""Logins: from the ``Authorization`` field of a request to who it is, by heart where it was seen lately.

The hot path is `Logins.known`: one keyed digest of the field and one look into a dictionary. Whether the principal is
still what it was when the login was remembered is proven without a query as long as nothing was committed to the store
since, and by one query in the request's own transaction otherwise (`Logins.confirm`).
"""

import hmac
import secrets
import threading
from collections import Counter, OrderedDict
from typing import Any

import attrs
from twisted.cred.error import UnauthorizedLogin
from twisted.cred.portal import IRealm, Portal
from twisted.internet.defer import Deferred
from zope.interface import Interface, implementer

from calserver.auth.basic import UNKNOWN, WrongPassword
from calserver.auth.connection import Connection
from calserver.auth.passwords import Hashing
from calserver.auth.refusals import TooManyAttempts
from calserver.auth.schemes import SCHEMES, Scheme
from calserver.auth.throttle import Throttle
from calserver.config import Auth
from calserver.dav import Forbidden, Unauthorized
from calserver.directory import Actor
from calserver.store import Store, Transaction


class Outdated(Exception):
    """The principal has changed since the login was remembered; the request has to authenticate anew."""


class ChangedMeanwhile(UnauthorizedLogin):
    """The principal has changed while the password was compared, so that has to be done again."""


class IActor(Interface):
    """The avatar of a principal: `Login`."""


@implementer(IActor)
@attrs.define(eq=False)
class Login:
    """Somebody who has authenticated.

    ``version`` is the store's data version at which this was known to be current; ``directory`` the revision of all
    principals from which ``actor`` was made, with its groups and those that it acts for.
    """

    actor: Actor
    revision: int
    version: int
    expires: float = 0.0
    directory: int = 0


@implementer(IRealm)
@attrs.frozen
class Realm:
    """Turns a principal that has authenticated into a `Login` (twisted.cred)."""

    store: Store

    def requestAvatar(self, avatarId: Any, mind: object, *interfaces: type) -> "Deferred[Any]":
        """The login of a principal whose revision is still what its password was checked against."""
        if IActor not in interfaces:
            raise NotImplementedError("there are only actors")
        return Deferred.fromCoroutine(self._login(*avatarId))

    async def _login(self, number: int, revision: int) -> tuple[Any, Login, Any]:
        version = self.store.data_version()

        def load(txn: Transaction) -> Login:
            principal = txn.principals.get(number)
            if principal is None:
                raise UnauthorizedLogin
            if principal.revision != revision:
                raise ChangedMeanwhile
            return Login(Actor.of(txn, principal), revision, version, directory=txn.principals.revision())

        return IActor, await self.store.read(load), lambda: None


class Logins:
    """Who is asking.

    Args:
        config: the configuration's section.
        store: where principals are.
        reactor: threads and clock.
        counts: outcomes, for the metrics.
    """

    def __init__(self, config: Auth, store: Store, *, reactor: Any, counts: Counter[str] | None = None) -> None:
        self._config = config
        self._store = store
        self._now = reactor.seconds
        self._counts = Counter() if counts is None else counts
        self._hashing = Hashing(reactor, config.hashing_threads)
        self._schemes: dict[str, Scheme] = {
            name: SCHEMES[name](config, store, self._hashing) for name in config.schemes
        }
        self._portal = Portal(Realm(store), [each.checker for each in self._schemes.values()])
        self._throttle = Throttle(
            account_failures=config.account_failures,
            network_failures=config.network_failures,
            seconds=config.failures_seconds,
            now=self._now,
        )
        self._keyed = hmac.new(secrets.token_bytes(32), digestmod="sha256")
        self._cache: OrderedDict[bytes, Login] = OrderedDict()
        self._vouched: OrderedDict[tuple[str, str], Login] = OrderedDict()
        self._renewing = threading.Lock()
        self._checking: dict[bytes, list[Deferred[Login]]] = {}

    def start(self) -> None:
        """Begin."""
        self._hashing.start()

    def stop(self) -> None:
        """End, when running checks are through."""
        self._hashing.stop()

    def known(self, authorization: bytes) -> Login | None:
        """The login that a field stood for lately."""
        digest = self._digest(authorization)
        login = self._cache.get(digest)
        if login is None:
            return None
        if login.expires <= self._now():
            del self._cache[digest]
            return None
        return login

    def _digest(self, authorization: bytes) -> bytes:
        """HMAC with a key of this process; the one-call form would let go of the interpreter lock each time."""
        keyed = self._keyed.copy()
        keyed.update(authorization)
        return keyed.digest()

    def confirm(self, txn: Transaction, login: Login) -> Actor:
        """See that a login still holds, in the transaction of its request; returns who it is by now.

        Who is in which group, and who acts for whom, may have changed anywhere between the principal and others. Of
        who has not authenticated nothing changes.

        Raises:
            Outdated: it does not.
        """
        if login.actor.principal_id is None:
            return login.actor
        revision = txn.principals.revision()
        if revision == login.directory:
            return login.actor
        principal = txn.principals.get(login.actor.principal_id)
        if principal is None or not principal.enabled or principal.revision != login.revision:
            raise Outdated
        actor = Actor.of(txn, principal)
        with self._renewing:
            if revision > login.directory:
                login.actor, login.directory = actor, revision
        return actor

    def vouched(self, kind: str, uid: str) -> Login | None:
        """The login of a principal for whom a node of the cluster has vouched lately."""
        return self._vouched.get((kind, uid))

    async def vouch(self, kind: str, uid: str) -> Login | None:
        """The login of a principal for whom a node of the cluster vouches; None where it cannot log in here."""
        version = self._store.data_version()

        def load(txn: Transaction) -> Login | None:
            principal = txn.principals.by_uid(kind, uid)
            if principal is None or not principal.enabled:
                return None
            actor = Actor.of(txn, principal)
            return Login(actor, principal.revision, version, directory=txn.principals.revision())

        login: Login | None = await self._store.read(load)
        self._vouched.pop((kind, uid), None)
        if login is not None and self._config.login_cache:
            self._vouched[kind, uid] = login
            if len(self._vouched) > self._config.login_cache:
                self._vouched.popitem(last=False)
        return login

    def forget(self, authorization: bytes) -> None:
        """It does not hold any more."""
        self._cache.pop(self._digest(authorization), None)

    def challenges(self, connection: Connection) -> tuple[tuple[str, str], ...]:
        """The ``WWW-Authenticate`` fields for a connection, one for each scheme that may be used over it."""
        private = connection.private(self._config.plaintext_networks)
        return tuple(
            ("WWW-Authenticate", each.challenge()) for each in self._schemes.values() if private or not each.readable
        )

    def nobody(self, connection: Connection, reason: str = "authenticate first") -> Unauthorized | Forbidden:
        """The refusal for who has not authenticated."""
        challenges = self.challenges(connection)
        if not challenges:
            return Forbidden("log in over an encrypted connection (https)")
        return Unauthorized(reason, {"WWW-Authenticate": ", ".join(value for _, value in challenges)})

    async def login(self, authorization: bytes, connection: Connection) -> Login:
        """Check the credentials in a field.

        Raises:
            Unauthorized: they are wrong, malformed or of an unknown scheme.
            Forbidden: they must not be sent over this connection.
            TooManyAttempts: too many others were wrong.
            Overloaded: too many are being checked.
        """
        name, _, parameters = authorization.decode("latin-1").strip().partition(" ")
        scheme = self._schemes.get(name.lower())
        if scheme is None:
            raise self.nobody(connection, "the authentication scheme is not known here")
        if scheme.readable and not connection.private(self._config.plaintext_networks):
            raise self.nobody(connection)
        digest = self._digest(authorization)
        waiting = self._checking.get(digest)
        if waiting is not None:
            mine: Deferred[Login] = Deferred()
            waiting.append(mine)
            return await mine
        self._checking[digest] = []
        try:
            login = await self._check(scheme, parameters, digest, connection)
        except Exception as failure:
            for each in self._checking.pop(digest):
                each.errback(failure)
            raise
        for each in self._checking.pop(digest):
            each.callback(login)
        return login

    async def _check(self, scheme: Scheme, parameters: str, digest: bytes, connection: Connection) -> Login:
        try:
            account, credentials = scheme.credentials(parameters, self._throttle.known_wrong(digest))
        except ValueError:
            self._counts["malformed"] += 1
            raise self.nobody(connection, "the credentials are malformed") from None
        if wait := self._throttle.wait(account, connection.address, digest):
            self._counts["throttled"] += 1
            raise TooManyAttempts(wait)
        take_back = self._throttle.begin(account, connection.address, digest)
        try:
            avatar = await self._avatar(credentials)
        except UnauthorizedLogin as failure:
            self._counts["failed"] += 1
            revision = failure.revision if isinstance(failure, WrongPassword) else UNKNOWN
            self._throttle.failed(connection.address, digest, revision)
            raise self.nobody(connection, "user name or password are wrong") from None
        except Exception:
            take_back()
            raise
        take_back()
        self._counts["succeeded"] += 1
        self._throttle.succeeded(digest)
        login: Login = avatar[1]
        self._remember(digest, login)
        return login

    async def _avatar(self, credentials: Any) -> Any:
        """Let twisted.cred check credentials, once more where the principal changes at the same time."""
        try:
            return await self._portal.login(credentials, None, IActor)
        except ChangedMeanwhile:
            return await self._portal.login(credentials, None, IActor)

    def _remember(self, digest: bytes, login: Login) -> None:
        if not self._config.login_cache or not self._config.login_cache_seconds:
            return
        login.expires = self._now() + self._config.login_cache_seconds
        self._cache[digest] = login
        self._cache.move_to_end(digest)
        if len(self._cache) > self._config.login_cache:
            self._cache.popitem(last=False)
