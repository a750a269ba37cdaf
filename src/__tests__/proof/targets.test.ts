import path from 'node:path';
import express, { Application, Request, Response, Router } from 'express';
import { createGateServices } from '../__testUtils__/createGateServices';
import { createPolicy } from '../__testUtils__/createPolicy';
import { isNamedBy } from '../__testUtils__/publicModel';
import { ExpressRequest } from '../../gate/read/GateRequest';
import { explainRequest } from '../../settings/rules/explainRequest';

/** The pieces of which the targets are made. */
const PIECES = ['/', '.', '%2e', '%2f', ';', '\\', '#', '?', 'a', 'A'];
/** `npm test` has a tenth of the targets. It follows each of the longest through one of the three Express, or through all where a rule may name it. */
const [MAX_PIECES, SHARES] =
  process.env.PROPERTIES === 'long' ? [6, 1] : [5, 3];

/** The rules, by the handlers that they open. The plugins `a` and `aa` have the same handlers. */
const RULES: Record<string, string> = {
  'a /a': '/a',
  'a /a/:id': '/a/*',
  'a /aa': '/aa/**',
  'aa /': '/',
  'aa /a/:id': '/a/*',
};

/** The handlers behind which another server reads `Authorization`. No rule opens them. */
const FOREIGN: Record<string, string> = { 'aa /a': '/a', 'aa /aa': '/aa/**' };

const express5: typeof express = require(
  require.resolve('express', {
    paths: [
      path.dirname(require.resolve('@modelcontextprotocol/sdk/types.js')),
    ],
  }),
);

const allow = Object.entries(RULES).map(([handler, below]) => ({
  plugin: handler.split(' ')[0],
  path: below,
  methods: ['GET'],
  reason: handler,
}));

/** Yields every text of so many pieces. */
function* textsOf(pieces: number): Generator<string> {
  for (const piece of PIECES) {
    for (const rest of pieces > 1 ? textsOf(pieces - 1) : ['']) {
      yield piece + rest;
    }
  }
}

/** Yields every text of at most so many pieces, except the empty one. */
function* textsUpTo(pieces: number): Generator<string> {
  for (let count = 1; count <= pieces; count += 1) {
    yield* textsOf(count);
  }
}

/** Makes a backend with the gate's reading of a request in front of two plugins, and returns what becomes of a target. */
function createBackend(
  createApp: () => Application,
  createRouter: () => Router,
) {
  const { services } = createGateServices({ installed: ['a', 'aa'] });
  const policy = createPolicy({
    allow,
    foreignAuthorization: Object.values(FOREIGN).map(below => ({
      plugin: 'aa',
      path: below,
    })),
  });
  const reading = { ...services, source: { current: policy } };
  const app = createApp();
  app.disable('x-powered-by');
  let opened: string | undefined;
  let isPublic = false;
  let isForeign: boolean | undefined;
  let served: string | undefined;
  app.use('/api/:gatedPluginId', (req, res, next) => {
    const { places, route } = new ExpressRequest(req, res, reading);
    isForeign = places.isForeignPath;
    opened = typeof route === 'object' ? route.reason : undefined;
    isPublic = route !== 'protected';
    next();
  });
  const createPlugin = (plugin: string) => {
    const router = createRouter();
    const serve = (handler: string) => () => {
      served = `${plugin} ${handler}`;
    };
    router.get('/', serve('/'));
    router.get('/a', serve('/a'));
    router.get('/a/:id', serve('/a/:id'));
    router.use('/aa', serve('/aa'));
    return router.use(serve('any other'));
  };
  app.use('/api/a', createPlugin('a'));
  app.use('/api/aa', createPlugin('aa'));
  const explain = (target: string) => {
    const request = { method: 'GET', target };
    const { anonymous, rule } = explainRequest(request, policy, id =>
      ['a', 'aa'].includes(id),
    );
    return rule?.reason ?? anonymous === 'public';
  };
  return (target: string) => {
    opened = undefined;
    isPublic = false;
    isForeign = undefined;
    served = undefined;
    const req = { method: 'GET', url: target, headers: {} } as Request;
    // A target that Express can't read ends in an error, and no handler runs.
    Reflect.apply(app as never, undefined, [req, {} as Response, () => {}]);
    const isExplained = explain(target) === (opened ?? isPublic);
    return { opened, isExplained, isForeign, served };
  };
}

describe.each([
  ['4, with routers of Express 4', express, express, 0],
  ['4, with routers of Express 5', express, express5, 1],
  ['5, with routers of Express 5', express5, express5, 2],
])('in Express %s', (_, createApp, { Router: createRouter }, turn) => {
  const share = turn % SHARES;
  const reached = new Set<string>();
  const wrong: unknown[] = [];
  let targets = 0;

  beforeAll(() => {
    const follow = createBackend(createApp, createRouter);
    const check = (target: string) => {
      const { opened, isExplained, isForeign, served } = follow(target);
      const named = allow.find(rule => isNamedBy(rule, 'GET', target))?.reason;
      targets += 1;
      if (opened) {
        reached.add(opened);
      }
      if (opened !== named || !isExplained || (opened && opened !== served)) {
        wrong.push({ target, named, opened, isExplained, served });
      }
      // Express serves no path with more slashes at its end as the path without them. With `#`, it reads `\` as a slash.
      const isNeither = isForeign && /[/\\]{2}([?#]|$)/.test(target);
      if (served && !isNeither && isForeign !== served in FOREIGN) {
        wrong.push({ target, isForeign, served });
      }
    };
    for (const text of textsUpTo(MAX_PIECES - 1)) {
      check(`/api/a${text}`);
    }
    let index = 0;
    for (const text of textsOf(MAX_PIECES)) {
      if (index % SHARES === share || /^[/aA]+$/.test(text)) {
        check(`/api/a${text}`);
      }
      index += 1;
    }
    for (const text of textsUpTo(3)) {
      check(`${text}/api/a/a`);
      check(`/api/a${text}/.backstage/auth/v1/jwks.json`);
    }
  }, 300_000);

  it('[P1][P40] a rule opens the targets that name its path, as `explain` says, and its handler serves them', () => {
    expect(wrong.slice(0, 10)).toEqual([]);
    expect([...reached].sort()).toEqual(Object.keys(RULES).sort());
    expect(targets).toBeGreaterThan(10 ** MAX_PIECES / SHARES);
  });
});
