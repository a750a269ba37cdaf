import { ConfigReader } from '@backstage/config';
import { createPolicy } from '../../__tests__/__testUtils__/createPolicy';
import { readExternalSubjects } from '../../settings/read/readExternalTokens';
import {
  explainInWords,
  MAX_REQUEST_LENGTH,
  readRequest,
} from './explainInWords';

const LONGEST = `/api/x/${'a'.repeat(MAX_REQUEST_LENGTH - 7)}`;
const LONGEST_SUBJECT = `external:${'a'.repeat(991)}`;

describe('readRequest', () => {
  it.each([
    [' HEAD /api/x ', { method: 'HEAD', target: '/api/x' }],
    [LONGEST, { method: 'GET', target: LONGEST }],
    [`${LONGEST}a`, undefined],
    ['GET /api/x\u200b', undefined],
    ['a GET /api/x', undefined],
  ])('reads one request, which hides nothing (%#)', (text, request) => {
    expect(readRequest(text)).toEqual(request);
  });
});

describe('explainInWords', () => {
  const externalAccess = [
    { type: 'static', options: { subject: 'ci' } },
    {
      ...{ type: 'static', options: { subject: 'ci' } },
      accessRestrictions: [{ plugin: 'catalog' }],
    },
    { type: 'jwks', options: {} },
  ];
  const explain = (request: string, subject?: string) =>
    explainInWords(readRequest(request)!, subject, {
      policy: createPolicy({
        closed: [],
        allow: [{ plugin: 'd', path: '/**', methods: ['GET'] }],
      }),
      externalSubjects: readExternalSubjects(
        new ConfigReader({ backend: { auth: { externalAccess } } }),
      ),
      closed: [
        ...[
          { plugin: 'y', paths: ['/**'], allow: 'unauthenticated' as const },
          { plugin: 'x', paths: ['/a'], allow: 'user-cookie' as const },
        ].map(each => ({ ...each, isWebSocket: false })),
      ],
      installed: ['d', 'x'],
    });
  const KEYS = '/.backstage/auth/v1/jwks.json';
  const NOT_SEEN = 'not seen by the gate: the gate guards /api/<plugin> only';
  const PUBLIC =
    'public: it is public without a rule: signing in and verifying tokens need it';

  it.each<[string, string | undefined, ...string[]]>([
    ['GET /healthcheck', undefined, NOT_SEEN],
    [
      'GET /api/d/b/',
      undefined,
      'needs a credential: routers and proxies may read its path differently, so that no rule ever applies to it',
    ],
    ['GET /healthcheck', 'ci', NOT_SEEN],
    [
      'GET https://a.example/api/x',
      undefined,
      'needs a credential: routers and proxies may read its path differently, so that no rule ever applies to it',
      "If a browser shows this address, it sends the path only: ask about 'GET /api/x'",
    ],
    [`GET /api/x${KEYS}?u=https://a.example/b`, undefined, PUBLIC],
    [
      `GET /api/z${KEYS}`,
      undefined,
      PUBLIC,
      'The plugin z is not installed: a misspelling, or a plugin of another backend',
    ],
    [
      'DELETE /api/x/.backstage/auth/v1/cookie',
      undefined,
      'public: it is a sign-out call, for a plugin that is installed',
    ],
    [
      'GET /api/x/a',
      undefined,
      'needs a credential: no rule names it',
      "Declared open by the plugin: /a, to Backstage's own cookie, which still opens it",
      'This would make it public; a handler that asks for a user still refuses:',
      "  - { plugin: x, path: '/a', methods: [GET] }",
    ],
    [
      `GET /api/x${KEYS}`,
      'ci',
      PUBLIC,
      'With a token of ci: passes the gate',
      '  refused with 403 (restricted): the accessRestrictions of backend.auth.externalAccess[1] leave x out',
    ],
    [
      `GET /api/x${KEYS}`,
      LONGEST_SUBJECT,
      PUBLIC,
      `With a token of ${LONGEST_SUBJECT}: passes the gate`,
    ],
  ])('explains %s (%#)', (request, subject, ...lines) => {
    const explained = explain(request, subject);
    expect(explained).toMatchObject({ lines: [request, ...lines] });
  });

  it('shows no subject that is too long, or that hides something', () => {
    const shownOf = (subject: string) =>
      Object.values(explain('GET /api/x/a', subject))[0];
    expect(shownOf(`${LONGEST_SUBJECT}a`)).toContain('subject external:aaa');
    expect(shownOf('external:a\u200b')).toContain('subject external:a :');
  });
});
