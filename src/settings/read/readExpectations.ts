import { METHODS } from 'node:http';
import {
  isUnambiguousPath,
  mountedAt,
  ORIGIN_FORM,
  pathBelowPlugin,
  WEBSOCKET,
  withoutQuery,
} from '../../gate/read/requestLine';
import { PLUGIN_ID } from '../../gate/rules/AllowRule';
import {
  check,
  checkOneOf,
  checkPluginId,
  didYouMean,
  readList,
  readObject,
} from './values';

/** An entry of `auth.apiGate.expect`, checked: one request, or everything of a plugin. */
export interface Expectation {
  /** The method and the target, as written; `undefined` for a whole plugin. */
  request?: string;
  /** For a whole plugin, the method and the path are those of a request for its root. */
  method: string;
  /** Id of the plugin, lower case. */
  plugin: string;
  /** Below the plugin. */
  path: string;
  is: 'public' | 'closed';
}

export function formatExpected({ request, plugin }: Expectation): string {
  return request ?? `the plugin ${plugin}`;
}

export const EXPECTED_METHODS = [
  ...METHODS.filter(method => method !== 'CONNECT'),
  WEBSOCKET,
];

/** Reads `auth.apiGate.expect`. An expectation that no request can break or fulfil is an error, because it would always hold. */
export function readExpectations(
  value: unknown,
  configPath: string,
  knownPlugins?: ReadonlySet<string>,
): Expectation[] {
  const firstOf = new Map<string, { path: string; is: string }>();
  return readList(
    value,
    configPath,
    'a list of expectations, such as [{ plugin: catalog, is: closed }]',
    (item, path) => {
      const expectation = readExpectation(item, path);
      const { plugin, request, is } = expectation;
      check(
        !knownPlugins || knownPlugins.has(plugin),
        `${path}.${request === undefined ? 'plugin' : 'request'} names the plugin ${plugin}, which is not installed here or in discovery.endpoints${didYouMean(plugin, knownPlugins ?? [])}: correct the id, or remove the expectation`,
      );
      const expected = formatExpected(expectation);
      const first = firstOf.get(expected) ?? { path, is };
      check(
        first.is === is,
        `${path} contradicts ${first.path}: ${expected} can not be both ${first.is} and ${is}, remove one of them`,
      );
      firstOf.set(expected, first);
      return expectation;
    },
  );
}

function readExpectation(value: unknown, configPath: string): Expectation {
  const keys = ['request', 'plugin', 'is'] as const;
  const { request, plugin, is } = readObject(value, configPath, keys);
  checkOneOf(is, `${configPath}.is`, ['public', 'closed']);
  if (plugin !== undefined) {
    check(
      request === undefined,
      `${configPath} must have either request or plugin: write two expectations`,
    );
    checkPluginId(plugin, `${configPath}.plugin`);
    check(
      is === 'closed',
      `${configPath}.is must be closed for a plugin: name each request that must be public, such as { request: GET /api/${plugin}/health, is: public }`,
    );
    return { plugin, method: 'GET', path: '/', is };
  }
  check(
    typeof request === 'string' && /^\S+ \S+$/.test(request),
    `${configPath}.request must be a method and a path, such as GET /api/catalog/entities`,
  );
  const [method, target] = request.split(' ');
  check(
    EXPECTED_METHODS.includes(method),
    `${configPath}.request must begin with a method in upper case, such as GET, POST or WEBSOCKET${didYouMean(method, EXPECTED_METHODS)}`,
  );
  return {
    request,
    method,
    ...readExpectedTarget(target, `${configPath}.request`),
    is,
  };
}

function readExpectedTarget(target: string, configPath: string) {
  check(
    !target.includes('?'),
    `${configPath} must not have a query, which never decides what is public: leave out everything from the ? on`,
  );
  // `GET /api/catalog/**` would be one literal path, which is closed whatever the rules below `/api/catalog` are.
  check(
    !/\*|\/:/.test(target),
    `${configPath} must be one request, without wildcards and parameters: write one such as GET /api/catalog/entities`,
  );
  const read = readApiTarget(target);
  check(
    read !== undefined && read !== 'unreadable' && target.startsWith('/api/'),
    `${configPath} must have a path below /api and a plugin, such as GET /api/catalog/entities`,
  );
  const { plugin, path } = read;
  check(
    PLUGIN_ID.test(plugin) && target.startsWith(`/api/${plugin}`),
    `${configPath} must have a plugin id in lower case after /api/, such as GET /api/catalog/entities`,
  );
  check(
    path !== undefined && isUnambiguousPath(path),
    `${configPath} must have a plain path, because no other is ever public: leave out escapes, special characters, a slash at the end, and empty, "." or ".." segments`,
  );
  return { plugin, path };
}

/**
 * Reads a raw request target as Express and the gate read it, for a backend whose plugin ids are in lower case.
 *
 * @returns `undefined` for a target that is not below `/api/<plugin>`, which the gate does not guard; `unreadable` for a target
 *   that is not in origin-form, which is never public
 */
export function readApiTarget(target: string) {
  if (!ORIGIN_FORM.test(target)) {
    return 'unreadable' as const;
  }
  const [mount, id] = withoutQuery(target).match(/^\/api\/([^/]+)/i) ?? [];
  if (!mount || !id) {
    return undefined;
  }
  const plugin = id.toLowerCase();
  const request = mountedAt(mount, target);
  return {
    plugin,
    /** The path below the plugin; `undefined` if routers and proxies may read it differently. */
    path: id.includes('%') ? undefined : pathBelowPlugin(request, plugin),
  };
}
