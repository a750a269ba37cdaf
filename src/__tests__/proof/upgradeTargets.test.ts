import { posix } from 'node:path';
import express from 'express';
import { isEqual } from 'lodash';
import { NO_PLUGIN, readUpgradeTarget } from '../../gate/read/mountedRequest';

/** The pieces of which the targets are made. */
const PIECES = [
  ...['/', '\\', '.', ';', '?', '#', '%', '%2e', '%252e', '%2F', '%5c'],
  ...['%09', '\t', 'api', 'API', '%61pi', '%2561pi', 'ap%EF%BD%89', 'x'],
];
/** `npm test` has a part of the targets. */
const MAX_PIECES = process.env.PROPERTIES === 'long' ? 4 : 3;

/** Yields every text of at most so many pieces. */
function* textsOf(pieces: number): Generator<string> {
  yield '';
  for (const piece of pieces > 0 ? PIECES : []) {
    for (const rest of textsOf(pieces - 1)) {
      yield piece + rest;
    }
  }
}

/** Decodes a text, or only its escapes of ASCII where others are invalid. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text.replace(/%[0-7][\da-f]/gi, decodeURIComponent);
  }
}

/** Returns a text as it stands, and decoded once, twice, and three times. */
function decodingsOf(text: string, levels = 3): string[] {
  const decoded = levels > 0 ? decode(text) : text;
  return decoded === text
    ? [text]
    : [text, ...decodingsOf(decoded, levels - 1)];
}

/** Returns a path as a server normalises it that takes `\` for `/`, and cuts parameters off segments. */
const normalize = (path: string) =>
  posix.normalize(path.replace(/[\t\n\r]|;[^/\\]*/g, '').replace(/\\/g, '/'));

const readUrl = (text: string) =>
  URL.canParse(text, 'http://h') ? new URL(text, 'http://h').pathname : '';

/** The paths that listeners may find in a target. */
function pathsOf(target: string): string[] {
  const [sent] = target.replace(/^https?:\/\/[^/]*/, '').split('?');
  return [...decodingsOf(sent), ...decodingsOf(target)].flatMap(text => [
    normalize(text.normalize('NFKC')),
    normalize(readUrl(text)),
  ]);
}

/** Targets that nobody reads otherwise: of letters and single slashes, and those that lead elsewhere, whatever is below. */
const PLAIN = /^(\/[a-z]+)+\/?([?][^#\\\t]*)?$/i;
const ELSEWHERE =
  /^(\/?http:\/\/h1)?\/(x([/;](\/|;|x|%2F|%5c|api|%(25)?61pi)*)?)?([?][^#\\\t]*)?$/;

const isOfApi = (path: string) => /^\/+api([/?#]|$)/i.test(path);

/** Returns a function that finds the gate's mount, and the plugin, as Express reads a target. */
function createReader() {
  const app = express().disable('x-powered-by');
  let found: object | undefined;
  app.use('/api/:gatedPluginId', ({ baseUrl, params }) => {
    found = { baseUrl, plugin: params.gatedPluginId };
  });
  return (target: string) => {
    found = undefined;
    const req = { method: 'GET', url: target, headers: {} };
    Reflect.apply(app as never, undefined, [req, {}, () => {}]);
    return found;
  };
}

it('[P11] an upgrade is outside of /api if no listener finds /api in its target, and of the plugin that Express finds', () => {
  const readByExpress = createReader();
  const wrong: unknown[] = [];
  const seen = { outside: 0, plain: 0, doubtful: 0 };
  const check = (target: string) => {
    const read = readUpgradeTarget(target);
    if (!read) {
      seen.outside += 1;
      const found = pathsOf(target).find(isOfApi);
      if (found !== undefined) {
        wrong.push({ target, found });
      }
    } else if (read.params.gatedPluginId === NO_PLUGIN) {
      seen.doubtful += 1;
      const isOfPlugin = PLAIN.test(target) && readByExpress(target);
      if (isOfPlugin || ELSEWHERE.test(target)) {
        wrong.push({ target, read });
      }
    } else {
      seen.plain += 1;
      const { baseUrl, params } = read;
      const found = readByExpress(target);
      if (!isEqual(found, { baseUrl, plugin: params.gatedPluginId })) {
        wrong.push({ target, read, found });
      }
    }
  };
  for (const text of textsOf(MAX_PIECES)) {
    check(`/${text}`);
    check(`/x/${text}/api/x`);
  }
  for (const text of textsOf(MAX_PIECES - 1)) {
    check(text);
    check(`/api/${text}`);
    check(`/${text}/api/x`);
    check(`/x/${text}/api/%`);
    check(`http://h1${text}`);
    check(`/http://h1${text}`);
  }
  process.stderr.write(`${JSON.stringify(seen)}\n`);
  expect(wrong.slice(0, 10)).toEqual([]);
});
