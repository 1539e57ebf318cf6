import type { ApiKey, ApiKeyInput, CreatedApiKey, PortalLink, PortalLinkInput } from './models.js';
import { List, type Page, type PageOptions } from './pages.js';
import { VideoCloudError } from './errors.js';
import { pathWith, type CallOptions, type Transport, type Tries } from './transport.js';

/** API keys that are made at run time. */
export class ApiKeys {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Makes a key, which only this answer shows. Not retried: a second try could make another. */
  create(input: ApiKeyInput, options: CallOptions = {}): Promise<CreatedApiKey> {
    return this.#transport.send({ ...options, method: 'POST', path: '/api-keys', body: input });
  }

  /** Lists the keys that were made, oldest first. */
  list(options: PageOptions & CallOptions = {}): List<ApiKey> {
    const { limit, signal } = options;
    return new List(
      (cursor) => this.#transport.send<Page<ApiKey>>({ method: 'GET', path: '/api-keys', query: { limit, cursor }, signal }),
      options.cursor,
    );
  }

  /** Ends a key, and all that it made. It is refused everywhere within a second. */
  delete(id: string, options: CallOptions = {}): Promise<void> {
    return remove(this.#transport, pathWith('/api-keys', id), options);
  }
}

/** Links that lead customers to the portal. */
export class PortalLinks {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Makes a link. Not retried: a second try could make another. */
  create(input: PortalLinkInput = {}, options: CallOptions = {}): Promise<PortalLink> {
    return this.#transport.send({ ...options, method: 'POST', path: '/portal-links', body: input });
  }
}

/** Deletes something; that it is gone already is no error where an earlier try may have done it. */
export async function remove(transport: Transport, path: string, options: CallOptions): Promise<void> {
  const tries: Tries = { count: 0 };
  try {
    await transport.send({ ...options, method: 'DELETE', path }, tries);
  } catch (error) {
    // An earlier try deleted it, and only its answer was lost.
    if (error instanceof VideoCloudError && error.code === 'not_found' && tries.count > 1) return;
    throw error;
  }
}
