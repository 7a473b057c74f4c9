"""How does who gets a webhook know that this cluster sent it, and not long ago?

HMAC-SHA256 with the secret that both know, over the time stamp (seconds since 1970, as text), a full stop, and the
body as it was sent. Whoever checks it also refuses what is older than some minutes: what was recorded cannot be sent
again later.
"""

import hashlib
import hmac

TIMESTAMP_HEADER = "Outlast-Timestamp"
SIGNATURE_HEADER = "Outlast-Signature"
ID_HEADER = "Outlast-Notice"


def signature(secret: str, timestamp: int, body: bytes) -> str:
    signed = str(timestamp).encode() + b"." + body
    return "v1=" + hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()
