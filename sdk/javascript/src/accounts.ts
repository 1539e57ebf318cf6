import type { Account, AccountInput, ChangedAccount, NotifyEmail } from './models.js';
import { remove } from './keys.js';
import { List, type Page, type PageOptions } from './pages.js';
import { pathWith, type CallOptions, type Transport } from './transport.js';

/** What owns webhooks and events: the client's own account, and for a key of every account all. */
export class Accounts {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Gets the client's own account. */
  get(options: CallOptions = {}): Promise<Account> {
    return this.#transport.send({ ...options, method: 'GET', path: '/account' });
  }

  /** Changes the fields given of the client's own account. Not retried where a secret may be made, which only one answer shows. */
  update(input: AccountInput, options: CallOptions = {}): Promise<ChangedAccount> {
    const repeatable = input.notifyUrl == null || input.notifySecret !== undefined;
    return this.#transport.send({ ...options, method: 'PUT', path: '/account', body: input, repeatable });
  }

  /**
   * Does what the link in a mail is for, by the token that it ends with: the one in the first mail to an address confirms
   * it, the one in each later mail takes it out. The answer says which. Not retried.
   */
  confirm(token: string, options: CallOptions = {}): Promise<NotifyEmail> {
    return this.#transport.send({ ...options, method: 'POST', path: '/account/confirm', body: { token } });
  }

  /**
   * Deletes an account with everything that it has: webhooks, events, keys and whatever else. Its name may be used afresh.
   * Takes a key of every account.
   */
  delete(account: string, options: CallOptions = {}): Promise<void> {
    return remove(this.#transport, pathWith('/accounts', account), options);
  }

  /** Lists all accounts, by name. */
  list(options: PageOptions & CallOptions = {}): List<Account> {
    const { limit, signal } = options;
    return new List(
      (cursor) => this.#transport.send<Page<Account>>({ method: 'GET', path: '/accounts', query: { limit, cursor }, signal }),
      options.cursor,
    );
  }
}
