from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import json
import re
import time
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple, Union, cast

from . import _ed25519
from ._errors import WebhookVerificationError
from .payloads import WebhookEvent

Payload = Union[bytes, bytearray, memoryview, str]

# 32 bytes for v1 and 64 for v1a, each in the one way that base64 writes them.
_SIGNATURE = re.compile('(v1),([A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=)|(v1a),([A-Za-z0-9+/]{85}[AQgw]==)')

_HEADERS = ('webhook-id', 'webhook-timestamp', 'webhook-signature')


def verify_signature(payload: Payload, signature: Optional[str], secret: Union[str, Sequence[str]]) -> bool:
    """Reports whether ``signature`` is the ``X-VideoCloud-Signature`` of ``payload``, the raw body.

    Anything else than the right signature is False, never an exception: a missing, short or non-hex one, an empty
    secret, a body that was parsed. Several secrets may be given, while one is rotated. It compares in constant time.
    """
    body = _bytes(payload)
    if body is None:
        return False
    if not isinstance(signature, str) or not re.fullmatch('[0-9a-f]{64}', signature):
        return False
    secrets: Sequence[Any] = [secret] if isinstance(secret, str) else secret if isinstance(secret, (list, tuple)) else ()
    keys = [_bytes(s) for s in secrets if isinstance(s, str)]
    mac = bytes.fromhex(signature)
    # Anyone can sign with the empty key.
    return any(hmac.compare_digest(mac, hmac.new(key, body, hashlib.sha256).digest()) for key in keys if key)


def verify(
    payload: Payload,
    headers: Mapping[str, Any],
    secret: Union[str, Sequence[str]],
    *,
    tolerance_seconds: Optional[float] = 300,
    now: Optional[float] = None,
) -> WebhookEvent:
    """Verifies a delivery by its Standard Webhooks headers (``webhook-id``, ``webhook-timestamp``,
    ``webhook-signature``), which sign the event's ID and the time of the attempt too, and returns the event.

    :param headers: the request's headers, of any framework
    :param secret: the webhook's secret, or its ``public_key`` (``whpk_…``) where its signing is ed25519; several while it is rotated
    :param tolerance_seconds: how old, or how far ahead, the timestamp may be; None for any
    :param now: unix seconds to judge by; the clock otherwise
    :raises WebhookVerificationError: its ``code`` says why
    """
    keys = [_verifier(s) for s in ([secret] if isinstance(secret, str) else secret)]
    if not keys:
        raise ValueError('secret: give at least one')
    body = _bytes(payload)
    if body is None:
        raise WebhookVerificationError('invalid_payload', 'the payload must be the raw body, not a parsed object')
    event_id, timestamp, signatures = _standard_headers(headers, {version for version, _ in keys})
    if tolerance_seconds is not None:
        age = int(time.time() if now is None else now) - int(timestamp)
        if not abs(age) <= tolerance_seconds:
            raise WebhookVerificationError('timestamp', 'webhook-timestamp is too old or too far ahead; is the clock right?')
    message = f'{event_id}.{timestamp}.'.encode('utf-8', 'surrogateescape') + body
    for version, matches in keys:
        for of, signature in signatures:
            if of == version and matches(message, signature):
                return _parse(body, event_id)
    raise WebhookVerificationError('signature_mismatch', 'the signature is not that of this body and this secret')


def _standard_headers(headers: Mapping[str, Any], versions: 'set[str]') -> Tuple[str, str, List[Tuple[str, bytes]]]:
    values = [_values(headers, name) for name in _HEADERS]
    if not all(any(v) for v in values):
        raise WebhookVerificationError('signature_missing', f'the request needs {", ".join(_HEADERS)}')
    if any(len(v) != 1 for v in values):
        raise WebhookVerificationError('signature_malformed', 'a webhook-* header is there more than once')
    (event_id,), (timestamp,), (signature,) = values
    if not re.fullmatch('0|[1-9][0-9]{0,14}', timestamp):
        raise WebhookVerificationError('signature_malformed', 'webhook-timestamp is not in unix seconds')
    found = (_SIGNATURE.fullmatch(s) for s in signature.split(' '))
    signatures = [(m.group(1) or m.group(3), base64.b64decode(m.group(2) or m.group(4))) for m in found if m]
    signatures = [s for s in signatures if s[0] in versions]
    if not signatures:
        raise WebhookVerificationError('signature_malformed', 'webhook-signature holds no signature such as this secret checks')
    return event_id, timestamp, signatures


def _verifier(secret: str) -> Tuple[str, Callable[[bytes, bytes], bool]]:
    """The version of the signatures that a secret or a public key checks, and how."""
    if isinstance(secret, str) and secret.startswith('whpk_'):
        public = b''
        if re.fullmatch('whpk_[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=', secret):
            public = base64.b64decode(secret[len('whpk_'):])
        if not public:
            raise ValueError('secret: what follows whpk_ is not a public key of 32 bytes in base64')
        return 'v1a', lambda message, signature: _ed25519.verify(public, message, signature)
    key = _standard_key(secret)
    return 'v1', lambda message, mac: hmac.compare_digest(mac, hmac.new(key, message, hashlib.sha256).digest())


def _values(headers: Mapping[str, Any], name: str) -> List[str]:
    values: List[Any] = []
    for key, value in headers.items():
        if isinstance(key, str) and key.lower() == name:
            values.extend(cast(List[Any], value) if isinstance(value, (list, tuple)) else [value])
    return [v for v in values if isinstance(v, str)]


def _standard_key(secret: str) -> bytes:
    """The key of Standard Webhooks: base64 after ``whsec_``, else the secret's own bytes."""
    if not isinstance(secret, str) or not secret:
        raise ValueError('secret: is empty')
    if not secret.startswith('whsec_'):
        return secret.encode()
    text = secret[len('whsec_'):].rstrip('=')
    try:
        key = base64.b64decode(text + '=' * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        key = b''
    if not key:
        raise ValueError('secret: what follows whsec_ is not base64') from None
    return key


def _parse(body: bytes, event_id: str) -> WebhookEvent:
    try:
        parsed: Any = json.loads(body)
    except (ValueError, RecursionError):
        parsed = None
    event = cast(Dict[str, Any], parsed) if isinstance(parsed, dict) else {}
    if not isinstance(event.get('event'), str):
        raise WebhookVerificationError('invalid_payload', 'the body is signed, but it is not an event in JSON')
    return cast(WebhookEvent, {**event, 'id': event_id})


def _bytes(value: Any) -> Optional[bytes]:
    if isinstance(value, (bytes, bytearray, memoryview)):
        return bytes(cast(bytes, value))
    if isinstance(value, str):
        try:
            return value.encode()
        except UnicodeEncodeError:
            return None
    return None
