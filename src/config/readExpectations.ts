import { METHODS } from 'node:http';
import { InputError } from '@backstage/errors';
import { readApiTarget } from '../http/readApiTarget';
import { WEBSOCKET } from '../http/requestMethod';
import { isUnambiguousPath } from '../http/requestTarget';
import { readObject } from './values';

/** One entry of `auth.apiGate.expect`, checked. */
export interface Expectation {
  /** Method and target, as written. */
  request: string;
  method: string;
  /** Id of the plugin, lower case. */
  plugin: string;
  /** Below the plugin. */
  path: string;
  is: 'public' | 'closed';
}

const EXPECTED_METHODS = [
  ...METHODS.filter(method => method !== 'CONNECT'),
  WEBSOCKET,
];

const PLUGIN_ID = /^[a-z0-9_-]+$/;

/**
 * Reads `auth.apiGate.expect`. An expectation that no request can break or fulfil is an error, because it would always hold.
 *
 * @param configPath - for messages, such as `auth.apiGate.expect`
 * @param isKnownPlugin - `undefined` where the installed plugins are not known
 * @throws InputError of one line that names the config path and what to write instead
 */
export function readExpectations(
  value: unknown,
  configPath: string,
  isKnownPlugin?: (id: string) => boolean,
): Expectation[] {
  if (value === undefined || value === null) {
    return [];
  }
  if (!Array.isArray(value)) {
    throw new InputError(
      `${configPath} must be a list of expectations, such as { request: GET /api/catalog/entities, is: closed }`,
    );
  }
  const firstOf = new Map<string, { i: number; is: string }>();
  return value.map((item, i) => {
    const path = `${configPath}[${i}]`;
    const expectation = readExpectation(item, path);
    const { plugin, request, is } = expectation;
    if (isKnownPlugin && !isKnownPlugin(plugin)) {
      throw new InputError(
        `${path}.request names the plugin ${plugin}, which is not installed here or in discovery.endpoints: correct the id, or remove the expectation`,
      );
    }
    const first = firstOf.get(request);
    if (first && first.is !== is) {
      throw new InputError(
        `${path} contradicts ${configPath}[${first.i}]: ${request} can not be both public and closed, remove one of them`,
      );
    }
    firstOf.set(request, first ?? { i, is });
    return expectation;
  });
}

function readExpectation(value: unknown, configPath: string): Expectation {
  const { request, is } = readObject(value, {
    path: configPath,
    keys: ['request', 'is'],
  });
  if (is !== 'public' && is !== 'closed') {
    throw new InputError(`${configPath}.is must be either public or closed`);
  }
  const [, method, target] =
    typeof request === 'string' ? (request.match(/^(\S+) (\S+)$/) ?? []) : [];
  if (method === undefined || target === undefined) {
    throw new InputError(
      `${configPath}.request must be a method and a path, such as GET /api/catalog/entities`,
    );
  }
  if (!EXPECTED_METHODS.includes(method)) {
    throw new InputError(
      `${configPath}.request must begin with a method in upper case, such as GET, POST or WEBSOCKET`,
    );
  }
  return {
    request: `${method} ${target}`,
    method,
    ...readExpectedTarget(target, `${configPath}.request`),
    is,
  };
}

function readExpectedTarget(target: string, configPath: string) {
  if (target.includes('?')) {
    throw new InputError(
      `${configPath} must not have a query, which never decides what is public: leave out everything from the ? on`,
    );
  }
  // `GET /api/catalog/**` would be one literal path, which is closed whatever the rules below `/api/catalog` are.
  if (/\*|\/:/.test(target)) {
    throw new InputError(
      `${configPath} must be one request, without wildcards and parameters: write a path such as /api/catalog/entities`,
    );
  }
  const read = readApiTarget(target);
  if (read === undefined || read === 'unreadable' || !/^\/api\//.test(target)) {
    throw new InputError(
      `${configPath} must have a path below /api and a plugin, such as GET /api/catalog/entities`,
    );
  }
  const { plugin, path } = read;
  if (!PLUGIN_ID.test(plugin) || !target.startsWith(`/api/${plugin}`)) {
    throw new InputError(
      `${configPath} must have a plugin id in lower case after /api/, such as GET /api/catalog/entities`,
    );
  }
  if (path === undefined || !isUnambiguousPath(path)) {
    throw new InputError(
      `${configPath} must have a plain path, because no other is ever public: leave out escapes, special characters, a slash at the end, and empty, "." or ".." segments`,
    );
  }
  return { plugin, path };
}
