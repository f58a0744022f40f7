"""The way out by mail: letters go in, mails are written, signed and handed over, outcomes come out."""

import os
import secrets
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from twisted.internet.threads import deferToThreadPool

from calserver.config import Config, ConfigError
from calserver.scheduling.mail.compose import Composed, Manner, compose
from calserver.scheduling.mail.outgoing import UNDELIVERABLE, Outcome, Outgoing, Unmailable
from calserver.scheduling.mail.signing import Sign, signer
from calserver.scheduling.mail.submission import Server, Steps, submit
from calserver.scheduling.mail.tokens import Tokens
from ischedule.rates import Allowances, Rate

MOST_MAILS: Final = 50
"""On one connection: mail servers close those that last too long."""
_KEY_BYTES: Final = 32
_DAY_SECONDS: Final = 86_400.0
_TOO_MANY: Final = Outcome(status=UNDELIVERABLE, detail="that is more mail than one person may send (mail.daily_mails)")


class Mailer:
    """Sends scheduling messages by mail.

    Args:
        manner: how mail is written.
        sign: what signs it.
        server: what takes it.
        daily: how many mails one person may send in a day, and at once.
        reactor: sockets, time and threads.
    """

    def __init__(self, manner: Manner, sign: Sign, server: Server, daily: int, reactor: Any) -> None:
        self._manner = manner
        self._sign = sign
        self._server = server
        self._reactor = reactor
        self._allowances = Allowances(Rate(daily / _DAY_SECONDS, daily))

    @classmethod
    def of(cls, config: Config, keys: Path, reactor: Any) -> "Mailer":
        """That of a configuration that has an address for mail.

        Args:
            config: all of it.
            keys: the folder of the keys that sign messages to other servers.
            reactor: sockets, time and threads.

        Raises:
            ConfigError: something of ``[mail]`` cannot be used.
        """
        mail = config.mail
        manner = Manner(
            tokens=tokens(config),
            name=mail.name,
            author=mail.author,
            organizer=mail.organizer,
            message_bytes=mail.message_bytes,
        )
        return cls(manner, signer(config, keys), Server.of(config), mail.daily_mails, reactor)

    async def deliver(self, letters: Sequence[Outgoing]) -> list[Outcome]:
        """Send messages; returns what became of each, in their order.

        Nothing is raised for what is wrong with a message or on the way.
        """
        outcomes: list[Outcome] = []
        for at in range(0, len(letters), MOST_MAILS):
            outcomes += await self._deliver(letters[at : at + MOST_MAILS])
        return outcomes

    async def _deliver(self, letters: Sequence[Outgoing]) -> list[Outcome]:
        written = [
            await self._in_thread(self._written, each) if self._may_send(each.principal) else _TOO_MANY
            for each in letters
        ]
        mails = [each for each in written if isinstance(each, Composed)]
        sent = iter(await submit(self._server, mails, self._reactor) if mails else ())
        outcomes = [next(sent) if isinstance(each, Composed) else each for each in written]
        for letter, outcome in zip(letters, outcomes, strict=True):
            if outcome.again:
                self._allowances.give_back(str(letter.principal))
        return outcomes

    def _may_send(self, principal: int) -> bool:
        return not self._allowances.spend(str(principal), self._reactor.seconds())

    def _written(self, letter: Outgoing) -> Composed | Outcome:
        """A mail, signed; or why there is none."""
        try:
            return self._signed(compose(letter, self._manner, datetime.now(UTC)))
        except Unmailable as error:
            return Outcome(status=UNDELIVERABLE, detail=str(error))
        except ConfigError as error:
            return Outcome(status=None, detail=str(error))

    def _signed(self, mail: Composed) -> Composed:
        return Composed(sender=mail.sender, recipient=mail.recipient, content=self._sign(mail.content))

    async def _in_thread(self, work: Callable[..., Any], *arguments: Any) -> Any:
        """Signing takes 25 ms, in which the reactor has better things to do."""
        return await deferToThreadPool(self._reactor, self._reactor.getThreadPool(), work, *arguments)

    async def try_out(self, mail: Composed, steps: Steps) -> Outcome:
        """Send a mail that is already written, and say each step."""
        (outcome,) = await submit(self._server, [self._signed(mail)], self._reactor, steps)
        return outcome


def tokens(config: Config) -> Tokens:
    """The reply addresses of a site; their key is made when it is missing.

    Raises:
        ConfigError: its file cannot be used.
    """
    path = config.path(config.mail.token_key_file)
    try:
        if not path.exists():
            _make_key(path)
        if path.stat().st_mode & 0o077:
            raise ConfigError(f"mail.token_key_file: others can read {path}; its mode must be 0600")
        key = bytes.fromhex(path.read_text(encoding="ascii").strip())
    except (OSError, ValueError) as error:
        raise ConfigError(f"mail.token_key_file: {path}: {error}") from None
    if len(key) < _KEY_BYTES:
        raise ConfigError(f"mail.token_key_file: {path}: the key is too short")
    return Tokens(config.mail.address, key)


def _make_key(path: Path) -> None:
    """Several processes may do so at a time: the first one wins."""
    draft = path.with_name(f"{path.name}.{os.getpid()}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="ascii") as file:
        file.write(f"{secrets.token_hex(_KEY_BYTES)}\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()
