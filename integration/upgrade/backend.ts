// Runs a replica: the gate of the version that the configuration names, and a plugin that has opened all its own paths.
import type { JsonObject } from '@backstage/types';
import { recordingPlugin } from '../../src/__testUtils__/recordingPlugin';
import { childConfig, createChildBackend } from '../createChildBackend';
import { runAsChild } from '../runAsChild';

const config = childConfig();
// `run` makes the folder of the old version.
const isOld = (config.upgrade as JsonObject).version === 'old';
const gate = isOld ? './.old/src' : '../../src';
const hello = recordingPlugin('hello', {
  policies: [{ path: '/', allow: 'unauthenticated' }],
});
runAsChild(createChildBackend(config, [import(gate), hello.feature]));
