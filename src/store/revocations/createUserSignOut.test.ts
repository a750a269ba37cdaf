import { createUserSignOut } from './createUserSignOut';
import type { Revocation } from '../../gate/sessions/Revocation';
import { IssuerClock } from './IssuerClock';

const NOON = Date.parse('2026-11-25T12:00:00Z');
const noon = NOON / 1000;
const USER = 'user:default/jane';

beforeEach(() => jest.useFakeTimers({ now: NOON }));
afterEach(() => jest.useRealTimers());

function create(
  options: {
    end?: () => Promise<any>;
    revoke?: (revocation: Revocation) => Promise<boolean | void>;
  } = {},
) {
  const revoked: Revocation[] = [];
  const issuerClock = new IssuerClock();
  const end = jest.fn(options.end ?? (async () => ({ ended: 2 })));
  const signOut = createUserSignOut({
    issuerClock,
    offlineSessions: { end },
    revocations: {
      revoke: async revocation => {
        revoked.push(revocation);
        return (await options.revoke?.(revocation)) ?? true;
      },
    },
  });
  return { end, issuerClock, revoked, signOut };
}

const iats = (revoked: Revocation[]) => revoked.map(({ iat }) => iat - noon);

describe('[P20] createUserSignOut', () => {
  it('revokes what was issued up to now, and ends offline sessions', async () => {
    const { end, revoked, signOut } = create();
    const result = await signOut(USER);
    const revocation = {
      scope: 'user',
      sub: USER,
      iat: noon,
      exp: noon + 86_400,
    };
    expect(result).toEqual({
      revocation,
      isStored: true,
      offlineSessions: { ended: 2 },
    });
    expect(revoked).toEqual([revocation]);
    expect(end).toHaveBeenCalledWith(USER);
  });

  it('keeps offline sessions where the gate can end none', async () => {
    const signOut = createUserSignOut({
      issuerClock: new IssuerClock(),
      offlineSessions: undefined,
      revocations: { revoke: async () => true },
    });
    expect(await signOut(USER)).toMatchObject({
      isStored: true,
      offlineSessions: 'kept',
    });
  });

  it('revokes again what was issued while offline sessions were being ended, and while the store was written', async () => {
    const { revoked, signOut } = create({
      end: async () => jest.setSystemTime(NOON + 3_000),
      revoke: async ({ iat }) => {
        if (iat === noon + 3) {
          jest.setSystemTime(NOON + 4_000);
        }
      },
    });
    const { revocation } = await signOut(USER);
    expect(iats(revoked)).toEqual([0, 3, 4]);
    expect(revocation.iat).toBe(noon + 4);
  });

  it('gives up revoking again where the store takes more than a second each time', async () => {
    let at = NOON;
    const { revoked, signOut } = create({
      revoke: async () => {
        at += 5_000;
        jest.setSystemTime(at);
      },
    });
    await signOut(USER);
    expect(iats(revoked)).toEqual([0, 5, 10]);
  });

  it('has the revocation in force before the auth plugin has answered', async () => {
    let answer!: (value: object) => void;
    const { revoked, signOut } = create({
      end: () => new Promise(resolve => (answer = resolve)),
    });
    const signingOut = signOut(USER);
    expect(revoked).toHaveLength(1);
    await Promise.resolve();
    answer({ ended: 0 });
    await signingOut;
  });

  it('reports what could not be done, and never throws', async () => {
    const { revoked, signOut } = create({
      end: async () => {
        jest.setSystemTime(NOON + 1_000);
        throw new Error('gone');
      },
      revoke: async () => false,
    });
    expect(await signOut(USER)).toMatchObject({
      isStored: false,
      offlineSessions: 'unreachable',
    });
    expect(iats(revoked)).toEqual([0, 1]);
  });

  it('covers the tokens of an issuer whose clock is ahead', async () => {
    const { issuerClock, revoked, signOut } = create();
    issuerClock.observe({ iat: noon + 90, exp: noon + 3_600 });
    await signOut(USER);
    await signOut(USER, { sub: USER, iat: noon + 120, exp: noon + 200_000 });
    await signOut(USER, { sub: USER, iat: noon - 120, exp: noon + 60 });
    expect(iats(revoked)).toEqual([90, 120, 90]);
    expect(revoked.map(({ exp }) => exp - noon)).toEqual([
      86_490, 200_000, 86_490,
    ]);
  });

  it.each([
    [-10, undefined, 0, 86_400],
    [-10, 86_399, 0, 86_400],
    [-10, 86_401, 0, 86_401],
    [60, 120, 60, 86_460],
  ])(
    'with a session from %i until %s covers tokens up to %i, and is kept until %i',
    async (from, until, iat, exp) => {
      jest.setSystemTime(NOON + 999);
      const known = until
        ? { sub: USER, iat: noon + from, exp: noon + until }
        : undefined;
      const { revoked, signOut } = create();
      await signOut(USER, known);
      expect(revoked).toEqual([
        { scope: 'user', sub: USER, iat: noon + iat, exp: noon + exp },
      ]);
    },
  );
});
