import type { IncomingMessage } from 'node:http';
import { isSubtree, prefixOf } from './AllowRule';
import { AllowList } from './AllowList';
import { createCrossSiteCheck } from '../read/browsers';
import type { GateSettings } from './GateSettings';
import { TokenLimits } from './TokenLimits';

/** The settings that requests are decided by. Each request takes the policy once, so that its decision never mixes two. */
export class Policy<Settings extends GateSettings = GateSettings> {
  readonly allowList: AllowList;
  readonly tokenLimits: TokenLimits;
  /** Whether the gate ignores the cookies of a request, since another site's page made the browser send them. */
  readonly isCrossSite: (req: IncomingMessage, asMethod?: string) => boolean;
  readonly #trustedPaths: AllowList;
  readonly #foreignPaths: { plugin: string; pattern: RegExp }[];

  /** @param now - returns the time by which allow rules, external tokens and report-only end, in milliseconds since 1970 */
  constructor(
    readonly config: Settings,
    readonly now: () => number = Date.now,
  ) {
    this.allowList = new AllowList(config.allow);
    this.tokenLimits = new TokenLimits(config.tokens);
    this.isCrossSite = createCrossSiteCheck(config.trustedOrigins);
    this.#trustedPaths = new AllowList(
      config.trustedPaths.map(trusted => ({ ...trusted, methods: ['GET'] })),
    );
    this.#foreignPaths = config.foreignAuthorization.map(foreign => ({
      plugin: foreign.plugin,
      pattern: new RegExp(
        `^${prefixOf(foreign).replaceAll('.', '\\.')}${isSubtree(foreign) ? '([/?]|$)' : '/*([?]|$)'}`,
        'i',
      ),
    }));
  }

  /** Returns whether `auth.apiGate.cookie.trustedPaths` names an unambiguous path, for any request method. */
  isTrustedPath(plugin: string, path: string): boolean {
    // These paths do not end.
    return this.#trustedPaths.match(plugin, 'GET', path, 0) !== undefined;
  }

  /**
   * Returns whether Express may serve a path by a handler that `auth.apiGate.foreignAuthorization` names: in any letter case, and
   * with a slash at its end. A path that Express can't read is foreign at each plugin that has a foreign path.
   */
  isForeignPath(plugin: string, path: string | undefined): boolean {
    return this.#foreignPaths.some(
      foreign =>
        foreign.plugin === plugin &&
        (path === undefined || foreign.pattern.test(path)),
    );
  }

  get isEnforced(): boolean {
    return isEnforced(this.config, this.now());
  }
}

/** Returns whether the gate enforces refusals: always in `enforce`, and in report-only once it has ended. */
export function isEnforced(
  { mode, until }: Pick<GateSettings, 'mode' | 'until'>,
  now: number,
): boolean {
  return mode === 'enforce' || (until !== undefined && now >= +until);
}
