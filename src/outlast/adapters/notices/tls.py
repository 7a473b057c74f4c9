"""Who is believed to be the receiver? Whoever the system's authorities vouch for, or those of a file."""

import ssl
from collections.abc import Mapping

from outlast.ports.notices import NotTaken


def context(parameters: Mapping[str, str]) -> ssl.SSLContext:
    """Raises `NotTaken`."""
    try:
        found = ssl.create_default_context(cafile=parameters.get("ca") or None)
    except (OSError, ssl.SSLError) as error:
        raise NotTaken(f"cannot read the authorities in {parameters['ca']}: {error}") from None
    found.minimum_version = ssl.TLSVersion.TLSv1_2
    return found


def words(error: Exception) -> str:
    """What went wrong on the way, for people."""
    if isinstance(error, ssl.SSLCertVerificationError):
        return f"its certificate is not believed: {error.verify_message}"
    if isinstance(error, OSError):
        return error.strerror or str(error) or type(error).__name__
    return str(error) or type(error).__name__
