import { authServiceFactory } from '@backstage/backend-defaults/auth';
import {
  AuthService,
  coreServices,
  createServiceFactory,
  createServiceRef,
  ServiceFactory,
} from '@backstage/backend-plugin-api';
import { apiGateServiceRef } from './apiGateService';

const defaultAuthServiceRef = createServiceRef<AuthService>({
  id: 'auth.apiGate.defaultAuth',
  scope: 'plugin',
});

/** Backstage's own `auth` under a name of ours. `lazy`: an app that brings its own never makes this one. */
export const defaultAuthServiceFactory = {
  ...authServiceFactory,
  service: defaultAuthServiceRef,
  initialization: 'lazy',
} as ServiceFactory;

/** Backstage's own `auth`, which remembers the tokens that it has verified, and refuses those of ended sessions wherever they are read. */
export const decoratedAuthServiceFactory = createServiceFactory({
  service: coreServices.auth,
  deps: {
    gate: apiGateServiceRef,
    auth: defaultAuthServiceRef,
    plugin: coreServices.pluginMetadata,
  },
  factory: ({ gate, auth, plugin }) => gate.decorateAuth(auth, plugin.getId()),
});
