"""Verifies Ed25519 signatures by RFC 8032, section 5.1.7, which Python's standard library can't.

Only public values go in, so nothing here needs constant time. Signing would, and is not here.
"""

from __future__ import annotations

import hashlib
from typing import Optional, Tuple

_P = 2**255 - 19
_L = 2**252 + 27742317777372353535851937790883648493
_D = -121665 * pow(121666, _P - 2, _P) % _P
_SQRT_OF_MINUS_1 = pow(2, (_P - 1) // 4, _P)

_Point = Tuple[int, int, int, int]  # extended coordinates: x = X/Z, y = Y/Z, x*y = T/Z


def _add(a: _Point, b: _Point) -> _Point:
    m = (a[1] - a[0]) * (b[1] - b[0]) % _P
    n = (a[1] + a[0]) * (b[1] + b[0]) % _P
    o = 2 * a[3] * b[3] * _D % _P
    q = 2 * a[2] * b[2] % _P
    e, f, g, h = n - m, q - o, q + o, n + m
    return e * f % _P, g * h % _P, f * g % _P, e * h % _P


def _multiply(n: int, point: _Point) -> _Point:
    product: _Point = (0, 1, 1, 0)
    while n:
        if n & 1:
            product = _add(product, point)
        point = _add(point, point)
        n >>= 1
    return product


def _decode(text: bytes) -> Optional[_Point]:
    y = int.from_bytes(text, 'little')
    sign, y = y >> 255, y & (2**255 - 1)
    if y >= _P:
        return None
    square = (y * y - 1) * pow(_D * y * y + 1, _P - 2, _P) % _P
    x = pow(square, (_P + 3) // 8, _P)
    if x * x % _P != square:
        x = x * _SQRT_OF_MINUS_1 % _P
    if x * x % _P != square or (x == 0 and sign):
        return None
    if x & 1 != sign:
        x = _P - x
    return x, y, 1, x * y % _P


def _encode(point: _Point) -> bytes:
    inverse = pow(point[2], _P - 2, _P)
    x, y = point[0] * inverse % _P, point[1] * inverse % _P
    return (y | (x & 1) << 255).to_bytes(32, 'little')


_BASE = _decode((4 * pow(5, _P - 2, _P) % _P).to_bytes(32, 'little'))


def verify(public: bytes, message: bytes, signature: bytes) -> bool:
    """Reports whether ``signature`` is that of ``message`` by the private half of ``public``."""
    point = _decode(public) if len(public) == 32 and len(signature) == 64 else None
    s = int.from_bytes(signature[32:], 'little')
    if point is None or _BASE is None or s >= _L:
        return False
    k = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), 'little') % _L
    negative = (_P - point[0], point[1], 1, _P - point[3])
    return _encode(_add(_multiply(s, _BASE), _multiply(k, negative))) == signature[:32]
