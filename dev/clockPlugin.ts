import {
  coreServices,
  createBackendPlugin,
} from '@backstage/backend-plugin-api';
import { signalsServiceRef } from '@backstage/plugin-signals-node';

const INTERVAL_MS = 1_000;

/** Signals the time to everybody who listens on the channel `clock`. */
export const clockPlugin = createBackendPlugin({
  pluginId: 'clock',
  register(reg) {
    reg.registerInit({
      deps: {
        lifecycle: coreServices.lifecycle,
        signals: signalsServiceRef,
      },
      async init({ lifecycle, signals }) {
        const timer = setInterval(
          () =>
            signals.publish({
              recipients: { type: 'broadcast' },
              channel: 'clock',
              message: { time: new Date().toISOString() },
            }),
          INTERVAL_MS,
        );
        lifecycle.addShutdownHook(() => clearInterval(timer));
      },
    });
  },
});
