import http, { IncomingMessage } from 'node:http';
import { Duplex } from 'node:stream';
import { DefaultHttpAuthService } from '@backstage/backend-defaults/httpAuth';
import { AuthenticationError } from '@backstage/errors';
import { isEqual, pick } from 'lodash';
import express, { NextFunction, Request, Response } from 'express';
import { createGateServices } from '../__testUtils__/createGateServices';
import { createPolicy } from '../__testUtils__/createPolicy';
import type { Decision } from '../../gate/Decision';
import { createGate } from '../../gate/createGate';
import { readUpgradeTarget } from '../../gate/read/mountedRequest';
import { decodeToken, tokenOf } from '../../gate/read/token';
import { UpgradeGate } from '../../gate/upgrades/UpgradeGate';
import { CachingHttpAuth } from '../../gate/verify/CachingHttpAuth';
import { TokenCache } from '../../gate/verify/TokenCache';
import { sets } from './lines';
import {
  Headers,
  readByBackstage,
  readByCookie,
  readByNode,
  readState,
} from './readers';
import { judge } from './reference';
import { PLACES, PLAIN, State } from './states';
import { tokenAt, VERIFIED } from './tokens';

/** `npm test` has every so many sets, `.ci/run` has all. */
const STEP = process.env.PROPERTIES === 'long' ? 1 : 97;
const MAX_LINES = 3;

const CREDENTIAL = 'x-credential';
const ORIGIN = 'https://backstage.example.com';
/** The names of the gate's cookie and of its parts. */
const GATE_COOKIE = /^token(\.[0-3])?$/;
const ANY_COOKIE = /^(token(\.[0-3])?|backstage-auth)$/;

const SCENES: Record<string, Partial<State>> = {
  'P2 and P5, a protected request': {},
  'P1 and P3, a protected request where the configuration names a credential header':
    { header: 'absent' },
  'P6, a request for a path of the cookie of Backstage': {
    route: 'cookie path',
  },
  'P3, a request for a foreign path': { route: 'foreign path' },
  'P1 to P6, a request by rule': { route: 'rule', header: 'absent' },
  'P4, an upgrade': { door: 'upgrade', header: 'absent' },
  'P4, an upgrade by rule': { door: 'upgrade', route: 'rule' },
  'M4, a protected request in report-only': {
    mode: 'report-only',
    header: 'absent',
  },
};
const PATHS: Partial<Record<State['route'], string>> = {
  'cookie path': '/static/data',
  'foreign path': '/foreign/data',
  rule: '/open',
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

/** A request as Node has read it, and what the gate has made of it. */
interface Followed {
  received: Headers;
  req: IncomingMessage;
  decision: Decision;
  /** The token that verified last before the decision. */
  verified: string | undefined;
  /** The token that the plugin's `httpAuth` authenticates behind the gate; `refused` for an invalid one. */
  httpAuth: string | undefined;
}

/** Starts a backend that reads requests from bytes, with Backstage's `httpAuth` behind the gate as the module has it. */
function createBackend(scene: State) {
  const decided: Decision[] = [];
  const tokens = new TokenCache({ ttlMs: 0 });
  let verified: string | undefined;
  const auth = {
    authenticate: async (text: string, { allowLimitedAccess = false } = {}) => {
      const isLimited = decodeToken(text)?.typ === 'vnd.backstage.limited-user';
      const principal = VERIFIED.get(text);
      if (
        !principal ||
        principal instanceof Error ||
        (isLimited && !allowLimitedAccess)
      ) {
        throw new AuthenticationError('Invalid');
      }
      verified = text;
      return { principal, token: text };
    },
    getNoneCredentials: async () => ({ principal: { type: 'none' } }),
    isPrincipal: ({ principal }: any, type: string) => principal.type === type,
  };
  const rule = {
    plugin: 'here',
    path: PATHS.rule,
    methods: ['GET', 'WEBSOCKET'],
  };
  const policy = createPolicy({
    mode: scene.mode,
    allow: [rule],
    ...(scene.header && { credentialHeader: CREDENTIAL }),
    foreignAuthorization: [{ plugin: 'here', path: '/foreign/**' }],
  } as never);
  const { plugins, services } = createGateServices({
    installed: ['here', 'auth'],
    replaced: {
      tokens,
      source: { current: policy },
      cookieIssuer: undefined,
      revocations: { isLoaded: true, isRevoked: () => false } as never,
      observer: {
        decided: (_: unknown, decision: Decision) => decided.push(decision),
        verified: () => {},
        externalTokenUsed: () => {},
      } as never,
    },
  });
  const httpAuth = new CachingHttpAuth(
    DefaultHttpAuthService.create({
      auth: tokens.wrap(auth as never, 'here'),
      discovery: {} as never,
      pluginId: 'here',
      getTokenFromRequest: req => ({ token: tokenOf(req) }),
    }),
    tokens,
    'here',
  );
  plugins.register({
    ...plugins.installed('here'),
    id: 'here',
    httpAuth,
  } as never);

  let received: Headers;
  let end: (followed: Followed) => void;
  const finish = async (req: IncomingMessage) => {
    const authenticated = verified;
    const token = await httpAuth.credentials(req as Request).then(
      credentials => (credentials as { token?: string }).token,
      () => 'refused',
    );
    end({
      received,
      req,
      decision: decided.at(-1)!,
      verified: authenticated,
      httpAuth: token,
    });
  };
  const app = express();
  app.use(
    '/api/:gatedPluginId',
    createGate(services, { decided: () => {} }),
    (req: Request, res: Response) => finish(req).then(() => res.end()),
  );
  app.use((_: Error, req: Request, res: Response, _next: NextFunction) =>
    finish(req).then(() => res.end()),
  );
  const upgradeGate = new UpgradeGate(services);
  const server = http.createServer((req, res) => {
    received = readByNode(req.rawHeaders);
    app(req, res);
  });
  server.on('upgrade', (req, socket) => {
    received = readByNode(req.rawHeaders);
    upgradeGate
      .admit(req, socket, readUpgradeTarget(req.url!)!)
      .then(() => finish(req));
  });

  const connect = () => {
    const socket = new Duplex({
      read: () => {},
      write: (_chunk, _encoding, done) => done(),
    });
    server.emit('connection', socket);
    return socket;
  };
  let socket: Duplex | undefined;
  const isUpgrade = scene.door === 'upgrade';
  const usual = [
    `GET /api/here${PATHS[scene.route] ?? '/data'} HTTP/1.1`,
    'Host: localhost',
    'X-Other: 1',
    ...(isUpgrade
      ? ['Upgrade: websocket', 'Connection: Upgrade', `Origin: ${ORIGIN}`]
      : []),
  ];
  return (lines: string[]): Promise<Followed> => {
    verified = undefined;
    // The server leaves the connection of an upgrade to its listeners.
    socket = isUpgrade || !socket ? connect() : socket;
    const bytes = [...usual, ...lines, 'x-other: 2', '\r\n'].join('\r\n');
    const followed = new Promise<Followed>(resolve => {
      end = resolve;
    });
    socket.push(Buffer.from(bytes, 'latin1'));
    return followed;
  };
}

/** What becomes of a request. One that is refused has no more than a reason. */
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
    authorization: linesOf(req).filter(
      ([name, value]) => name === 'authorization' && value,
    ),
    cookies: cookiesOf(req),
    others: linesOf(req, 'authorization', 'cookie'),
    isOneText: isEqual(
      [headers, headersDistinct],
      [req.headers, req.headersDistinct],
    ),
  };
}

/** Returns what becomes of a request by docs/decision-table.md, where others than the gate read its headers. */
function expectOutcome(
  { received, verified }: Followed,
  scene: State,
): Outcome {
  const { state, texts } = readState(scene, received);
  const { hasUserCookie, outcome, reason, reads } = judge(state);
  if (outcome === 'refused') {
    return { outcome, reason };
  }
  const { authorization, header, route } = state;
  const given =
    outcome === 'would-refuse' || reads === 'authorization'
      ? texts.authorization
      : reads &&
        { ...texts, 'protocol 0': verified, 'protocol 1': verified }[reads];
  const lines = linesOf(received).filter(
    ([name, value]) => name === 'authorization' && value,
  );
  const isP1 = header !== undefined && header !== 'absent';
  const isBound =
    isP1 ||
    route === 'foreign path' ||
    (header && /^basic/.test(authorization));
  const stays =
    given === undefined ||
    given === texts.authorization ||
    (isBound && (lines.length > 0 || route === 'foreign path'));
  return {
    outcome,
    reason,
    httpAuth: given && !isValid(given) ? 'refused' : given,
    authorization: stays ? lines : [['authorization', `Bearer ${given}`]],
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

function isValid(text: string): boolean {
  const principal = VERIFIED.get(text);
  return principal !== undefined && !(principal instanceof Error);
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
    const differences = new Map<string, string[]>();
    const reasons: Record<string, number> = {};
    let count = 0;
    let index = 0;
    for (const lines of sets(MAX_LINES)) {
      index += 1;
      if (index % STEP === 0) {
        count += 1;
        const followed = await follow(lines);
        const found = outcomeOf(followed);
        const expected = expectOutcome(followed, scene);
        reasons[found.reason] = (reasons[found.reason] ?? 0) + 1;
        if (!isEqual(found, expected) || !isOfOne(followed)) {
          const keys = Object.keys({
            ...expected,
            ...found,
          }) as (keyof Outcome)[];
          const differing = keys.filter(
            key => !isEqual(found[key], expected[key]),
          );
          const difference = withNames(
            `table: ${JSON.stringify(pick(expected, differing))}\n   gate: ${JSON.stringify(pick(found, differing))}`,
          );
          const others = differences.get(difference) ?? [];
          differences.set(difference, [
            ...others,
            withNames(JSON.stringify(lines)),
          ]);
        }
      }
    }
    process.stderr.write(
      `${count} sets of headers ${JSON.stringify(reasons)}\n`,
    );
    const groups = [...differences].map(
      ([difference, all]) =>
        `${all.length} times, ${difference}\n    ${all.slice(0, 3).join('\n    ')}`,
    );
    expect(groups.slice(0, 20).join('\n\n')).toBe('');
    expect(count).toBeGreaterThan(100);
  },
  300_000,
);
