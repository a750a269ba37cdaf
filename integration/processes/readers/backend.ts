// Runs a backend with 100 plugins and 1,000 rules, which are too many for the variable that has the configuration.
import { merge } from 'lodash';
import { recordingPlugin } from '../../../src/__tests__/__testUtils__/recordingPlugin';
import { childConfig, createChildBackend } from '../../createChildBackend';
import { runAsChild } from '../../runAsChild';

const plugins = Array.from(
  { length: 100 },
  (_, i) => recordingPlugin(`plugin-${i}`).feature,
);
const allow = Array.from({ length: 1_000 }, (_, i) => ({
  plugin: `plugin-${i % 100}`,
  path: `/public/of-team-${i}/status`,
  methods: ['GET', 'POST'],
  reason: `the status page of team ${i}, which customers open without an account`,
  until: '2099-01-01',
}));

runAsChild(
  createChildBackend(merge(childConfig(), { auth: { apiGate: { allow } } }), [
    import('../../../src'),
    ...plugins,
  ]),
);
