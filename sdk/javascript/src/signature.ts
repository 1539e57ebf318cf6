import { WebhookVerificationError } from './errors.js';
import type { WebhookEvent } from './payloads.js';
import { verifyEd25519, verifyEd25519Async, verifyHmac, verifyHmacAsync } from '#platform';

/** A raw body: text, or bytes such as Node's Buffer. */
export type Payload = string | ArrayBuffer | ArrayBufferView;

/** A header as frameworks hand it out. */
export type HeaderValue = string | readonly string[] | null | undefined;

/** A request's headers: `Headers`, Node's `req.headers`, or any object of names and values. */
export type HeadersLike = { get(name: string): string | null } | { readonly [name: string]: HeaderValue };

/** Options of {@link verify}. */
export interface VerifyOptions {
  /** How old, or how far ahead, the timestamp may be; Infinity for any. Default: 300. */
  toleranceSeconds?: number | undefined;
  /** The time to judge by. Default: now. */
  now?: Date | undefined;
}

/** A verified event, with its ID: the same on every attempt, so that it can be handled once. */
export type Verified<E> = E & { id: string };

type Version = 'v1' | 'v1a';

interface Check {
  version: Version;
  key: Uint8Array;
  message: Uint8Array;
  mac: Uint8Array;
}

/**
 * Reports whether `signature` is the `X-VideoCloud-Signature` of `payload`, the raw body. Anything else than the right
 * signature is false, never an exception: a missing, short or non-hex one, an empty secret, a body that was parsed.
 *
 * Several secrets may be given, while one is rotated. It compares in constant time. Synchronous, so it needs Node; elsewhere use {@link verifySignatureAsync}.
 */
export function verifySignature(payload: Payload, signature: HeaderValue, secret: string | readonly string[]): boolean {
  return signatureChecks(payload, signature, secret).some(holds);
}

/** {@link verifySignature} for browsers, workers and edge runtimes too. */
export async function verifySignatureAsync(
  payload: Payload,
  signature: HeaderValue,
  secret: string | readonly string[],
): Promise<boolean> {
  for (const c of signatureChecks(payload, signature, secret)) {
    if (await holdsAsync(c)) return true;
  }
  return false;
}

/**
 * Verifies a delivery by its Standard Webhooks headers (`webhook-id`, `webhook-timestamp`, `webhook-signature`), which
 * sign the event's ID and the time of the attempt too, and returns the event.
 *
 * Synchronous, so it needs Node; elsewhere use {@link verifyAsync}.
 *
 * @param secret the webhook's secret, or its `publicKey` (`whpk_…`) where its signing is ed25519; several while it is rotated
 * @throws WebhookVerificationError whose `code` says why
 */
export function verify<E extends { event: string } = WebhookEvent>(
  payload: Payload,
  headers: HeadersLike,
  secret: string | readonly string[],
  options: VerifyOptions = {},
): Verified<E> {
  const { id, checks } = standardChecks(payload, headers, secret, options);
  if (!checks.some(holds)) throw mismatch();
  return parse<E>(payload, id);
}

/** {@link verify} for browsers, workers and edge runtimes too. */
export async function verifyAsync<E extends { event: string } = WebhookEvent>(
  payload: Payload,
  headers: HeadersLike,
  secret: string | readonly string[],
  options: VerifyOptions = {},
): Promise<Verified<E>> {
  const { id, checks } = standardChecks(payload, headers, secret, options);
  for (const c of checks) {
    if (await holdsAsync(c)) return parse<E>(payload, id);
  }
  throw mismatch();
}

function holds(c: Check): boolean {
  return (c.version === 'v1a' ? verifyEd25519 : verifyHmac)(c.key, c.message, c.mac);
}

function holdsAsync(c: Check): Promise<boolean> {
  return (c.version === 'v1a' ? verifyEd25519Async : verifyHmacAsync)(c.key, c.message, c.mac);
}

/** What is to be compared, for each secret; nothing where the answer is no anyway. */
function signatureChecks(payload: unknown, signature: unknown, secret: unknown): Check[] {
  const message = bytes(payload);
  if (message === undefined) return [];
  const keys: unknown[] = Array.isArray(secret) ? secret : [secret];
  if (typeof signature !== 'string' || !/^[0-9a-f]{64}$/.test(signature)) return [];
  const mac = Uint8Array.from({ length: 32 }, (_, i) => parseInt(signature.slice(2 * i, 2 * i + 2), 16));
  // Anyone can sign with the empty key.
  return keys.flatMap((key) => (typeof key === 'string' && key !== '' ? [{ version: 'v1' as const, key: utf8(key), message, mac }] : []));
}

function standardChecks(
  payload: unknown,
  headers: HeadersLike,
  secret: string | readonly string[],
  options: VerifyOptions,
): { id: string; checks: Check[] } {
  const keys = (typeof secret === 'string' ? [secret] : secret).map(standardVerifier);
  if (keys.length === 0) throw new TypeError('secret: give at least one');
  const body = bytes(payload);
  if (body === undefined) {
    throw new WebhookVerificationError('invalid_payload', 'the payload must be the raw body: text or bytes, not a parsed object');
  }
  const names = ['webhook-id', 'webhook-timestamp', 'webhook-signature'] as const;
  const [ids, times, signatures] = names.map((name) => valuesOf(headers, name)) as [string[], string[], string[]];
  const all = [ids, times, signatures];
  if (all.some((values) => values.every((v) => v === ''))) {
    throw new WebhookVerificationError('signature_missing', `the request needs ${names.join(', ')}`);
  }
  if (all.some((values) => values.length !== 1)) throw malformed('a webhook-* header is there more than once');
  const [id, time, signature] = [ids[0]!, times[0]!, signatures[0]!];
  if (!/^(0|[1-9][0-9]{0,14})$/.test(time)) throw malformed('webhook-timestamp is not in unix seconds');
  const given = signature.split(' ').flatMap((s) => {
    // 32 bytes for v1 and 64 for v1a, each in the one way that base64 writes them.
    const m = /^(v1),([A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=)$/.exec(s) ?? /^(v1a),([A-Za-z0-9+/]{85}[AQgw]==)$/.exec(s);
    return m && keys.some((k) => k.version === m[1]) ? [{ version: m[1], mac: fromBase64(m[2]!) }] : [];
  });
  if (given.length === 0) throw malformed('webhook-signature holds no signature such as this secret checks');
  const now = Math.floor((options.now?.getTime() ?? Date.now()) / 1000);
  if (!(Math.abs(now - Number(time)) <= (options.toleranceSeconds ?? 300))) {
    throw new WebhookVerificationError('timestamp', 'webhook-timestamp is too old or too far ahead; is the clock right?');
  }
  const signed = utf8(`${id}.${time}.`);
  const message = new Uint8Array(signed.length + body.length);
  message.set(signed);
  message.set(body, signed.length);
  const checks = keys.flatMap(({ version, key }) =>
    given.filter((s) => s.version === version).map(({ mac }) => ({ version, key, message, mac })),
  );
  return { id, checks };
}

/** The key of a secret or a public key, and the version of the signatures that it checks. */
function standardVerifier(secret: string): { version: Version; key: Uint8Array } {
  if (typeof secret !== 'string' || !secret.startsWith('whpk_')) return { version: 'v1', key: standardKey(secret) };
  if (!/^whpk_[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=$/.test(secret)) {
    throw new TypeError('secret: what follows whpk_ is not a public key of 32 bytes in base64');
  }
  return { version: 'v1a', key: fromBase64(secret.slice('whpk_'.length)) };
}

/** The key of Standard Webhooks: base64 after `whsec_`, else the secret's own bytes. */
function standardKey(secret: string): Uint8Array {
  if (typeof secret !== 'string' || secret === '') throw new TypeError('secret: is empty');
  if (!secret.startsWith('whsec_')) return utf8(secret);
  let key = new Uint8Array(0);
  try {
    key = fromBase64(secret.slice('whsec_'.length));
  } catch {
    // Told below, without the secret.
  }
  if (key.length === 0) throw new TypeError('secret: what follows whsec_ is not base64');
  return key;
}

function parse<E>(payload: Payload, id: string): Verified<E> {
  let event: unknown;
  try {
    event = JSON.parse(typeof payload === 'string' ? payload : new TextDecoder('utf-8', { fatal: true }).decode(payload));
  } catch {
    // Told below.
  }
  if (typeof event !== 'object' || event === null || typeof (event as { event?: unknown }).event !== 'string') {
    throw new WebhookVerificationError('invalid_payload', 'the body is signed, but it is not an event in JSON');
  }
  return { ...event, id } as Verified<E>;
}

function valuesOf(headers: HeadersLike, name: string): string[] {
  if (typeof headers.get === 'function') {
    const value = headers.get(name);
    return typeof value === 'string' ? [value] : [];
  }
  return Object.entries(headers as Record<string, HeaderValue>)
    .filter(([key]) => key.toLowerCase() === name)
    .flatMap(([, value]) => value ?? []);
}

function bytes(payload: unknown): Uint8Array | undefined {
  if (typeof payload === 'string') return utf8(payload);
  if (payload instanceof Uint8Array) return payload;
  if (ArrayBuffer.isView(payload)) return new Uint8Array(payload.buffer, payload.byteOffset, payload.byteLength);
  if (payload instanceof ArrayBuffer) return new Uint8Array(payload);
  return undefined;
}

function utf8(text: string): Uint8Array {
  return new TextEncoder().encode(text);
}

function fromBase64(text: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(atob(text), (c) => c.charCodeAt(0));
}

function malformed(message: string): WebhookVerificationError {
  return new WebhookVerificationError('signature_malformed', message);
}

function mismatch(): WebhookVerificationError {
  return new WebhookVerificationError('signature_mismatch', 'the signature is not that of this body and this secret');
}
