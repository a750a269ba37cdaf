import { Client } from '@modelcontextprotocol/sdk/client/index.js';
import { StreamableHTTPClientTransport } from '@modelcontextprotocol/sdk/client/streamableHttp.js';
import { stock, StockBackend, stockToken } from './stockBackend';
import { until } from './until';

// The scaffolder takes up to five seconds to begin a task.
const TASK_LIMIT_MS = 60_000;

/** Lists the tools of an MCP server with the SDK's client, and calls one of them. Rejects if the server refuses the client. */
export async function connectClient(
  { url }: StockBackend,
  subject: string,
  path: string,
) {
  const client = new Client({ name: 'test', version: '1' });
  try {
    await client.connect(
      new StreamableHTTPClientTransport(
        new URL(`${url}/api/mcp-actions${path}`),
        {
          requestInit: {
            headers: { Authorization: `Bearer ${stockToken(subject)}` },
          },
        },
      ),
    );
    const { tools } = await client.listTools();
    const tool = tools.find(({ name }) => name.includes('get-catalog-entity'));
    const answer =
      tool &&
      (await client.callTool({
        name: tool.name,
        arguments: { kind: 'Component', namespace: 'default', name: 'example' },
      }));
    const [outcome] =
      JSON.stringify(answer ?? 'no tools').match(/production|no tools/) ?? [];
    return { tools, outcome };
  } finally {
    await client.close();
  }
}

async function useTools(backend: StockBackend) {
  return (await connectClient(backend, 'mcp', '/v1')).outcome;
}

/** Runs a task until it has ended. */
async function runTask({ send }: StockBackend, subject: string, name: string) {
  const { status, body } = await send(subject, '/scaffolder/v2/tasks', {
    templateRef: `template:default/${name}`,
    values: { name: 'example' },
  });
  if (status !== 201) {
    return status;
  }
  let end: unknown;
  await until(async () => {
    const task = await send(subject, `/scaffolder/v2/tasks/${body.id}`);
    end = task.body.status;
    return end === 'completed' || end === 'failed';
  }, TASK_LIMIT_MS);
  return end;
}

async function readDocs({ send }: StockBackend) {
  const page = '/techdocs/metadata/techdocs/default/component/example';
  return (await send('reader', page)).status;
}

/** Searches until the index has the entity, for the token's first answer may come before it. */
async function search({ send }: StockBackend) {
  await until(async () => {
    const { body } = await send('operator', '/search/query?term=example');
    return body.results?.length > 0;
  });
  return (await send('searcher', '/search/query?term=example')).status;
}

/** A request that the tests make with the token of a subject. */
export interface TokenUse {
  run: (backend: StockBackend) => Promise<unknown>;
  worked: unknown;
  /** The result if the restrictions name only the plugin that is called. */
  calledOnly: unknown;
  plugin: keyof typeof stock;
  /** The plugins that its restrictions have to name: those that it calls, and those that handlers call for it. */
  needed?: string[];
}

/** Uses of tokens by subject, at plugins that answer at once. */
export const ofServers: Record<string, TokenUse> = {
  mcp: {
    run: useTools,
    worked: 'production',
    calledOnly: 'no tools',
    plugin: 'mcp-actions',
    needed: ['catalog', 'mcp-actions'],
  },
  searcher: {
    run: search,
    worked: 200,
    calledOnly: 200,
    plugin: 'search',
    needed: ['search'],
  },
  reader: {
    run: readDocs,
    worked: 200,
    calledOnly: 403,
    plugin: 'techdocs',
    needed: ['catalog', 'techdocs'],
  },
};

/** Uses of tokens by subject, for tasks of the scaffolder. */
export const ofTasks: Record<string, TokenUse> = {
  logger: {
    run: backend => runTask(backend, 'logger', 'log'),
    worked: 'completed',
    calledOnly: 403,
    plugin: 'scaffolder',
    needed: ['catalog', 'scaffolder'],
  },
  fetcher: {
    run: backend => runTask(backend, 'fetcher', 'fetch'),
    worked: 'completed',
    calledOnly: 403,
    plugin: 'scaffolder',
  },
};
