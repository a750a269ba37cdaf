// Runs a replica: Backstage's default services, the real `auth` plugin, a plugin that has opened all its own paths, and the gate
// of the version that the configuration names.
import { createBackend } from '@backstage/backend-defaults';
import {
  coreServices,
  createServiceFactory,
} from '@backstage/backend-plugin-api';
import { ConfigReader } from '@backstage/config';
import { recordingPlugin } from '../../src/__testUtils__/recordingPlugin';
import { runAsChild } from '../runAsChild';

const config = JSON.parse(process.env.BACKEND_CONFIG!);
const backend = createBackend();
backend.add(
  createServiceFactory({
    service: coreServices.rootConfig,
    deps: {},
    factory: () => new ConfigReader(config),
  }),
);
backend.add(import('@backstage/plugin-auth-backend'));
backend.add(import('@backstage/plugin-auth-backend-module-guest-provider'));
// `run` makes the folder of the old version.
const gate = config.upgrade.version === 'old' ? './.old/src' : '../../src';
backend.add(import(gate));
backend.add(
  recordingPlugin('hello', {
    policies: [{ path: '/', allow: 'unauthenticated' }],
  }).feature,
);

runAsChild(backend);
