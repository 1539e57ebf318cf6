import { VideoCloudError } from './errors.js';
import { environment, userAgent } from '#platform';

/** Settings of a client. */
export interface VideoCloudOptions {
  /** The API key. Default: the environment's VIDEOCLOUD_API_KEY. */
  apiKey?: string | undefined;
  /** Where the API is. Default: the environment's VIDEOCLOUD_BASE_URL, else https://api.videocloud.com. */
  baseUrl?: string | undefined;
  /** The account, for keys that serve any. */
  account?: string | undefined;
  /** Bounds each try of a request, its answer included. Default: 30000. */
  timeoutMs?: number | undefined;
  /** How often a request that may be repeated is tried again. Default: 3. */
  maxRetries?: number | undefined;
  /** Used instead of the global `fetch`. */
  fetch?: typeof globalThis.fetch | undefined;
}

/** Options of every call. */
export interface CallOptions {
  /** Ends the call, retries included; it then rejects with the signal's reason. */
  signal?: AbortSignal | undefined;
}

/** A request of the API. */
export interface ApiRequest extends CallOptions {
  method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  path: string;
  query?: Record<string, string | number | undefined> | undefined;
  body?: unknown;
  /** Sent twice it does what it does once, so it is retried. Default: the method is GET, PUT or DELETE. */
  repeatable?: boolean;
  /** Sent as Idempotency-Key. */
  idempotencyKey?: string | undefined;
}

/** How a call went. */
export interface Tries {
  count: number;
  requestId?: string | undefined;
}

const defaultBaseUrl = 'https://api.videocloud.com';
const firstDelayMs = 250;
const longestDelayMs = 8_000;
/** setTimeout takes anything longer for no time at all. */
const longestTimerMs = 2 ** 31 - 1;
/** A server that asks for more patience than this gets its error passed on instead. */
const longestRetryAfterSeconds = 60;

/** Sends requests: authentication, envelope, time-outs and retries. */
export class Transport {
  readonly #apiKey: string;
  readonly #baseUrl: string;
  readonly #account: string | undefined;
  readonly #timeoutMs: number;
  readonly #maxRetries: number;
  readonly #fetch: typeof globalThis.fetch;

  constructor(options: VideoCloudOptions) {
    // What is wrong with a key or an address is said without showing it: errors end up in logs.
    this.#apiKey = options.apiKey ?? environment('VIDEOCLOUD_API_KEY') ?? '';
    if (this.#apiKey === '') {
      throw new TypeError('apiKey is missing: new VideoCloud({ apiKey: … }), or set VIDEOCLOUD_API_KEY');
    }
    for (const [name, value] of [['apiKey', this.#apiKey], ['account', options.account ?? 'a']] as const) {
      if (typeof value !== 'string' || !/^[!-~]+$/.test(value)) {
        throw new TypeError(`${name} can't be empty, nor hold spaces, line breaks or anything but ASCII`);
      }
    }
    const baseUrl = options.baseUrl ?? (environment('VIDEOCLOUD_BASE_URL') || defaultBaseUrl);
    if (!isBaseUrl(baseUrl)) {
      throw new TypeError('baseUrl: write https://host in ASCII, with a path if need be, and without user, query or fragment');
    }
    for (const [name, value, least] of [['timeoutMs', options.timeoutMs ?? 1, 1], ['maxRetries', options.maxRetries ?? 0, 0]] as const) {
      if (typeof value !== 'number' || !(value >= least)) throw new TypeError(`${name}: use a number from ${least} on`);
    }
    this.#baseUrl = baseUrl.replace(/\/+$/, '');
    this.#account = options.account;
    this.#timeoutMs = options.timeoutMs ?? 30_000;
    this.#maxRetries = options.maxRetries ?? 3;
    this.#fetch = options.fetch ?? globalThis.fetch.bind(globalThis);
  }

  /** Sends a request and returns the answer's `data`. `tries` tells the caller how many requests that took, and the last one's ID. */
  async send<T>(request: ApiRequest, tries: Tries = { count: 0 }): Promise<T> {
    const repeatable = request.repeatable ?? request.method !== 'POST';
    if (request.idempotencyKey !== undefined && !/^[A-Za-z0-9_-]{1,128}$/.test(request.idempotencyKey)) {
      throw new TypeError('idempotencyKey: use 1 to 128 letters, digits, dashes and underscores');
    }
    // Serialized once: a repeated request is the same request.
    const body = request.body === undefined ? undefined : encode(request.body);
    for (;;) {
      request.signal?.throwIfAborted();
      tries.count++;
      try {
        return await this.#once<T>(request, body, tries);
      } catch (error) {
        if (!repeatable || tries.count > this.#maxRetries || !isTransient(error)) throw error;
        const delay = retryDelayMs(tries.count, error.retryAfterSeconds);
        if (delay === undefined) throw error;
        await sleep(delay, request.signal);
      }
    }
  }

  async #once<T>(request: ApiRequest, body: string | undefined, tries: Tries): Promise<T> {
    const abort = new AbortController();
    const forward = () => abort.abort(request.signal?.reason);
    request.signal?.addEventListener('abort', forward, { once: true });
    let timedOut = false;
    const timer = setTimeout(() => {
      timedOut = true;
      abort.abort();
    }, Math.min(this.#timeoutMs, longestTimerMs));
    try {
      const response = await this.#fetch(this.#url(request), {
        method: request.method,
        headers: this.#headers(body, request.idempotencyKey),
        // A redirect would carry the key to another place.
        redirect: 'manual',
        signal: abort.signal,
        ...(body === undefined ? {} : { body }),
      });
      const text = await response.text();
      tries.requestId = response.headers.get('X-Request-Id') ?? undefined;
      return unwrap<T>(response, text);
    } catch (error) {
      if (error instanceof VideoCloudError) throw error;
      request.signal?.throwIfAborted();
      const what = `${request.method} ${request.path}`;
      throw timedOut
        ? new VideoCloudError({ code: 'timeout', status: 0, message: `${what}: no answer within ${this.#timeoutMs} ms` })
        : new VideoCloudError({ code: 'connection_error', status: 0, message: `${what}: ${reason(error)}`, cause: error });
    } finally {
      clearTimeout(timer);
      request.signal?.removeEventListener('abort', forward);
    }
  }

  #url(request: ApiRequest): string {
    const query = new URLSearchParams();
    for (const [name, value] of Object.entries(request.query ?? {})) {
      if (value !== undefined) query.set(name, String(value));
    }
    const search = query.toString();
    return this.#baseUrl + request.path + (search === '' ? '' : `?${search}`);
  }

  #headers(body: string | undefined, idempotencyKey: string | undefined): Record<string, string> {
    const headers: Record<string, string> = { Accept: 'application/json', Authorization: `Bearer ${this.#apiKey}` };
    if (body !== undefined) headers['Content-Type'] = 'application/json';
    if (idempotencyKey !== undefined) headers['Idempotency-Key'] = idempotencyKey;
    if (this.#account !== undefined) headers['X-VideoCloud-Account'] = this.#account;
    if (userAgent !== undefined) headers['User-Agent'] = userAgent;
    return headers;
  }
}

/** URL alone takes more: it leaves out line breaks, cuts off spaces and turns backslashes round. */
function isBaseUrl(text: unknown): text is string {
  if (typeof text !== 'string' || !/^https?:\/\/[!-~]+$/i.test(text) || /^[^/]+\/{3}/.test(text)) return false;
  try {
    const url = new URL(text);
    return url.username === '' && url.password === '' && !/[?#\\]/.test(text);
  } catch {
    return false;
  }
}

/**
 * JSON, or an error where JSON would say something else without a word: it writes NaN, Infinity and a date that is none as null, as it
 * does what is undefined in a list, leaves out functions, has no BigInt, and makes {} of whatever keeps its content elsewhere than in
 * plain fields, such as a Map, a stream, bytes, or a promise that nobody awaited.
 */
function encode(body: unknown): string {
  return JSON.stringify(body, function (this: Record<string, unknown>, name, value: unknown) {
    const why = unsayable(this, this[name], value);
    if (why !== undefined) throw new TypeError(`${name}: ${why}`);
    return value;
  });
}

/** Why a member can't be sent, if so: as it was given, and as its toJSON makes it. */
function unsayable(holder: object, given: unknown, value: unknown): string | undefined {
  const number: unknown = value instanceof Number ? value.valueOf() : value;
  if (typeof value === 'bigint') return 'JSON has no BigInt; write it as a string';
  if (typeof number === 'number' && !Number.isFinite(number)) return `JSON has no ${number}`;
  if (value === null && given instanceof Date) return 'a date that is none';
  if (value === undefined && Array.isArray(holder)) return 'JSON has no undefined in a list';
  // An instance of a class may well have functions among its fields.
  if (typeof value === 'symbol' || (typeof value === 'function' && (Array.isArray(holder) || isPlain(holder)))) return `JSON has no ${typeof value}`;
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return undefined;
  if ('then' in value && typeof value.then === 'function') return 'a promise; await it';
  if (value instanceof String || value instanceof Number || value instanceof Boolean) return undefined;
  const hidden = value instanceof Error || (!isPlain(value) && Object.keys(value).length === 0);
  if (hidden || Symbol.iterator in value || Symbol.asyncIterator in value) return `JSON has no ${value.constructor?.name ?? 'iterator'}; make it a plain object or an array`;
  return undefined;
}

/** An object as braces make it, in whatever realm. */
function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || Object.getPrototypeOf(prototype) === null;
}

/** A path with an ID in it. An empty ID, or one that a URL parser takes for a folder, would name another resource. */
export function pathWith(prefix: string, id: string, suffix = ''): string {
  if (typeof id !== 'string' || id === '' || id === '.' || id === '..') {
    throw new TypeError(`${prefix}: an ID is needed, got ${JSON.stringify(id)}`);
  }
  return `${prefix}/${encodeURIComponent(id)}${suffix}`;
}

/** A moment in the API's form. */
export function timestamp(value: string | Date | undefined): string | undefined {
  return value instanceof Date ? value.toISOString() : value;
}

interface Envelope {
  success?: boolean;
  data?: unknown;
  error?: { code?: string; message?: string; field?: string };
}

function unwrap<T>(response: Response, text: string): T {
  let envelope: Envelope | null = null;
  try {
    envelope = JSON.parse(text) as Envelope | null;
  } catch {
    // Not the API's: told below.
  }
  if (response.ok && envelope?.success === true) return envelope.data as T;
  const error = envelope?.error;
  throw new VideoCloudError({
    code: error?.code ?? 'unexpected_response',
    status: response.status,
    message: error?.message ?? `status ${response.status}, and the answer is not the API's; is baseUrl right?`,
    field: error?.field,
    requestId: response.headers.get('X-Request-Id') ?? undefined,
    retryAfterSeconds: retryAfter(response.headers.get('Retry-After')),
  });
}

/** No answer, or one that says to come back; 502 and 504 are a proxy's words for no answer. */
function isTransient(error: unknown): error is VideoCloudError {
  return error instanceof VideoCloudError && [0, 429, 502, 503, 504].includes(error.status);
}

function retryAfter(value: string | null): number | undefined {
  if (value === null) return undefined;
  if (/^\d+(\.\d+)?$/.test(value)) return Number(value);
  // Date.parse alone takes nearly anything for a date, long ago.
  const date = value.endsWith(' GMT') ? Date.parse(value) : NaN;
  return Number.isNaN(date) ? undefined : Math.max(0, (date - Date.now()) / 1000);
}

/** How long to wait before the next try: what the server says, else doubling with jitter. */
function retryDelayMs(tries: number, retryAfterSeconds: number | undefined): number | undefined {
  if (retryAfterSeconds !== undefined) {
    return retryAfterSeconds > longestRetryAfterSeconds ? undefined : retryAfterSeconds * 1000;
  }
  const delay = Math.min(longestDelayMs, firstDelayMs * 2 ** (tries - 1));
  return delay * (0.5 + Math.random() / 2);
}

function sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const stop = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener('abort', stop);
      resolve();
    }, ms);
    signal?.addEventListener('abort', stop, { once: true });
  });
}

/** Node's fetch hides why in its cause: "fetch failed" alone helps nobody. */
function reason(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const cause: unknown = error.cause;
  return cause instanceof Error && cause.message !== '' ? `${error.message}: ${cause.message}` : error.message;
}
