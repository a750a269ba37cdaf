// Runs the backend that `measure.ts` measures: the gate, and a plugin.
import apiGate from '../../../src';
import { recordingPlugin } from '../../../src/__tests__/__testUtils__/recordingPlugin';
import { childConfig, createChildBackend } from '../../createChildBackend';
import { runAsChild } from '../../runAsChild';

const hello = recordingPlugin('hello');
runAsChild(createChildBackend(childConfig(), [apiGate, hello.feature]), {
  usage: () => {
    const { user, system } = process.cpuUsage();
    return { cpuMs: (user + system) / 1000, rss: process.memoryUsage().rss };
  },
});
