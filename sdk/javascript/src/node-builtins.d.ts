// The little of Node that this package uses, so that it needs no type package of it.

declare module 'node:crypto' {
  export function createHmac(algorithm: 'sha256', key: Uint8Array): {
    update(data: Uint8Array): { digest(): Uint8Array };
  };
  export function createPublicKey(key: { key: Uint8Array; format: 'der'; type: 'spki' }): object;
  export function verify(algorithm: null, data: Uint8Array, key: object, signature: Uint8Array): boolean;
  export function timingSafeEqual(a: Uint8Array, b: Uint8Array): boolean;
  export function randomBytes(size: number): Uint8Array;
}

declare module 'node:process' {
  export const env: Record<string, string | undefined>;
  export const version: string;
}
