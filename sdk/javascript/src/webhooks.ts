import { listDeliveries, type DeliveryListOptions } from './deliveries.js';
import type {
  Delivery, FilterTest, FilterTestInput, PublishedEvent, RegisteredWebhook, Replay, ReplayInput, RetryInput, Stats, Webhook, WebhookInput, WebhookUpdate,
} from './models.js';
import { remove } from './keys.js';
import { List, type Page, type PageOptions } from './pages.js';
import * as signatures from './signature.js';
import { getStats, type StatsOptions } from './stats.js';
import { pathWith, timestamp, type CallOptions, type Transport } from './transport.js';

/** Registered endpoints, and the verification of what they get. */
export class Webhooks {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /**
   * Registers an endpoint. With `options.idempotencyKey` a repetition within 72 hours answers the first webhook, without its
   * secret. Retried only with such a key, as a second try could register it twice, and a `secret`, as one that the API makes
   * is shown in the first answer alone.
   */
  register(input: WebhookInput, options: CallOptions & { idempotencyKey?: string | undefined } = {}): Promise<RegisteredWebhook> {
    const repeatable = options.idempotencyKey !== undefined && input.secret !== undefined;
    return this.#transport.send({ ...options, method: 'POST', path: '/webhooks', body: input, repeatable });
  }

  /** Lists the webhooks, oldest first. */
  list(options: PageOptions & CallOptions = {}): List<Webhook> {
    const { limit, signal } = options;
    return new List(
      (cursor) => this.#transport.send<Page<Webhook>>({ method: 'GET', path: '/webhooks', query: { limit, cursor }, signal }),
      options.cursor,
    );
  }

  /** Gets one webhook. */
  get(id: string, options: CallOptions = {}): Promise<Webhook> {
    return this.#transport.send({ ...options, method: 'GET', path: pathWith('/webhooks', id) });
  }

  /** Changes the fields given. */
  update(id: string, update: WebhookUpdate, options: CallOptions = {}): Promise<Webhook> {
    // Rotating a secret twice would take the new one for the old one, and another key would come of each time.
    const repeatable = update.secretOverlap === undefined && update.rotateKey !== true;
    return this.#transport.send({ ...options, method: 'PUT', path: pathWith('/webhooks', id), body: update, repeatable });
  }

  /** Deletes a webhook; its waiting deliveries are cancelled. */
  delete(id: string, options: CallOptions = {}): Promise<void> {
    return remove(this.#transport, pathWith('/webhooks', id), options);
  }

  /** Sends a `webhook.test` event, or the example of the type that `options.event` names, to this webhook only. */
  test(id: string, options: CallOptions & { event?: string | undefined } = {}): Promise<PublishedEvent> {
    const { event, ...call } = options;
    const body = event === undefined ? undefined : { event };
    return this.#transport.send({ ...call, method: 'POST', path: pathWith('/webhooks', id, '/test'), body });
  }

  /** Says whether an event would pass a filter. */
  testFilter(input: FilterTestInput, options: CallOptions = {}): Promise<FilterTest> {
    return this.#transport.send({ ...options, method: 'POST', path: '/webhooks/filter-test', body: input, repeatable: true });
  }

  /** Sends the failed deliveries again; see {@link Replays.get} for its progress. Not retried. */
  retryFailed(id: string, input: RetryInput = {}, options: CallOptions = {}): Promise<Replay> {
    const body = { ...input, state: 'failed', since: timestamp(input.since), until: timestamp(input.until) };
    return this.#transport.send({ ...options, method: 'POST', path: pathWith('/webhooks', id, '/retry'), body });
  }

  /** Holds new events back until {@link resume}. */
  pause(id: string, options: CallOptions = {}): Promise<Webhook> {
    return this.update(id, { status: 'paused' }, options);
  }

  /** Ends a pause; what waited goes out. Also makes a failed or disabled webhook active again. */
  resume(id: string, options: CallOptions = {}): Promise<Webhook> {
    return this.update(id, { status: 'active' }, options);
  }

  /** Sends past deliveries again; see {@link Replays.get} for its progress. Only a dry run is retried. */
  replay(id: string, input: ReplayInput, options: CallOptions = {}): Promise<Replay> {
    const body = { ...input, since: timestamp(input.since), until: timestamp(input.until) };
    const repeatable = input.dryRun === true;
    return this.#transport.send({ ...options, method: 'POST', path: pathWith('/webhooks', id, '/replay'), body, repeatable });
  }

  /** Lists a webhook's deliveries, newest first. */
  deliveries(id: string, options: DeliveryListOptions = {}): List<Delivery> {
    return listDeliveries(this.#transport, id, options);
  }

  /** Gets a webhook's attempts by outcome over time. */
  stats(id: string, options: StatsOptions = {}): Promise<Stats> {
    return getStats(this.#transport, pathWith('/webhooks', id, '/stats'), options);
  }

  /** {@link signatures.verifySignature} */
  verifySignature(payload: signatures.Payload, signature: signatures.HeaderValue, secret: string | readonly string[]): boolean {
    return signatures.verifySignature(payload, signature, secret);
  }

  /** {@link signatures.verifySignatureAsync} */
  verifySignatureAsync(
    payload: signatures.Payload,
    signature: signatures.HeaderValue,
    secret: string | readonly string[],
  ): Promise<boolean> {
    return signatures.verifySignatureAsync(payload, signature, secret);
  }

  /** {@link signatures.verify} */
  readonly verify: typeof signatures.verify = signatures.verify;

  /** {@link signatures.verifyAsync} */
  readonly verifyAsync: typeof signatures.verifyAsync = signatures.verifyAsync;
}
