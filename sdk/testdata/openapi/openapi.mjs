// Checks an OpenAPI document that comes on standard input: the document by the schema of its specification, every schema in it by JSON
// Schema's own, and every example by the schema beside it.
import assert from 'node:assert/strict';
import { text } from 'node:stream/consumers';
import { Validator } from '@seriousme/openapi-schema-validator';
import Ajv from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';

const document = JSON.parse(await text(process.stdin));
const validator = new Validator();
const result = await validator.validate(structuredClone(document));
assert.ok(result.valid, JSON.stringify(result.errors, null, 2));
assert.equal(validator.version, '3.1');

// "discriminator" and the like are OpenAPI's own words, which JSON Schema takes for notes.
const ajv = new Ajv.default({ strict: false, allErrors: true });
addFormats.default(ajv);
// The whole document under one name, so that its references lead somewhere.
ajv.addSchema({ $id: 'api', components: document.components });
const absolute = (schema) => JSON.parse(JSON.stringify(schema), (key, value) => (key === '$ref' && value.startsWith('#/') ? `api${value}` : value));
for (const name of Object.keys(document.components.schemas)) ajv.compile({ $ref: `api#/components/schemas/${name}` });

const referred = (o) => (o?.$ref === undefined ? o : o.$ref.slice(2).split('/').reduce((at, key) => at[key], document));
const checked = { requests: 0, answers: 0, deliveries: 0 };
function check(place, kind, { schema, example, examples = {} }) {
  const fits = ajv.compile(absolute(schema ?? true));
  const values = Object.values(examples).map((e) => referred(e).value);
  if (example !== undefined) values.push(example);
  for (const value of values) {
    assert.ok(fits(value), `${place}: ${JSON.stringify(value)}: ${ajv.errorsText(fits.errors)}`);
    checked[kind]++;
  }
}
function operations(paths, kind) {
  for (const [path, methods] of Object.entries(paths ?? {})) {
    for (const [method, operation] of Object.entries(methods)) {
      if (typeof operation !== 'object' || Array.isArray(operation)) continue;
      const place = `${method} ${path}`;
      for (const content of Object.values(referred(operation.requestBody)?.content ?? {})) check(place, kind, content);
      for (const [status, answer] of Object.entries(operation.responses ?? {})) {
        for (const content of Object.values(referred(answer).content ?? {})) check(`${place}, ${status}`, 'answers', content);
      }
    }
  }
}
operations(document.paths, 'requests');
operations(document.webhooks, 'deliveries');
for (const [kind, count] of Object.entries(checked)) assert.ok(count > 0, `no examples of ${kind}`);
