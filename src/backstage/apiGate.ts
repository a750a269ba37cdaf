import { createBackendFeatureLoader } from '@backstage/backend-plugin-api';
import { authModuleApiGate } from './module';
import { createApiGateServiceFactory } from './apiGateService';
import {
  decoratedAuthServiceFactory,
  defaultAuthServiceFactory,
} from './authService';
import { httpAuthServiceFactory } from './httpAuthService';
import { pluginRegistrationServiceFactory } from './pluginRegistration';
import { watchServers } from './findServers';
import {
  defaultHttpRouterServiceFactory,
  gatedHttpRouterServiceFactory,
} from './httpRouterService';

/**
 * The API gate: `backend.add(import('backstage-plugin-auth-backend-module-api-gate'))`, and every route of every plugin
 * needs a valid Backstage credential, except what `auth.apiGate.allow` names.
 *
 * A wrong value below `auth.apiGate` stops the start of the backend with an `InputError` that names its path.
 *
 * @public
 */
export const apiGate = createBackendFeatureLoader({
  async *loader() {
    // The server of the backend does not listen yet. From then on, it answers 404 until the gate is mounted.
    yield createApiGateServiceFactory(await watchServers());
    yield defaultAuthServiceFactory;
    yield decoratedAuthServiceFactory;
    yield httpAuthServiceFactory;
    yield defaultHttpRouterServiceFactory;
    yield gatedHttpRouterServiceFactory;
    yield pluginRegistrationServiceFactory;
    yield authModuleApiGate;
  },
});
