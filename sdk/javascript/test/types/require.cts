// Compiled, never run: a CommonJS program.
import sdk = require('@videocloud/sdk');

const client = new sdk.VideoCloud({ apiKey: 'your_api_key' });
export const right: boolean = sdk.verifySignature('{}', undefined, 'your_webhook_secret');
export const published: Promise<{ id: string }> = client.events.publish({ event: 'order.paid', data: {} });
