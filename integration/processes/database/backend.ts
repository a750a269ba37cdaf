// Runs a backend, with the gate or without, and a plugin.
import apiGate from '../../../src';
import { recordingPlugin } from '../../../src/__tests__/__testUtils__/recordingPlugin';
import { childConfig, createChildBackend } from '../../createChildBackend';
import { runAsChild } from '../../runAsChild';

const { isStock = false, ...config } = childConfig();
const hello = recordingPlugin('hello');
runAsChild(
  createChildBackend(
    config,
    isStock ? [hello.feature] : [apiGate, hello.feature],
  ),
);
