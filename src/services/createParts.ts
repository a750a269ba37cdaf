import type {
  LoggerService,
  RootConfigService,
} from '@backstage/backend-plugin-api';
import { tokenTypes } from '@backstage/plugin-auth-node';
import { readExternalTokens } from '../config/readExternalTokens';
import { KeyEndpoints } from '../credentials/KeyEndpoints';
import { createApiGate } from '../gate/createApiGate';
import { CandidateCounts } from '../observability/CandidateCounts';
import { DecisionCounts } from '../observability/DecisionCounts';
import {
  countUnusedRules,
  describeUsage,
} from '../observability/describeUsage';
import { GateAudit } from '../observability/GateAudit';
import { GateMetrics } from '../observability/GateMetrics';
import { GateReport } from '../observability/GateReport';
import { DeclaredPolicies } from '../plugins/DeclaredPolicies';
import { Plugins } from '../plugins/Plugins';
import { PolicySource } from '../policy/PolicySource';
import { createUserSignOut } from '../revocation/createUserSignOut';
import { IssuerClock } from '../revocation/IssuerClock';
import { OfflineSessions } from '../revocation/OfflineSessions';
import { Revocations } from '../revocation/Revocations';
import { Usage } from '../usage/Usage';
import type {
  rootInstanceMetadataServiceRef,
  rootSystemMetadataServiceRef,
} from './backstageFeatures';

const REFRESH_TOKENS = 'auth.experimentalRefreshToken.enabled';

/** The root services that the gate is made of. */
interface RootServices {
  config: RootConfigService;
  instance: typeof rootInstanceMetadataServiceRef.T;
  logger: LoggerService;
  system: typeof rootSystemMetadataServiceRef.T;
}

/** The gate of this backend, and the services beside it. */
export type GateParts = Awaited<ReturnType<typeof createParts>>;

/** Makes the gate of this backend, and the services that only the new backend system has. */
export async function createParts(services: RootServices) {
  const { config, logger, system } = services;
  const { installedIds, source } = await createPolicySource(services);
  const policies = new DeclaredPolicies();
  const plugins = new Plugins(installedIds, policies);
  const revocations = new Revocations({
    logger,
    ...source.current.config.revocation,
  });
  const audit = new GateAudit(logger);
  const counts = new DecisionCounts();
  const candidate = new CandidateCounts(source);
  const usage = new Usage({
    logger,
    source,
    externalTokens: readExternalTokens(config),
  });
  const metrics = new GateMetrics(revocations, source, () =>
    countUnusedRules(
      describeUsage(usage, source.current.config.allow, plugins),
    ),
  );
  const observer = new GateReport({
    audit,
    auditorFor: id => plugins.auditorFor(id),
    candidate,
    counts,
    logger,
    metrics,
    plugins,
    usage,
  });
  const issuerClock = new IssuerClock();
  const shared = { audit, config, issuerClock, logger, plugins, revocations };
  const offlineSessions = createOfflineSessions(shared);
  const keyEndpoints = new KeyEndpoints({
    isKnown: async id =>
      plugins.isInstalled(id) ||
      (await system.getInstalledPlugins()).some(
        ({ pluginId }) => pluginId === id,
      ),
  });
  const apiGate = createApiGate({
    ...shared,
    cookieTypes: new Set([tokenTypes.user.typParam]),
    keyEndpoints,
    observer,
    offlineSessions,
    source,
  });
  return {
    apiGate,
    audit,
    candidate,
    counts,
    keyEndpoints,
    observer,
    offlineSessions,
    plugins,
    policies,
    revocations,
    source,
    usage,
  };
}

/** Reads the policy, whose expectations may name only plugins of this deployment. Old releases do not list the plugins. */
async function createPolicySource({
  config,
  instance,
  logger,
  system,
}: RootServices) {
  const installed = await instance.getInstalledPlugins();
  const known =
    installed &&
    new Set(
      [...installed, ...(await system.getInstalledPlugins())].map(
        ({ pluginId }) => pluginId.toLowerCase(),
      ),
    );
  const source = new PolicySource({
    config,
    logger,
    isKnownPlugin: known && (id => known.has(id)),
  });
  return { installedIds: installed?.map(({ pluginId }) => pluginId), source };
}

/** Makes the offline sessions. If they could be ended only after the answer to a sign-out, the user is signed out once more. */
function createOfflineSessions(
  services: Omit<RootServices, 'instance' | 'system'> & {
    audit: GateAudit;
    issuerClock: IssuerClock;
    plugins: Plugins;
    revocations: Revocations;
  },
): OfflineSessions {
  const { audit, config, logger, plugins } = services;
  const revokeUser = createUserSignOut({
    ...services,
    offlineSessions: undefined,
  });
  return new OfflineSessions({
    logger,
    services: () => plugins.anyRegistered(),
    // Some releases list the installed plugins later.
    isEnabled: () =>
      plugins.isInstalled('auth')
        ? (config.getOptionalBoolean(REFRESH_TOKENS) ?? false)
        : undefined,
    onEndedLater: async (userEntityRef, answer) => {
      const { isStored } = await revokeUser(userEntityRef, {
        offlineSessions: 'keep',
      });
      audit.revoked(
        plugins.auditorFor('auth'),
        { scope: 'user', userEntityRef },
        {
          error: isStored ? undefined : new Error('Not stored yet'),
          offlineSessions: answer,
        },
      );
    },
  });
}
