"""A notice as a mail. Taken is what the mail server has accepted for all addresses."""

import asyncio
import email.utils
import smtplib
import ssl
from collections.abc import Mapping
from email.message import EmailMessage

from outlast.adapters.notices import tls
from outlast.core.notices import notice_parameters
from outlast.core.notices.wording import subject, text
from outlast.model.notice import Notice
from outlast.ports.notices import NotTaken


async def send(parameters: Mapping[str, str], notice: Notice, at_s: float, timeout_s: float) -> str:
    return await asyncio.to_thread(_send, parameters, notice, at_s, timeout_s)


def _send(parameters: Mapping[str, str], notice: Notice, at_s: float, timeout_s: float) -> str:
    host, port = notice_parameters.server(parameters)
    recipients = notice_parameters.addresses(parameters["to"])
    try:
        with _signed_in(parameters, host, port, timeout_s) as server:
            refused = server.send_message(_message(parameters, notice, at_s), parameters["from"].strip(), recipients)
    except smtplib.SMTPResponseException as error:
        words = error.smtp_error.decode(errors="replace") if isinstance(error.smtp_error, bytes) else error.smtp_error
        raise NotTaken(f"{host} answered {error.smtp_code} {words}") from None
    except smtplib.SMTPRecipientsRefused as error:
        raise NotTaken(_refused(host, error.recipients)) from None
    except (OSError, smtplib.SMTPException) as error:
        raise NotTaken(f"{host}, port {port}: {tls.words(error)}") from None
    if refused:
        raise NotTaken(_refused(host, refused))
    return f"{host} has accepted it for {', '.join(recipients)}"


def _signed_in(parameters: Mapping[str, str], host: str, port: int, timeout_s: float) -> smtplib.SMTP:
    security = notice_parameters.security(parameters)
    context: ssl.SSLContext | None = tls.context(parameters) if security != "none" else None
    if security == "tls":
        server: smtplib.SMTP = smtplib.SMTP_SSL(host, port, timeout=timeout_s, context=context)
    else:
        server = smtplib.SMTP(host, port, timeout=timeout_s)
    try:
        if security == "starttls":
            server.starttls(context=context)
        if user := parameters.get("user"):
            server.login(user, parameters["password"])
    except BaseException:
        server.close()
        raise
    return server


def _message(parameters: Mapping[str, str], notice: Notice, at_s: float) -> EmailMessage:
    message = EmailMessage()
    message["Subject"] = subject(notice)
    message["From"] = parameters["from"].strip()
    message["To"] = ", ".join(notice_parameters.addresses(parameters["to"]))
    message["Date"] = email.utils.formatdate(at_s)
    # By this a mail program knows what it has already: a notice may be sent again.
    domain = parameters["from"].strip().rpartition("@")[2]
    message["Message-ID"] = f"<{notice.id.replace('/', '.').replace(' ', '_')}@{domain}>"
    message["Auto-Submitted"] = "auto-generated"
    message["X-Outlast-Notice"] = notice.id
    message["X-Outlast-Severity"] = notice.severity.value
    message.set_content(text(notice))
    return message


def _refused(host: str, recipients: Mapping[str, tuple[int, bytes]]) -> str:
    told = ", ".join(f"{who} ({code} {words.decode(errors='replace')})" for who, (code, words) in recipients.items())
    return f"{host} does not take it for {told}"
