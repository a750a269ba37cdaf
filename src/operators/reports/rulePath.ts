import { ANY_SEGMENT } from '../../gate/rules/AllowRule';
import type { DecidedRequest } from '../../gate/GateObserver';
import {
  isCookieEndpoint,
  isUnambiguousPath,
  WEBSOCKET,
} from '../../gate/read/requestLine';
import { RULE_PATH } from '../../settings/read/readAllowRules';
import { hideTokens, LIKE_A_TOKEN, MAX_PATH_LENGTH } from '../hideTokens';

/** The number of segments of a path that is counted. */
const MAX_DEPTH = 20;

/** The number of different segments at one place of a path, and at the first one. Each further one is counted as `*`, so that ids take no place from other paths. */
const MAX_SEGMENTS = 10;
const MAX_FIRST_SEGMENTS = 20;

// Names of packages hold an @ too, in front or before a version.
const LIKE_AN_EMAIL = /[^/]@[^/]+\.[a-z]/i;

/** Returns whether a path or a segment is one that a rule may have, and holds nothing like a token or the address of a person. */
export function isRecordableText(text: string): boolean {
  return (
    RULE_PATH.test(text) &&
    !LIKE_A_TOKEN.test(text) &&
    !LIKE_AN_EMAIL.test(text)
  );
}

/**
 * Returns the path of a request as a rule would name it: `*` replaces a segment that no rule may have, or that holds something like a token
 * or the address of a person. Returns `undefined` where no rule could name it.
 */
export function rulePathOf({
  isInstalled,
  method,
  path,
}: Pick<DecidedRequest, 'isInstalled' | 'method' | 'path'>):
  string | undefined {
  if (
    !isInstalled ||
    path === undefined ||
    path.length > MAX_PATH_LENGTH ||
    !isUnambiguousPath(path) ||
    isCookieEndpoint(path)
  ) {
    return undefined;
  }
  const segments = path
    .split('/')
    .map(segment =>
      isRecordableText(segment) && hideTokens(segment) === segment
        ? segment
        : ANY_SEGMENT,
    );
  return segments.length > MAX_DEPTH ? undefined : nameable(method, segments);
}

/** The segments of counted paths, each with those that follow it. */
export interface Segments extends Map<string, Segments> {}

/**
 * Replaces segments of a path by `*` where the counted paths have many others at the same place. Returns `undefined` where no rule could
 * name the path then.
 */
export function foldPath(
  method: string,
  path: string,
  counted: Segments | undefined,
): string | undefined {
  let seen = counted;
  const segments = path.split('/').map((segment, i) => {
    const max = i === 1 ? MAX_FIRST_SEGMENTS : MAX_SEGMENTS;
    const isNamed = !seen || seen.has(segment) || seen.size < max;
    const shown = isNamed ? segment : ANY_SEGMENT;
    seen = seen?.get(shown);
    return shown;
  });
  return nameable(method, segments);
}

/** Adds a path to the counted ones. */
export function addPath(path: string, counted: Segments): void {
  let seen = counted;
  for (const segment of path.split('/')) {
    const next = seen.get(segment) ?? new Map();
    seen.set(segment, next);
    seen = next;
  }
}

/** Returns a path of segments, of which the first is empty, if a rule can have it. */
function nameable(
  method: string,
  segments: readonly string[],
): string | undefined {
  return segments[1] === ANY_SEGMENT ||
    (method === WEBSOCKET && segments.includes(ANY_SEGMENT))
    ? undefined
    : segments.join('/');
}
