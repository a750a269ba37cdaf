import {
  AllowRule,
  ANY_SEGMENT,
  isSubtree,
  PluginPath,
  segmentsOf,
} from '../../gate/rules/AllowRule';
import { readPluginPath, formatRule } from './readAllowRules';
import { readEach } from './mistakes';
import { check, readList } from './values';

// RFC 9110, section 5.6.2: token. Ingresses and other software set no header of these beginnings, but for those below.
const HEADER = /^(X|Backstage)-[!#$%&'*+\-.^_`|~A-Za-z0-9]+$/i;

/** The headers that ingresses, load balancers, frontends, Express and this gate set or read. */
const HEADERS_OF_OTHERS =
  /^(X-(Forwarded-.*|Real-IP|Goog-.*|Amzn-.*|Ms-.*|Auth-Request-.*|HTTP-Method-Override|Requested-With|Api-Gate-.*)|Backstage-Kubernetes-.*)$/i;

/** Reads `auth.apiGate.credentialHeader`. Returns the name in lower case; `undefined` without one. */
export function readCredentialHeader(
  value: unknown,
  path: string,
): string | undefined {
  check(
    value === undefined ||
      (typeof value === 'string' &&
        HEADER.test(value) &&
        !HEADERS_OF_OTHERS.test(value)),
    `${path} must be the name of a header that begins with X- or Backstage- and that nobody else sets, such as X-Backstage-Token`,
  );
  return value?.toLowerCase();
}

/** Reads `auth.apiGate.foreignAuthorization`: the paths where `Authorization` is for the server behind the handler. */
export function readForeignAuthorization(
  value: unknown,
  path: string,
): PluginPath[] {
  return readList(
    value,
    path,
    'a list of objects, each with a plugin and a path',
    (item, itemPath) => {
      const foreign = readPluginPath(item, itemPath);
      check(
        !['auth', 'app'].includes(foreign.plugin),
        `${itemPath}.plugin must not be ${foreign.plugin}, whose routes are for signing in`,
      );
      return foreign;
    },
  );
}

/** @throws InputError if an allow rule opens a path of `foreignAuthorization` */
export function assertNotPublic(
  foreignAuthorization: readonly PluginPath[],
  path: string,
  allow: readonly AllowRule[],
): void {
  readEach(
    foreignAuthorization.map((foreign, i) => () => {
      const rule = allow.find(each => overlap(foreign, each));
      check(
        rule === undefined,
        `${path}[${i}] overlaps the allow rule ${rule && formatRule(rule)}: a public path needs no credential beside Authorization, so remove one of the two`,
      );
    }),
  );
}

/**
 * Returns whether some path is one of `paths`, and opened by a rule. Express serves a path in any letter case, and the root of a subtree
 * by the same handler.
 *
 * @param paths - without wildcards
 */
export function overlap(paths: PluginPath, rule: PluginPath): boolean {
  const own = segmentsOf(paths);
  const opened = segmentsOf(rule);
  const isSameDepth = own.length === opened.length;
  return (
    paths.plugin === rule.plugin &&
    own.every(
      (segment, i) =>
        i >= opened.length ||
        opened[i] === ANY_SEGMENT ||
        opened[i].toLowerCase() === segment.toLowerCase(),
    ) &&
    (isSameDepth
      ? // `/**` covers the root of the plugin too.
        isSubtree(paths) || !isSubtree(rule) || own.length === 0
      : isSubtree(own.length < opened.length ? paths : rule))
  );
}
