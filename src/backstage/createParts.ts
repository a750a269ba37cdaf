import type {
  LoggerService,
  RootConfigService,
  RootInstanceMetadataService,
} from '@backstage/backend-plugin-api';
import { readDurationFromConfig } from '@backstage/config';
import { tokenTypes } from '@backstage/plugin-auth-node';
import { durationToMilliseconds } from '@backstage/types';
import type { ConfiguredPolicy } from '../settings/ConfiguredPolicy';
import { readExternalTokens } from '../settings/read/readExternalTokens';
import { KeyEndpoints } from '../gate/verify/KeyEndpoints';
import { readAuthBackendVersion } from '../operators/findings/backstageSettings';
import { findFindingsInPieces } from '../operators/findings/findFindings';
import { createApiGate } from '../gate/createApiGate';
import { createWebSocketGate } from '../gate/upgrades/createWebSocketGate';
import { describePolicy } from '../operators/reports/describePolicy';
import {
  describeReportOnly,
  nameStopping,
} from '../operators/reports/describeReportOnly';
import { describeReplica } from '../operators/reports/describeReplica';
import { describeUsage, UsageReport } from '../operators/reports/describeUsage';
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
import { Usage } from '../store/usage/Usage';
import { atOnce } from '../operators/pieces';
import type { rootSystemMetadataServiceRef } from './backstageFeatures';
import { createClientAddress } from './createClientAddress';
import { MissingFeature, readBackstageVersion } from './releaseFeatures';

const backstage = readBackstageVersion();

interface RootServices {
  config: RootConfigService;
  instance: RootInstanceMetadataService;
  missingFeatures: MissingFeature[];
  logger: LoggerService;
  system: typeof rootSystemMetadataServiceRef.T;
}

export type GateParts = Awaited<ReturnType<typeof createParts>>;

/** Makes the gate of this backend, and the services that only the new backend system has. */
export async function createParts(rootServices: RootServices) {
  const services = await createServices(rootServices);
  const { plugins } = services;
  const reports = createReports(services);
  const offlineSessions = createOfflineSessions(services);
  const signOutUser = createUserSignOut({ ...services, offlineSessions });
  const apiGate = createApiGate({
    ...services,
    clientAddressOf: createClientAddress(rootServices.config),
    cookieTypes: new Set([tokenTypes.user.typParam]),
    keyEndpoints: new KeyEndpoints({
      logger: rootServices.logger,
      plugins,
      isKnown: async id =>
        plugins.isInstalled(id) ||
        (await rootServices.system.getInstalledPlugins()).some(
          ({ pluginId }) => pluginId === id,
        ),
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
  const { config, instance, missingFeatures, logger, system } = rootServices;
  const installed = await instance.getInstalledPlugins();
  const knownPlugins = new Set(
    [...installed, ...(await system.getInstalledPlugins())].map(
      ({ pluginId }) => pluginId.toLowerCase(),
    ),
  );
  const source = new PolicySource({
    config,
    logger,
    // The expectations of the policy may name only plugins of this deployment.
    knownPlugins,
  });
  const policies = new DeclaredPolicies();
  const plugins = new Plugins(
    installed.map(({ pluginId }) => pluginId),
    policies,
    readStartPauseMs(config),
  );
  return {
    audit: new GateAudit(logger, plugins),
    backstage,
    config,
    files: new PolicyFiles(config),
    issuerClock: new IssuerClock(),
    missingFeatures,
    logger,
    plugins,
    policies,
    revocations: new Revocations({
      logger,
      pollIntervalMs: () => source.current.config.revocation.pollIntervalMs,
    }),
    source,
    usage: new Usage({
      logger,
      source,
      externalTokens: readExternalTokens(config),
    }),
  };
}

function createReports(services: Services) {
  const { config, missingFeatures, plugins, revocations, source, usage } =
    services;
  const describeUse = () =>
    atOnce(describeUsage(usage, source.current.config, plugins));
  const metrics = new GateMetrics(services);
  const observer = new GateReport({ ...services, metrics });
  const { refusals } = observer;
  const authBackend = readAuthBackendVersion();
  const find = (
    policy: ConfiguredPolicy,
    used: UsageReport | undefined,
    reportOnly = describeReportOnly({ ...services, policy, refusals }),
  ) =>
    findFindingsInPieces({
      config,
      gate: policy.config,
      authBackend,
      areOrdersLoaded: revocations.isLoaded,
      installed: plugins.installedIds(),
      missingFeatures,
      now: new Date(),
      missingRevocations: revocations.missing,
      stopping: reportOnly && nameStopping(reportOnly),
      usage: used,
    });
  if (!source.current.isEnforced) {
    metrics.expectWorked([...plugins.installedIds(), NOT_INSTALLED]);
  }
  const describeProcess = () => describeReplica({ ...services, refusals });
  return {
    observer,
    findFindings: () => atOnce(find(source.current, describeUse())),
    describeProcess,
    *describePolicy() {
      // A change of the policy between two pieces would mix two of them.
      const policy = source.current;
      const uses = usage.read();
      yield;
      const used = yield* describeUsage(usage, policy.config, plugins, uses);
      const shown = { ...services, policy, refusals, uses };
      const reportOnly = describeReportOnly(shown);
      const findings = yield* find(policy, used, reportOnly);
      const process = describeProcess();
      const found = { findings, policy, process, reportOnly, used };
      return yield* describePolicy({ ...services, ...found });
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
      const { isStored } = await revokeUser(userEntityRef, {
        offlineSessions: 'keep',
      });
      audit.revoked(
        { scope: 'user', sub: userEntityRef },
        {
          error: isStored ? undefined : new Error('Not stored yet'),
          offlineSessions: answer,
        },
      );
    },
  });
}

/** Returns how long Backstage lets requests wait for a plugin that starts. */
export function readStartPauseMs(config: RootConfigService): number {
  const key = 'backend.lifecycle.startupRequestPauseTimeout';
  return config.has(key)
    ? durationToMilliseconds(readDurationFromConfig(config, { key }))
    : 5_000;
}
