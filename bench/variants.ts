import type { JsonObject } from '@backstage/types';

/** A way to run the same backend. */
export interface Variant {
  withGate?: boolean;
  withTutorial?: boolean;
  config?: JsonObject;
}

const BARRIER_OFF = {
  backend: { auth: { dangerouslyDisableDefaultAuthPolicy: true } },
};

/** The public path: by a rule of the gate, or because the plugin has opened it. */
export const OPEN_PATH = '/open';
const openRule = { plugin: 'trivial', path: OPEN_PATH };

const gateConfig = (apiGate: JsonObject) => ({ auth: { apiGate } });

export const variants = {
  'no-auth': { config: BARRIER_OFF },
  stock: {},
  gate: { withGate: true, config: gateConfig({ allow: [openRule] }) },
  'gate without cache': {
    withGate: true,
    config: gateConfig({ allow: [openRule], tokenCache: false }),
  },
  // All rules are for the requested plugin, and the matching one is the last.
  'gate with 1,000 rules': {
    withGate: true,
    config: gateConfig({
      allow: [
        ...Array.from({ length: 999 }, (_, i) => ({
          plugin: 'trivial',
          path: `/other/${i}`,
        })),
        openRule,
      ],
    }),
  },
  tutorial: { withTutorial: true, config: BARRIER_OFF },
} satisfies Record<string, Variant>;

export type VariantName = keyof typeof variants;
