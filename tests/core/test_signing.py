"""How a receiver knows that a webhook comes from this cluster: the example of the docs, run as it stands there."""

import re
from pathlib import Path
from typing import Any

from outlast.core.notices.signing import signature

PAGE = Path(__file__).parents[2] / "docs" / "notices.md"
SECRET = "sixteen letters!"


def is_genuine() -> Any:
    """The function that the docs give to who writes a receiver."""
    [code] = re.findall(r"```python\n(.*?)```", PAGE.read_text(), re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)
    return names["is_genuine"]


def test_what_the_docs_give_to_receivers_believes_what_is_sent_and_nothing_else() -> None:
    genuine, signed = is_genuine(), signature(SECRET, 1000, b"{}")
    assert genuine(SECRET, "1000", signed, b"{}", now_s=1010)
    assert not genuine(SECRET, "1000", signed, b"{} ", now_s=1010)
    assert not genuine(SECRET, "1001", signed, b"{}", now_s=1010)
    assert not genuine("another secret of 16", "1000", signed, b"{}", now_s=1010)
    assert not genuine(SECRET, "1000", signed, b"{}", now_s=1000 + 3600), "recorded, and sent again later"


def test_the_signature_is_hmac_sha256_as_others_compute_it() -> None:
    # printf '1000.{}' | openssl dgst -sha256 -hmac 'sixteen letters!'
    assert signature(SECRET, 1000, b"{}") == "v1=" + EXPECTED


EXPECTED = "6d350a3a7af0c807eea58626308256416450a8b05fec7d747c259a514121b91f"
