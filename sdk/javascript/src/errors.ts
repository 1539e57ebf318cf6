/** Codes of the API, and of what can go wrong on the way to it. */
export type ErrorCode =
  | 'invalid_json'
  | 'unauthorized'
  | 'forbidden'
  | 'not_found'
  | 'method_not_allowed'
  | 'conflict'
  | 'payload_too_large'
  | 'unsupported_media_type'
  | 'invalid_field'
  | 'unknown_field'
  | 'unknown_event_type'
  | 'unsafe_url'
  | 'invalid_data'
  | 'limit_reached'
  | 'loop'
  | 'unavailable'
  /** No answer: the connection failed. `status` is 0. */
  | 'connection_error'
  /** No answer within `timeoutMs`. `status` is 0. */
  | 'timeout'
  /** An answer that is not the API's, as of a proxy in front of it. */
  | 'unexpected_response'
  | (string & {});

/** What an error is made of. */
export interface VideoCloudErrorDetails {
  code: ErrorCode;
  status: number;
  message: string;
  field?: string | undefined;
  requestId?: string | undefined;
  retryAfterSeconds?: number | undefined;
  cause?: unknown;
}

/** A request that the API refused, or that did not reach it. */
export class VideoCloudError extends Error {
  override readonly name: string = 'VideoCloudError';
  /** Why, in a word that does not change. */
  readonly code: ErrorCode;
  /** The HTTP status; 0 where there was no answer. */
  readonly status: number;
  /** The field at fault, where there is one. */
  readonly field?: string | undefined;
  /** The request's ID, where the server or a proxy names it. */
  readonly requestId?: string | undefined;
  /** When to try again, where the server says so. */
  readonly retryAfterSeconds?: number | undefined;

  constructor(details: VideoCloudErrorDetails) {
    super(details.message, details.cause === undefined ? undefined : { cause: details.cause });
    this.code = details.code;
    this.status = details.status;
    this.field = details.field;
    this.requestId = details.requestId;
    this.retryAfterSeconds = details.retryAfterSeconds;
  }
}

/** Why a delivery was not accepted. */
export type VerificationFailure =
  | 'signature_missing'
  | 'signature_malformed'
  | 'timestamp'
  | 'signature_mismatch'
  /** The signature is right, and the body is not an event. */
  | 'invalid_payload';

/** A delivery that is not from the sender, or too old. Answer it with 401. */
export class WebhookVerificationError extends Error {
  override readonly name: string = 'WebhookVerificationError';
  readonly code: VerificationFailure;

  constructor(code: VerificationFailure, message: string) {
    super(message);
    this.code = code;
  }
}
