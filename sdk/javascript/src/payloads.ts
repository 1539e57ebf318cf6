/** A JSON object whose members are not documented. */
export type JsonObject = { [name: string]: unknown };

/** `video.uploaded`: a new video was uploaded. */
export type VideoUploadedData = {
  videoId: string;
  title: string;
  /** In bytes. */
  size: number;
  /** In seconds. */
  duration: number;
  format: string;
  userId: string;
  status: string;
};

/** One rendition of a processed video. */
export type VideoFormat = {
  quality: string;
  url: string;
  /** In bytes. */
  size: number;
};

/** `video.processed`: a video's processing is complete. */
export type VideoProcessedData = {
  videoId: string;
  status: string;
  formats: VideoFormat[];
  thumbnailUrl: string;
  /** In seconds. */
  processingTime: number;
};

/** `user.registered`: a new user registered. */
export type UserRegisteredData = {
  userId: string;
  email: string;
  username: string;
  firstName: string;
  lastName: string;
  registrationMethod: string;
};

/** `comment.created`: a comment was created. */
export type CommentCreatedData = {
  commentId: string;
  videoId: string;
  userId: string;
  content: string;
  /** The comment that this one answers, or null. */
  parentId: string | null;
  createdAt: string;
};

/** `system.error`: another webhook of the account does not take its deliveries, or was disabled because it is gone. */
export type WebhookFailedData = {
  kind: 'webhook_failed' | 'webhook_disabled';
  webhookId: string;
  url: string;
  eventId: string;
  deliveryId: string;
  attempts: number;
  /** 0 where there was no answer. */
  lastStatusCode: number;
  lastError: string;
  failedSince: string;
  failedDeliveries: number;
  /** How to send again what failed: `POST /webhooks/{id}/replay`. */
  replay: string;
};

/** `system.warning`: it takes them again. */
export type WebhookRecoveredData = Pick<WebhookFailedData, 'webhookId' | 'url' | 'failedSince' | 'replay'> & {
  kind: 'webhook_recovered';
  failedDeliveries?: number;
};

/** Any other `system.error` or `system.warning`. */
export type SystemData = { kind?: undefined; [name: string]: unknown };

/** The `data` of every event type. Those whose payload is not documented hold any JSON object. */
export interface EventData {
  'video.uploaded': VideoUploadedData;
  'video.processed': VideoProcessedData;
  'video.published': JsonObject;
  'video.updated': JsonObject;
  'video.deleted': JsonObject;
  'user.created': JsonObject;
  'user.updated': JsonObject;
  'user.deleted': JsonObject;
  'user.registered': UserRegisteredData;
  'engagement.view': JsonObject;
  'engagement.like': JsonObject;
  'engagement.comment': JsonObject;
  'comment.created': CommentCreatedData;
  'system.error': WebhookFailedData | SystemData;
  'system.warning': WebhookRecoveredData | SystemData;
  /** Sent by `webhooks.test` only. */
  'webhook.test': JsonObject;
}

/** An event type of the catalogue. */
export type EventType = keyof EventData;

/** The body of a delivery of one event type. */
export interface EventOf<T extends EventType> {
  event: T;
  /** When it happened: RFC 3339, UTC. */
  timestamp: string;
  data: EventData[T];
}

/** The body of a delivery. Its `event` tells the type of its `data`: `if (event.event === 'video.uploaded') …`. */
export type WebhookEvent = { [T in EventType]: EventOf<T> }[EventType];

/** What a webhook can subscribe to: event types, groups such as `video.*`, and `*`. */
export type Subscription = EventType | '*' | `${'video' | 'user' | 'engagement' | 'comment' | 'system'}.*` | (string & {});
