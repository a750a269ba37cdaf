import { createBackendModule } from '@backstage/backend-plugin-api';

/** Returns a promise that a test resolves. */
export function latch() {
  let open!: () => void;
  const opened = new Promise<void>(resolve => {
    open = resolve;
  });
  return { open, opened };
}

/** Creates a module without which its plugin is not up, and that is ready once a promise has resolved. */
export const slowModule = (pluginId: string, opened: Promise<void>) =>
  createBackendModule({
    pluginId,
    moduleId: 'slow',
    register(reg) {
      reg.registerInit({ deps: {}, init: () => opened });
    },
  });
