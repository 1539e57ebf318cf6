// Compiled, never run: what the types must and must not accept.
import {
  VideoCloud, VideoCloudError, verify,
  type AccountInput, type ApiKeyInput, type CallOptions, type DeliveryListOptions, type DeliverySearch, type EventInput, type EventListOptions, type EventTypeInput,
  type PageOptions, type PortalLinkInput, type ReplayInput, type RetryInput, type StatsOptions, type VerifyOptions, type VideoCloudOptions, type WebhookEvent,
  type WebhookInput, type WebhookUpdate,
} from '@videocloud/sdk';

const client = new VideoCloud({ apiKey: 'your_api_key', baseUrl: 'http://localhost:8080' });

export function handle(event: WebhookEvent): string | number | null | undefined {
  switch (event.event) {
    case 'video.uploaded':
      return event.data.duration;
    case 'video.processed':
      return event.data.formats[0]?.quality;
    case 'user.registered':
      return event.data.email;
    case 'comment.created':
      return event.data.parentId;
    case 'system.error':
      return event.data.kind === 'webhook_failed' ? event.data.failedDeliveries : undefined;
    case 'system.warning':
      return event.data.kind === 'webhook_recovered' ? event.data.webhookId : undefined;
    case 'video.deleted':
      // @ts-expect-error not documented, so not known
      return event.data.videoId;
    // @ts-expect-error no such event
    case 'video.burned':
      return undefined;
    default:
      return event.timestamp;
  }
}

export async function calls(body: Uint8Array, headers: Headers): Promise<void> {
  const verified = verify(body, headers, ['new_webhook_secret', 'your_webhook_secret'], { toleranceSeconds: 60 });
  handle(verified);
  verified.id.toUpperCase();
  verify<{ event: 'order.paid'; data: { total: number } }>(body, headers, 'your_webhook_secret').data.total.toFixed();

  await client.events.publish({
    event: 'comment.created',
    data: { commentId: 'com_1', videoId: 'vid_1', userId: 'usr_1', content: 'Hi', parentId: null, createdAt: '2024-03-31T12:00:00Z' },
  });
  await client.events.publish({ event: 'order.paid', data: { total: 3 } });
  await client.events.publish({ event: 'system.error', data: { disk: 'full' } });
  // What an interface describes is an object, and what is undefined is not given.
  interface Order { total: number }
  const order: Order = { total: 3 };
  const at: Date | undefined = undefined;
  await client.events.publish({ event: 'order.paid', data: order, timestamp: at });
  await client.events.publish({ event: 'video.deleted', data: order });
  // @ts-expect-error the documented payload has a content
  await client.events.publish({ event: 'comment.created', data: { commentId: 'com_1' } });
  // @ts-expect-error data is an object
  await client.events.publish({ event: 'order.paid', data: 'paid' });

  for await (const webhook of client.webhooks.list({ limit: 10 })) {
    if (webhook.status === 'failed') console.log(webhook.lastDelivery?.timestamp);
  }
  const { items, nextCursor } = await client.webhooks.deliveries('whk_1', { state: 'failed', signal: AbortSignal.timeout(1000) });
  console.log(items[0]?.attempts[0]?.durationMs, nextCursor?.length);
  const [first] = await client.events.publishBatch([{ event: 'video.deleted', data: {} }]);
  console.log(first?.error ? first.error.code : first?.id);
  await client.events.publishBatch([
    { event: 'order.paid', data: order },
    // @ts-expect-error each event of a batch has the payload of its type
    { event: 'comment.created', data: { commentId: 'com_1' } },
  ]);
  await client.events.publishBatch([1, 2].map((total) => ({ event: 'order.paid', data: { total } })));
  await client.webhooks.update('whk_1', { description: null, headers: null, metadata: null, rateLimit: null, retry: null, timeout: undefined });
  // @ts-expect-error a webhook has an address
  await client.webhooks.update('whk_1', { url: null });
  await client.webhooks.get('whk_1').catch((error: unknown) => {
    if (error instanceof VideoCloudError && error.code === 'not_found') return;
    throw error;
  });
}

/** What need not be given may be undefined too, or callers with `exactOptionalPropertyTypes` would have to take objects apart. */
type Undefined<T> = { [K in keyof T]: {} extends Pick<T, K> ? undefined : T[K] };

export function optional(
  webhook: Undefined<WebhookInput>, update: Undefined<WebhookUpdate>, event: Undefined<EventInput>, type: Undefined<EventTypeInput>, key: Undefined<ApiKeyInput>,
  link: Undefined<PortalLinkInput>, account: Undefined<AccountInput>, retry: Undefined<RetryInput>, replay: Undefined<ReplayInput>, page: Undefined<PageOptions>,
  events: Undefined<EventListOptions>, deliveries: Undefined<DeliveryListOptions>, search: Undefined<DeliverySearch>, stats: Undefined<StatsOptions>,
  settings: Undefined<VideoCloudOptions>, call: Undefined<CallOptions>, verifying: Undefined<VerifyOptions>,
): unknown {
  const all: [
    WebhookInput, WebhookUpdate, EventInput, EventTypeInput, ApiKeyInput, PortalLinkInput, AccountInput, RetryInput, ReplayInput, PageOptions, EventListOptions,
    DeliveryListOptions, DeliverySearch, StatsOptions, VideoCloudOptions, CallOptions, VerifyOptions,
  ] = [webhook, update, event, type, key, link, account, retry, replay, page, events, deliveries, search, stats, settings, call, verifying];
  // @ts-expect-error of a webhook the address has to be given
  const none: WebhookInput = { url: undefined, events: ['*'] };
  return [all, none, client.webhooks.test('whk_1', { event: undefined })];
}
