/**
 * VideoCloud Webhooks: register webhooks, publish events, verify deliveries.
 *
 * @packageDocumentation
 */
export { Accounts } from './accounts.js';
export { EventTypes, Replays, VideoCloud } from './client.js';
export { Deliveries, type DeliveryListOptions, type DeliverySearch } from './deliveries.js';
export * from './errors.js';
export { Events, type EventListOptions } from './events.js';
export { ApiKeys, PortalLinks } from './keys.js';
export * from './models.js';
export { List, type Page, type PageOptions } from './pages.js';
export * from './payloads.js';
export * from './signature.js';
export { StatsApi, type StatsOptions } from './stats.js';
export type { CallOptions, VideoCloudOptions } from './transport.js';
export { Webhooks } from './webhooks.js';
