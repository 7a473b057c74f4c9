"""The settings of `outlast-web`: /etc/outlast-web.toml. Without the file all is as it is usual."""

import tomllib
from pathlib import Path

import msgspec

DEFAULT_CONFIG = Path("/etc/outlast-web.toml")
PORT = 9443


class WebConfig(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    address: str = ""
    """On which of the node's addresses it listens; empty: on all of them."""
    port: int = PORT
    certificate: str = ""
    key: str = ""
    """Files of your own certificate, readable by the user outlast-web. Empty: the one that the cluster made."""
    origins: tuple[str, ...] = ()
    """Further addresses under which browsers find the nodes, with your own certificates: "https://n1.example.org:9443".
    The console of one goes on with another of them."""
    run_dir: str = "/run/outlast"
    """Where the cluster service has its sockets, and the certificate that it made."""


class WrongConfig(Exception):
    """The settings cannot be used; the text says which and why."""


def read(path: Path) -> WebConfig:
    """Raises `WrongConfig`."""
    try:
        text = path.read_text()
    except FileNotFoundError:
        if path != DEFAULT_CONFIG:
            raise WrongConfig(f"there is no {path}") from None
        text = ""
    except (OSError, UnicodeDecodeError) as error:
        raise WrongConfig(f"cannot read {path}: {error}") from error
    try:
        config = msgspec.convert(tomllib.loads(text), WebConfig)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise WrongConfig(f"{path} cannot be used: {error}") from error
    if bool(config.certificate) != bool(config.key):
        raise WrongConfig(f"{path} cannot be used: `certificate` and `key` go together")
    if not 0 < config.port < 65536:
        raise WrongConfig(f"{path} cannot be used: there is no port {config.port}")
    return config
