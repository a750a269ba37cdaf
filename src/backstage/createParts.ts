import type {
  LoggerService,
  RootConfigService,
  RootInstanceMetadataService,
} from '@backstage/backend-plugin-api';
import { readDurationFromConfig } from '@backstage/config';
import { tokenTypes } from '@backstage/plugin-auth-node';
import { durationToMilliseconds } from '@backstage/types';
import { map } from 'lodash';
import { KeyEndpoints } from '../gate/verify/KeyEndpoints';
import { findFindings } from '../operators/findings/findFindings';
import { createApiGate } from '../gate/createApiGate';
import { createWebSocketGate } from '../gate/upgrades/createWebSocketGate';
import { createFactList } from '../operators/facts/createFactList';
import { createPolicyReport } from '../operators/reports/createPolicyReport';
import {
  describeReportOnly,
  nameStopping,
} from '../operators/reports/describeReportOnly';
import { describeReplica } from '../operators/reports/describeReplica';
import { GateAudit } from '../operators/reports/GateAudit';
import { GateMetrics } from '../operators/reports/GateMetrics';
import { GateReport, NOT_INSTALLED } from '../operators/reports/GateReport';
import { DeclaredPolicies } from '../gate/plugins/DeclaredPolicies';
import { Plugins } from '../gate/plugins/Plugins';
import { PolicyFiles } from '../settings/files/PolicyFiles';
import { PolicySource } from '../settings/PolicySource';
import { createUserSignOut } from '../store/revocations/createUserSignOut';
import { IssuerClock } from '../store/revocations/IssuerClock';
import { OfflineSessions } from '../store/revocations/OfflineSessions';
import { Revocations } from '../store/revocations/Revocations';
import type { rootSystemMetadataServiceRef } from './backstageFeatures';
import { createClientAddress } from './createClientAddress';
import { readBackstageVersion } from './releaseFeatures';

interface RootServices {
  config: RootConfigService;
  instance: RootInstanceMetadataService;
  logger: LoggerService;
  system: typeof rootSystemMetadataServiceRef.T;
}

export type GateParts = Awaited<ReturnType<typeof createParts>>;

/** Makes the gate of this backend, and the services that only the new backend system has. */
export async function createParts(rootServices: RootServices) {
  const services = await createServices(rootServices);
  const { plugins, system } = services;
  const reports = createReports(services);
  const offlineSessions = createOfflineSessions(services);
  const signOutUser = createUserSignOut({ ...services, offlineSessions });
  const apiGate = createApiGate({
    ...services,
    clientAddressOf: createClientAddress(rootServices.config),
    cookieTypes: new Set([tokenTypes.user.typParam]),
    keyEndpoints: new KeyEndpoints({
      ...services,
      isKnown: async id =>
        plugins.isInstalled(id) ||
        map(await system.getInstalledPlugins(), 'pluginId').includes(id),
    }),
    observer: reports.observer,
    signOutUser,
  });
  return {
    ...apiGate,
    ...services,
    ...reports,
    offlineSessions,
    signOutUser,
    webSocketGate: createWebSocketGate(apiGate),
  };
}

type Services = Awaited<ReturnType<typeof createServices>>;

async function createServices(rootServices: RootServices) {
  const { config, instance, logger } = rootServices;
  const installed = map(await instance.getInstalledPlugins(), 'pluginId');
  const source = new PolicySource({ config, logger });
  const policies = new DeclaredPolicies();
  // Backstage lets requests wait that long for a plugin that starts.
  const key = 'backend.lifecycle.startupRequestPauseTimeout';
  const pauseMs = config.has(key)
    ? durationToMilliseconds(readDurationFromConfig(config, { key }))
    : 5_000;
  const plugins = new Plugins(installed, policies, pauseMs);
  return {
    ...rootServices,
    audit: new GateAudit(logger, plugins),
    backstage: readBackstageVersion(),
    files: new PolicyFiles(config),
    issuerClock: new IssuerClock(),
    plugins,
    policies,
    revocations: new Revocations({ logger }),
    source,
  };
}

function createReports(services: Services) {
  const { files, plugins, source } = services;
  const metrics = new GateMetrics(services);
  const observer = new GateReport({ ...services, metrics });
  const { counts, uses } = observer;
  const examine = () => {
    const policy = source.current;
    const seen = { counts: counts.list(), since: counts.since };
    const reportOnly = describeReportOnly({ ...services, ...seen, policy });
    const findings = findFindings({
      ...services,
      gate: policy.config,
      installed: plugins.installedIds(),
      now: new Date(),
      stopping: reportOnly && nameStopping(reportOnly),
    });
    return { findings, policy, reportOnly, uses };
  };
  const expectCounts = () => {
    const { config, isEnforced } = source.current;
    const installed = [...plugins.installedIds(), NOT_INSTALLED];
    metrics.expect({
      plugins: isEnforced ? [] : installed,
      rules: config.allow,
      subjects: uses.subjects,
    });
  };
  expectCounts();
  source.onReload(expectCounts);
  const listFacts = createFactList(services);
  return {
    observer,
    findFindings: () => examine().findings,
    listFacts,
    readReport: async () => {
      const filesNewerThanPolicy = await files.findNewer();
      return createPolicyReport({
        ...services,
        ...examine(),
        facts: listFacts(),
        filesNewerThanPolicy,
        process: describeReplica({ ...services, observer }),
      });
    },
  };
}

/** Makes the offline sessions. If they could be ended only after the answer to a sign-out, the user is signed out once more. */
function createOfflineSessions(services: Services): OfflineSessions {
  const { audit, config, logger, plugins } = services;
  const revokeUser = createUserSignOut({
    ...services,
    offlineSessions: undefined,
  });
  return new OfflineSessions({
    logger,
    services: () => plugins.anyRegistered(),
    isEnabled: () =>
      plugins.isInstalled('auth')
        ? config.getOptionalBoolean('auth.experimentalRefreshToken.enabled') ===
          true
        : undefined,
    onEndedLater: async (userEntityRef, answer) => {
      const { isStored } = await revokeUser(userEntityRef);
      audit.revoked(
        { scope: 'user', sub: userEntityRef },
        {
          problem: isStored ? undefined : 'Not stored yet',
          offlineSessions: answer,
        },
      );
    },
  });
}
