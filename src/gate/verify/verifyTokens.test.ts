import { runInNewContext } from 'node:vm';
import { AuthenticationError, NotAllowedError } from '@backstage/errors';
import type { Request } from 'express';
import {
  createGateServices,
  ISSUER,
} from '../../__tests__/__testUtils__/createGateServices';
import { unsignedToken } from '../../__tests__/__testUtils__/unsignedToken';
import { judge } from '../judge/judge';
import type { VerifiedToken } from '../judge/findRefused';
import { ExpressRequest } from '../read/GateRequest';
import { readTokens } from '../read/readTokens';
import { readBearer } from '../read/token';
import { Refusal } from '../Refusal';
import { run } from './steps';
import { verifyTokens } from './verifyTokens';

const NOW = Math.floor(Date.now() / 1000);
const ended = { sub: 'user:default/ended', iat: NOW, exp: NOW + 3600 };
const alive = { ...ended, sub: 'user:default/live' };

const tokenOf = (claims: object, typ = 'vnd.backstage.user') =>
  unsignedToken(typ, { iss: ISSUER, ...claims });
const full = tokenOf(ended);
const limited = tokenOf(ended, 'vnd.backstage.limited-user');
const acting = unsignedToken('vnd.backstage.plugin', {
  sub: 'search',
  obo: limited,
});
const plugin = unsignedToken('vnd.backstage.plugin', { sub: 'search' });
const live = tokenOf(alive);
const elsewhere = { iss: 'https://staging.example.com/api/auth' };
const foreign = tokenOf({ ...ended, ...elsewhere });

const PUBLIC = '/open';
const PROTECTED = '/closed';
const HEADER = 'x-backstage-token';
const UPGRADE = { connection: 'Upgrade', upgrade: 'websocket' };

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const cookie = (token: string) => ({ cookie: `a=1; backstage-auth=${token}` });

function create() {
  const gate = createGateServices();
  const principal = { type: 'user', userEntityRef: ended.sub };
  gate.tokens = new Map<string, object | Error>([
    [full, principal],
    [limited, principal],
    [acting, { ...principal, actor: { subject: 'plugin:search' } }],
    [live, { type: 'user', userEntityRef: alive.sub }],
    [foreign, principal],
  ]);
  gate.policy = {
    allow: [{ plugin: 'hello', path: PUBLIC, methods: ['GET', 'WEBSOCKET'] }],
  };
  const revocations = {
    isRevoked: ({ sub }: { sub: string }) => sub === ended.sub,
    isLocked: () => false,
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
  const judgeWith = async (headers: object, path?: string) => {
    const request = createRequest(headers, path);
    return judge(request, await verify(request));
  };
  return {
    createRequest,
    gate,
    judgeWith,
    revocations,
    verify,
    /** Returns the refusal of a public request with a bearer token. */
    find: async (token: string) => (await judgeWith(bearer(token))).refusal,
  };
}

describe('[P10] the bearer token of a public request', () => {
  it.each([
    ['the full token', full],
    ['the limited token', limited],
    ['a service that acts for the user', acting],
  ])('is refused: %s of a revoked session', async (_, token) => {
    const refusal = { reason: 'revoked', subject: ended.sub };
    expect(await create().find(token)).toMatchObject(refusal);
    // Backstage's own cookie with the same token is removed, which leaves the handler the bearer token.
    const both = { ...bearer(token), ...cookie(token) };
    expect((await create().judgeWith(both)).refusal).toMatchObject(refusal);
  });

  it.each([
    ['no JWT', 'static'],
    ['no JWT, with other characters', 'static=='],
    ['a service, with other characters', `${plugin}==`],
    ['a session that is not revoked', live],
  ])('passes as %s, and is not verified', async (_, token) => {
    const { find, gate } = create();
    expect(await find(token)).toBeUndefined();
    expect(gate.asked).toEqual([]);
  });

  it.each([
    ['a revoked session', full],
    ['a session that is not revoked', live],
    ['a limited token', limited],
    ['a service that acts for the user', acting],
  ])(
    'is refused with other characters behind %s, whatever the session',
    async (_, token) => {
      const { find, gate } = create();
      const refusal = (await find(`${token}==`))!;
      expect([refusal.reason, refusal.detail, refusal.subject]).toEqual([
        'invalid-token',
        'malformed',
        undefined,
      ]);
      expect(gate.asked).toEqual([]);
    },
  );

  it('is refused without `iat` if it verifies, since it belongs to no session', async () => {
    const { find, gate } = create();
    const token = tokenOf(
      { ...alive, aud: 'backstage', iat: undefined },
      'JWT',
    );
    expect(await find(token)).toBeUndefined();
    const other = create();
    other.gate.tokens.set(token, gate.tokens.get(live)!);
    expect(await other.find(token)).toMatchObject({ reason: 'invalid-token' });
  });

  it('[P6] is refused for a user of another deployment that has the same keys', async () => {
    expect(await create().find(foreign)).toMatchObject({
      reason: 'untrusted-issuer',
      subject: ended.sub,
    });
  });

  it('passes for a user of another deployment that has other keys', async () => {
    const { find, gate } = create();
    gate.tokens.delete(foreign);
    expect(await find(foreign)).toBeUndefined();
  });

  it('[P7] is refused with 503 for any session while the list is not loaded', async () => {
    const { find, gate, revocations } = create();
    revocations.isLoaded = false;
    expect(await find(live)).toMatchObject({
      reason: 'revocations-unavailable',
    });
    expect(await find(full)).toMatchObject({ reason: 'revoked' });
    expect(await find('static')).toBeUndefined();
    gate.tokens.clear();
    expect(await find(live)).toBeUndefined();
  });

  it('passes if the list is loaded while it is verified', async () => {
    const { createRequest, revocations, verify } = create();
    revocations.isLoaded = false;
    const verified = verify(createRequest(bearer(live)));
    revocations.isLoaded = true;
    const [{ outcome }] = await verified;
    expect(outcome).toMatchObject({ session: alive });
    expect((outcome as VerifiedToken).excluded).toBeUndefined();
  });

  it('passes for another system while this one has no keys', async () => {
    const { find, gate, revocations } = create();
    gate.tokens.clear();
    gate.hasKeys = false;
    const token = tokenOf({ ...alive, ...elsewhere });
    expect(await find(token)).toBeUndefined();
    revocations.isLoaded = false;
    expect(await find(token)).toMatchObject({ reason: 'keys-unavailable' });
  });

  it('is refused after an unexpected error, whatever properties that has', async () => {
    const { find, gate } = create();
    const error = Object.assign(new Error('unexpected'), { isFinal: true });
    gate.starting.set('auth', Promise.reject(error));
    expect(await find(full)).toBe(Refusal.because('failed'));
    expect(gate.log).toEqual([[expect.any(String), error]]);
  });
});

describe('[P82] an external token of a public request', () => {
  /** Returns what comes of the tokens of a request, with limits that do not name its path. */
  async function judgeLimited(headers: object) {
    const { gate, judgeWith } = create();
    const rule = { plugin: 'hello', path: '/other', methods: ['GET'] };
    gate.policy.tokens = [{ subject: 'ci', only: [rule] }];
    gate.tokens.set('static', { type: 'service', subject: 'ci' });
    gate.tokens.set('other', { type: 'service', subject: 'plugin:search' });
    const { refusal, socketEnds } = await judgeWith(headers);
    return { asked: gate.asked, refusal, socketEnds };
  }

  it.each([
    ['a user', bearer(live), []],
    ['a plugin', bearer(plugin), []],
    ['nobody', {}, []],
    [
      'another service, which has no end',
      { ...bearer('other'), ...UPGRADE },
      ['hello'],
    ],
    ['another system, which does not verify', bearer('unknown'), ['hello']],
  ])('is none of %s, which passes', async (_, headers, asked) => {
    expect(await judgeLimited(headers)).toEqual({
      asked,
      refusal: undefined,
      socketEnds: [],
    });
  });

  it('is refused after an unexpected error', async () => {
    const { gate, find } = create();
    gate.policy.tokens = [{ subject: 'ci', until: 1 }] as never;
    gate.services.keyEndpoints.assertCallerKnown = () =>
      Promise.reject(new Error('unexpected'));
    expect(await find('static')).toBe(Refusal.because('failed'));
  });
});

describe('a token that goes to somebody else', () => {
  const invalid = () => Promise.reject(new AuthenticationError('Unknown'));
  const verified = async () => ({
    principal: { type: 'service', subject: 'external:ci' },
  });
  const jwt = unsignedToken('JWT', { aud: 'cost-management' });
  const untyped = unsignedToken(undefined, { aud: 'cost-management' });
  const [, ...parts] = jwt.split('.');
  const header = Buffer.from('{"alg":"HS256"}').toString('base64url');
  const legacy = [header, ...parts].join('.');

  /** Judges a request by a token in the credential header that has another one in `Authorization`. */
  async function judgeWith(
    token: string,
    credentials: () => Promise<object>,
    credential = live,
  ) {
    const { gate, judgeWith: judgeAt } = create();
    gate.policy.credentialHeader = HEADER;
    const { httpAuth } = gate.plugins.anyRegistered();
    const own = httpAuth.credentials.bind(httpAuth);
    httpAuth.credentials = ((req: Request, options: object) =>
      readBearer(req) === token
        ? credentials()
        : own(req, options)) as typeof own;
    const headers = { [HEADER]: credential, ...bearer(token) };
    const {
      credential: kind,
      reason,
      refusal,
    } = await judgeAt(headers, PROTECTED);
    return refusal ? [refusal.reason, kind] : reason;
  }

  it.each<[string, string, () => Promise<object>]>([
    ['of a user', full, invalid],
    ['that is static', 'static', verified],
    ['that is legacy', legacy, verified],
    [
      'that is restricted to another plugin',
      'static',
      () => Promise.reject(new NotAllowedError('Not here')),
    ],
    // An `httpAuth` of the app's own may reject with anything.
    ['of which nobody can say what it is', 'static', () => Promise.reject()],
  ])('is refused: one %s', async (_, token, credentials) => {
    const by = await judgeWith(token, credentials);
    expect(by).toEqual(['invalid-token', 'bearer']);
  });

  it('is refused also if it is the credential of the request', async () => {
    const by = await judgeWith('static', verified, 'static');
    expect(by).toEqual(['invalid-token', 'bearer']);
  });

  it.each<[string, string, () => Promise<object>]>([
    ['under jwks', jwt, verified],
    ['of another server', untyped, invalid],
    ['with a shared secret of another server', legacy, invalid],
    ['that is no JWT', 'opaque', invalid],
  ])('passes: one %s', async (_, token, credentials) => {
    expect(await judgeWith(token, credentials)).toBe('bearer');
  });
});

// Libraries have promises of their own, and each realm of Node has another `Promise`.
describe('a promise that is not Node’s, of an httpAuth of the app’s own,', () => {
  const outcomeOf = async (headers: object, path: string) => {
    const { gate, judgeWith } = create();
    gate.policy.credentialHeader = HEADER;
    gate.tokens.set('static', { type: 'service', subject: 'external:ci' });
    const { httpAuth } = gate.plugins.anyRegistered();
    const own = httpAuth.credentials.bind(httpAuth);
    httpAuth.credentials = ((req: Request, options: object) =>
      runInNewContext('new Promise((...args) => own.then(...args))', {
        own: own(req, options),
      })) as typeof own;
    const { reason, refusal } = await judgeWith(headers, path);
    return refusal?.reason ?? reason;
  };

  it.each([
    ['bearer', 'a token that verifies', bearer(live), PROTECTED],
    ['invalid-token', 'a token that does not', bearer('x'), PROTECTED],
    ['revoked', 'a token of a revoked session', bearer(full), PUBLIC],
    [
      'invalid-token',
      'a static token that would leave the backend',
      { [HEADER]: live, ...bearer('static') },
      PUBLIC,
    ],
  ])('is waited for: %s for %s', async (expected, _, headers, path) => {
    expect(await outcomeOf(headers, path)).toBe(expected);
  });
});

it.each([
  ['verifies', live, undefined],
  ['fails', 'unknown', 'invalid-token'],
])(
  'records the seconds of a verification that %s',
  async (_, token, reason) => {
    const { createRequest, gate, verify } = create();
    const request = createRequest(bearer(token), PROTECTED);
    const now = jest.spyOn(performance, 'now');
    now.mockReturnValueOnce(5_000).mockReturnValue(6_500);
    const found = await verify(request);
    now.mockRestore();
    expect(judge(request, found).refusal?.reason).toBe(reason);
    expect(gate.told).toEqual([['verified', 1.5]]);
  },
);
