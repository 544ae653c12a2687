"""One try to send one message, by mail or by webhook; never raises, asks no database."""

from __future__ import annotations

import json
import logging
import smtplib
import ssl
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from urllib.parse import urlsplit

from django.conf import settings
from django.core.mail import EmailMultiAlternatives, get_connection

from orchestrations.enums import Channel
from orchestrations.services.messages import Payload, write_json, write_mail
from orchestrations.services.notices import is_mail_set_up
from orchestrations.services.recipients import InvalidAddress, clear_text
from orchestrator_site.lib import webhooks
from orchestrator_site.lib.secrets import Masker

ANSWER_LENGTH = 2000
LONG_PATH = 8  # characters of a URL's path that are worth hiding
PERMANENT = 500  # SMTP codes from here are final

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Parcel:
    """A message with all that is needed to send it; `created` and `at` are unix times.

    `secret` is the cipher text of what it is signed with; empty where it is not signed.
    """

    id: int
    channel: Channel
    address: str
    payload: Payload
    secret: str
    created: int
    at: int


@dataclass(frozen=True)
class Outcome:
    """How a try ended; `may_pass` tells whether a later one may succeed.

    `status` is that of HTTP or SMTP, `answer` the beginning of what was said or the error.
    """

    is_sent: bool
    may_pass: bool = False
    status: int | None = None
    answer: str = ""
    retry_after: float | None = None


def send(parcel: Parcel) -> Outcome:
    """Try once to send a message. Takes ten seconds at most by webhook, a minute or so by mail."""
    try:
        address = clear_text(parcel.address)
        secret = clear_text(parcel.secret)
        if parcel.channel == Channel.EMAIL:
            return _mail(parcel, address)
        return _post(parcel, address, secret)
    except InvalidAddress as error:
        return Outcome(is_sent=False, answer=str(error))
    except Exception:  # a bug must end this message, not those sent beside it
        logger.exception("Message %s could not be sent.", parcel.id)
        return Outcome(is_sent=False, answer="Something went wrong on our side; the log says more.")


def _post(parcel: Parcel, url: str, secret: str) -> Outcome:
    content = write_json(parcel.payload, parcel.channel, delivery_id=parcel.id)
    body = json.dumps(content, ensure_ascii=False).encode()
    headers = {"X-Orchestrator-Delivery": str(parcel.id)}
    if secret:
        headers["X-Orchestrator-Signature"] = webhooks.sign(secret, body, parcel.at)
    try:
        answer = webhooks.post(url, body, headers, private=settings.WEBHOOK_PRIVATE_HOSTS)
    except webhooks.Refused as error:
        return Outcome(is_sent=False, answer=str(error))
    except webhooks.NoAnswer as error:
        return Outcome(is_sent=False, may_pass=True, answer=str(error))
    return judge(answer, said=_masked(answer.text, url))


def judge(answer: webhooks.Answer, *, said: str) -> Outcome:
    """Tell from a receiver's answer whether the message arrived, or may later."""
    status = answer.status
    if HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES:
        return Outcome(is_sent=True, status=status, answer=said)
    if status < HTTPStatus.BAD_REQUEST:
        said = "The receiver redirects to another address. Enter that one: it is not followed."
    busy = status in {HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.REQUEST_TIMEOUT}
    return Outcome(
        is_sent=False,
        may_pass=busy or status >= HTTPStatus.INTERNAL_SERVER_ERROR,
        status=status,
        answer=said,
        retry_after=answer.retry_after,
    )


def _masked(text: str, url: str) -> str:
    """Hide the URL, which many servers repeat where they complain."""
    parts = urlsplit(url)
    path = url.partition(parts.netloc)[2]
    return Masker([url, *(p for p in (path, parts.path) if len(p) >= LONG_PATH)]).mask(text)


def _mail(parcel: Parcel, address: str) -> Outcome:
    if not is_mail_set_up():
        return Outcome(is_sent=False, answer="E-mail is not set up here: EMAIL_HOST is empty.")
    mail = write_mail(parcel.payload)
    host = urlsplit(settings.BASE_URL).hostname or "localhost"
    message = EmailMultiAlternatives(
        mail.subject,
        mail.text,
        to=[address],
        headers={
            # the same over all tries: a server that got it before may leave out the second
            "Message-ID": f"<delivery.{parcel.id}.{parcel.created}@{host}>",
            "X-Orchestrator-Delivery": str(parcel.id),
            "Auto-Submitted": "auto-generated",
        },
    )
    message.attach_alternative(mail.html, "text/html")
    connection = get_connection()
    try:
        connection.send_messages([message])
    except (smtplib.SMTPException, OSError) as error:
        return _mail_failure(error)
    finally:  # what goes wrong while saying good-bye changes nothing of the message
        with suppress(smtplib.SMTPException, OSError):
            connection.close()
    return Outcome(is_sent=True, answer="Accepted by the mail server.")


def _mail_failure(error: Exception) -> Outcome:
    """Tell from an error of SMTP whether the message may arrive later."""
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        code, said = next(iter(error.recipients.values()))
        return _refused(code, said)
    if isinstance(error, smtplib.SMTPResponseException):
        return _refused(error.smtp_code, error.smtp_error)
    if isinstance(error, smtplib.SMTPNotSupportedError):
        return Outcome(is_sent=False, answer=f"The mail server cannot do this: {error}")
    if isinstance(error, ssl.SSLError):
        return Outcome(is_sent=False, may_pass=True, answer="No secure connection to the server.")
    text = getattr(error, "strerror", None) or str(error) or "it did not answer"
    return Outcome(
        is_sent=False, may_pass=True, answer=f"No connection to the mail server: {text}."
    )


def _refused(code: int, said: bytes | str) -> Outcome:
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    return Outcome(
        is_sent=False,
        may_pass=code < PERMANENT,
        status=code if code > 0 else None,
        answer=text.replace("\0", "")[:ANSWER_LENGTH],
    )
