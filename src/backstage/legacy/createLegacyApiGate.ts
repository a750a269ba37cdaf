import { subscribe } from 'node:diagnostics_channel';
import type { LoggerService } from '@backstage/backend-plugin-api';
import { tokenTypes } from '@backstage/plugin-auth-node';
import { RequestHandler, Router } from 'express';
import { findKey } from 'lodash';
import { KeyEndpoints } from '../../gate/verify/KeyEndpoints';
import { formatListSource } from '../../settings/files/configFiles';
import {
  ApiGateConfig,
  CONFIG_KEY,
} from '../../settings/read/readApiGateConfig';
import { check } from '../../settings/read/values';
import { findFindings } from '../../operators/findings/findFindings';
import { ApiGate, createApiGate } from '../../gate/createApiGate';
import { FindingsLog } from '../../operators/reports/FindingsLog';
import { GateReport } from '../../operators/reports/GateReport';
import { pluginIdOf } from '../../gate/read/mountedRequest';
import { PolicySource } from '../../settings/PolicySource';
import { Refusal } from '../../gate/Refusal';
import { DatabaseRevocationStore } from '../../store/revocations/DatabaseRevocationStore';
import type { RevocationStore } from '../../store/revocations/RevocationStore';
import { createUserSignOut } from '../../store/revocations/createUserSignOut';
import { IssuerClock } from '../../store/revocations/IssuerClock';
import { Revocations } from '../../store/revocations/Revocations';
import { createClientAddress } from '../createClientAddress';
import { GateDatabase } from '../../store/GateDatabase';
import {
  createLegacyPlugins,
  LegacyApiGateOptions,
} from './createLegacyPlugins';

/** Without a database, the list in memory is complete for this process. */
const NO_STORE: RevocationStore = {
  read: async () => ({ revocations: [] }),
  add: async () => {},
};

/**
 * Makes the Express handlers of one gate. With no id, the handler is for a whole `apiRouter` or for its `notFoundHandler()`;
 * with the id of a plugin it is for the path `/<id>` of that router, in front of the plugin's own.
 *
 * A handler passes a refusal to `next` as an error of `@backstage/errors`, which the `errorHandler` of `@backstage/backend-common`
 * answers.
 *
 * @public
 */
export type LegacyApiGate = (pluginId?: string) => RequestHandler;

/**
 * Makes the gate for a backend on the legacy system. Its decisions follow from `auth.apiGate` as in the new system. Make it
 * once, and put it in front of each plugin or, safer, of all of them:
 *
 * ```ts
 * const gate = await createLegacyApiGate(authEnv);
 * apiRouter.use(gate());
 * ```
 *
 * @throws InputError if `auth.apiGate` is wrong; Error if the `tokenManager` accepts any token
 * @public
 */
export async function createLegacyApiGate(
  options: LegacyApiGateOptions,
): Promise<LegacyApiGate> {
  const { config, database } = options;
  const logger = options.logger.child({ service: 'apiGate' });
  await assertVerifying(options);
  const source = new PolicySource({ config, logger, isLegacy: true });
  const settings = source.current.config;
  assertNoSettingsOfNewSystem(settings);
  const revocations = new Revocations({ logger });
  await revocations.follow(
    database
      ? await DatabaseRevocationStore.create(await GateDatabase.open(database))
      : NO_STORE,
  );
  const plugins = createLegacyPlugins(options);
  const services = {
    config,
    issuerClock: new IssuerClock(),
    logger,
    plugins,
    revocations,
    source,
  };
  const apiGate = createApiGate({
    ...services,
    clientAddressOf: createClientAddress(config),
    // The `auth` plugin of this system may give its tokens no type.
    cookieTypes: new Set([tokenTypes.user.typParam, undefined]),
    keyEndpoints: new KeyEndpoints({ ...services, isKnown: refusePlugin }),
    observer: new GateReport(services),
    signOutUser: createUserSignOut({
      ...services,
      // The route that ends them accepts tokens of the new backend system only.
      offlineSessions: undefined,
    }),
  });

  guardServers(apiGate);
  source.start();
  logger.info(
    `API gate: ${settings.mode}, ${settings.allow.length} allow rule(s)`,
    { policy: source.current.hash },
  );
  for (const list of source.lists) {
    logger.info(`API gate: ${formatListSource(list)}`);
  }
  startFindingsLog(options, logger, source);
  if (!database) {
    logger.warn(
      'API gate has no database: a sign-out is in force in the process that answers it only, until that stops',
    );
  }
  return createMounts(apiGate);
}

/**
 * Guards upgrades at each server of this process from its next connection on. All of them are the backend's, and one may have a listener
 * for upgrades before its first request.
 */
function guardServers({ upgradeGate }: ApiGate): void {
  subscribe('net.server.socket', (message: any) => {
    const { server } = message.socket;
    if (server) {
      upgradeGate.guard(server);
    }
  });
}

/** Makes the handlers of one gate. */
function createMounts({ decisions, handler }: ApiGate): LegacyApiGate {
  // The gate decides once per request, however many of these handlers the request passes.
  const gateOnce: RequestHandler = (req, res, next) =>
    decisions.hasPassed(req, pluginIdOf(req))
      ? next()
      : handler(req, res, next);
  const handlerFor =
    (gatedPluginId: string): RequestHandler =>
    (req, res, next) => {
      const { params } = req;
      req.params = { gatedPluginId };
      gateOnce(req, res, error => {
        req.params = params;
        next(error);
      });
    };
  return pluginId => {
    if (pluginId !== undefined) {
      return handlerFor(pluginId);
    }
    const router = Router();
    router.use('/:gatedPluginId', (req, res, next) =>
      gateOnce(req, res, error => next(error ?? 'router')),
    );
    // A path that names no plugin, such as `/` and `//catalog`, may have a handler all the same.
    router.use(handlerFor(''));
    return router;
  };
}

/** @throws InputError for the settings that need an `httpAuth` service, which plugins of this system do not have */
function assertNoSettingsOfNewSystem(settings: ApiGateConfig) {
  const { credentialHeader } = settings;
  const [foreignAuthorization] = settings.foreignAuthorization;
  const key = findKey({ credentialHeader, foreignAuthorization }, Boolean);
  check(
    key === undefined,
    `${CONFIG_KEY}.${key} is for the new backend system: remove it`,
  );
}

/** @throws Error if a token that nobody signed is accepted, as `ServerTokenManager.noop()` does */
async function assertVerifying({ tokenManager }: LegacyApiGateOptions) {
  try {
    await tokenManager.authenticate('nobody-signed-this');
  } catch {
    return;
  }
  throw new Error(
    'The API gate needs a tokenManager that verifies tokens, and this one accepts any: make it with ServerTokenManager.fromConfig',
  );
}

/** @throws Refusal 401 for the caller of a service token of the new backend system: plugins have no keys here */
async function refusePlugin(): Promise<never> {
  throw Refusal.because('invalid-token', 'unknown-key');
}

function startFindingsLog(
  { config }: LegacyApiGateOptions,
  logger: LoggerService,
  source: PolicySource,
) {
  const findingsLog = new FindingsLog(logger, () =>
    findFindings({
      config,
      gate: source.current.config,
      isLegacy: true,
      now: new Date(),
    }),
  );
  findingsLog.start();
  source.onReload(() => findingsLog.update());
  config.subscribe?.(() => findingsLog.update());
}
