import fc from 'fast-check';
import * as httpRouter from '@backstage/backend-defaults/httpRouter';
import { rootHttpRouterServiceFactory } from '@backstage/backend-defaults/rootHttpRouter';
import { checkProperty } from '../__testUtils__/checkProperty';
import { Answer, exchangeBytes } from '../__testUtils__/exchangeBytes';
import { oddExchanges } from '../__testUtils__/oddRequests';
import { isNamedBy, isPublicWithoutRule } from '../__testUtils__/publicModel';
import {
  ACCEPTED,
  REFUSED,
  startCredentialScene,
} from '../__testUtils__/startCredentialScene';
import { webSocketPlugin } from '../__testUtils__/webSocketPlugin';

jest.setTimeout(90_000);

// Some of what is sent is no whole request, and the server waits for the rest of it.
const SILENCE_MS = 150;

const COOKIE_ENDPOINT = '/.backstage/auth/v1/cookie';
const KEYS = '/.backstage/auth/v1/jwks.json';

const ALLOW = [
  { plugin: 'pub', path: '/health' },
  { plugin: 'pub', path: '/static/**' },
  { plugin: 'pub', path: '/hook', methods: ['POST'] },
];

const anyTarget = fc.constantFrom(
  ...['/api/closed/x', '/api/closed', '/api/hello/x', '/api/absent/x'],
  ...['/api/pub/health', '/api/pub/static/a/b', '/api/pub/hook', '/api/pub/x'],
  ...[
    '/api/live',
    '/api/live',
    '/api/live/feed',
    `/api/hello${KEYS}`,
    '/api/app/x',
  ],
  ...[
    `/api/hello${COOKIE_ENDPOINT}`,
    '/api/auth/api-gate/v1/policy',
    '/',
    '/x',
  ],
);

// Status 100 is among them, since it precedes some refusals.
const REFUSALS = [100, 400, 401, 403, 404, 417, 431, 503];

const JUNK = ['x', 'a.b.c', '..', '%', 'eyJhbGciOiJub25lIn0.e30.', 'null'];

describe.each([
  // Since backend-defaults 0.19.
  ...('createWebSocketRouter' in httpRouter
    ? ([['whose plugins take WebSockets', true]] as const)
    : []),
  ['without WebSockets', false] as const,
])('a backend %s', (_, hasWebSockets) => {
  // A plugin that has opened itself is served a second time at the root.
  const live = webSocketPlugin('live', {
    '/': 'unauthenticated',
    '/feed': undefined,
  });
  /** The requests that the server parsed out of the bytes. */
  const seen: { method: string; target: string }[] = [];
  let scene: Awaited<ReturnType<typeof startCredentialScene>>;

  beforeAll(async () => {
    scene = await startCredentialScene({
      allow: ALLOW,
      features: [
        ...(hasWebSockets ? [live.feature] : []),
        rootHttpRouterServiceFactory({
          indexPath: '/api/hello',
          configure({ app, applyDefaults }) {
            app.use((req, _res, next) => {
              seen.push({ method: req.method, target: req.originalUrl });
              next();
            });
            applyDefaults();
          },
        }),
      ],
    });
  });
  afterAll(() => scene.stop());

  async function exchange(text: string): Promise<Answer[]> {
    const { fill, log, port, reached } = scene;
    [log, reached, seen, live.handled].forEach(list => list.splice(0));
    return exchangeBytes(port, Buffer.from(fill(text), 'latin1'), SILENCE_MS);
  }

  function expectNoFailure(answers: Answer[]) {
    expect(scene.log.filter(({ level }) => level === 'error')).toEqual([]);
    for (const { status, head } of answers) {
      if (status >= 500) {
        expect([status, head]).toEqual([
          503,
          expect.stringMatching(/\r\nRetry-After: \d+\r\n/i),
        ]);
      }
    }
  }

  const withoutCredential = oddExchanges({
    targets: anyTarget,
    tokens: fc.constantFrom(...REFUSED.map(name => `{${name}}`), ...JUNK),
  });

  it('[P1] runs no protected handler without a valid credential, whatever the bytes', () =>
    checkProperty(
      fc.asyncProperty(withoutCredential, async text => {
        const answers = await exchange(text);
        const isNamed = ({ method, target }: (typeof seen)[number]) =>
          ALLOW.some(rule => isNamedBy(rule, method, target));
        expect(scene.reached.filter(request => !isNamed(request))).toEqual([]);
        expect(live.handled).toEqual([]);
        const isPublic = seen.some(
          request =>
            isNamed(request) ||
            isPublicWithoutRule(request.method, request.target),
        );
        for (const { status, head } of isPublic ? [] : answers) {
          expect([head, REFUSALS.includes(status)]).toEqual([head, true]);
        }
        expectNoFailure(answers);
      }),
      { runs: 150, seconds: 12 },
    ));

  // Express's cut at the mount leaves what is no URL, as a property has found.
  it.each([
    ['x', 401],
    ['{user}', 404],
  ])(
    'judges a target that can not be read, with the token %s: %i',
    async (token, status) => {
      const answers = await exchange(
        `GET http://[::1]/api/"/absent/x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nAuthorization: Bearer ${token}\r\n\r\n`,
      );
      expect(answers).toMatchObject([{ status }]);
      expectNoFailure(answers);
    },
  );

  const withAnything = oddExchanges({
    targets: anyTarget,
    tokens: fc.constantFrom(
      ...[...ACCEPTED, ...ACCEPTED, ...REFUSED].map(name => `{${name}}`),
      ...JUNK,
    ),
  });

  it('answers nothing by an error of its own, whatever the bytes', () =>
    checkProperty(
      fc.asyncProperty(withAnything, async text => {
        expectNoFailure(await exchange(text));
      }),
      { runs: 100, seconds: 5 },
    ));
});
