import { runInNewContext } from 'node:vm';
import {
  createGateServices,
  ISSUER,
} from '../../__tests__/__testUtils__/createGateServices';
import { unsignedToken } from '../../__tests__/__testUtils__/unsignedToken';
import { judge } from '../judge/judge';
import type { VerifiedToken } from '../judge/findRefused';
import { ExpressRequest } from '../read/GateRequest';
import { readTokens } from '../read/readTokens';
import { run } from './steps';
import { verifyTokens } from './verifyTokens';

// The proof has each kind of token in each of its roles. Here is what no state of it has.

const NOW = Math.floor(Date.now() / 1000);
const ended = { sub: 'user:default/ended', iat: NOW, exp: NOW + 3600 };
const alive = { ...ended, sub: 'user:default/live' };

const tokenOf = (claims: object) =>
  unsignedToken('vnd.backstage.user', { iss: ISSUER, ...claims });
const full = tokenOf(ended);
const live = tokenOf(alive);
const plugin = unsignedToken('vnd.backstage.plugin', { sub: 'search' });

const PUBLIC = '/open';
const PROTECTED = '/closed';
const HEADER = 'x-backstage-token';

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });

function create() {
  const gate = createGateServices();
  gate.tokens = new Map<string, object | Error>([
    [full, { type: 'user', userEntityRef: ended.sub }],
    [live, { type: 'user', userEntityRef: alive.sub }],
    ['static', { type: 'service', subject: 'external:ci' }],
  ]);
  gate.policy = {
    allow: [{ plugin: 'hello', path: PUBLIC, methods: ['GET'] }],
    credentialHeader: HEADER,
  };
  const revocations = {
    isRevoked: ({ sub }: { sub: string }) => sub === ended.sub,
    isLoaded: true,
  };
  gate.services.revocations = revocations as never;
  const createRequest = (headers: object, path = PUBLIC) => {
    const url = `/api/hello${path}`;
    const req = {
      ...{ baseUrl: '/api/hello', originalUrl: url, path, url: path },
      headers,
      method: 'GET',
      params: { gatedPluginId: 'hello' },
      rawHeaders: Object.entries(headers).flat(),
    };
    return new ExpressRequest(req as never, {} as never, gate.services);
  };
  const verify = (request: ExpressRequest) =>
    run(verifyTokens(request, readTokens(request)));
  return {
    createRequest,
    gate,
    revocations,
    verify,
    /** Returns the reason for which a request passes or is refused. */
    judgeWith: async (headers: object, path?: string) => {
      const request = createRequest(headers, path);
      const { reason, refusal } = judge(request, await verify(request));
      return refusal?.reason ?? reason;
    },
  };
}

describe('the bearer token of a public request', () => {
  it.each([
    ['no JWT', 'static'],
    ['no JWT, with other characters', 'static=='],
    ['a service, with other characters', `${plugin}==`],
    ['a session that is not revoked', live],
    ['a plugin, where external tokens have limits', plugin, true],
  ])(
    'passes as %s, and is not verified',
    async (_, token, isLimited = false) => {
      const { gate, judgeWith } = create();
      gate.policy.tokens = isLimited ? [] : undefined;
      expect(await judgeWith(bearer(token))).toBe('allow-rule');
      expect(gate.asked).toEqual([]);
    },
  );

  it('passes if the list is loaded while it is verified', async () => {
    const { createRequest, revocations, verify } = create();
    revocations.isLoaded = false;
    const verified = verify(createRequest(bearer(live)));
    revocations.isLoaded = true;
    const [{ outcome }] = await verified;
    expect(outcome).toMatchObject({ session: alive });
    expect((outcome as VerifiedToken).excluded).toBeUndefined();
  });
});

it('[P82] an external token of a public request is refused after an unexpected error', async () => {
  const { gate, judgeWith } = create();
  gate.policy.tokens = [];
  gate.services.keyEndpoints.assertCallerKnown = () =>
    Promise.reject(new Error('unexpected'));
  expect(await judgeWith(bearer('static'))).toBe('failed');
});

// Libraries have promises of their own, and each realm of Node has another `Promise`.
it.each([
  ['bearer', 'a token that verifies', bearer(live), PROTECTED],
  ['invalid-token', 'a token that does not', bearer('x'), PROTECTED],
  ['revoked', 'a token of a revoked session', bearer(full), PUBLIC],
])(
  'a promise of another realm, of an auth of the app’s own, is waited for: %s for %s',
  async (expected, _, headers, path) => {
    const { gate, judgeWith } = create();
    const { verifier } = gate.plugins.anyRegistered();
    const { find } = verifier;
    verifier.find = (token, options) =>
      runInNewContext('new Promise((...args) => own.then(...args))', {
        own: find(token, options),
      });
    expect(await judgeWith(headers, path)).toBe(expected);
  },
);
