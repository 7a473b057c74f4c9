"""What a notice can be sent with, and what of it nobody gets to see."""

import pytest
from notice_builders import MAIL, WEBHOOK

from outlast.core.notices.notice_parameters import PARAMETERS, place, problems, server, words_of
from outlast.model.notice import Way

COMMAND = {"program": "/usr/local/bin/page", "arguments": "--team 'night shift' $HOME"}


@pytest.mark.parametrize(
    ("way", "parameters"),
    [
        (Way.WEBHOOK, WEBHOOK),
        (Way.WEBHOOK, WEBHOOK | {"url": "http://[::1]:8080/a?b=c"}),
        (Way.WEBHOOK, WEBHOOK | {"bearer": "token", "ca": "/etc/ca.pem"}),
        (Way.MAIL, MAIL),
        (Way.MAIL, MAIL | {"to": "a@example.org, b@example.org", "user": "u", "password": "p", "security": "tls"}),
        (Way.COMMAND, COMMAND),
    ],
)
def test_what_could_work(way: Way, parameters: dict[str, str]) -> None:
    assert problems(way, parameters) == []
    assert set(parameters) <= set(PARAMETERS[way])


@pytest.mark.parametrize(
    ("way", "parameters", "words"),
    [
        (Way.WEBHOOK, {"secret": "sixteen letters!"}, "it needs url"),
        (Way.WEBHOOK, WEBHOOK | {"colour": "red"}, "no parameter colour"),
        (Way.WEBHOOK, WEBHOOK | {"secret": "short"}, "16 characters"),
        (Way.WEBHOOK, WEBHOOK | {"url": "ftp://x/y"}, "its url must be as https://"),
        (Way.WEBHOOK, WEBHOOK | {"url": "https://x/ y"}, "its url must be as https://"),
        (Way.WEBHOOK, WEBHOOK | {"url": "https://[x/y"}, "its url must be as https://"),
        (Way.WEBHOOK, WEBHOOK | {"url": "https://x:99999/y"}, "its url must be as https://"),
        (Way.WEBHOOK, WEBHOOK | {"url": "https://user:word@x/"}, "a user and a password"),
        (Way.WEBHOOK, WEBHOOK | {"url": "http://x/y", "bearer": "hush-hush"}, "for all to read"),
        (Way.WEBHOOK, WEBHOOK | {"bearer": "a\r\nHost: b"}, "cannot be printed"),
        (Way.WEBHOOK, WEBHOOK | {"bearer": "schlüssel"}, "ASCII"),
        (Way.WEBHOOK, WEBHOOK | {"ca": "ca.pem"}, "absolute path"),
        (Way.MAIL, MAIL | {"to": "ops"}, "must be a mail address"),
        (Way.MAIL, MAIL | {"to": "Ops <ops@example.org>"}, "must be a mail address"),
        (Way.MAIL, MAIL | {"to": "ops@example.org\nBcc: x@example.org"}, "cannot be printed"),
        (Way.MAIL, MAIL | {"from": "a@example.org,b@example.org"}, "one address"),
        (Way.MAIL, MAIL | {"server": "http://mail"}, "its server must be"),
        (Way.MAIL, MAIL | {"security": "some"}, "starttls, tls, none"),
        (Way.MAIL, MAIL | {"user": "u"}, "go together"),
        (Way.MAIL, MAIL | {"user": "u", "password": "hush-hush", "security": "none"}, "for all to read"),
        (Way.COMMAND, {"program": "page"}, "absolute path"),
        (Way.COMMAND, COMMAND | {"arguments": "'open"}, "cannot be split"),
    ],
)
def test_what_could_not_work_and_why(way: Way, parameters: dict[str, str], words: str) -> None:
    [found] = problems(way, parameters)
    assert words in found
    assert not any(value in found for name, value in parameters.items() if name in ("bearer", "password", "secret"))


def test_where_it_goes_is_told_without_what_lets_one_in() -> None:
    assert place(Way.WEBHOOK, WEBHOOK | {"url": "https://hooks.example:444/services/T0/B1/x"}) == (
        "https://hooks.example:444/..."
    )
    assert place(Way.MAIL, MAIL) == "ops@example.org by mail.example"
    assert place(Way.COMMAND, COMMAND) == "/usr/local/bin/page --team 'night shift' $HOME"


def test_no_shell_reads_the_arguments() -> None:
    assert words_of(COMMAND) == ["/usr/local/bin/page", "--team", "night shift", "$HOME"]


@pytest.mark.parametrize(
    ("written", "security", "meant"),
    [
        ("mail.example", "", ("mail.example", 587)),
        ("mail.example", "tls", ("mail.example", 465)),
        ("mail.example", "none", ("mail.example", 25)),
        ("[::1]:2525", "none", ("::1", 2525)),
    ],
)
def test_the_port_follows_from_the_security_unless_it_is_given(
    written: str, security: str, meant: tuple[str, int]
) -> None:
    assert server({"server": written, "security": security}) == meant
