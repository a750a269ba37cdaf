import { IncomingMessage, ServerResponse } from 'node:http';
import { PassThrough } from 'node:stream';
import { ServiceUnavailableError } from '@backstage/errors';
import express from 'express';
import { memoize } from 'lodash';
import { createGateServices } from '../__testUtils__/createGateServices';
import { createPolicy } from '../__testUtils__/createPolicy';
import { unsignedToken } from '../__testUtils__/unsignedToken';
import { readBearer, tokenOf } from '../../gate/read/token';
import type { Decision } from '../../gate/Decision';
import { Refusal } from '../../gate/Refusal';
import { TokenCache } from '../../gate/verify/TokenCache';
import { createHttpAuth } from './createHttpAuth';
import { createGate } from '../../gate/createGate';
import { COOKIE_ISSUED_IN_FRONT } from '../../gate/cookie/issueCookie';
import { UpgradeGate } from '../../gate/upgrades/UpgradeGate';
import { readUpgradeTarget } from '../../gate/read/mountedRequest';
import type { AllowRule } from '../../gate/rules/AllowRule';
import { Judgement, Place, Saying, State, TOKENS } from './states';
import {
  CALLERS,
  isRevoked,
  KEYS,
  placeOf,
  placeOfSession,
  tokenAt,
  VERIFIED,
} from './tokens';

const NOW = Date.now();
const LATER = NOW + 3_600_000;
const COOKIE_ENDPOINT = '/.backstage/auth/v1/cookie';
const PATHS = {
  protected: '/data',
  'cookie path': '/static/data',
  'cookie endpoint': COOKIE_ENDPOINT,
  'foreign path': '/foreign/data',
  rule: '/open',
  nature: '/bundle.js',
  keys: '/.backstage/auth/v1/jwks.json',
  'sign-out': COOKIE_ENDPOINT,
};

/** Returns an entry of `tokens` as a list, which is empty for an entry that is not there. */
function entryOf(subject: string, said: Saying | undefined, rule: AllowRule) {
  const onlys = { none: [], each: [rule], all: 'all' } as const;
  const ends = { past: 1, later: LATER, never: undefined };
  return said
    ? [{ subject, only: onlys[said.only], until: ends[said.until ?? 'never'] }]
    : [];
}

/** The frontend's plugin is public by nature. */
const idOf = ({ route }: State) => (route === 'nature' ? 'app' : 'here');

const isElsewhere = ({ plugin }: State) => /absent|remote/.test(plugin);

/** Creates the policy of a state. */
function createPolicyOf(state: State) {
  const { header, isTrusted, mode, scope } = state;
  const { limits = { entry: { only: 'all' } } } = state;
  const plugin = idOf(state);
  const rule = { plugin, path: PATHS.rule, methods: ['GET', 'WEBSOCKET'] };
  // M1: report-only enforces once it has ended.
  const until = new Date(mode === 'enforce' ? 0 : LATER);
  const any = {
    ...rule,
    path: '/**',
    methods: ['GET', 'WEBSOCKET', 'DELETE'],
  };
  return createPolicy({
    ...(isTrusted ? { mode: 'report-only', until } : { mode }),
    allow: [rule],
    tokens:
      limits === 'no key'
        ? undefined
        : [
            { subject: 'ended', only: 'all', until: 1 },
            { subject: 'narrow', only: [{ ...rule, path: '/other' }] },
            ...entryOf('extern*', limits.byDefault, any),
            ...entryOf('external', limits.entry, any),
          ],
    ...(header !== undefined && { credentialHeader: 'x-credential' }),
    trustedPaths: isTrusted ? [{ plugin, path: '/**' }] : [],
    signOut: { scope, providers: new Set() },
    // A path that a rule opens is no foreign one.
    foreignAuthorization: ['/foreign/**', PATHS.rule].map(path => ({
      plugin,
      path,
    })),
  } as never);
}

const policyOf = memoize(createPolicyOf, (state: State) => {
  const { header, isTrusted, limits, mode, scope } = state;
  const has = header !== undefined;
  return JSON.stringify([has, isTrusted, limits, mode, scope, idOf(state)]);
});

/** Backends share it, since it reserves room for all tokens that it may keep. */
const FORGETTING = new TokenCache({ ttlMs: 0 });

/** Creates both doors of a backend, which records what the gate does. One that remembers tokens has no cookie to issue. */
function createScene(state: State, isRemembering: boolean) {
  const { isListLoaded } = state;
  const plugin = idOf(state);
  const isHere = !isElsewhere(state);
  const others = [
    'search',
    'auth',
    ...(state.plugin === 'remote' ? ['gateway'] : []),
  ];
  const record = {
    /** The service that fails unexpectedly, before the decision or once it is made. */
    fails: undefined as 'policy' | 'observer' | undefined,
    unstored: undefined as State['unstored'],
    revokedUsers: [] as Place[],
    decided: [] as Decision[],
    issues: 0,
    revoked: [] as Place[],
    tracked: 0,
    /** The subject of the external token whose use was reported. */
    used: undefined as string | undefined,
    /** The number of tokens that Backstage verified; zero where it is not counted. */
    verified: 0,
  };
  const source = {
    policy: policyOf(state),
    get current() {
      if (record.fails === 'policy') {
        throw new TypeError('Unexpected');
      }
      return this.policy;
    },
  };
  const tokens = isRemembering
    ? new TokenCache({ ttlMs: 3_600_000 })
    : FORGETTING;
  const gate = createGateServices({
    installed: [...others, ...(isHere ? [plugin] : [])],
    registered: [
      ...others,
      ...(isHere && state.plugin !== 'not registered' ? [plugin] : []),
    ],
    ownRouters: state.plugin === 'own' ? [plugin] : [],
    replaced: {
      source,
      tokens,
      // So the gate remembers tokens that verify, and no other ones.
      ...(isRemembering && {
        invalidTokens: { get: () => undefined, set: () => {} } as never,
      }),
      keyEndpoints: {
        assertCallerKnown: claims => {
          if (claims?.typ !== 'vnd.backstage.plugin') {
            return;
          }
          if (claims.sub === CALLERS.none) {
            throw Refusal.because('invalid-token', 'unknown-key');
          }
          if (claims.sub === CALLERS.silent) {
            throw Refusal.because('keys-unavailable');
          }
        },
        hasKeysOf: async ({ claims }) => {
          if (claims?.kid === KEYS.gone) {
            throw Refusal.because('keys-unavailable');
          }
          if (claims?.kid === KEYS.new) {
            throw Refusal.because('keys-unavailable', 'new-key');
          }
          if (claims?.kid === KEYS.broken) {
            throw new TypeError('Unexpected');
          }
          return true;
        },
        observe: () => {},
      },
      cookieIssuer: {
        isSettled: () => isRemembering,
        issueCookie: async () => {
          record.issues += 1;
          return undefined;
        },
      },
      revocations: {
        isLoaded: isListLoaded,
        isRevoked,
        revoke: async (session: { exp: number }) => {
          const place = placeOfSession(session);
          record.revoked.push(place);
          return place !== record.unstored;
        },
      } as never,
      signOutUser: async (_, known) => {
        record.revokedUsers.push(placeOfSession(known));
        return {
          revocation: { scope: 'user', ...known },
          isStored: record.unstored !== 'users',
        };
      },
      signOutsByOthers: { take: () => 0 } as never,
      sockets: {
        // The limits of an external token end a socket at once if they exclude it by now.
        track: (_socket, session) => {
          const isOpen =
            typeof session === 'function'
              ? session() > NOW
              : session === 'not-admitted' || 'exp' in session;
          record.tracked += isOpen ? 1 : 0;
          return () => {};
        },
      },
      observer: {
        decided: (_request, decision) => {
          record.decided.push(decision);
          if (record.fails === 'observer') {
            throw new TypeError('Unexpected');
          }
        },
        refusedBehind: () => {},
        externalTokenUsed: subject => {
          record.used = subject;
        },
        cookieIssued: () => {},
        signedOut: () => {},
      },
    },
  });
  const { services } = gate;
  gate.tokens = VERIFIED;
  const installed = isHere ? gate.plugins.installed(plugin) : undefined;
  if (isRemembering && installed?.isRegistered) {
    const verifies = createHttpAuth(tokens, () => {
      record.verified += 1;
    });
    gate.plugins.register({
      ...installed,
      ...verifies,
      id: plugin,
    } as never);
  }
  if (state.plugin === 'down' || state.plugin === 'auth down') {
    const starts = Promise.reject(new ServiceUnavailableError('Starts'));
    starts.catch(() => {});
    gate.starting.set(state.plugin === 'down' ? plugin : 'auth', starts);
  }
  const app = express();
  app.use(
    '/api/:gatedPluginId',
    createGate(services, { guardServerOf: () => {} }),
  );
  return { app, record, source, upgradeGate: new UpgradeGate(services) };
}

const scenes = new Map<string, ReturnType<typeof createScene>>();

/** Returns a backend with the policy of a state, which replaces that of the state before. */
function sceneOf(state: State, isRemembering: boolean) {
  const { isListLoaded, plugin } = state;
  const key = [isListLoaded, plugin, idOf(state), isRemembering].join();
  const scene = scenes.get(key) ?? createScene(state, isRemembering);
  scenes.set(key, scene);
  scene.source.policy = policyOf(state);
  return scene;
}

/** Returns the lines of the headers of a state, names in lower case. */
function headersOf(
  state: State,
  tokenOfKind: typeof tokenAt,
): [string, string][] {
  const { authorization, cookie, door, header, protocols, userCookie } = state;
  const at = (value: string, place: Place) =>
    value in TOKENS ? tokenOfKind(value as never, place) : value;
  const lines: [string, string][] = [];
  if (header !== undefined && header !== 'absent') {
    lines.push([
      'x-credential',
      header === 'malformed' ? 'a b' : at(header, 'header'),
    ]);
  }
  switch (authorization) {
    case 'absent':
      break;
    case 'two':
      // Tokens of other systems.
      lines.push(
        ['authorization', `Bearer ${unsignedToken('JWT', { sub: 'a' })}`],
        ['authorization', `Bearer ${unsignedToken('JWT', { sub: 'b' })}`],
      );
      break;
    case 'basic':
      lines.push(['authorization', 'Basic YTpi']);
      break;
    case 'basic with user':
      lines.push([
        'authorization',
        `Basic ${tokenOfKind('user', 'authorization')}`,
      ]);
      break;
    case 'cut bearer':
      lines.push(['authorization', 'Bearer a b']);
      break;
    case 'cut bearer with user':
      lines.push([
        'authorization',
        `Bearer a ${tokenOfKind('user', 'authorization')}`,
      ]);
      break;
    default:
      lines.push([
        'authorization',
        `Bearer ${at(authorization, 'authorization')}`,
      ]);
  }
  const cookies = [
    ...cookiesOf('token', at(cookie, 'cookie')),
    ...cookiesOf('backstage-auth', at(userCookie, 'userCookie')),
  ];
  if (cookies.length > 0) {
    lines.push(['cookie', cookies.join('; ')]);
  }
  const offered = protocols.map((kind, i) =>
    tokenOfKind(kind, i === 0 ? 'protocol 0' : 'protocol 1'),
  );
  if (offered.length > 0) {
    lines.push(['sec-websocket-protocol', offered.join(', ')]);
  }
  if (door !== 'request') {
    lines.push(['upgrade', 'websocket']);
    if (door !== 'no upgrade to Node') {
      lines.push(['connection', 'upgrade']);
    }
    // Only a listed origin may use the cookie in an upgrade.
    lines.push([
      'origin',
      state.isCrossSite
        ? 'https://evil.example.com'
        : 'https://backstage.example.com',
    ]);
  } else if (state.isCrossSite) {
    lines.push(['origin', 'https://evil.example.com']);
  }
  if (state.isCode) {
    lines.push(['sec-fetch-dest', 'script']);
  }
  return lines;
}

function cookiesOf(name: string, value: string) {
  switch (value) {
    case 'absent':
      return [];
    case 'conflict':
      return [`${name}=a`, `${name}=b`];
    default:
      return [`${name}=${value}`];
  }
}

function createRequest(
  state: State,
  tokenOfKind: typeof tokenAt,
): IncomingMessage {
  const lines = headersOf(state, tokenOfKind);
  // Node takes the first of two `Authorization` headers.
  const headers = Object.fromEntries([...lines].reverse());
  return {
    method:
      state.route === 'sign-out' && state.door === 'request' ? 'DELETE' : 'GET',
    url: `/api/${idOf(state)}${PATHS[state.route]}`,
    headers,
    headersDistinct: Object.fromEntries(
      lines.map(([name, value]) => [name, [value]]),
    ),
    rawHeaders: lines.flat(),
    socket: {},
  } as unknown as IncomingMessage;
}

/** Follows a state through today's gate, which verifies each token. */
export function follow(state: State): Promise<Judgement> {
  return followIn(sceneOf(state, false), state);
}

/** Follows a state in which each place has the same text as any other with a token of its kind. */
export function followSame(state: State): Promise<Judgement> {
  const scene = sceneOf(state, false);
  return followIn(scene, state, kind => tokenAt(kind, 'authorization'));
}

/** Follows a state twice through a gate that remembers tokens, and returns the second judgement. */
export async function followAgain(state: State): Promise<Judgement> {
  const scene = sceneOf(state, true);
  await followIn(scene, state);
  const judgement = await followIn(scene, state);
  if (scene.record.verified > 0) {
    throw new Error(`Verified again: ${JSON.stringify(state)}`);
  }
  return judgement;
}

/** Follows a state, and returns the decision as it is reported, with the subject of an external token that passes. */
export async function followDecision(state: State): Promise<Decision> {
  const scene = sceneOf(state, false);
  await followIn(scene, state);
  const { decided, used } = scene.record;
  return { subject: used, ...decided[0] };
}

/** Follows a state through a gate of which a service fails unexpectedly, and returns whether it goes on. */
export async function followFailing(
  state: State,
  fails: 'policy' | 'observer',
): Promise<boolean> {
  const scene = sceneOf(state, false);
  scene.record.fails = fails;
  const { goesOn } = await send(scene, state, createRequest(state, tokenAt));
  scene.record.fails = undefined;
  return goesOn;
}

async function followIn(
  scene: ReturnType<typeof createScene>,
  state: State,
  tokenOfKind = tokenAt,
): Promise<Judgement> {
  const { record } = scene;
  Object.assign(record, {
    decided: [],
    issues: 0,
    unstored: state.unstored,
    revoked: [],
    revokedUsers: [],
    tracked: 0,
    used: undefined,
    verified: 0,
  });
  const req = createRequest(state, tokenOfKind);
  const { answers, clears, goesOn } = await send(scene, state, req);
  if (record.decided.length !== 1) {
    throw new Error(
      `${record.decided.length} decisions about ${JSON.stringify(state)}`,
    );
  }
  const [{ outcome, reason }] = record.decided;
  const cookies = req.headers.cookie ?? '';
  if (goesOn && /(^|; )token=/.test(cookies) && state.route !== 'nature') {
    throw new Error(`The gate's cookie goes on: ${JSON.stringify(state)}`);
  }
  const sent = goesOn && placeOf(readBearer(req) ?? '');
  const isForeign = state.route === 'foreign path' && !isElsewhere(state);
  if (isForeign && sent && sent !== 'authorization') {
    throw new Error(`A token leaves the backend: ${JSON.stringify(state)}`);
  }
  const text = tokenOf(req);
  return {
    outcome,
    reason,
    ...(answers && { answers }),
    ...(goesOn && text !== undefined && { reads: placeOf(text) }),
    hasUserCookie: goesOn && cookies.includes('backstage-auth='),
    clears,
    issues: record.issues > 0,
    isMarked: goesOn && COOKIE_ISSUED_IN_FRONT in req.headers,
    revokes: [...new Set(record.revoked)].sort(),
    revokesUsers: [...new Set(record.revokedUsers)].sort(),
    ends: goesOn ? record.tracked : 0,
  };
}

interface Sent {
  goesOn: boolean;
  clears: boolean;
  answers?: Judgement['answers'];
}

function send(
  scene: ReturnType<typeof createScene>,
  { door }: State,
  req: IncomingMessage,
): Promise<Sent> {
  return door === 'upgrade' ? sendUpgrade(scene, req) : sendRequest(scene, req);
}

async function sendUpgrade(
  { upgradeGate }: ReturnType<typeof createScene>,
  req: IncomingMessage,
): Promise<Sent> {
  const socket = new PassThrough();
  const admitted = await upgradeGate.admit(
    req,
    socket,
    readUpgradeTarget(req.url!)!,
  );
  return { goesOn: admitted !== undefined, clears: false };
}

function sendRequest(
  { app }: ReturnType<typeof createScene>,
  req: IncomingMessage,
): Promise<Sent> {
  const res = new ServerResponse({
    method: req.method,
    httpVersionMajor: 1,
    httpVersionMinor: 1,
  } as never);
  const clears = () =>
    String(res.getHeader('set-cookie') ?? '').includes('token=;');
  return new Promise(resolve => {
    const { end } = res;
    res.end = ((...args: never[]) => {
      Reflect.apply(end, res, args);
      resolve({
        goesOn: false,
        clears: clears(),
        answers: res.statusCode as never,
      });
      return res;
    }) as never;
    Reflect.apply(app as never, undefined, [
      req,
      res,
      (error?: Error) => {
        res.writeHead(error ? 401 : 200);
        resolve({ goesOn: !error, clears: clears() });
      },
    ]);
  });
}
