import type { IncomingMessage } from 'node:http';
import type { ApiGateConfig } from '../config/readApiGateConfig';
import { AllowList } from './AllowList';
import { createCrossSiteCheck } from './createCrossSiteCheck';
import { hashPolicy } from './hashPolicy';

/** The configuration as requests are judged by it. A request takes it once, so that it never sees a mix of two. */
export class Policy {
  readonly allowList: AllowList;
  /** Whether the cookies of a request don't count, since another site's page made the browser send it. */
  readonly isCrossSite: (req: IncomingMessage, asMethod?: string) => boolean;
  readonly #trustedPaths: AllowList;

  /** When it was read from the configuration. */
  readonly loadedAt = new Date();
  #hash: string | undefined;

  constructor(readonly config: ApiGateConfig) {
    this.allowList = new AllowList(config.allow);
    this.isCrossSite = createCrossSiteCheck(config.trustedOrigins);
    this.#trustedPaths = new AllowList(
      config.trustedPaths.map(trusted => ({ ...trusted, methods: ['GET'] })),
    );
  }

  /** Whether `auth.apiGate.cookie.trustedPaths` names a plain path, by whatever method it is requested. */
  isTrustedPath(plugin: string, path: string): boolean {
    return this.#trustedPaths.match(plugin, 'GET', path) !== undefined;
  }

  /** The same at every replica that has the same settings in force. */
  get hash(): string {
    this.#hash ??= hashPolicy(this.config);
    return this.#hash;
  }

  /** Whether refusals are carried out: not in report-only, until its end. */
  get isEnforced(): boolean {
    const { mode, until } = this.config;
    return mode === 'enforce' || (until !== undefined && Date.now() >= +until);
  }
}
