import type { JsonObject } from '@backstage/types';

/** A way to run the same backend. */
export interface Variant {
  withGate?: boolean;
  /** Whether the backend has Backstage's catalog, with {@link CATALOG_ENTITIES} entities. */
  withCatalog?: boolean;
  /** The number of plugins without work. Default: 1. */
  plugins?: number;
  config?: JsonObject;
}

const BARRIER_OFF = {
  backend: { auth: { dangerouslyDisableDefaultAuthPolicy: true } },
};

/** The public path: by a rule of the gate, or because the plugin has opened it. */
export const OPEN_PATH = '/open';
const openRule = { plugin: 'trivial', path: OPEN_PATH };

/** The entities in `entities.yaml`: a page of the catalog, as its list shows one. */
export const CATALOG_ENTITIES = 20;

const CATALOG = {
  catalog: {
    // The catalog reads the file once, and not again while requests are measured.
    processingInterval: { hours: 24 },
    locations: [{ type: 'file', target: 'bench/entities.yaml' }],
  },
};

const gateConfig = (apiGate: JsonObject) => ({ auth: { apiGate } });

export const variants = {
  'no-auth': { config: BARRIER_OFF },
  stock: {},
  gate: { withGate: true, config: gateConfig({ allow: [openRule] }) },
  'gate with 1,000 rules': withRules(1000),
  'stock with catalog': { withCatalog: true, config: CATALOG },
  'gate with catalog': { withCatalog: true, withGate: true, config: CATALOG },
} satisfies Record<string, Variant>;

export type VariantName = keyof typeof variants;

/** Returns the gate with a number of rules. All are for the requested plugin, and the matching one is the last. */
export function withRules(count: number): Variant {
  const others = Array.from({ length: count - 1 }, (_, i) => ({
    plugin: 'trivial',
    path: `/other/${i}`,
  }));
  return {
    withGate: true,
    config: gateConfig({ allow: [...others, openRule] }),
  };
}
