import {
  coreServices,
  createServiceFactory,
  createServiceRef,
} from '@backstage/backend-plugin-api';
import type { TokenCache } from '../credentials/TokenCache';
import { findFindings } from '../findings/findFindings';
import type { ApiGate } from '../gate/createApiGate';
import { createWebSocketGate } from '../gate/createWebSocketGate';
import { describePolicy, PolicyReport } from '../observability/describePolicy';
import { describeUsage } from '../observability/describeUsage';
import { FindingsLog } from '../observability/FindingsLog';
import { formatPolicyReport } from '../observability/formatPolicyReport';
import {
  rootInstanceMetadataServiceRef,
  rootSystemMetadataServiceRef,
} from './backstageFeatures';
import { createParts, GateParts } from './createParts';
import { mountGate } from './mountGate';

/** The services that the parts of the gate in plugins share. */
export interface ApiGateService
  extends
    Omit<GateParts, 'apiGate' | 'candidate' | 'counts'>,
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
    const { apiGate, candidate, counts, ...shared } = await createParts({
      ...services,
      config,
      instance,
      logger,
    });
    const { audit, plugins, policies, source, usage } = shared;

    const describeUse = () =>
      describeUsage(usage, source.current.config.allow, plugins);
    const find = (used = describeUse()) =>
      findFindings({
        config,
        gate: source.current.config,
        isInstalled: id => plugins.isInstalled(id),
        lists: source.lists,
        now: new Date(),
        usage: used,
      });
    const findingsLog = new FindingsLog(logger, () => find());
    const stopGate = mountGate({ apiGate, config, logger, rootHttpRouter });
    source.onReload(outcome =>
      audit.reloaded(plugins.auditorFor('auth'), outcome),
    );
    source.start();
    const describe = () => {
      const used = describeUse();
      return describePolicy({
        candidate,
        counts,
        findings: find(used),
        plugins,
        policies,
        source,
        usage: used,
      });
    };
    lifecycle.addStartupHook(() => {
      const report = describe();
      logger.info(formatPolicyReport(report), { policy: report.hash });
      findingsLog.start();
      // Settings of other plugins change without a change of the policy.
      config.subscribe?.(() => findingsLog.update());
    });
    lifecycle.addShutdownHook(() => {
      stopGate();
      findingsLog.stop();
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
