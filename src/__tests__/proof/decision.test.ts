import { Differences } from './Differences';
import { pairs, singles, upgradesInExpress } from './enumerate';
import { follow, followAgain } from './follow';
import { judge } from './reference';
import { Judgement, PLAIN, State } from './states';

/** `npm test` has every so many states, `.ci/run` has all. */
const every = (step: number) => (process.env.PROPERTIES === 'long' ? 1 : step);

/** States in which the gate once decided otherwise than the table. */
const FOUND: Record<string, Partial<State>> = {
  'report-only lets an upgrade go on whose keys fail unexpectedly': {
    door: 'upgrade',
    mode: 'report-only',
    authorization: 'text',
    userCookie: 'failing',
  },
  'a sign-out ends the session of one token where another waits for keys': {
    route: 'sign-out',
    cookie: 'user',
    authorization: 'keyless user',
  },
  'a protocol with less than its own rights goes to no handler': {
    door: 'upgrade',
    header: 'user',
    protocols: ['narrow external'],
  },
  'a refused token keeps no cookie in the request': {
    door: 'upgrade',
    mode: 'report-only',
    route: 'rule',
    authorization: 'foreign',
    userCookie: 'foreign',
  },
  'the cookie of Backstage stays where it is, beside an Authorization of somebody else':
    {
      route: 'cookie path',
      header: 'absent',
      authorization: 'basic',
      userCookie: 'user',
    },
};

/** Returns what a state has beside {@link PLAIN}. */
function formatState(state: State): string {
  const changes = Object.entries(state).filter(
    ([key, value]) => String(value) !== String(PLAIN[key as keyof State]),
  );
  return changes.map(([key, value]) => `${key}: ${value}`).join(', ');
}

/** Returns what a judgement has beside nothing. */
function formatJudgement(judgement: Judgement): string {
  return Object.entries(judgement)
    .filter(([, value]) => value && String(value) !== '')
    .map(([key, value]) => `${key}: ${value}`)
    .sort()
    .join(', ');
}

/** The reasons of requests whose token verifies, and is refused all the same. */
const REFUSED =
  /^(locked|revoked|restricted|token-ended|untrusted-issuer|revocations-unavailable)$/;

/** Returns whether a token has verified, so that the gate may remember it. That of a service verifies in a cookie, which can't hold it. */
function mayRemember({ cookie, door }: State, { reason }: Judgement): boolean {
  const isRefused = REFUSED.test(reason) || cookie === 'service for user';
  return (
    /^(bearer|cookie|user-cookie)$/.test(reason) ||
    (door === 'request' && isRefused)
  );
}

it.each(Object.entries(FOUND))('[P111] %s', async (_, change) => {
  const state = { ...PLAIN, ...change };
  const expected = judge(state);
  const found = formatJudgement(await follow(state));
  expect(found).toBe(formatJudgement(expected));
  const again = formatJudgement(await followAgain(state));
  expect(again).toBe(formatJudgement({ ...expected, issues: false }));
});

it.each([
  ['at most one token', singles, every(499)],
  ['tokens at two places', pairs, every(499)],
  ['an upgrade in Express', upgradesInExpress, every(29)],
])(
  '[P111] the gate decides as the table says, with %s',
  async (_, states, step) => {
    const differences = new Differences();
    let count = 0;
    let index = 0;
    let remembered = 0;
    for (const state of states()) {
      index += 1;
      if (index % step === 0) {
        count += 1;
        const expected = judge(state);
        differences.compare(
          formatJudgement(expected),
          formatJudgement(await follow(state)),
          () => formatState(state),
        );
        if (mayRemember(state, expected)) {
          remembered += 1;
          differences.compare(
            formatJudgement({ ...expected, issues: false }),
            formatJudgement(await followAgain(state)),
            () => `again, ${formatState(state)}`,
          );
        }
      }
    }
    process.stderr.write(`${count} states, ${remembered} of them twice\n`);
    expect(String(differences)).toBe('');
    expect(count).toBeGreaterThan(1_000);
  },
  1_200_000,
);
