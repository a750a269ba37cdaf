// Runs the backend that `measure.ts` measures: Backstage's default services, the real `auth` plugin, the gate, and a plugin.
import { createBackend } from '@backstage/backend-defaults';
import {
  coreServices,
  createServiceFactory,
} from '@backstage/backend-plugin-api';
import { ConfigReader } from '@backstage/config';
import apiGate from '../../src';
import { recordingPlugin } from '../../src/__testUtils__/recordingPlugin';
import { runAsChild } from '../runAsChild';

const backend = createBackend();
backend.add(
  createServiceFactory({
    service: coreServices.rootConfig,
    deps: {},
    factory: () => new ConfigReader(JSON.parse(process.env.BACKEND_CONFIG!)),
  }),
);
backend.add(import('@backstage/plugin-auth-backend'));
backend.add(import('@backstage/plugin-auth-backend-module-guest-provider'));
backend.add(apiGate);
backend.add(recordingPlugin('hello').feature);

runAsChild(backend, {
  usage: () => {
    const { user, system } = process.cpuUsage();
    return { cpuMs: (user + system) / 1000, rss: process.memoryUsage().rss };
  },
});
