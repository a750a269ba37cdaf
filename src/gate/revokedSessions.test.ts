import { createVerification } from '../__testUtils__/createVerification';
import { unsignedToken } from '../__testUtils__/unsignedToken';
import type { Revocations } from '../revocation/Revocations';
import type { ExpressRequest } from './GateRequest';
import {
  refuseRevokedSession,
  removeRevokedUserCookie,
} from './revokedSessions';

const NOW = Math.floor(Date.now() / 1000);
const ISSUER = 'https://backstage.example.com/api/auth';
const ENDED = 'user:default/ended';

const tokenOf = (sub: string, typ = 'vnd.backstage.user', more = {}) =>
  unsignedToken(typ, { iss: ISSUER, sub, iat: NOW, exp: NOW + 3600, ...more });
const live = tokenOf('user:default/live');
const ended = tokenOf(ENDED);
const endedLimited = tokenOf(ENDED, 'vnd.backstage.limited-user');
const forged = tokenOf(ENDED, 'vnd.backstage.user', { forged: true });

function create(headers: object) {
  const verification = createVerification(ISSUER);
  for (const token of [ended, endedLimited]) {
    verification.tokens.set(token, { type: 'user', userEntityRef: ENDED });
  }
  const request = {
    req: { headers },
    plugin: verification.plugin,
    policy: { config: { issuers: [] } },
    forwarded: {},
  } as unknown as ExpressRequest;
  const services = {
    ...verification.services,
    revocations: {
      isRevoked: ({ sub }) => sub === ENDED,
      isLoaded: true,
    } as Revocations,
  };
  return { request, services, verification };
}

const bearer = (token: string) => ({ authorization: `Bearer ${token}` });
const cookie = (token: string) => ({ cookie: `a=1; backstage-auth=${token}` });

describe.each([
  ['removeRevokedUserCookie', removeRevokedUserCookie],
  ['refuseRevokedSession', refuseRevokedSession],
])('%s', (_, check) => {
  it.each([
    ['no cookie', {}, undefined],
    ['a cookie of another session', cookie(live), undefined],
    ['a cookie that is forged', cookie(forged), undefined],
    ['a cookie that is no JWT', cookie('x'), undefined],
    ['the cookie of a revoked session', cookie(endedLimited), 'removed'],
    [
      'two cookies, which a handler may read in another way',
      { cookie: 'backstage-auth=x; backstage-auth=y' },
      'removed',
    ],
  ])('forwards %s as it should', async (__, headers, userCookie) => {
    const { request, services } = create(headers);
    await check(request, services);
    expect(request.forwarded).toEqual(userCookie ? { userCookie } : {});
  });

  it('removes a cookie that may be of a revoked session while keys can not be had', async () => {
    const { request, services, verification } = create(cookie(forged));
    verification.hasKeys = false;
    await check(request, services);
    expect(request.forwarded).toEqual({ userCookie: 'removed' });
  });
});

describe('refuseRevokedSession', () => {
  it.each([
    ['another session', live],
    ['a forged token', forged],
    ['no JWT', 'static'],
  ])('passes the bearer of %s', async (_, token) => {
    const { request, services } = create(bearer(token));
    await refuseRevokedSession(request, services);
    expect(request.forwarded).toEqual({});
  });

  it('refuses the bearer of a revoked session, and names its user', async () => {
    const { request, services } = create(bearer(ended));
    await expect(refuseRevokedSession(request, services)).rejects.toMatchObject(
      {
        reason: 'revoked',
        subject: ENDED,
      },
    );
  });

  it('refuses a bearer that may be of a revoked session while keys can not be had', async () => {
    const { request, services, verification } = create(bearer(forged));
    verification.hasKeys = false;
    await expect(refuseRevokedSession(request, services)).rejects.toMatchObject(
      {
        reason: 'keys-unavailable',
      },
    );
  });

  it('removes the cookie of a revoked session beside another bearer', async () => {
    const headers = { ...bearer(live), ...cookie(endedLimited) };
    const { request, services } = create(headers);
    await refuseRevokedSession(request, services);
    expect(request.forwarded).toEqual({ userCookie: 'removed' });
  });
});
