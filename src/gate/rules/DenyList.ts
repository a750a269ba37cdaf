import type { VerifiedToken } from '../judge/findRefused';
import { NO_PLUGIN } from '../read/mountedRequest';
import {
  isCookieEndpoint,
  isUnambiguousPath,
  WEBSOCKET,
} from '../read/requestLine';
import { userKey } from '../sessions/Revocation';
import { AllowRule, endOf } from './AllowRule';
import type { LimitedRequest } from './TokenLimits';

/**
 * An entry of `auth.apiGate.deny`, checked. Its path has no `*`, and `/**` covers the path before it as well. `*` stands for all methods,
 * and `GET` implies `HEAD` and `WEBSOCKET`, which Express may serve by the handler of a GET.
 */
export interface DenyRule extends AllowRule {
  for: ('users' | 'tokens' | 'plugins')[];
  /** Users and groups in lower case, and subjects of external tokens. */
  except: string[];
}

/** Holds the deny rules. They never open anything. */
export class DenyList {
  /** The rules by their plugin, and by their plugin and path in lower case. A plugin that is in doubt has the rules of all. */
  readonly #rules = new Map<string, DenyRule[]>();
  #depth = 1;

  constructor(rules: readonly DenyRule[]) {
    for (const rule of rules) {
      const place = rule.plugin + rule.path.toLowerCase();
      for (const key of [NO_PLUGIN, rule.plugin, place]) {
        const others = this.#rules.get(key) ?? [];
        others.push(rule);
        this.#rules.set(key, others);
      }
      this.#depth = Math.max(this.#depth, place.split('/').length);
    }
  }

  /**
   * Returns the rules for whose path any version of Express might serve a request: in any letter case, and in any target that is not
   * plain. No rule covers the cookie endpoint.
   *
   * @param now - in milliseconds since 1970
   */
  match(request: LimitedRequest, now: number): DenyRule[] {
    const { isUpgrade, method, path, pluginId } = request;
    if (!this.#rules.has(pluginId) || isCookieEndpoint(path)) {
      return [];
    }
    const places = [pluginId];
    if (path !== undefined && isUnambiguousPath(path)) {
      const place = pluginId + path.toLowerCase();
      places[0] = place;
      let end = pluginId.length;
      while (end !== -1 && places.length < this.#depth) {
        places.push(`${place.slice(0, end)}/**`);
        end = place.indexOf('/', end + 1);
      }
      places.push(`${place}/**`);
    }
    const found = places.flatMap(each => this.#rules.get(each) ?? []);
    return found.filter(
      rule =>
        now < endOf(rule) &&
        (hasMethod(rule, method) ||
          (isUpgrade && rule.methods.includes(WEBSOCKET))),
    );
  }
}

/** Returns whether a rule has a method, or one that implies it. */
export function hasMethod(
  { methods }: Pick<DenyRule, 'methods'>,
  method: string,
): boolean {
  const isGet = method === 'HEAD' || method === WEBSOCKET;
  return methods.some(
    each => each === '*' || each === method || (isGet && each === 'GET'),
  );
}

/** Returns whether a rule that matches a request refuses it: any without a token, and one whose token the rule is for. */
export function denies(rule: DenyRule, verified?: VerifiedToken): boolean {
  if (!verified) {
    return true;
  }
  const { principal } = verified.credentials;
  if (principal.type === 'user') {
    // A limited token, and that of a service which acts for a user, name no groups.
    const { ent = [] } = verified.token.userToken!;
    const names = [principal.userEntityRef, ...ent].map(userKey);
    const isExcepted = names.some(name => rule.except.includes(name));
    return rule.for.includes('users') && !isExcepted;
  }
  const kind = /^plugin:/.test(principal.subject) ? 'plugins' : 'tokens';
  return rule.for.includes(kind) && !rule.except.includes(principal.subject);
}
