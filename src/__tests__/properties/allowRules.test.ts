import fc from 'fast-check';
import type { JsonObject } from '@backstage/types';
import { checkProperty } from '../__testUtils__/checkProperty';
import { exchangeBytes } from '../__testUtils__/exchangeBytes';
import { targetsNear } from '../__testUtils__/oddRequests';
import {
  isNamedBy,
  isPublicWithoutRule,
  WrittenRule,
} from '../__testUtils__/publicModel';
import {
  express5,
  pluginExpress,
  recordingPlugin,
} from '../__testUtils__/recordingPlugin';
import { RunningBackend, startBackend } from '../__testUtils__/startBackend';

jest.setTimeout(90_000);

const PLUGINS = ['one', 'two', 'absent'];
const COOKIE_ENDPOINT = '/.backstage/auth/v1/cookie';

// The table is small, so that rules and requests often match.
const anySegment = fc.constantFrom(
  ...['a', 'b', 'ab', 'A', 'a.b', '.a', '..a', '...', '~', '@', '-_'],
);
const anyPath = fc.oneof(
  {
    weight: 9,
    arbitrary: fc
      .array(anySegment, { maxLength: 3 })
      .map(segments => `/${segments.join('/')}`),
  },
  {
    weight: 1,
    arbitrary: fc.constantFrom('/.backstage', '/.backstage/auth/v1'),
  },
);
const anyRulePath = fc
  .tuple(
    anyPath,
    fc.array(fc.constantFrom('/*', '/*', '/a'), { maxLength: 3 }),
    fc.boolean(),
  )
  .map(([path, more, isSubtree]) => {
    // The first segment of a rule is literal.
    const beginning = path === '/' && more[0] === '/*' ? '/b' : path;
    const whole = withoutSlash(beginning) + more.join('');
    return isSubtree ? `${whole}/**` : whole || '/';
  });
const anyMethod = fc.constantFrom(
  ...['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'OPTIONS'],
);
const anyRule: fc.Arbitrary<WrittenRule> = fc.record(
  {
    plugin: fc.constantFrom(...PLUGINS),
    path: anyRulePath,
    methods: fc.array(anyMethod, { minLength: 1, maxLength: 3 }),
    until: fc.constantFrom('2020-02-29', '2099-12-31T23:59:59Z'),
  },
  { requiredKeys: ['plugin', 'path'] },
);
const anyRules = fc.array(anyRule, { maxLength: 6 });

interface NamedRequest {
  method: string;
  plugin: string;
  /** The rest of the target after the plugin: empty for the plugin's root, `/`. */
  below: string;
}

/** Generates requests that a rule names, requests beside or below its path, and unrelated ones. */
function requestsNear(rules: WrittenRule[]): fc.Arbitrary<NamedRequest> {
  const any = fc.record({
    method: anyMethod,
    plugin: fc.constantFrom(...PLUGINS),
    below: anyPath.map(withoutSlash),
  });
  if (rules.length === 0) {
    return any;
  }
  const near = fc.constantFrom(...rules).chain(rule =>
    fc.record({
      method: fc.oneof(
        fc.constantFrom(...(rule.methods ?? ['GET', 'HEAD'])),
        anyMethod,
      ),
      plugin: fc.constant(rule.plugin),
      below: fc
        .constantFrom(
          ...['', '', '/a', '/b/A', 'x', '/', '/..', '/./a', '/%61'],
          COOKIE_ENDPOINT,
        )
        .chain(more =>
          fillWildcards(withoutSlash(rule.path.replace(/\/\*\*$/, '')) + more),
        ),
    }),
  );
  return fc.oneof(
    { weight: 4, arbitrary: near },
    { weight: 1, arbitrary: any },
  );
}

/** Generates a path with a segment for each `*`, and sometimes with none, two, or one that is not plain. */
function fillWildcards(path: string): fc.Arbitrary<string> {
  const count = path.split('*').length - 1;
  const anyFilling = fc.oneof(
    { weight: 8, arbitrary: anySegment },
    {
      weight: 2,
      arbitrary: fc.constantFrom(
        ...['*', '**', 'a:b', 'a=b', '(a)', '', 'a/b', '..', 'a;b', '%61'],
      ),
    },
  );
  return fc
    .array(anyFilling, { minLength: count, maxLength: count })
    .map(fillings => path.replace(/\*/g, () => fillings.shift()!));
}

function withoutSlash(path: string): string {
  return path === '/' ? '' : path;
}

describe('a backend whose rules change', () => {
  const handled: string[] = [];
  const plugins = ['one', 'two'].map(id =>
    recordingPlugin(id, {
      express: id === 'two' ? express5 : pluginExpress,
      handle: (req, res) => {
        handled.push(`${req.method} ${req.originalUrl}`);
        res.json({});
      },
    }),
  );
  let backend: RunningBackend;
  const change = (allow: WrittenRule[]) =>
    backend.change({
      auth: { apiGate: { allow: allow as unknown as JsonObject[] } },
    });

  beforeAll(async () => {
    backend = await startBackend({
      withAuth: false,
      features: plugins.map(({ feature }) => feature),
    });
  });
  afterAll(() => backend.stop());

  const anyRawScene = anyRules.chain(rules =>
    fc.record({
      rules: fc.constant(rules),
      requests: fc.array(
        requestsNear(rules).chain(({ method, plugin, below }) =>
          fc.record({
            method: fc.constant(method),
            target: targetsNear(
              fc
                .constantFrom('', '', '', '?x=1', '?/../a', '?', '#', '?#')
                .map(query => `/api/${plugin}${below}${query}`),
            ),
            upgrade: fc.constantFrom(
              ...['', '', '', '', '', '', 'h2c', 'websocket', 'WebSocket'],
            ),
          }),
        ),
        { minLength: 1, maxLength: 5 },
      ),
    }),
  );

  // A credentials barrier stays open once it has been opened, so that in the end only the gate refuses.
  it('[P2] runs the handlers that the current rules name, and no others', () =>
    checkProperty(
      fc.asyncProperty(anyRawScene, async ({ rules, requests }) => {
        change(rules);
        for (const { method, target: sent, upgrade } of requests) {
          // Spaces around a target are not part of it (RFC 9112, section 3: a parser may be lenient about them).
          const target = sent.replace(/^ +| +$/g, '');
          const isOpen =
            !(/^websocket$/i.test(upgrade) && method === 'GET') &&
            rules.some(rule => isNamedBy(rule, method, target));
          const lines = upgrade
            ? `Connection: upgrade\r\nUpgrade: ${upgrade}\r\n`
            : '';
          handled.length = 0;
          const answers = await exchangeBytes(
            backend.port,
            Buffer.from(
              `${method} ${sent} HTTP/1.1\r\nHost: localhost\r\n${lines}Connection: close\r\n\r\n`,
              'latin1',
            ),
          );
          const statuses = answers.map(({ status }) => status);
          if (isPublicWithoutRule(method, target)) {
            expect(handled).toEqual([]);
          } else if (isOpen) {
            const isInstalled = !target.startsWith('/api/absent');
            expect(handled).toEqual(isInstalled ? [`${method} ${target}`] : []);
            expect(statuses).toEqual([isInstalled ? 200 : 404]);
          } else {
            expect(handled).toEqual([]);
            expect([400, 401, 404]).toContain(statuses[0]);
          }
        }
      }),
      { runs: 60, seconds: 14 },
    ));
});
