import { createHmac, createPublicKey, randomBytes, timingSafeEqual, verify } from 'node:crypto';
import { env, version } from 'node:process';
import { sdkVersion } from './version.js';

export { randomBytes };

/** Tells the server who asks; browsers don't let a page choose it. */
export const userAgent: string | undefined = `videocloud-js/${sdkVersion} node/${version.replace(/^v/, '')}`;

/** Reads a variable of the environment. */
export function environment(name: string): string | undefined {
  return env[name];
}

/** Reports, in constant time, whether mac is the HMAC-SHA256 of message. */
export function verifyHmac(key: Uint8Array, message: Uint8Array, mac: Uint8Array): boolean {
  const expected = createHmac('sha256', key).update(message).digest();
  return expected.length === mac.length && timingSafeEqual(expected, mac);
}

/** The same for callers that also run where only WebCrypto is. */
export async function verifyHmacAsync(key: Uint8Array, message: Uint8Array, mac: Uint8Array): Promise<boolean> {
  return verifyHmac(key, message, mac);
}

/** What comes before the 32 bytes of an Ed25519 public key in DER, see RFC 8410. */
const spki = [0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00];

/** Reports whether signature is the Ed25519 signature of message by the private half of key. */
export function verifyEd25519(key: Uint8Array, message: Uint8Array, signature: Uint8Array): boolean {
  const der = new Uint8Array([...spki, ...key]);
  try {
    return verify(null, message, createPublicKey({ key: der, format: 'der', type: 'spki' }), signature);
  } catch {
    return false; // it is no point of the curve
  }
}

/** The same for callers that also run where only WebCrypto is. */
export async function verifyEd25519Async(key: Uint8Array, message: Uint8Array, signature: Uint8Array): Promise<boolean> {
  return verifyEd25519(key, message, signature);
}
