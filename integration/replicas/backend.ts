// Runs a replica: the gate, and a plugin that has opened all its own paths.
import apiGate from '../../src';
import { recordingPlugin } from '../../src/__testUtils__/recordingPlugin';
import { childConfig, createChildBackend } from '../createChildBackend';
import { runAsChild } from '../runAsChild';

const hello = recordingPlugin('hello', {
  policies: [{ path: '/', allow: 'unauthenticated' }],
});
runAsChild(createChildBackend(childConfig(), [apiGate, hello.feature]));
