// Runs a backend with 100 plugins and 1,000 rules, which are too many for the variable that has the configuration, and with a control.
import {
  coreServices,
  createBackendPlugin,
} from '@backstage/backend-plugin-api';
import { Router } from 'express';
import { memoize, merge } from 'lodash';
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

const bodyOf = memoize((bytes: string) => Buffer.alloc(Number(bytes), 'x'));

/** A plugin that answers as many bytes as it is asked for, and does nothing else. Like those of the page, its answers have no ETag. */
const control = createBackendPlugin({
  pluginId: 'control',
  register(reg) {
    reg.registerInit({
      deps: { httpRouter: coreServices.httpRouter },
      async init({ httpRouter }) {
        const router = Router();
        router.get('/:bytes', (req, res) => {
          res.set('Cache-Control', 'no-store, no-transform');
          res.set('Content-Length', req.params.bytes);
          res.end(bodyOf(req.params.bytes));
        });
        httpRouter.use(router);
      },
    });
  },
});

runAsChild(
  createChildBackend(merge(childConfig(), { auth: { apiGate: { allow } } }), [
    import('../../../src'),
    control,
    ...plugins,
  ]),
);
