import { Accounts } from './accounts.js';
import { Deliveries } from './deliveries.js';
import { Events } from './events.js';
import { ApiKeys, PortalLinks, remove } from './keys.js';
import type { EventTypeInfo, EventTypeInput, Replay } from './models.js';
import { List, type Page, type PageOptions } from './pages.js';
import { StatsApi } from './stats.js';
import { pathWith, Transport, type CallOptions, type VideoCloudOptions } from './transport.js';
import { Webhooks } from './webhooks.js';

/**
 * A client of the VideoCloud Webhooks API.
 *
 * ```ts
 * const client = new VideoCloud({ apiKey: 'your_api_key' });
 * await client.events.publish({ event: 'video.published', data: { videoId: 'vid_123456' } });
 * ```
 */
export class VideoCloud {
  readonly webhooks: Webhooks;
  readonly events: Events;
  readonly deliveries: Deliveries;
  readonly replays: Replays;
  readonly eventTypes: EventTypes;
  readonly apiKeys: ApiKeys;
  readonly portalLinks: PortalLinks;
  readonly accounts: Accounts;
  readonly stats: StatsApi;

  constructor(options: VideoCloudOptions = {}) {
    const transport = new Transport(options);
    this.webhooks = new Webhooks(transport);
    this.events = new Events(transport);
    this.deliveries = new Deliveries(transport);
    this.replays = new Replays(transport);
    this.eventTypes = new EventTypes(transport);
    this.apiKeys = new ApiKeys(transport);
    this.portalLinks = new PortalLinks(transport);
    this.accounts = new Accounts(transport);
    this.stats = new StatsApi(transport);
  }
}

/** Jobs that send deliveries again; `webhooks.replay` starts one. */
export class Replays {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Lists the replays, newest first. */
  list(options: PageOptions & CallOptions = {}): List<Replay> {
    const { limit, signal } = options;
    return new List(
      (cursor) => this.#transport.send<Page<Replay>>({ method: 'GET', path: '/replays', query: { limit, cursor }, signal }),
      options.cursor,
    );
  }

  /** Ends a replay: what it has not sent yet stays as it is. */
  cancel(id: string, options: CallOptions = {}): Promise<Replay> {
    return this.#transport.send({ ...options, method: 'DELETE', path: pathWith('/replays', id) });
  }

  /** Gets a replay's progress. */
  get(id: string, options: CallOptions = {}): Promise<Replay> {
    return this.#transport.send({ ...options, method: 'GET', path: pathWith('/replays', id) });
  }
}

/** The event catalogue. */
export class EventTypes {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Makes an event type, or changes the fields given of one; null takes one away. By a key of every account. */
  put(name: string, input: EventTypeInput, options: CallOptions = {}): Promise<EventTypeInfo> {
    return this.#transport.send({ ...options, method: 'PUT', path: pathWith('/event-types', name), body: input });
  }

  /** Deletes an event type that was made by `put`. */
  delete(name: string, options: CallOptions = {}): Promise<void> {
    return remove(this.#transport, pathWith('/event-types', name), options);
  }

  /** Lists the event types that can be subscribed to. */
  async list(options: CallOptions = {}): Promise<EventTypeInfo[]> {
    const { items } = await this.#transport.send<{ items: EventTypeInfo[] }>({ ...options, method: 'GET', path: '/event-types' });
    return items;
  }
}
