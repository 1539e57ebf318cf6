import { newEventId } from './ids.js';
import { remove } from './keys.js';
import type { EventInput, EventRecord, EventSummary, PublishedEvent, PublishResult } from './models.js';
import { List, type Page, type PageOptions } from './pages.js';
import { pathWith, timestamp, type CallOptions, type Transport, type Tries } from './transport.js';

/** Which events. */
export interface EventListOptions extends PageOptions, CallOptions {
  event?: string | undefined;
  since?: string | Date | undefined;
  until?: string | Date | undefined;
}

/** Publishing. */
export class Events {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Publishes an event; it is stored once this resolves. Retried safely: every event has an ID, made here if need be. */
  async publish<T extends string>(event: EventInput<T>, options: CallOptions = {}): Promise<PublishedEvent> {
    return this.#transport.send({ ...options, method: 'POST', path: '/events', body: wire(event), repeatable: true });
  }

  /** Publishes up to 1,000 events at once. The answers are in the events' order, each an event or an `error`. */
  async publishBatch<const T extends readonly string[]>(
    events: readonly [...{ [K in keyof T]: EventInput<T[K]> }],
    options: CallOptions = {},
  ): Promise<PublishResult[]> {
    const body = { events: (events as readonly EventInput[]).map(wire) };
    const path = '/events/batch';
    const tries: Tries = { count: 0 };
    const { items } = await this.#transport.send<{ items: PublishResult[] }>({ ...options, method: 'POST', path, body, repeatable: true }, tries);
    return items.map((item) => (item.error ? { error: { ...item.error, requestId: tries.requestId } } : item));
  }

  /** Lists the account's events, newest first, without their payloads. */
  list(options: EventListOptions = {}): List<EventSummary> {
    const { event, limit, signal } = options;
    const [since, until] = [timestamp(options.since), timestamp(options.until)];
    const query = { event, since, until, limit };
    return new List(
      (cursor) => this.#transport.send<Page<EventSummary>>({ method: 'GET', path: '/events', query: { ...query, cursor }, signal }),
      options.cursor,
    );
  }

  /** Deletes an event: its data and all kept answers to it are gone, and its waiting deliveries are cancelled. */
  delete(id: string, options: CallOptions = {}): Promise<void> {
    return remove(this.#transport, pathWith('/events', id), options);
  }

  /** Gets a published event, with its deliveries. */
  get(id: string, options: CallOptions = {}): Promise<EventRecord> {
    return this.#transport.send({ ...options, method: 'GET', path: pathWith('/events', id) });
  }
}

function wire(event: { event: string; data: object; id?: string | undefined; timestamp?: string | Date | undefined }): object {
  if (typeof event.data !== 'object' || event.data === null || Array.isArray(event.data)) {
    throw new TypeError('data: an object is needed');
  }
  return { event: event.event, data: event.data, id: event.id ?? newEventId(), timestamp: timestamp(event.timestamp) };
}
