"""How the platform is reached: names made addresses, keys that are trusted, a proxy on the way."""

import socket
from typing import Any
from urllib.parse import unquote, urlsplit

from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from telethon.crypto import rsa

from monitor.errors import ConfigError


def resolved(host: str) -> str:
    """The address behind a host's name, asked while names can still be resolved. Raises ConfigError."""
    try:
        found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError as e:
        raise ConfigError(f"telegram: the host {host} cannot be resolved; write an address") from e
    # The older family first: what listens on a name's IPv4 address alone is common, the reverse is not.
    return str(min(found, key=lambda entry: entry[0] != socket.AF_INET)[4][0])


def trust(public_key: bytes) -> None:
    """Add a data centre's RSA key to those that Telethon accepts. Raises ConfigError for what is no such key."""
    try:
        key = serialization.load_pem_public_key(public_key)
    except ValueError as e:
        raise ConfigError("telegram.server.public_key: is not a public key in PEM (PKCS#1 or SPKI)") from e
    if not isinstance(key, RSAPublicKey):
        raise ConfigError("telegram.server.public_key: is not an RSA key")
    # Telethon reads PKCS#1 alone.
    pkcs1 = key.public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.PKCS1)
    rsa.add_key(pkcs1.decode("ascii"), old=False)


def proxy(url: str | None) -> dict[str, Any] | None:
    """What Telethon wants to know of socks5://[user:password@]host:port."""
    if url is None:
        return None
    parts = urlsplit(url)
    return {
        "proxy_type": "socks5",
        "addr": parts.hostname,
        "port": parts.port,
        "username": parts.username and unquote(parts.username),
        "password": parts.password and unquote(parts.password),
    }
