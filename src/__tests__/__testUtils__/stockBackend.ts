import { mkdir, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import type { BackendFeature } from '@backstage/backend-plugin-api';
import type { JsonObject } from '@backstage/types';
import { merge } from 'lodash';
import { staticToken } from './externalAccess';
import { RunningBackend, startBackend } from './startBackend';
import { until } from './until';

const load = createRequire(__filename);

/** Returns the folder of packages that has a package, and its version. */
function locate(name: string) {
  const file = load.resolve(`${name}/package.json`);
  return { folder: path.resolve(file, '../../..'), ...load(file) };
}

const backstage = locate('@backstage/backend-defaults');

/** The packages of {@link stock}. */
export const stockPackages: string[] = [];

/** Loads plugins of this release. The folder of a release is below the main install, whose plugins are not for it. */
function loadStock(...names: string[]): BackendFeature[] | undefined {
  const packages = names.map(name => `@backstage/plugin-${name}`);
  try {
    if (packages.some(name => locate(name).folder !== backstage.folder)) {
      return undefined;
    }
    stockPackages.push(...packages);
    return packages.map(name => load(name).default);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'MODULE_NOT_FOUND') {
      throw error;
    }
    return undefined;
  }
}

/** Backstage's own plugins, by id, as far as they are installed for this release. */
export const stock: Record<
  'catalog' | 'mcp-actions' | 'scaffolder' | 'search' | 'techdocs',
  BackendFeature[] | undefined
> = {
  catalog: loadStock('catalog-backend'),
  'mcp-actions': loadStock('mcp-actions-backend'),
  scaffolder: loadStock(
    'catalog-backend-module-scaffolder-entity-model',
    'scaffolder-backend',
  ),
  search: loadStock('search-backend', 'search-backend-module-catalog'),
  techdocs: loadStock('techdocs-backend'),
};

/**
 * Whether mcp-actions has named servers.
 * Goes in July 2027: releases before August 2026 have one server, with all tools.
 */
export const hasMcpServers =
  stock['mcp-actions'] !== undefined &&
  Number(
    locate('@backstage/plugin-mcp-actions-backend').version.split('.')[1],
  ) >= 2;

const [, minor, patch] = backstage.version.split('.').map(Number);

/** Whether Backstage refuses to call plugins for a token whose restrictions do not name them. */
export const isDelegationChecked = minor > 17 || (minor === 17 && patch >= 8);

// Goes in August 2027: releases before September 2026 keep the credentials of a request for all plugins.
export const keepsFirstCredentials = minor < 18;

const entity = (apiVersion: string, kind: string, name: string) => ({
  apiVersion,
  kind,
  metadata: { name },
});

/** Creates a template with one step. */
const template = (name: string, action: string, input: JsonObject) => ({
  ...entity('scaffolder.backstage.io/v1beta3', 'Template', name),
  spec: { owner: 'x', type: 'x', steps: [{ action, input }] },
});

const entities = [
  {
    ...entity('backstage.io/v1alpha1', 'Component', 'example'),
    spec: { type: 'service', lifecycle: 'production', owner: 'x' },
  },
  ...(stock.scaffolder
    ? [
        template('log', 'debug:log', { message: '${{ parameters.name }}' }),
        template('fetch', 'catalog:fetch', {
          entityRef: 'component:default/example',
        }),
      ]
    : []),
];

const every = (seconds: number) => ({
  initialDelay: { seconds: 0 },
  frequency: { seconds },
  timeout: { seconds },
});

/** Writes what the plugins of {@link startStockBackend} read: entities, and the documents of one. */
export async function writeStockFiles(folder: string): Promise<void> {
  const docs = path.join(folder, 'docs/default/component/example');
  await mkdir(docs, { recursive: true });
  await mkdir(path.join(folder, 'database'));
  await writeFile(path.join(docs, 'techdocs_metadata.json'), '{}');
  await writeFile(
    path.join(folder, 'entities.yaml'),
    entities.map(each => JSON.stringify(each)).join('\n---\n'),
  );
}

export const stockToken = (subject: string) => `${subject}-token-of-this-test`;

export interface StockBackend extends RunningBackend {
  /** Sends a request with the token of a subject. With a body, it is a `POST`. */
  send(
    subject: string,
    target: string,
    body?: JsonObject,
  ): Promise<{ status: number; body: any }>;
}

/**
 * Starts a backend with the gate and all of {@link stock}. A later one in the same folder has its databases.
 *
 * @param options.pluginSources - the plugins that mcp-actions and the scaffolder get actions from
 * @param options.tokens - the access restrictions of static tokens, by subject. `operator` has none
 * @param options.config - settings besides these
 */
export async function startStockBackend(
  folder: string,
  options: {
    pluginSources: string[];
    tokens: Record<string, JsonObject[] | undefined>;
    config?: JsonObject;
  },
): Promise<StockBackend> {
  const { pluginSources, tokens } = options;
  const file = path.join(folder, 'entities.yaml');
  const backend = await startBackend({
    features: Object.values(stock).flatMap(each => each ?? []),
    config: merge({}, options.config, {
      backend: {
        actions: { pluginSources },
        auth: {
          externalAccess: Object.entries(tokens).map(
            ([subject, restrictions = []]) =>
              staticToken(stockToken(subject), subject, ...restrictions),
          ),
        },
        database: {
          client: 'better-sqlite3',
          connection: { directory: path.join(folder, 'database') },
        },
      },
      catalog: {
        rules: [{ allow: ['Component', 'Template'] }],
        locations: [{ type: 'file', target: file }],
      },
      search: { collators: { catalog: { schedule: every(2) } } },
      techdocs: {
        builder: 'external',
        publisher: {
          type: 'local',
          local: { publishDirectory: path.join(folder, 'docs') },
        },
      },
    }),
  });
  const send: StockBackend['send'] = async (subject, target, body) => {
    const answer = await fetch(`${backend.url}/api${target}`, {
      method: body ? 'POST' : 'GET',
      headers: {
        Authorization: `Bearer ${stockToken(subject)}`,
        'Content-Type': 'application/json',
      },
      body: body && JSON.stringify(body),
    });
    return { status: answer.status, body: await answer.json() };
  };
  // The catalog takes a moment to process its locations.
  await until(async () => {
    const { body } = await send('operator', '/catalog/entities');
    return entities.every(({ metadata: { name } }) =>
      body.some((each: any) => each.metadata.name === name),
    );
  });
  return { ...backend, send };
}
