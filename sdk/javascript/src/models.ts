import type { ErrorCode } from './errors.js';
import type { EventData, EventType, JsonObject, Subscription } from './payloads.js';

/** Only its owner ends `paused` and `disabled`. */
export type WebhookStatus = 'active' | 'failed' | 'paused' | 'disabled';

/** A registered endpoint. */
export interface Webhook {
  id: string;
  url: string;
  events: string[];
  status: WebhookStatus;
  createdAt: string;
  /** The latest attempt, once there was one. */
  lastDelivery?: { success: boolean; timestamp: string };
  /** No attempt starts before, as the endpoint asked with Retry-After. */
  heldUntil?: string;
  description?: string;
  /** The names of the custom headers; their values are never shown. */
  headers?: string[];
  /** Attempts a second. */
  rateLimit?: number;
  /** Attempts in flight. */
  maxInFlight?: number;
  /** A CEL expression: only events for which it is true go here. */
  filter?: string;
  /** Events that the filter failed on, since it was set. They were delivered. */
  filterErrors?: number;
  /** Its own retry table. */
  retry?: string[];
  /** How long an attempt of its own may take. */
  timeout?: string;
  /** One attempt at a time, and first attempts in the order of publishing. */
  ordered?: boolean;
  /** `ed25519`: `webhook-signature` is made with a key pair of this webhook's own. */
  signing?: 'ed25519';
  /** `whpk_…`, with `signing: 'ed25519'`: what verifies `webhook-signature`. */
  publicKey?: string;
  /** What the endpoint asks of its callers: the type, and what is no secret. */
  auth?: ShownAuth;
  /** Strings of yours. */
  metadata?: Record<string, string>;
}

/** What an endpoint asks of its callers beside the signature. */
export type WebhookAuth =
  | { type: 'basic'; username: string; password: string }
  | { type: 'bearer'; token: string }
  /** Client credentials; `scope` are names separated by spaces. */
  | { type: 'oauth2'; tokenUrl: string; clientId: string; clientSecret: string; scope?: string | undefined }
  /** A client certificate and its unencrypted key, in PEM. */
  | { type: 'mtls'; certificate: string; key: string };

/** What is shown of a {@link WebhookAuth}. Given back in an update it changes nothing. */
export interface ShownAuth {
  type: WebhookAuth['type'];
  username?: string;
  tokenUrl?: string;
  clientId?: string;
  scope?: string;
  certificate?: string;
}

/** The answer to a registration: the only one with a secret, and only where the API made it. Keep it. */
export interface RegisteredWebhook extends Webhook {
  secret?: string;
}

/** What registers a webhook. */
export interface WebhookInput {
  url: string;
  events: readonly Subscription[];
  /** 16 to 256 bytes. Without it the API makes one and shows it once, in the answer. */
  secret?: string | undefined;
  description?: string | null | undefined;
  /** Sent with every delivery, such as `Authorization`. */
  headers?: Record<string, string> | null | undefined;
  /** Attempts a second. */
  rateLimit?: number | null | undefined;
  /** Attempts in flight. */
  maxInFlight?: number | null | undefined;
  /** A CEL expression over `event`, `id`, `timestamp` and `data`: only events for which it is true go here. `null`: all. */
  filter?: string | null | undefined;
  /** Its own retry table: 1 to 16 delays before attempts, such as `['0s', '1m', '1h']`. `null`: the server's. */
  retry?: readonly string[] | null | undefined;
  /** How long an attempt may take, `1s` to `60s`. `null`: the server's timeout. */
  timeout?: string | null | undefined;
  /** One attempt at a time, and first attempts in the order of publishing: the next event starts when the one before it has ended. */
  ordered?: boolean | null | undefined;
  /** `ed25519`: `webhook-signature` is made with a key pair of this webhook's own. `null`: with its secret. */
  signing?: 'ed25519' | null | undefined;
  /** What the endpoint asks of its callers beside the signature. Its secrets are never shown again. `null`: nothing. */
  auth?: WebhookAuth | ShownAuth | null | undefined;
  /** Up to 16 strings of yours, kept and shown. */
  metadata?: Record<string, string> | null | undefined;
  /** `paused` from the start. Default: active. */
  status?: 'active' | 'paused' | undefined;
}

/** What changes a webhook: fields that are not given stay, `null` clears those that a webhook need not have. */
export interface WebhookUpdate extends Omit<WebhookInput, 'url' | 'events'> {
  url?: string | undefined;
  events?: readonly Subscription[] | undefined;
  /** `true` makes another key pair, with `signing: 'ed25519'`. */
  rotateKey?: boolean | undefined;
  /** With a new `secret`, `rotateKey` or another `signing`: how long what signed before still does too, in `webhook-signature`. Such as `24h`. */
  secretOverlap?: string | undefined;
}

/** A filter and an event to try it on. */
export interface FilterTestInput {
  filter: string;
  event: string;
  data: object;
}

/** Whether the event would go to a webhook with that filter. */
export interface FilterTest {
  /** Also where the filter fails on the event. */
  matches: boolean;
  /** Why it fails, where it does. */
  error?: string;
}

/** What may be published as an event's `data`: the documented payload, else any object, one that an interface describes too. */
export type DataOf<T extends string> = T extends EventType ? (string extends keyof EventData[T] ? object : EventData[T]) : object;

/** An event to publish. */
export interface EventInput<T extends string = string> {
  event: T;
  data: DataOf<T>;
  /** Yours, to publish the same event once whatever happens; the SDK makes one otherwise. `[A-Za-z0-9_-]{1,128}`. */
  id?: string | undefined;
  /** When it happened. Default: now. */
  timestamp?: string | Date | undefined;
}

/** Names one delivery of an event. */
export interface DeliveryRef {
  id: string;
  webhookId: string;
}

/** The answer to a publish: the event is stored. */
export interface PublishedEvent {
  id: string;
  event: string;
  timestamp: string;
  deliveries: DeliveryRef[];
  /** The API knew this ID: nothing was published again. Also where the SDK's own retry met its first try. */
  duplicate: boolean;
}

/** One event of a batch that was refused. */
export interface PublishFailure {
  error: { code: ErrorCode; message: string; field?: string; /** That of the batch. */ requestId?: string | undefined };
}

/** One answer of a batch, in the order of its events. */
export type PublishResult = (PublishedEvent & { error?: undefined }) | PublishFailure;

/** A published event and how its deliveries stand. */
export interface EventRecord {
  id: string;
  event: string;
  timestamp: string;
  /** Absent once it has expired. */
  data?: JsonObject;
  deliveries: Delivery[];
}

/** An event in a list: without its payload, and how many of its deliveries are in which state. */
export interface EventSummary {
  id: string;
  event: string;
  timestamp: string;
  createdAt: string;
  deliveries: Record<DeliveryState, number>;
}

/** A stretch of time up to now. */
export type StatsWindow = '1h' | '24h' | '7d';

/** Attempts by outcome over time, and what waits. */
export interface Stats {
  window: StatsWindow;
  bucketSeconds: number;
  /** Oldest first, the empty ones too; the last one is under way. */
  buckets: StatsBucket[];
  totals: { succeeded: number; failed: number };
  waiting: number;
  /** For how long the oldest delivery has been due that could be attempted now. */
  oldestDueSeconds: number;
  /** Of one webhook: events that its filter failed on, since it was set. They were delivered. */
  filterErrors?: number;
}

/** What was attempted in one part of a window. */
export interface StatsBucket {
  /** When it begins. */
  at: string;
  succeeded: number;
  failed: number;
  /** Half of the attempts ended within so many milliseconds; null where there were none. */
  p50Ms: number | null;
  /** 95 in 100 of the attempts ended within so many milliseconds; null where there were none. */
  p95Ms: number | null;
}

/** Where a delivery stands. */
export type DeliveryState = 'pending' | 'retrying' | 'succeeded' | 'failed' | 'cancelled';

/** One HTTP request of a delivery. */
export interface Attempt {
  number: number;
  at: string;
  durationMs: number;
  statusCode?: number;
  error?: string;
  /** At most 1 KiB of it. */
  responseBody?: string;
}

/** One event on its way to one webhook. */
export interface Delivery {
  id: string;
  eventId: string;
  event: string;
  webhookId: string;
  state: DeliveryState;
  /** Why it failed without using up its attempts: `backlog`, `disabled`, `expired`, … */
  reason?: string;
  createdAt: string;
  nextAttemptAt?: string;
  attempts: Attempt[];
  /** The attempts are missing: of an event with many webhooks. The delivery itself has them. */
  attemptsLeftOut?: boolean;
}

/** What a replay sends again. */
export interface ReplayInput {
  since: string | Date;
  /** Default: now. */
  until?: string | Date | undefined;
  /** Default: all. */
  events?: readonly Subscription[] | undefined;
  /** Default: `failed`. */
  state?: 'failed' | 'all' | undefined;
  /** Count only. */
  dryRun?: boolean | undefined;
}

/** A durable job that sends deliveries again. */
export interface Replay {
  /** Absent after a dry run. */
  id?: string;
  webhookId: string;
  state: 'running' | 'done' | 'cancelled' | 'dry_run' | (string & {});
  matched: number;
  /** Those whose payload has expired. */
  unavailable: number;
  /** Those queued again so far. */
  sent: number;
  /** How many could not be queued when their turn came, by reason: `disabled`, `unavailable`, `underWay`. */
  notSent?: Record<string, number>;
  createdAt: string;
}

/** One entry of the event catalogue. */
export interface EventTypeInfo {
  name: string;
  description: string;
  group: string;
  /** JSON Schema that data of it must fit. */
  schema?: JsonObject;
  /** What a test sends. */
  example?: JsonObject;
}

/** The fields of an event type to change; null takes one away. */
export interface EventTypeInput {
  description?: string | null | undefined;
  group?: string | null | undefined;
  /** JSON Schema (2020-12). */
  schema?: object | null | undefined;
  example?: object | null | undefined;
}

/** What a key may do. `portal` is that of portal links only. */
export type Role = 'publish' | 'read' | 'manage' | 'portal' | 'all';

/** A key that was made. */
export interface ApiKey {
  id: string;
  account: string;
  role: Role;
  /** The only webhook that it is for: of a portal link. */
  webhookId?: string;
  description?: string;
  createdAt: string;
  /** Absent where it works until it is deleted. */
  expiresAt?: string;
  /** To the hour. */
  lastUsedAt?: string;
}

/** The answer that makes a key: the only one with the key. Keep it. */
export interface CreatedApiKey extends ApiKey {
  key: string;
}

/** What makes a key. */
export interface ApiKeyInput {
  /** Default: that of the key that makes it. */
  account?: string | undefined;
  role: Exclude<Role, 'portal'>;
  description?: string | undefined;
  /** Such as `90d`. Default: until it is deleted. */
  expiresIn?: string | undefined;
}

/** A link to the portal. Who has it can use it. */
export interface PortalLink {
  /** Of the key in it. */
  id: string;
  url: string;
  token: string;
  expiresAt: string;
}

/** What makes a portal link. */
export interface PortalLinkInput {
  /** Default: that of the key that makes it. */
  account?: string | undefined;
  /** The only webhook to show. Default: all. */
  webhookId?: string | undefined;
  /** Such as `1h`, at most 7 days. Default: 24 hours. */
  expiresIn?: string | undefined;
}

/** An address of an account's owner. It gets mail only once it was confirmed. */
export interface NotifyEmail {
  address: string;
  confirmed: boolean;
}

/** What owns webhooks and events. */
export interface Account {
  account: string;
  name?: string;
  /** Where its owner is told of failed webhooks. */
  notifyEmail?: NotifyEmail[];
  /** The same, by signed requests. */
  notifyUrl?: string;
  createdAt: string;
}

/** The answer that changes an account. */
export interface ChangedAccount extends Account {
  /** Only where the API made it. Keep it: it is never shown again. */
  notifySecret?: string;
}

/** The fields of an account to change; null takes one away. */
export interface AccountInput {
  name?: string | null | undefined;
  /** Five at most; those that were confirmed stay so. */
  notifyEmail?: readonly string[] | null | undefined;
  notifyUrl?: string | null | undefined;
  /** 16 to 256 bytes. Default: one is made where there is none. */
  notifySecret?: string | undefined;
}

/** Which failed deliveries to send again. */
export interface RetryInput {
  /** Only this type. Default: all. */
  event?: string | undefined;
  /** Default: all that are kept. */
  since?: string | Date | undefined;
  /** Default: now. */
  until?: string | Date | undefined;
}
