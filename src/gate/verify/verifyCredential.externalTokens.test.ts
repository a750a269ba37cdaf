import { createPolicy } from '../../__tests__/__testUtils__/createPolicy';
import { Refusal } from '../Refusal';
import type { GateRequest } from '../read/GateRequest';
import {
  findRefusal,
  reportExternalToken,
  socketSessionOf,
  VerifiedCredential,
} from './verifyCredential';

const only = [{ plugin: 'hello', path: '/x', methods: ['GET'] }];
const session = { sub: 'user:default/a', iat: 1, exp: 2 };

const SUBJECTS = ['ci', 'a plugin:ci', 'plugin:ci', 'user:default/a'];

/** Makes a request to `/y`, which the limits of the subjects exclude, with the credential of a principal. */
function create(principal: object) {
  const policy = createPolicy({
    tokens: [
      ...SUBJECTS.map(subject => ({ subject, only })),
      { subject: 'ended', until: 1 },
    ],
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
  it.each(['ci', 'a plugin:ci'])(
    '[P82] of the external token %s is reported and limited',
    subject => {
      const { request, used, verified } = create({ type: 'service', subject });
      expect(findRefusal(verified, request)).toMatchObject({
        reason: 'restricted',
        detail: 'only',
        subject,
      });
      reportExternalToken(verified, request);
      expect(used).toEqual([[subject, request]]);
      const end = socketSessionOf(verified, request) as () => number;
      expect(end()).toBe(-Infinity);
    },
  );

  it('[P82] of an external token that has ended is refused', () => {
    const { request, verified } = create({ type: 'service', subject: 'ended' });
    const refusal = findRefusal(verified, request);
    expect(refusal).toBeInstanceOf(Refusal);
    expect(refusal).toMatchObject({ reason: 'token-ended', subject: 'ended' });
    expect(refusal!.detail).toBeUndefined();
  });

  it.each([
    ['a plugin', { type: 'service', subject: 'plugin:ci' }],
    ['a user', { type: 'user', userEntityRef: 'user:default/a' }],
    ['a service without a subject', { type: 'service' }],
  ])('[P82] of %s is neither reported nor limited', (_, principal) => {
    const { request, used, verified } = create(principal);
    expect(findRefusal(verified, request)).toBeUndefined();
    reportExternalToken(verified, request);
    expect(used).toEqual([]);
    expect(socketSessionOf(verified, request)).not.toBeInstanceOf(Function);
  });

  it('has the session of a user for its socket, and none of a plugin', () => {
    const ofUser = create({ type: 'user', userEntityRef: 'user:default/a' });
    expect(socketSessionOf(ofUser.verified, ofUser.request)).toBe(session);
    const ofPlugin = create({ type: 'service', subject: 'plugin:ci' });
    expect(
      socketSessionOf(ofPlugin.verified, ofPlugin.request),
    ).toBeUndefined();
  });
});
