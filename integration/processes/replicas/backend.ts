// Runs a replica: the gate, a plugin that has opened all its own paths, and Backstage's module for an identity provider.
import apiGate from '../../../src';
import { openPlugin } from '../../../src/__tests__/__testUtils__/recordingPlugin';
import { childConfig, createChildBackend } from '../../createChildBackend';
import { runAsChild } from '../../runAsChild';

const hello = openPlugin('hello');
// TypeScript checks the project where the package is not installed.
const oidcProvider = '@backstage/plugin-auth-backend-module-oidc-provider';
runAsChild(
  createChildBackend(childConfig(), [
    apiGate,
    hello.feature,
    import(oidcProvider),
  ]),
);
