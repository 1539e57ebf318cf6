/** One page of a list. */
export interface Page<T> {
  items: T[];
  /** Where the next page starts; absent on the last one. */
  nextCursor?: string;
}

/** Which page. */
export interface PageOptions {
  /** Items of one page: 1 to 100. Default: 50. */
  limit?: number | undefined;
  cursor?: string | undefined;
}

/**
 * A list, asked for when it is used: `await` gives one page, `for await` every item of every page.
 *
 * ```ts
 * const page = await client.webhooks.list({ limit: 10 });
 * for await (const webhook of client.webhooks.list()) console.log(webhook.id);
 * ```
 */
export class List<T> implements PromiseLike<Page<T>>, AsyncIterable<T> {
  readonly #load: (cursor: string | undefined) => Promise<Page<T>>;
  readonly #cursor: string | undefined;
  #first: Promise<Page<T>> | undefined;

  constructor(load: (cursor: string | undefined) => Promise<Page<T>>, cursor: string | undefined) {
    this.#load = load;
    this.#cursor = cursor;
  }

  then<A = Page<T>, B = never>(
    fulfilled?: ((page: Page<T>) => A | PromiseLike<A>) | null,
    rejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    this.#first ??= this.#load(this.#cursor);
    return this.#first.then(fulfilled, rejected);
  }

  catch<B = never>(rejected?: ((reason: unknown) => B | PromiseLike<B>) | null): Promise<Page<T> | B> {
    return this.then(undefined, rejected);
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<T, void, undefined> {
    for (let page: Page<T> = await this; ; page = await this.#load(page.nextCursor)) {
      yield* page.items;
      if (!page.nextCursor) return;
    }
  }
}
