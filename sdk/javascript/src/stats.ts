import type { Stats, StatsWindow } from './models.js';
import type { CallOptions, Transport } from './transport.js';

/** How far back to look. */
export interface StatsOptions extends CallOptions {
  /** A day where it is left out. */
  window?: StatsWindow | undefined;
}

/** Attempts over time. */
export class StatsApi {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Gets the figures of the client's account; with a key of every account and no account named, of all. */
  get(options: StatsOptions = {}): Promise<Stats> {
    return getStats(this.#transport, '/stats', options);
  }
}

/** Gets figures. */
export function getStats(transport: Transport, path: string, options: StatsOptions): Promise<Stats> {
  const { window, signal } = options;
  return transport.send({ method: 'GET', path, query: { window }, signal });
}
