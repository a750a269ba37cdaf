import { MiddlewareFactory } from '@backstage/backend-defaults/rootHttpRouter';
import {
  coreServices,
  createServiceFactory,
  createServiceRef,
  HttpAuthService,
  LoggerService,
} from '@backstage/backend-plugin-api';
import { tokenTypes } from '@backstage/plugin-auth-node';
import type { RequestHandler } from 'express';
import { ApiGateConfig, CONFIG_KEY } from '../config/readApiGateConfig';
import type { CookieIssuer } from '../cookie/CookieIssuer';
import {
  createCookieIssuer,
  DecodedCookieIssuer,
} from '../cookie/createCookieIssuer';
import { GateCookie } from '../cookie/GateCookie';
import { withRollback } from '../cookie/withRollback';
import { CallingPlugins } from '../credentials/CallingPlugins';
import { DecodedTokens } from '../credentials/DecodedTokens';
import { KeyEndpoints } from '../credentials/KeyEndpoints';
import { RecentFailures } from '../credentials/RecentFailures';
import { TokenCache } from '../credentials/TokenCache';
import { verifiesAsCookie } from '../credentials/verifiesAsCookie';
import type { VerifyOptions } from '../credentials/verifyCredential';
import { createGate } from '../gate/createGate';
import { COOKIE_PATH } from '../http/backstagePaths';
import { createUpgradeGate } from '../gate/createUpgradeGate';
import { createWebSocketGate } from '../gate/createWebSocketGate';
import { Decisions } from '../decision/Decision';
import { UpgradeGuard } from '../gate/UpgradeGuard';
import { findServer } from './findServer';
import { Plugins } from '../plugins/Plugins';
import { PolicySource } from '../policy/PolicySource';
import { DecisionCounts } from '../observability/DecisionCounts';
import {
  describePolicy,
  formatPolicyReport,
  PolicyReport,
} from '../observability/describePolicy';
import { GateAudit } from '../observability/GateAudit';
import { GateMetrics } from '../observability/GateMetrics';
import type { GateObserver } from '../decision/GateObserver';
import { GateReport } from '../observability/GateReport';
import {
  createUserSignOut,
  UserSignOut,
} from '../revocation/createUserSignOut';
import { IssuerClock } from '../revocation/IssuerClock';
import { OfflineSessions } from '../revocation/OfflineSessions';
import { Revocations } from '../revocation/Revocations';
import { SessionSockets } from '../revocation/SessionSockets';
import { DeclaredPolicies } from '../plugins/DeclaredPolicies';
import {
  rootInstanceMetadataServiceRef,
  rootSystemMetadataServiceRef,
} from './backstageFeatures';

const REFRESH_TOKENS = 'auth.experimentalRefreshToken.enabled';
const DISABLE_DEFAULT_AUTH_POLICY =
  'backend.auth.dangerouslyDisableDefaultAuthPolicy';

/** What the parts of the gate that live in plugins share. */
export interface ApiGateService {
  audit: GateAudit;
  callingPlugins: CallingPlugins;
  decisions: Decisions;
  decodedTokens: DecodedTokens;
  observer: GateObserver;
  offlineSessions: OfflineSessions;
  /** Those over the token cache. */
  cachingHttpAuths: WeakSet<HttpAuthService>;
  plugins: Plugins;
  policies: DeclaredPolicies;
  revocations: Revocations;
  signOutUser: UserSignOut;
  source: PolicySource;
  /** `undefined`: no token is remembered. */
  tokenCache: TokenCache | undefined;
  webSocketGate: ReturnType<typeof createWebSocketGate>;
  describePolicy(): PolicyReport;
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
    instance: rootInstanceMetadataServiceRef,
    lifecycle: coreServices.rootLifecycle,
    logger: coreServices.rootLogger,
    rootHttpRouter: coreServices.rootHttpRouter,
    system: rootSystemMetadataServiceRef,
  },
  async factory({ config, instance, lifecycle, rootHttpRouter, ...services }) {
    const logger = services.logger.child({ service: 'apiGate' });
    const installed = await instance.getInstalledPlugins();
    const known =
      installed &&
      new Set(
        [...installed, ...(await services.system.getInstalledPlugins())].map(
          ({ pluginId }) => pluginId.toLowerCase(),
        ),
      );
    const source = new PolicySource({
      config,
      logger,
      isKnownPlugin: known && (id => known.has(id)),
    });
    const settings = source.current.config;
    const policies = new DeclaredPolicies();
    const plugins = new Plugins(
      installed?.map(({ pluginId }) => pluginId),
      policies,
    );
    const warnOfSettings = () => warnOfRules(logger, settings, plugins);
    if (plugins.isSet) {
      warnOfSettings();
    } else {
      lifecycle.addStartupHook(warnOfSettings);
    }
    if (config.getOptionalBoolean(DISABLE_DEFAULT_AUTH_POLICY)) {
      logger.warn(
        `API gate: ${DISABLE_DEFAULT_AUTH_POLICY} takes the barriers of all plugins away, so that nothing but the gate refuses anybody. Remove it once the gate enforces`,
      );
    }
    const decisions = new Decisions();
    const revocations = new Revocations({ logger, ...settings.revocation });
    const audit = new GateAudit(logger);
    const counts = new DecisionCounts();
    const observer = new GateReport({
      audit,
      counts,
      logger,
      plugins,
      metrics: new GateMetrics(revocations, source),
    });

    const keyEndpoints = new KeyEndpoints();
    const callingPlugins = new CallingPlugins({
      keyEndpoints,
      isKnown: async id =>
        plugins.isInstalled(id) ||
        (await services.system.getInstalledPlugins()).some(
          ({ pluginId }) => pluginId === id,
        ),
    });
    const issuerClock = new IssuerClock();
    const verifyOptions: VerifyOptions = {
      plugins,
      callingPlugins,
      failures: new RecentFailures(),
      keyEndpoints,
      decodedTokens: new DecodedTokens(),
      issuerClock,
    };
    const revokeUser = createUserSignOut({
      issuerClock,
      offlineSessions: undefined,
      revocations,
    });
    const offlineSessions = new OfflineSessions({
      logger,
      services: () => plugins.anyRegistered(),
      isEnabled: plugins.isInstalled('auth')
        ? (config.getOptionalBoolean(REFRESH_TOKENS) ?? false)
        : undefined,
      onEndedLater: async (userEntityRef, answer) => {
        const { isStored } = await revokeUser(userEntityRef, {
          offlineSessions: 'keep',
        });
        const auditor = plugins.find('auth')?.auditor;
        if (auditor) {
          audit.signedOutLater(auditor, userEntityRef, answer, isStored);
        }
      },
    });
    const signOutUser = createUserSignOut({
      issuerClock,
      offlineSessions,
      revocations,
    });
    const cookie = new GateCookie(
      settings.cookie,
      new URL(config.getString('backend.baseUrl')).hostname,
    );
    let cookieIssuer: DecodedCookieIssuer | undefined = createCookieIssuer({
      cookie,
      logger,
      observer,
      verifies: token =>
        verifiesAsCookie(token, source.current, verifyOptions, revocations),
    });

    const gateOptions = {
      ...verifyOptions,
      cookie: settings.cookie.enabled ? cookie : undefined,
      logger,
      observer,
      policy: () => source.current,
      revocations,
      signOutUser,
    };
    const sockets = new SessionSockets({ revocations, source });
    const upgradeGate = createUpgradeGate({ ...gateOptions, sockets });
    const upgradeGuard = new UpgradeGuard({
      gate: upgradeGate,
      logger,
      source,
    });
    const gate = upgradeGuard.wrap(
      createGate({
        ...gateOptions,
        cookieIssuer: () => cookieIssuer,
        cookieTypes: new Set([tokenTypes.user.typParam]),
        decisions,
        sockets,
      }),
      decisions,
    );
    const webSocketGate = createWebSocketGate({
      ...gateOptions,
      plugins,
      sockets,
      upgradeGate,
    });
    // An app that configures its own root router may have no error middleware. A refusal's stack is of no interest.
    const answerError = MiddlewareFactory.create({ config, logger }).error({
      showStackTraces: false,
    });
    // A plain function: a router of Express skips all of its own for a target without a path, such as `foo://any/api/x`.
    const judge: RequestHandler = (req, res, next) =>
      gate(req, res, error =>
        error ? answerError(error, req, res, next) : next(),
      );
    rootHttpRouter.use('/api/:gatedPluginId', judge);
    // The root router serves one plugin at `/` too, `app` by default, and so that plugin's cookie endpoint. It comes in front
    // of everything that the plugin's router can be asked to check.
    rootHttpRouter.use(COOKIE_PATH, (req, res, next) => {
      req.params = { gatedPluginId: 'app' };
      judge(req, res, next);
    });
    const stopFinding = findServer({
      config,
      mount: judge,
      onFound: server => upgradeGuard.guard(server),
    });

    const describe = () =>
      describePolicy({ counts, plugins, policies, source });
    source.onReload(outcome => {
      const auditor = plugins.find('auth')?.auditor;
      if (auditor) {
        audit.reloaded(auditor, outcome);
      }
      if ('policy' in outcome) {
        const { config: changed } = outcome.policy;
        revocations.setPollInterval(changed.revocation.pollIntervalMs);
        warnOfRules(logger, changed, plugins);
      }
    });
    source.start();
    lifecycle.addStartupHook(() => {
      const report = describe();
      logger.info(formatPolicyReport(report), { policy: report.hash });
    });
    lifecycle.addShutdownHook(() => {
      stopFinding();
      upgradeGuard.stop();
      source.stop();
      revocations.stop();
      observer.stop();
      offlineSessions.stop();
    });

    return {
      audit,
      callingPlugins,
      decisions,
      decodedTokens: verifyOptions.decodedTokens,
      observer,
      offlineSessions,
      cachingHttpAuths: new WeakSet(),
      plugins,
      policies,
      revocations,
      signOutUser,
      source,
      tokenCache: settings.tokenCache && new TokenCache(settings.tokenCache),
      webSocketGate,
      describePolicy: describe,
      setCookieIssuer(issuer) {
        cookieIssuer = issuer && withRollback(issuer);
      },
    };
  },
});

/** What is right, but should be looked at. */
function warnOfRules(
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
