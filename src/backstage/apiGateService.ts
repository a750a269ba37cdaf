import {
  coreServices,
  createServiceFactory,
  createServiceRef,
} from '@backstage/backend-plugin-api';
import { FindingsLog } from '../operators/reports/FindingsLog';
import {
  formatStart,
  pageAddressOf,
  splitBlock,
} from '../operators/reports/startLog';
import { rootSystemMetadataServiceRef } from './backstageFeatures';
import { createParts, GateParts } from './createParts';
import type { ServerWatch } from './findServers';
import { mountGate } from './mountGate';

export const apiGateServiceRef = createServiceRef<GateParts>({
  id: 'auth.apiGate',
  scope: 'root',
});

/**
 * Makes the service that mounts the gate. A root service starts before any plugin, so that this is the first route of the root router:
 * behind the root middleware (CORS, logging, rate limits), in front of every plugin, installed or not.
 *
 * @param watch - the servers that get connections, from before the backend's own listens
 */
export const createApiGateServiceFactory = (watch: ServerWatch) =>
  createServiceFactory({
    service: apiGateServiceRef,
    deps: {
      config: coreServices.rootConfig,
      instance: coreServices.rootInstanceMetadata,
      lifecycle: coreServices.rootLifecycle,
      logger: coreServices.rootLogger,
      rootHttpRouter: coreServices.rootHttpRouter,
      system: rootSystemMetadataServiceRef,
    },
    async factory({ config, lifecycle, rootHttpRouter, ...services }) {
      const logger = services.logger.child({ service: 'apiGate' });
      const gate = await createParts({ ...services, config, logger });
      const { audit, plugins, source } = gate;
      // The routes of the gate are the `auth` plugin's.
      const page = plugins.isInstalled('auth')
        ? pageAddressOf(config.getString('backend.baseUrl'))
        : undefined;
      const findingsLog = new FindingsLog(logger, gate.findFindings, page);
      const stopGate = mountGate({ gate, rootHttpRouter, watch });
      source.onReload(outcome => audit.reloaded(outcome));
      source.start();
      lifecycle.addStartupHook(() => {
        const policy = source.current;
        const block = formatStart(policy, gate.listFacts(), page);
        for (const part of splitBlock(block)) {
          logger.info(part, { policy: policy.hash });
        }
        findingsLog.start();
        source.onReload(() => findingsLog.update());
        // Settings of other plugins change without a change of the policy.
        config.subscribe?.(() => findingsLog.update());
      });
      lifecycle.addShutdownHook(() => {
        stopGate();
        findingsLog.stop();
        source.stop();
        gate.revocations.stop();
        gate.observer.stop();
        gate.offlineSessions.stop();
      });
      return gate;
    },
  });
