"""Who this application is to the platform, and where it begins: what a configuration says of a connection.

Apart from the client, so that who reads a configuration need not load the library.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Endpoint:
    """A data centre to begin with. `public_key` is PEM, PKCS#1 or SubjectPublicKeyInfo."""

    dc: int
    host: str
    port: int
    public_key: bytes


@dataclass(frozen=True, slots=True)
class Credentials:
    """What identifies this application to the platform."""

    api_id: int
    api_hash: str
    proxy: str | None = None

    def __repr__(self) -> str:
        return f"Credentials(api_id={self.api_id})"
