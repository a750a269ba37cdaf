import {
  coreServices,
  createServiceFactory,
  createServiceRef,
  LoggerService,
} from '@backstage/backend-plugin-api';
import { ApiGateConfig, CONFIG_KEY } from '../config/readApiGateConfig';
import type { TokenCache } from '../credentials/TokenCache';
import type { ApiGate } from '../gate/createApiGate';
import { createWebSocketGate } from '../gate/createWebSocketGate';
import {
  describePolicy,
  formatPolicyReport,
  PolicyReport,
} from '../observability/describePolicy';
import type { Plugins } from '../plugins/Plugins';
import {
  rootInstanceMetadataServiceRef,
  rootSystemMetadataServiceRef,
} from './backstageFeatures';
import { createParts, GateParts } from './createParts';
import { mountGate } from './mountGate';

const DISABLE_DEFAULT_AUTH_POLICY =
  'backend.auth.dangerouslyDisableDefaultAuthPolicy';

/** The services that the parts of the gate in plugins share. */
export interface ApiGateService
  extends
    Omit<GateParts, 'apiGate' | 'counts'>,
    Pick<ApiGate, 'decisions' | 'setCookieIssuer' | 'signOutUser'> {
  tokens: TokenCache;
  webSocketGate: ReturnType<typeof createWebSocketGate>;
  describePolicy(): PolicyReport;
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
    instance: rootInstanceMetadataServiceRef,
    lifecycle: coreServices.rootLifecycle,
    logger: coreServices.rootLogger,
    rootHttpRouter: coreServices.rootHttpRouter,
    system: rootSystemMetadataServiceRef,
  },
  async factory({ config, instance, lifecycle, rootHttpRouter, ...services }) {
    const logger = services.logger.child({ service: 'apiGate' });
    const { apiGate, counts, ...shared } = await createParts({
      ...services,
      config,
      instance,
      logger,
    });
    const { audit, plugins, policies, source } = shared;
    const { config: settings } = source.current;

    const logWarnings = () => logRuleWarnings(logger, settings, plugins);
    if (plugins.isSet) {
      logWarnings();
    } else {
      lifecycle.addStartupHook(logWarnings);
    }
    if (config.getOptionalBoolean(DISABLE_DEFAULT_AUTH_POLICY)) {
      logger.warn(
        `API gate: ${DISABLE_DEFAULT_AUTH_POLICY} takes the barriers of all plugins away, so that nothing but the gate refuses anybody. Remove it once the gate enforces`,
      );
    }
    const stopGate = mountGate({ apiGate, config, logger, rootHttpRouter });
    source.onReload(outcome => {
      audit.reloaded(plugins.auditorFor('auth'), outcome);
      if ('policy' in outcome) {
        logRuleWarnings(logger, outcome.policy.config, plugins);
      }
    });
    source.start();
    const describe = () =>
      describePolicy({ counts, plugins, policies, source });
    lifecycle.addStartupHook(() => {
      const report = describe();
      logger.info(formatPolicyReport(report), { policy: report.hash });
    });
    lifecycle.addShutdownHook(() => {
      stopGate();
      source.stop();
      shared.revocations.stop();
      shared.observer.stop();
      shared.offlineSessions.stop();
    });
    const { upgradeGate, upgradeServices } = apiGate;
    return {
      ...shared,
      decisions: apiGate.decisions,
      tokens: upgradeServices.tokens,
      setCookieIssuer: apiGate.setCookieIssuer,
      signOutUser: apiGate.signOutUser,
      webSocketGate: createWebSocketGate({
        ...upgradeServices,
        plugins,
        upgradeGate,
      }),
      describePolicy: describe,
    };
  },
});

/** Logs warnings about settings that are valid but risky, and about entries that name a plugin which is not installed. */
function logRuleWarnings(
  logger: LoggerService,
  { allow, trustedPaths, warnings }: ApiGateConfig,
  plugins: Plugins,
) {
  warnings.forEach(warning => logger.warn(warning));
  const named = { allow, 'cookie.trustedPaths': trustedPaths };
  for (const [key, entries] of Object.entries(named)) {
    entries.forEach(({ plugin }, i) => {
      if (!plugins.isInstalled(plugin)) {
        logger.warn(
          `${CONFIG_KEY}.${key}[${i}].plugin names ${plugin}, which is not installed in this backend: a misspelling, or a plugin of another backend`,
        );
      }
    });
  }
}
