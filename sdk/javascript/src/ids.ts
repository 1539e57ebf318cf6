import { randomBytes } from '#platform';

/** A new event ID in the API's own form: `evt_` and a UUIDv7 without dashes. */
export function newEventId(): string {
  const uuid = randomBytes(16);
  const now = Date.now();
  for (let i = 0; i < 6; i++) uuid[i] = Math.floor(now / 2 ** (8 * (5 - i))) % 256;
  uuid[6] = (uuid[6]! & 0x0f) | 0x70;
  uuid[8] = (uuid[8]! & 0x3f) | 0x80;
  return `evt_${Array.from(uuid, (b) => b.toString(16).padStart(2, '0')).join('')}`;
}
