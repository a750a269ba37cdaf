import { AuthenticationError, NotAllowedError } from '@backstage/errors';
import { ISSUER } from '../__testUtils__/createGateServices';
import { unsignedToken } from '../__testUtils__/unsignedToken';
import { Kind, Place, PLACES, TOKENS } from './states';

/** The ids of the keys of tokens whose keys are not as they should be. */
export const KEYS = { gone: 'gone', new: 'new', broken: 'broken' };
/** The subjects of plugins that call. */
export const CALLERS = { known: 'search', none: 'nobody', silent: 'silent' };

const NOW = Math.floor(Date.now() / 1000);
const HOURS = 3_600;
const OTHER = 'https://other.example.com';

/** The result of Backstage's verification of a token: a principal, or an error. */
type Verified = object | Error;

const invalid = new AuthenticationError('Invalid');
const ref = (name: string) => `user:default/${name}`;
const userNamed = (name: string) => ({
  type: 'user',
  userEntityRef: ref(name),
});
const serviceOf = (subject: string) => ({ type: 'service', subject });
const actor = serviceOf(`plugin:${CALLERS.known}`);

/** Makes the token of each kind, and what Backstage makes of it. The session of a token ends at its place, in seconds after 10 hours. */
function makeKinds(place: number): Record<Kind, [text: string, Verified]> {
  const claims = (name: string, others: object) => ({
    iss: ISSUER,
    sub: ref(name),
    iat: NOW,
    exp: NOW + 10 * HOURS + place,
    ...others,
  });
  const user = (name: string, others: object = {}, kid?: string) =>
    unsignedToken('vnd.backstage.user', claims(name, others), kid);
  const limited = (name: string) =>
    unsignedToken(
      'vnd.backstage.limited-user',
      claims(name, { iss: undefined }),
    );
  const service = (sub: string, obo?: string, exp = NOW + HOURS) =>
    unsignedToken('vnd.backstage.plugin', {
      sub,
      aud: 'here',
      obo,
      place,
      exp,
    });
  const ownUser = user('user');
  const text = (kind: string) => `${kind}-${place}`;
  const forged = { forged: true };
  return {
    text: [text('text'), invalid],
    'other system': [
      unsignedToken('JWT', { sub: text('x'), iss: OTHER }),
      invalid,
    ],
    'cut user': [ownUser.replace(/.$/, '!$&'), userNamed('user')],
    // The gate itself reads that it has expired.
    'expired user': [
      user('user', { exp: NOW - 10 - place }),
      userNamed('user'),
    ],
    'expired service': [service(CALLERS.known, undefined, NOW - 10), actor],
    'forged user': [user('user', forged), invalid],
    // An app's own `httpAuth` may return such credentials.
    'false user': [user('user', { false: true }), userNamed('other')],
    'forged revoked': [user('revoked', forged), invalid],
    'keyless user': [user('user', {}, KEYS.gone), invalid],
    'keyless revoked': [user('revoked', {}, KEYS.gone), invalid],
    'keyless foreign': [user('user', { iss: OTHER }, KEYS.gone), invalid],
    'new key': [user('user', {}, KEYS.new), invalid],
    'new key revoked': [user('revoked', {}, KEYS.new), invalid],
    foreign: [user('user', { iss: OTHER }), userNamed('user')],
    'no session': [user('user', { iat: undefined }), userNamed('user')],
    revoked: [user('revoked'), userNamed('revoked')],
    user: [ownUser, userNamed('user')],
    'old user': [
      unsignedToken(undefined, claims('user', { aud: 'backstage' })),
      userNamed('user'),
    ],
    'limited user': [limited('user'), userNamed('user')],
    'limited revoked': [limited('revoked'), userNamed('revoked')],
    service: [service(CALLERS.known), actor],
    'service for user': [
      service(CALLERS.known, limited('user')),
      { ...userNamed('user'), actor },
    ],
    'service for revoked': [
      service(CALLERS.known, limited('revoked')),
      { ...userNamed('revoked'), actor },
    ],
    'no caller': [service(CALLERS.none), invalid],
    'silent caller': [service(CALLERS.silent), invalid],
    restricted: [text('restricted'), new NotAllowedError('Restricted')],
    // A secret in base64 has characters that no JWT has.
    external: [`${text('external')}=`, serviceOf('external')],
    'legacy external': [
      [{ alg: 'HS256' }, { sub: 'external', place }, {}]
        .map(part => Buffer.from(JSON.stringify(part)).toString('base64url'))
        .join('.'),
      serviceOf('external'),
    ],
    'jwks external': [
      unsignedToken('JWT', { sub: 'external', iss: OTHER, place }),
      serviceOf('external'),
    ],
    'ended external': [text('ended'), serviceOf('ended')],
    'narrow external': [text('narrow'), serviceOf('narrow')],
    'odd error': [text('odd'), new TypeError('Unexpected')],
    failing: [user('user', {}, KEYS.broken), invalid],
  };
}

const byPlace = PLACES.map((_, i) => makeKinds(i));
/** The results of Backstage's verification, by token. */
export const VERIFIED = new Map<string, Verified>();
const places = new Map<string, Place>();
for (const [i, place] of PLACES.entries()) {
  for (const kind of Object.keys(TOKENS) as Kind[]) {
    const [text, verified] = byPlace[i][kind];
    VERIFIED.set(text, verified);
    places.set(text, place);
  }
}

/** Returns the token of a kind at a place. No other place has the same text. */
export function tokenAt(kind: Kind, place: Place): string {
  return byPlace[PLACES.indexOf(place)][kind][0];
}

/** Returns the place of a token. */
export function placeOf(text: string): Place | undefined {
  return places.get(text);
}

/** Returns the place of the token whose session is meant. */
export function placeOfSession({ exp }: { exp: number }): Place {
  return PLACES[exp - NOW - 10 * HOURS];
}

/** Returns whether a session is revoked, by the user's name. */
export const isRevoked = ({ sub }: { sub: string }) => sub === ref('revoked');
