// Where there is no Node: browsers, workers and edge runtimes, which have WebCrypto. It has no synchronous HMAC.

/** Browsers don't let a page choose it. */
export const userAgent: string | undefined = undefined;

/** There is no environment. */
export function environment(_name: string): string | undefined {
  return undefined;
}

/** Random bytes fit for identifiers. */
export function randomBytes(size: number): Uint8Array {
  return globalThis.crypto.getRandomValues(new Uint8Array(size));
}

/** Can't be had here. */
export function verifyHmac(_key: Uint8Array, _message: Uint8Array, _mac: Uint8Array): boolean {
  throw new Error('WebCrypto has no synchronous HMAC: use verifySignatureAsync or verifyAsync here');
}

/** Reports, in constant time, whether mac is the HMAC-SHA256 of message. */
export async function verifyHmacAsync(key: Uint8Array, message: Uint8Array, mac: Uint8Array): Promise<boolean> {
  const { subtle } = globalThis.crypto;
  const algorithm = { name: 'HMAC', hash: 'SHA-256' };
  const imported = await subtle.importKey('raw', buffer(key), algorithm, false, ['verify']);
  return subtle.verify('HMAC', imported, buffer(mac), buffer(message));
}

/** Can't be had here. */
export function verifyEd25519(_key: Uint8Array, _message: Uint8Array, _signature: Uint8Array): boolean {
  throw new Error('WebCrypto has no synchronous Ed25519: use verifyAsync here');
}

/** Reports whether signature is the Ed25519 signature of message by the private half of key. */
export async function verifyEd25519Async(key: Uint8Array, message: Uint8Array, signature: Uint8Array): Promise<boolean> {
  const { subtle } = globalThis.crypto;
  const imported = await subtle.importKey('raw', buffer(key), { name: 'Ed25519' }, false, ['verify']);
  return subtle.verify({ name: 'Ed25519' }, imported, buffer(signature), buffer(message));
}

/** WebCrypto's types want bytes that can't be shared between threads. */
function buffer(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return new Uint8Array(bytes);
}
