// Runs a backend, with the gate or without, and a plugin.
import apiGate from '../../../src';
import { recordingPlugin } from '../../../src/__tests__/__testUtils__/recordingPlugin';
import { usageProbe } from '../../../src/__tests__/__testUtils__/usageProbe';
import { childConfig, createChildBackend } from '../../createChildBackend';
import { runAsChild } from '../../runAsChild';

// The gate exchanges the record of use every 40 seconds, which is longer than a fault lasts here.
const EXCHANGE_MS = 2_000;

const { isStock = false, ...config } = childConfig();
const hello = recordingPlugin('hello');
const usage = usageProbe();
if (!isStock) {
  setInterval(() => usage.sync().catch(() => {}), EXCHANGE_MS);
}
runAsChild(
  createChildBackend(
    config,
    isStock ? [hello.feature] : [apiGate, hello.feature, usage.feature],
  ),
);
