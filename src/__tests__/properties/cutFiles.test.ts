import { writeFileSync } from 'node:fs';
import path from 'node:path';
import type { JsonObject } from '@backstage/types';
import { AppConfig, ConfigReader } from '@backstage/config';
import {
  attempt,
  difference,
  isError,
  isObject,
  isPlainObject,
  mapValues,
  pickBy,
  range,
} from 'lodash';
import { parse } from 'yaml';
import { ConfiguredPolicy } from '../../settings/ConfiguredPolicy';
import { PolicySource } from '../../settings/PolicySource';
import { readApiGateConfig } from '../../settings/read/readApiGateConfig';
import { createReloadableConfig } from '../__testUtils__/reloadableConfig';
import { temporaryFolder } from '../__testUtils__/temporaryFolder';

let mockReads = 0;
jest.mock('../../settings/files/configFiles', () => {
  const actual = jest.requireActual('../../settings/files/configFiles');
  return {
    ...actual,
    async compareFiles(...args: unknown[]) {
      mockReads += 1;
      return actual.compareFiles(...args).finally(() => {
        mockReads -= 1;
      });
    },
  };
});

// While a program writes a file, or once the disk is full, a file may end anywhere. The gate reads what Backstage reads of it.

/** `npm test` ends files within a line at every so many bytes, `.ci/run` at each byte. */
const STEP = process.env.PROPERTIES === 'long' ? 1 : 67;

const FILE = 'app-config.yaml';

const BACKEND = `backend:
  baseUrl: https://backstage.example.com
  auth:
    externalAccess:
      - { type: static, options: { token: x, subject: ci } }
      - { type: static, options: { token: y, subject: ci-deploy } }
      - { type: static, options: { token: z, subject: other } }
      - { type: jwks, options: { url: 'https://a', subjectPrefix: gh } }
auth:
  apiGate:
`;

const KEYS = {
  allow: `    allow:
      - plugin: badge
        path: /status/all.svg
        reason: READMEs
      - { plugin: hello, path: /a/**, until: 2999-01-01 }
      - plugin: hello
        path: /a
        methods: [PUT]
        until: 2001-01-01
      - reason: A webhook
        methods:
          - POST
          - PUT
        until: 2001-01-01
        plugin: hello
        path: /hook
`,
  tokens: `    tokens:
      - subject: external:gh:*
        only: all
        until: 2001-01-01
      - subject: external:gh:*
        only:
          - plugin: badge
            path: /b/*/c
            methods: [POST]
      - only:
          - plugin: hello
            path: /a/b
            methods:
              - POST
          - plugin: badge
            path: /**
        subject: ci-deploy
      - subject: external:gh:ci
        until: 2999-01-01
        only: all
      - { subject: other, only: [{ plugin: hello, path: /hook, methods: [PUT] }] }
`,
  cookie: `    cookie:
      enabled: true
      name: __Host-token
      sameSite: strict
      maxAge: 15m
      trustedOrigins:
        - https://a.example.com
        - https://a.example.com:8443
      trustedPaths:
        - plugin: techdocs
          path: /static/docs/**
`,
  operators: `    operators:
      - group:default/platform
      - user:default/jane
    signOut:
      scope: user
      providers:
        - github
        - gitlab
    mode: enforce
`,
};

const METHODS = ['GET', 'POST', 'PUT', 'WEBSOCKET'];
/** Each path of the configuration, those before it, and what may be below. */
const PATHS = [
  ...['/', '/status', '/status/all.svg', '/a', '/a/b', '/a/b/c', '/hook'],
  ...['/hook/x', '/b', '/b/x', '/b/x/c', '/static/docs', '/static/docs/x'],
];
const SUBJECTS = [
  'ci',
  'ci-deploy',
  'other',
  'external:gh:ci',
  'external:gh:x',
];
const ORIGINS = ['https://a.example.com', 'https://a.example.com:8443'];

/** Returns what a policy lets anybody do, by names. */
function openingsOf(policy: ConfiguredPolicy): string[] {
  const { allowList, config, isEnforced, tokenLimits } = policy;
  const now = policy.now();
  const byRequest = ['badge', 'hello', 'techdocs'].flatMap(pluginId =>
    METHODS.flatMap(method =>
      PATHS.flatMap(at => {
        const name = `${method} ${pluginId}${at}`;
        const request = { pluginId, method, path: at };
        return [
          allowList.match(pluginId, method, at, now) ? name : [],
          SUBJECTS.filter(
            subject => !tokenLimits.findRefusal(subject, request, now),
          ).map(subject => `${name} by ${subject}`),
          policy.isTrustedPath(pluginId, at) ? `trusted ${name}` : [],
        ].flat();
      }),
    ),
  );
  const origins = [
    ...ORIGINS,
    'https://a.example',
    'https://a.example.com:844',
  ];
  const { cookie, operators, signOut } = config;
  return [
    ...byRequest,
    ...origins
      .filter(origin => !policy.isCrossSite({ headers: { origin } } as never))
      .map(origin => `origin ${origin}`),
    ...[...operators].map(each => `operator ${each}`),
    `cookie ${JSON.stringify(cookie)}`,
    `sign-out ${signOut.scope} ${[...signOut.providers]}`,
    ...(isEnforced ? [] : ['report-only']),
  ];
}

/** Returns the data without what a cut has taken from the entries that are left: their own end and methods. */
function withoutLost(whole: any, left: any): any {
  if (!isObject(whole) || !isObject(left)) {
    return whole;
  }
  return Array.isArray(whole)
    ? whole.map((each, i) => withoutLost(each, Object(left)[i]))
    : mapValues(
        pickBy(
          whole,
          (_, key) => key in left || !/^(until|methods)$/.test(key),
        ),
        (value, key) => withoutLost(value, Object(left)[key]),
      );
}

const toConfig = (context: string, data: object) =>
  ConfigReader.fromConfigs([{ context, data } as AppConfig]);

function createSource(context: string, text: string) {
  const initial = toConfig(context, parse(text));
  const { config, change } = createReloadableConfig(initial);
  const log = () => {};
  const logger = { error: log, info: log, warn: log } as never;
  return {
    source: new PolicySource({ config, logger }),
    change: (data: object) => change(toConfig(context, data)),
  };
}

/** Returns what is open with the whole text, or without the ends and methods that a cut has taken. */
function expectedOf(text: string, left: object): string[] {
  const lost = withoutLost(parse(text), left);
  return [parse(text), lost].flatMap(data => {
    const config = new ConfigReader(data as JsonObject);
    return openingsOf(new ConfiguredPolicy(readApiGateConfig(config)));
  });
}

/** Returns what Backstage reads of a text; `undefined` if that is nothing, or the text is broken. */
function readText(text: string): object | undefined {
  const data = attempt(parse, text);
  return isPlainObject(data) && !isError(data) ? data : undefined;
}

const names = Object.keys(KEYS) as (keyof typeof KEYS)[];
const ORDERS = names.map((_, i) => [...names.slice(i), ...names.slice(0, i)]);
const textOf = (order: typeof names) =>
  BACKEND + order.map(name => KEYS[name]).join('');

it.each(ORDERS)(
  '[P100] a configuration with %s, %s, %s and %s opens nothing when it ends after any line, but for an end or methods that an entry has lost',
  (...order) => {
    const text = textOf(order);
    const { source, change } = createSource('env', text);
    const all = openingsOf(source.current);
    expect(all.length).toBeGreaterThan(100);
    const counts = { kept: 0, taken: 0, more: 0 };
    const wrong: unknown[] = [];
    for (const { index } of text.matchAll(/^/gm)) {
      const left = readText(text.slice(0, index));
      if (left) {
        const before = source.current;
        change(left);
        const { current } = source;
        counts[current === before ? 'kept' : 'taken'] += 1;
        counts.more += difference(openingsOf(current), all).length;
        const found = difference(openingsOf(current), expectedOf(text, left));
        if (found.length > 0) {
          wrong.push([text.slice(0, index).slice(-80), found.slice(0, 5)]);
        }
        change(parse(text));
        expect(openingsOf(source.current)).toEqual(all);
      }
    }
    expect(wrong.slice(0, 5)).toEqual([]);
    // Some are taken, and some of these open what has lost its end.
    expect(Math.min(...Object.values(counts))).toBeGreaterThan(0);
  },
);

describe('a file that ends within a line', () => {
  // Files are really read, which takes real time.
  const { setTimeout: reallyWait } = global;

  beforeEach(() => {
    jest.useFakeTimers({ doNotFake: ['nextTick'] });
  });
  afterEach(() => {
    jest.restoreAllMocks();
    jest.useRealTimers();
  });

  /** Lets time pass, with the end of each reading. */
  async function pass(...steps: number[]) {
    for (const ms of steps) {
      jest.advanceTimersByTime(ms);
      for (let i = 0; i < 3 || mockReads > 0; i += 1) {
        await new Promise(resolve => reallyWait(resolve, 1));
      }
    }
  }

  it.each(ORDERS)(
    '[P100] is no new policy, with %s, %s, %s and %s',
    async (...order) => {
      const text = textOf(order);
      const file = path.join(temporaryFolder(), FILE);
      writeFileSync(file, text);
      jest.replaceProperty(process, 'argv', ['--config', file]);
      const { source, change } = createSource(FILE, text);
      const write = async (written: string) => {
        writeFileSync(file, written);
        change(readText(written)!);
        // After ten seconds, the gate no longer waits for the file to be whole.
        await pass(1_500, 7_600, 900);
      };
      await pass(100);
      const offset = 7 * ORDERS.indexOf(order);
      let count = 0;
      for (const at of range(BACKEND.length + offset, text.length, STEP)) {
        const cut = text.slice(0, at);
        if (readText(cut) && !cut.endsWith('\n')) {
          const before = source.current;
          await write(cut);
          expect([cut, source.current === before]).toEqual([cut, true]);
          expect(source.problem).toBeDefined();
          await write(text);
          expect(source.problem).toBeUndefined();
          count += 1;
        }
      }
      expect(count).toBeGreaterThan(3);
    },
    600_000,
  );
});
