import { readRevocationBody } from './readRevocationBody';

const NOON = Date.parse('2026-11-25T12:00:00Z');
const noon = NOON / 1000;
const DAY = 24 * 60 * 60;
const session = { sub: 'user:default/Jane', iat: noon, exp: noon + 60 };

beforeEach(() => jest.useFakeTimers({ now: NOON }));
afterEach(() => jest.useRealTimers());

describe('readRevocationBody', () => {
  it.each([
    ['User:Default/Jörg@Example.com', 'user:default/jörg@example.com'],
    // The Kelvin sign equals a K in a comparison without case.
    ['USER:default/\u212Aim', 'user:default/kim'],
  ])('reads the user %s without case', (userEntityRef, read) => {
    expect(readRevocationBody({ userEntityRef })).toEqual({
      userEntityRef: read,
    });
  });

  const userEntityRef = 'user:default/jane';

  it.each([
    ['2026-11-26', NOON + 12 * 3_600_000],
    ['2026-11-25T12:00:01Z', NOON + 1_000],
    ['2026-11-25T14:30:00+02:00', NOON + 30 * 60_000],
    // It lasts no less than what was asked for.
    ['2026-11-25T12:00:01.001Z', NOON + 2_000],
    ['2026-11-26T12:00:00Z', NOON + 24 * 3_600_000],
  ])('reads a sign-out until %s', (until, end) => {
    expect(readRevocationBody({ userEntityRef, until })).toEqual({
      userEntityRef,
      until: end / 1000,
    });
  });

  it.each([
    ...['2026-11-25', '2026-11-25T12:00:00Z', '2026-11-25T13:00:00+02:00'],
    ...['2026-11-26T12:00:00.001Z', '2026-11-27', '9999-12-31'],
  ])('refuses one until %s, which is not within 24 hours', until => {
    expect(() => readRevocationBody({ userEntityRef, until })).toThrow(
      'until must be in the future, at most 24 hours from now: write 2026-11-26T12:00:00.000Z or earlier',
    );
  });

  it.each([
    ...['2026-12-31T18:00:00', 'tomorrow', '2027-02-31', '', '2026-12', null],
    ...[1_800_000_000, true, ['2026-12-31'], {}, '2026-12-31 ', '20261231'],
  ])('refuses one until %j, which is no date or instant', until => {
    expect(() => readRevocationBody({ userEntityRef, until })).toThrow(
      'until must be a date such as 2026-12-31, or an instant',
    );
  });

  it.each([
    [session, { ...session, scope: 'session' }],
    [
      { ...session, scope: 'user' },
      { ...session, scope: 'user' },
    ],
    // Two clocks may be ahead by five minutes each.
    [
      { ...session, iat: noon + 600, exp: noon + 600 + DAY },
      { ...session, iat: noon + 600, exp: noon + 600 + DAY, scope: 'session' },
    ],
    [
      { ...session, sub: 'x'.repeat(1000), exp: noon },
      { ...session, sub: 'x'.repeat(1000), exp: noon, scope: 'session' },
    ],
  ])('reads %j', (body, revocation) => {
    expect(readRevocationBody(body)).toEqual({ revocation });
  });

  it.each<[unknown, string]>([
    [undefined, 'The body must be a JSON object'],
    [null, 'The body must be a JSON object'],
    ['x', 'The body must be a JSON object'],
    [[], 'The body must be a JSON object'],
    [{}, 'userEntityRef is missing'],
    [{ userEntityRef: null }, 'userEntityRef must be a full'],
    [{ userEntityRef: 'jane' }, 'userEntityRef must be a full'],
    [{ userEntityRef: 'user:default/a\nb' }, 'userEntityRef must be a full'],
    [{ userEntityRef: 'user:default/a\u0000' }, 'userEntityRef must be a full'],
    [
      { userEntityRef: `user:default/${'a'.repeat(1000)}` },
      'userEntityRef must be a full',
    ],
    [{ userEntityRef: 'user:default/\ud800' }, 'userEntityRef must be a full'],
    [{ userEntityRef: 'user:default/a', x: 1 }, 'x is not known'],
    [{ ...session, sub: '' }, 'sub must be text'],
    [{ ...session, sub: 5 }, 'sub must be text'],
    [{ ...session, sub: ['user:default/a'] }, 'sub must be text'],
    [{ ...session, sub: '\u0000a' }, 'sub must be text'],
    [{ ...session, sub: 'x'.repeat(1001) }, 'sub must be text'],
    [{ ...session, sub: 'a\u0000' }, 'sub must be text'],
    [{ ...session, sub: 'a\u0085' }, 'sub must be text'],
    [{ ...session, sub: '\udfff' }, 'sub must be text'],
    [{ ...session, iat: noon + 601 }, 'iat must be'],
    [{ ...session, iat: 1.5 }, 'iat must be'],
    [{ ...session, iat: '1' }, 'iat must be'],
    [{ ...session, exp: noon - 1 }, 'exp must be'],
    [{ ...session, exp: noon + 601 + DAY }, 'exp must be'],
    [{ ...session, exp: undefined }, 'exp must be'],
    [{ ...session, exp: noon + 0.5 }, 'exp must be'],
    [{ ...session, scope: 'all' }, 'scope must be'],
    [{ ...session, scope: 'lock' }, 'scope must be'],
    [{ ...session, until: '2026-12-31' }, 'until is not known'],
    [{ until: '2026-12-31' }, 'userEntityRef is missing'],
    [{ ...session, x: 1 }, 'x is not known'],
  ])('refuses %j', (body, message) => {
    expect(() => readRevocationBody(body)).toThrow(message);
  });
});
