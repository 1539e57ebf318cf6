// Verifies deliveries signed with Ed25519 (Standard Webhooks, v1a) by nothing but Node's own crypto. Standard input is a
// JSON array of { publicKey, headers, body }, the body in base64; standard output says of each whether it is verified.
import { createPublicKey, verify } from 'node:crypto';
import { readFileSync } from 'node:fs';

const spki = Buffer.from('302a300506032b6570032100', 'hex'); // what stands before the 32 bytes of a key (RFC 8410)

function verified({ publicKey, headers, body }) {
  const key = createPublicKey({ key: Buffer.concat([spki, Buffer.from(publicKey.replace(/^whpk_/, ''), 'base64')]), format: 'der', type: 'spki' });
  const message = Buffer.concat([Buffer.from(`${headers['webhook-id']}.${headers['webhook-timestamp']}.`), Buffer.from(body, 'base64')]);
  return headers['webhook-signature'].split(' ').some((value) => {
    const [version, signature] = value.split(',');
    return version === 'v1a' && verify(null, message, key, Buffer.from(signature, 'base64'));
  });
}

console.log(JSON.stringify(JSON.parse(readFileSync(0)).map(verified)));
