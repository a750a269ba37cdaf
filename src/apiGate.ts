import { createBackendFeatureLoader } from '@backstage/backend-plugin-api';
import { authModuleApiGate } from './module';
import { apiGateServiceFactory } from './services/apiGateService';
import { cachingHttpAuthServiceFactory } from './services/httpAuthService';
import { pluginRegistrationServiceFactory } from './services/pluginRegistration';
import { pluginTokenGuardServiceFactory } from './services/pluginTokenGuard';
import {
  defaultHttpRouterServiceFactory,
  gatedHttpRouterServiceFactory,
} from './services/httpRouterService';

/**
 * The API gate: `backend.add(import('backstage-plugin-auth-backend-module-api-gate'))`, and every route of every plugin
 * needs a valid Backstage credential, except what `auth.apiGate.allow` names.
 *
 * A wrong value below `auth.apiGate` stops the start of the backend with an `InputError` that names its path.
 *
 * @public
 */
export const apiGate = createBackendFeatureLoader({
  *loader() {
    yield apiGateServiceFactory;
    yield pluginTokenGuardServiceFactory;
    yield cachingHttpAuthServiceFactory;
    yield defaultHttpRouterServiceFactory;
    yield gatedHttpRouterServiceFactory;
    yield pluginRegistrationServiceFactory;
    yield authModuleApiGate;
  },
});
