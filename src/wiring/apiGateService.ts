import { MiddlewareFactory } from '@backstage/backend-defaults/rootHttpRouter';
import {
  coreServices,
  createServiceFactory,
  createServiceRef,
  LoggerService,
} from '@backstage/backend-plugin-api';
import type { Request } from 'express';
import {
  ApiGateConfig,
  CONFIG_KEY,
  readApiGateConfig,
} from '../config/readApiGateConfig';
import type { CookieIssuer } from '../cookie/CookieIssuer';
import { createCookieIssuer } from '../cookie/createCookieIssuer';
import { GateCookie } from '../cookie/GateCookie';
import { KeyEndpoints } from '../credential/KeyEndpoints';
import {
  verifyCredential,
  VerifyOptions,
} from '../credential/verifyCredential';
import { createGate } from '../createGate';
import { Decisions } from '../Decision';
import { observeRevocations } from '../metrics';
import { Plugins } from '../Plugins';
import { AllowList, AllowRule } from '../request/AllowList';
import { createCrossSiteCheck } from '../request/createCrossSiteCheck';
import { requireNotRevoked } from '../revocation/requireNotRevoked';
import { Revocations } from '../revocation/Revocations';
import { DeclaredPolicies } from './DeclaredPolicies';

/** What the parts of the gate that live in plugins share. */
export interface ApiGateService {
  rules: readonly AllowRule[];
  plugins: Plugins;
  policies: DeclaredPolicies;
  decisions: Decisions;
  revocations: Revocations;
  /** `undefined` turns issuing off. */
  setCookieIssuer(issuer: CookieIssuer | undefined): void;
}

export const apiGateServiceRef = createServiceRef<ApiGateService>({
  id: 'auth.apiGate',
  scope: 'root',
});

/**
 * Mounts the gate. A root service starts before any plugin, so that this is the first route of the root router: behind
 * the root middleware (CORS, logging, rate limits), in front of every plugin, installed or not.
 */
export const apiGateServiceFactory = createServiceFactory({
  service: apiGateServiceRef,
  deps: {
    config: coreServices.rootConfig,
    logger: coreServices.rootLogger,
    lifecycle: coreServices.rootLifecycle,
    rootHttpRouter: coreServices.rootHttpRouter,
    instance: coreServices.rootInstanceMetadata,
    system: coreServices.rootSystemMetadata,
  },
  async factory({ config, lifecycle, rootHttpRouter, ...services }) {
    const logger = services.logger.child({ service: 'apiGate' });
    const gateConfig = readApiGateConfig(config);
    const installed = await services.instance.getInstalledPlugins();
    const plugins = new Plugins(installed.map(({ pluginId }) => pluginId));
    const decisions = new Decisions();

    const verifyOptions: VerifyOptions = {
      plugins,
      keyEndpoints: new KeyEndpoints(),
      isTrustedIssuer: createIssuerCheck(plugins, gateConfig.issuers),
      isKnownPlugin: async id =>
        (await services.system.getInstalledPlugins()).some(
          ({ pluginId }) => pluginId === id,
        ),
    };
    const revocations = new Revocations({ logger, ...gateConfig.revocation });
    lifecycle.addShutdownHook(() => revocations.stop());
    observeRevocations(revocations);
    const cookie = new GateCookie(
      gateConfig.cookie,
      new URL(config.getString('backend.baseUrl')).hostname,
    );
    let cookieIssuer: CookieIssuer | undefined = createCookieIssuer({
      cookie,
      logger,
      verifies: token => verifiesAsCookie(token, verifyOptions, revocations),
    });

    const gate = createGate({
      ...verifyOptions,
      allowList: new AllowList(gateConfig.allow),
      cookie: gateConfig.cookie.enabled ? cookie : undefined,
      decisions,
      isCrossSite: createCrossSiteCheck(gateConfig.trustedOrigins),
      logger,
      revocations,
      signOut: gateConfig.signOut,
      cookieIssuer: () => cookieIssuer,
    });
    // An app that configures its own root router may have no error middleware. A refusal's stack is of no interest.
    const answerError = MiddlewareFactory.create({ config, logger }).error({
      showStackTraces: false,
    });
    // A plain function: a router of Express skips all of its own for a target without a path, such as `foo://any/api/x`.
    rootHttpRouter.use('/api/:gatedPluginId', (req, res, next) => {
      gate(req, res, error =>
        error ? answerError(error, req, res, next) : next(),
      );
    });

    logStart(logger, gateConfig, plugins);
    return {
      rules: gateConfig.allow,
      plugins,
      policies: new DeclaredPolicies(),
      decisions,
      revocations,
      setCookieIssuer(issuer) {
        cookieIssuer = issuer;
      },
    };
  },
});

/** This deployment's own `auth` plugin, found by discovery, and what the configuration adds. */
function createIssuerCheck(
  plugins: Plugins,
  configured: readonly string[],
): VerifyOptions['isTrustedIssuer'] {
  return async issuer =>
    issuer !== undefined &&
    (configured.includes(issuer) ||
      issuer === (await plugins.any().discovery.getExternalBaseUrl('auth')));
}

async function verifiesAsCookie(
  token: string,
  options: VerifyOptions,
  revocations: Revocations,
): Promise<boolean> {
  try {
    const plugin = options.plugins.any();
    const target = {
      ...plugin,
      mountedAs: plugin.id,
      httpAuthFor: () => plugin.httpAuth,
    };
    const request = { headers: {} } as Request;
    requireNotRevoked(
      await verifyCredential(
        request,
        target,
        { kind: 'cookie', token },
        options,
      ),
      revocations,
    );
    return true;
  } catch {
    return false;
  }
}

function logStart(
  logger: LoggerService,
  { allow, warnings }: ApiGateConfig,
  plugins: Plugins,
) {
  logger.info(
    `API gate is closed: every route of every plugin needs a credential, except ${allow.length} allow rule(s) of ${CONFIG_KEY}.allow`,
  );
  for (const warning of warnings) {
    logger.warn(warning);
  }
  allow.forEach(({ plugin }, i) => {
    if (!plugins.isInstalled(plugin)) {
      logger.warn(
        `${CONFIG_KEY}.allow[${i}].plugin names ${plugin}, which is not installed in this backend: a misspelling, or a plugin of another backend`,
      );
    }
  });
}
