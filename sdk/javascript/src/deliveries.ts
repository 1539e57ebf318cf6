import type { Delivery, DeliveryState } from './models.js';
import { List, type Page, type PageOptions } from './pages.js';
import { pathWith, timestamp, type CallOptions, type Transport } from './transport.js';

/** Which deliveries. */
export interface DeliveryListOptions extends PageOptions, CallOptions {
  state?: DeliveryState | undefined;
  since?: string | Date | undefined;
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
}

/** Lists a webhook's deliveries, newest first. */
export function listDeliveries(transport: Transport, webhookId: string, options: DeliveryListOptions): List<Delivery> {
  const { limit, state, signal } = options;
  const since = timestamp(options.since);
  const path = pathWith('/webhooks', webhookId, '/deliveries');
  return new List(
    (cursor) => transport.send<Page<Delivery>>({ method: 'GET', path, query: { state, since, limit, cursor }, signal }),
    options.cursor,
  );
}
