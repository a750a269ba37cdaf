import { ConfigReader } from '@backstage/config';
import type { JsonObject } from '@backstage/types';
import { set } from 'lodash';
import { parse } from 'yaml';
import { readApiGateConfig } from '../../settings/read/readApiGateConfig';

/** Values of `auth.apiGate` with one mistake each, of every kind whose error has a value to write. */
const MISTAKES = [
  'mode: enforced',
  '{ mode: report-only, until: 31.12.2026 }',
  'allow: [{ plugin: Hello, path: /health }]',
  'allow: [{ plugin: hello, path: health }]',
  'allow: [{ plugin: hello, path: /health/ }]',
  'allow: [{ plugin: hello, path: /a//** }]',
  'allow: [{ plugin: hello, path: /*/health }]',
  'allow: [{ plugin: hello, path: /heal* }]',
  'allow: [{ plugin: hello, path: /health, methods: GET }]',
  'allow: [{ plugin: hello, path: /health, methods: [get] }]',
  'allow: [{ plugin: hello, path: /health, methods: [ALL] }]',
  'allow: [{ plugin: hello, path: /health, until: tomorrow }]',
  'closed: [Catalog]',
  'operators: [jane]',
  'cookie: { name: a b }',
  'cookie: { maxAge: 1s }',
  'cookie: { sameSite: Lax }',
  'cookie: { trustedOrigins: [portal.example.com/x] }',
];

// A value is an object, a list, a request or a word.
const VALUE =
  /(?:one of|either|upper case:|write(?: for example| one such as)?|such as) (\{.*?\}|\[.*?\]|GET \/\S+|[^\s,;]+)/;

function read(apiGate: object) {
  const backend = { baseUrl: 'https://backstage.example.com' };
  return readApiGateConfig(
    new ConfigReader({ backend, auth: { apiGate } } as JsonObject),
  );
}

function errorOf(apiGate: object): string {
  try {
    read(apiGate);
  } catch (error) {
    return (error as Error).message;
  }
  throw new Error('There is no error');
}

it.each(MISTAKES)(
  'the error of a mistake in the configuration names its place, and a value that is right there: %s',
  text => {
    const apiGate = parse(text);
    const message = errorOf(apiGate);
    const [, place] = message.match(/^auth\.apiGate\.(\S+) /)!;
    const [, value] = message.match(VALUE)!;
    const corrected = set(apiGate, place, parse(value));
    expect(() => read(corrected)).not.toThrow();
  },
);
