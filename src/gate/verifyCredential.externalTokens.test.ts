import { createPolicy } from '../__testUtils__/createPolicy';
import { Refusal } from '../decision/Refusal';
import type { GateRequest } from './GateRequest';
import {
  findRefusal,
  reportExternalToken,
  socketSessionOf,
  VerifiedCredential,
} from './verifyCredential';

const only = [{ plugin: 'hello', path: '/x', methods: ['GET'] }];
const session = { sub: 'user:default/a', iat: 1, exp: 2 };

/** Makes a request to `/y`, which the limits of the subjects `ci` and `plugin:ci` exclude, with the credential of a principal. */
function create(principal: object) {
  const policy = createPolicy({
    tokens: ['ci', 'plugin:ci', 'user:default/a'].map(subject => ({
      subject,
      only,
    })),
  });
  const used: unknown[] = [];
  const request = {
    method: 'GET',
    path: '/y',
    pluginId: 'hello',
    policy,
    services: {
      observer: { externalTokenUsed: (...use: unknown[]) => used.push(use) },
      revocations: { isRevoked: () => false, isLoaded: true },
      source: { current: policy },
    },
  } as unknown as GateRequest;
  const token =
    'type' in principal && principal.type === 'user'
      ? { userToken: {}, session }
      : {};
  const verified = {
    credentials: { principal },
    token,
  } as unknown as VerifiedCredential;
  return { request, used, verified };
}

describe('an authenticated request', () => {
  it.each<[string, object, boolean]>([
    ['an external token', { type: 'service', subject: 'ci' }, true],
    ['a plugin', { type: 'service', subject: 'plugin:ci' }, false],
    ['a user', { type: 'user', userEntityRef: 'user:default/a' }, false],
    ['a service without a subject', { type: 'service' }, false],
  ])(
    '[P82] reports and limits the requests of %s: %s',
    (_, principal, isLimited) => {
      const { request, used, verified } = create(principal);
      const refusal = findRefusal(verified, request);
      expect(refusal?.reason).toBe(isLimited ? 'restricted' : undefined);
      expect(refusal?.subject).toBe(isLimited ? 'ci' : undefined);
      expect(refusal === undefined || refusal instanceof Refusal).toBe(true);
      reportExternalToken(verified, request);
      expect(used).toEqual(isLimited ? [['ci', request]] : []);
      const end = socketSessionOf(verified, request);
      const isEnded = typeof end === 'function' && end() === -Infinity;
      expect(isEnded).toBe(isLimited);
    },
  );

  it('has the session of a user for its socket, and none of a plugin', () => {
    const ofUser = create({ type: 'user', userEntityRef: 'user:default/a' });
    expect(socketSessionOf(ofUser.verified, ofUser.request)).toBe(session);
    const ofPlugin = create({ type: 'service', subject: 'plugin:ci' });
    expect(
      socketSessionOf(ofPlugin.verified, ofPlugin.request),
    ).toBeUndefined();
  });
});
