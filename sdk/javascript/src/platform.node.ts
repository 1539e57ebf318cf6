import { createHmac, randomBytes, timingSafeEqual } from 'node:crypto';
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
