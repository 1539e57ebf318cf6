import type { Delivery, DeliveryState } from './models.js';
import { List, type Page, type PageOptions } from './pages.js';
import { pathWith, timestamp, type CallOptions, type Transport } from './transport.js';

/** Which deliveries. */
export interface DeliveryListOptions extends PageOptions, CallOptions {
  state?: DeliveryState | undefined;
  /** The type. */
  event?: string | undefined;
  since?: string | Date | undefined;
  until?: string | Date | undefined;
}

/** Which deliveries of an account. */
export interface DeliverySearch extends DeliveryListOptions {
  eventId?: string | undefined;
  webhookId?: string | undefined;
}

/** Events on their way to webhooks. */
export class Deliveries {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Gets one delivery, with its attempts. */
  get(id: string, options: CallOptions = {}): Promise<Delivery> {
    return this.#transport.send({ ...options, method: 'GET', path: pathWith('/deliveries', id) });
  }

  /** Sends a delivery again, now and with fresh attempts. Not retried. */
  retry(id: string, options: CallOptions = {}): Promise<Delivery> {
    return this.#transport.send({ ...options, method: 'POST', path: pathWith('/deliveries', id, '/retry') });
  }

  /** Lists a webhook's deliveries, newest first. */
  list(webhookId: string, options: DeliveryListOptions = {}): List<Delivery> {
    return listDeliveries(this.#transport, webhookId, options);
  }

  /** Lists the deliveries of the client's account, newest first. A page may be short while there is more. */
  search(options: DeliverySearch = {}): List<Delivery> {
    return listPages(this.#transport, '/deliveries', options);
  }
}

/** Lists a webhook's deliveries, newest first. */
export function listDeliveries(transport: Transport, webhookId: string, options: DeliveryListOptions): List<Delivery> {
  return listPages(transport, pathWith('/webhooks', webhookId, '/deliveries'), options);
}

function listPages(transport: Transport, path: string, options: DeliverySearch): List<Delivery> {
  const { limit, state, event, eventId, webhookId, signal } = options;
  const since = timestamp(options.since);
  const until = timestamp(options.until);
  const query = { state, event, eventId, webhookId, since, until, limit };
  return new List(
    (cursor) => transport.send<Page<Delivery>>({ method: 'GET', path, query: { ...query, cursor }, signal }),
    options.cursor,
  );
}
