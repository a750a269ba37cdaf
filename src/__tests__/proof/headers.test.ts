import { parse } from 'cookie';
import { isEqual, memoize } from 'lodash';
import type { Decision } from '../../gate/Decision';
import { CREDENTIAL, createBackend, Followed, isValid } from './createBackend';
import { Differences } from './Differences';
import { HEADERS, listLines } from './lines';
import {
  Headers,
  readByBackstage,
  readByCookie,
  readByNode,
  readState,
} from './readers';
import { judge } from './reference';
import { PLACES, PLAIN, State } from './states';
import { tokenAt } from './tokens';

/** `npm test` has every so many lists of lines, `.ci/run` has all. */
const STEP = process.env.PROPERTIES === 'long' ? 1 : 97;
const MAX_LINES = 3;

/** The names of the gate's cookie and of its parts. */
const GATE_COOKIE = /^token(\.[0-3])?$/;
const ANY_COOKIE = /^(token(\.[0-3])?|backstage-auth)$/;

const SCENES: Record<string, Partial<State>> = {
  'P2 and P5, a protected request': {},
  'P1 and P3, a protected request where the configuration names a credential header':
    { header: 'absent' },
  'P6, a request for a path of the cookie of Backstage': {
    route: 'cookie path',
    header: 'absent',
  },
  'P3, a request for a foreign path': { route: 'foreign path' },
  'P1 to P6, a request by rule': { route: 'rule', header: 'absent' },
  'P4, an upgrade': { door: 'upgrade', header: 'absent' },
  'P4, an upgrade by rule': { door: 'upgrade', route: 'rule' },
  'P1, P2 and P5, a sign-out': { route: 'sign-out', header: 'absent' },
  'M4, a protected request in report-only': {
    mode: 'report-only',
    header: 'absent',
  },
};

type Lines = [name: string, value: string][];

/** Returns raw headers as lines, with names in lower case, except those of some names. */
function linesOf({ rawHeaders }: Headers, ...without: string[]): Lines {
  const lines: Lines = [];
  for (let i = 0; i < rawHeaders.length; i += 2) {
    const name = rawHeaders[i].toLowerCase();
    if (!without.includes(name)) {
      lines.push([name, rawHeaders[i + 1]]);
    }
  }
  return lines;
}

/** The outcome of a request. A refused request has only a reason. */
interface Outcome {
  outcome: Decision['outcome'];
  reason: string;
  httpAuth?: Followed['httpAuth'];
  authorization?: Lines;
  cookies?: string[];
  /** All other lines. */
  others?: Lines;
  /** Whether `headers` and `headersDistinct` have what Node reads in `rawHeaders`. */
  isOneText?: boolean;
}

/** Returns the lines of `Authorization` that are not empty. */
function authorizationOf(headers: Headers): Lines {
  return linesOf(headers).filter(
    ([name, value]) => name === 'authorization' && value,
  );
}

/** Returns the cookies of a request byte by byte, in the order of its header. Those of some names, and empty ones of Backstage, are left out. */
function cookiesOf({ headers }: Headers, without?: RegExp): string[] {
  const pairs = (headers.cookie ?? '').split(';');
  return pairs
    .filter(pair => {
      const [[name, value] = ['', 'no pair']] = readByCookie(pair);
      const isEmpty = name === 'backstage-auth' && value === '';
      return pair.trim() && !isEmpty && !without?.test(name);
    })
    .map(pair => pair.replace(/^[ \t]+/, ''));
}

/** Returns what becomes of a request, by those who read it behind the gate. */
function outcomeOf({ decision, httpAuth, req }: Followed): Outcome {
  const { outcome, reason } = decision;
  if (outcome === 'refused') {
    return { outcome, reason };
  }
  const { headers, headersDistinct } = readByNode(req.rawHeaders);
  return {
    outcome,
    reason,
    httpAuth,
    authorization: authorizationOf(req),
    cookies: cookiesOf(req),
    others: linesOf(req, 'authorization', 'cookie'),
    isOneText: isEqual(
      [headers, headersDistinct],
      [req.headers, req.headersDistinct],
    ),
  };
}

const judgeOnce = memoize(judge, state => Object.values(state).join());

/** Returns what becomes of a request by src/gate/README.md, where others than the gate read its headers. */
function expectOutcome(
  { received, verified }: Followed,
  scene: State,
): Outcome {
  const { state, texts } = readState(scene, received);
  const { hasUserCookie, outcome, reason, reads } = judgeOnce(state);
  if (outcome === 'refused') {
    return { outcome, reason };
  }
  const { authorization, header, route } = state;
  const given =
    outcome === 'would-refuse' || reads === 'authorization'
      ? texts.authorization
      : reads &&
        { ...texts, 'protocol 0': verified, 'protocol 1': verified }[reads];
  const isP1 = header !== undefined && header !== 'absent';
  const isForeign = route === 'foreign path';
  const isBound = isP1 || isForeign || (header && /^basic/.test(authorization));
  const isReplaced = isBound
    ? !isForeign && !received.headers.authorization
    : given !== undefined && given !== texts.authorization;
  const own: Lines = given ? [['authorization', `Bearer ${given}`]] : [];
  return {
    outcome,
    reason,
    httpAuth: given && !isValid(given) ? 'refused' : given,
    authorization:
      isReplaced && outcome === 'passed' ? own : authorizationOf(received),
    cookies: cookiesOf(received, hasUserCookie ? GATE_COOKIE : ANY_COOKIE),
    others: linesOf(
      received,
      'authorization',
      'cookie',
      ...(state.header ? [CREDENTIAL] : []),
    ),
    isOneText: true,
  };
}

/** Returns whether no handler can take a request for one of somebody else than the gate does. */
function isOfOne({ decision, httpAuth, req, verified }: Followed): boolean {
  switch (decision.reason) {
    case 'bearer':
    case 'cookie': {
      const protocols = req.headers['sec-websocket-protocol'] ?? '';
      return httpAuth === verified || protocols.includes(verified!);
    }
    case 'user-cookie': {
      const options = { allowLimitedAccess: true };
      return [verified, undefined].includes(
        readByBackstage(req.headers, options),
      );
    }
    default:
      return true;
  }
}

/** Names the tokens in a text. */
function withNames(text: string): string {
  return PLACES.flatMap(place =>
    (['user', 'limited user'] as const).map(kind => [
      tokenAt(kind, place),
      `<${kind} ${place}>`,
    ]),
  ).reduce((all, [token, name]) => all.replaceAll(token, name), text);
}

it.each(Object.entries(SCENES))(
  '[P113] %s',
  async (_, change) => {
    const scene = { ...PLAIN, ...change };
    const follow = createBackend(scene);
    const differences = new Differences();
    let count = 0;
    let index = 0;
    for (const lines of listLines(
      MAX_LINES,
      HEADERS.filter(name => scene.header || name !== CREDENTIAL),
    )) {
      index += 1;
      if (index % STEP === 0) {
        count += 1;
        const followed = await follow(lines);
        const expected = { ...expectOutcome(followed, scene), isOfOne: true };
        const found = {
          ...outcomeOf(followed),
          isOfOne: isOfOne(followed),
        };
        if (!isEqual(found, expected)) {
          const [table, gate, question] = [expected, found, lines].map(each =>
            withNames(JSON.stringify(each)),
          );
          differences.compare(table, gate, () => question);
        }
      }
    }
    process.stderr.write(`${count} lists of header lines\n`);
    expect(String(differences)).toBe('');
    expect(count).toBeGreaterThan(100);
  },
  600_000,
);

// So a reader of each pair alone, such as `readByCookie`, finds what a handler finds, and more.
it('[P113] of several cookies with one name, the package reads the first', () => {
  const wrong = [...listLines(MAX_LINES, ['cookie'])].filter(lines => {
    const header = lines.map(line => line.slice('Cookie:'.length)).join(';');
    const pairs = readByCookie(header).reverse();
    return !isEqual({ ...parse(header) }, Object.fromEntries(pairs));
  });
  expect(wrong).toEqual([]);
});
