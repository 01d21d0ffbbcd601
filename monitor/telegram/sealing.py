"""Sessions sealed at rest: whoever copies the state directory alone cannot use the account.

The auth key is encrypted with AES-256-GCM (NIST SP 800-38D) under a key that lies elsewhere. The account's name
is authenticated with it: one account's sealed key put into another's row does not open.
"""

import os
from dataclasses import replace

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from monitor.errors import ConfigError
from monitor.model import SessionState

MARK = b"sealed1:"
NONCE_BYTES = 12
OVERHEAD = len(MARK) + NONCE_BYTES + 16
"""By so many bytes a sealed auth key is longer than a bare one (256 bytes)."""


def seal(state: SessionState, key: bytes | None) -> SessionState:
    """The session as it may be stored. `key` has 32 bytes; without one the session stays as it is."""
    if key is None:
        return state
    nonce = os.urandom(NONCE_BYTES)
    sealed = AESGCM(key).encrypt(nonce, state.auth_key, _of(state))
    return replace(state, auth_key=MARK + nonce + sealed)


def unseal(state: SessionState, key: bytes | None) -> SessionState:
    """The session as it can be used. One stored bare, before there was a key, is returned as it is.

    Raises ConfigError when it is sealed and the key is missing or another one.
    """
    if not is_sealed(state):
        return state
    remedy = f"or sign in anew: monitor login {state.account}"
    if key is None:
        raise ConfigError(
            f"session_key: the session of account {state.account} is sealed; "
            f"declare the key it was sealed with, {remedy}"
        )
    nonce, sealed = state.auth_key[len(MARK) :][:NONCE_BYTES], state.auth_key[len(MARK) + NONCE_BYTES :]
    try:
        return replace(state, auth_key=AESGCM(key).decrypt(nonce, sealed, _of(state)))
    except InvalidTag:
        raise ConfigError(
            f"session_key: does not open the session of account {state.account}; "
            f"give the key it was sealed with, {remedy}"
        ) from None


def is_sealed(state: SessionState) -> bool:
    """Whether the auth key is encrypted. A bare one has 256 bytes, which no sealed one has."""
    return len(state.auth_key) != 256 and state.auth_key.startswith(MARK)


def _of(state: SessionState) -> bytes:
    return b"channel-monitor session of account " + state.account.encode()
