import { readFileSync } from 'node:fs';
import path from 'node:path';
import type { JsonObject } from '@backstage/types';
import { parse } from 'yaml';
import { recordDeclared } from '../__testUtils__/expectScanned';
import {
  hasMcpServers,
  isDelegationChecked,
  StockBackend,
  startStockBackend,
  stock,
  stockPackages,
  writeStockFiles,
} from '../__testUtils__/stockBackend';
import { temporaryFolder } from '../__testUtils__/temporaryFolder';
import {
  connectClient,
  ofServers,
  ofTasks,
  TokenUse,
} from '../__testUtils__/stockTokenUses';

jest.setTimeout(120_000);

let backend: StockBackend | undefined;
const expectScanned = recordDeclared();

/** Defines the tests of a group of tokens, as far as the plugins that they are used at are installed. */
function describeTokens(
  name: string,
  uses: Record<string, TokenUse>,
  pluginSources: string[],
) {
  const subjects = Object.keys(uses).filter(
    subject => stock.catalog && stock[uses[subject].plugin],
  );
  const describeIfAny = subjects.length > 0 ? describe : describe.skip;
  describeIfAny(`external tokens that are used at ${name}`, () =>
    testTokens(uses, subjects, pluginSources),
  );
}

// With `pluginSources`, each task would ask these plugins for their actions.
describeTokens('mcp-actions, search and techdocs', ofServers, ['catalog']);
describeTokens('scaffolder', ofTasks, []);

function testTokens(
  uses: Record<string, TokenUse>,
  subjects: string[],
  pluginSources: string[],
) {
  const folder = temporaryFolder();

  /** Starts the backend anew, with the access restrictions of some tokens. */
  async function start(
    restrictions: Record<string, JsonObject[]> = {},
    config?: JsonObject,
  ) {
    await backend?.stop();
    const open = [...subjects, 'operator'].map(subject => [subject, undefined]);
    backend = await startStockBackend(folder, {
      pluginSources,
      tokens: {
        ...Object.fromEntries(open),
        ...restrictions,
      },
      config,
    });
  }

  /** Uses each token, and returns the outcomes. */
  async function useAll() {
    const outcomes: Record<string, unknown> = {};
    for (const subject of subjects) {
      outcomes[subject] = await uses[subject].run(backend!);
    }
    return outcomes;
  }
  const expected = <K extends keyof TokenUse>(key: K) =>
    Object.fromEntries(subjects.map(subject => [subject, uses[subject][key]]));

  beforeAll(async () => {
    await writeStockFiles(folder);
    await start();
    expect(await useAll()).toEqual(expected('worked'));
  });
  afterAll(async () => {
    await backend?.stop();
    backend = undefined;
  });

  it('[P120] are used at plugins whose policies the report of their packages names', async () => {
    const declared = await expectScanned(
      '@backstage/plugin-auth-backend',
      ...stockPackages,
    );
    expect(declared.map(each => each.plugin + each.path)).toEqual(
      expect.arrayContaining(['auth/', 'techdocs/static']),
    );
  });

  it('[P58] work as before with restrictions that name what they and handlers for them call', async () => {
    const restrictions: Record<string, JsonObject[]> = {};
    for (const subject of subjects) {
      const { needed } = uses[subject];
      if (needed) {
        restrictions[subject] = needed.map(plugin => ({ plugin }));
      }
    }
    await start(restrictions);
    expect(await useAll()).toEqual(expected('worked'));
  });

  it('[P58] need more than the plugins that they call, since backend-defaults 0.17.8', async () => {
    await start(
      Object.fromEntries(
        subjects.map(subject => [subject, [{ plugin: uses[subject].plugin }]]),
      ),
    );
    expect(await useAll()).toEqual(
      expected(isDelegationChecked ? 'calledOnly' : 'worked'),
    );
  });

  const describeMcp =
    uses.mcp && stock['mcp-actions'] ? describe : describe.skip;
  describeMcp('the token of the recipe for MCP clients', () => {
    it('[P58] lists and calls tools', async () => {
      await start({ mcp: readRecipe('mcp-clients').accessRestrictions });
      expect(await uses.mcp.run(backend!)).toBe('production');
    });
  });

  describeMcp('the token of the recipe for a read-only MCP client', () => {
    const subject = 'mcp-readonly';
    const server = hasMcpServers ? '/v1/readonly' : '/v1';
    const { accessRestrictions, apiGate, mcpActions } = readRecipe(subject);
    const startWith = (mcpPath: string) =>
      start(
        { [subject]: accessRestrictions },
        {
          mcpActions,
          auth: { apiGate: withPath(apiGate, mcpPath) },
        },
      );
    const messageOf = ({ status, body }: { status: number; body: any }) => [
      status,
      body.error.message,
    ];
    const restricted = [403, 'The token is restricted to other requests'];

    it('[P82] lists and calls the tools of its server, and may do nothing else', async () => {
      await startWith(server);
      const { tools, outcome } = await connectClient(backend!, subject, server);
      expect(outcome).toBe('production');
      const changing = tools.filter(
        ({ annotations }) => annotations?.readOnlyHint !== true,
      );
      expect(changing.length > 0).toBe(!hasMcpServers);
      // A client asks for a stream, and goes on after this answer of Backstage.
      const stream = `/mcp-actions${server}`;
      expect((await backend!.send(subject, stream)).status).toBe(405);
      const send = (target: string) => backend!.send(subject, target, {});
      for (const target of [
        '/catalog/entities/by-refs',
        '/catalog/locations',
        ...(hasMcpServers ? ['/mcp-actions/v1'] : []),
        '/mcp-actions/v1/other',
      ]) {
        expect(messageOf(await send(target))).toEqual(restricted);
      }
      expect(
        messageOf(await backend!.send(subject, '/catalog/entities')),
      ).toEqual(restricted);
    });

    it('[P82] is refused with a rule for what is below its server', async () => {
      await startWith(`${server}/**`);
      await expect(connectClient(backend!, subject, server)).rejects.toThrow(
        /restricted to other requests/,
      );
    });
  });

  const describeTasks = uses.fetcher ? describe : describe.skip;
  describeTasks('a token that starts a task with calls', () => {
    it('[P58] works with no restrictions, since backend-defaults 0.17.8', async () => {
      await start({
        fetcher: [{ plugin: 'scaffolder' }, { plugin: 'catalog' }],
      });
      expect(await uses.fetcher.run(backend!)).toBe(
        isDelegationChecked ? 'failed' : 'completed',
      );
    });
  });
}

/** Returns the settings of an entry of `auth.apiGate.tokens` with another path of the MCP server. */
function withPath({ tokens: [token] }: any, mcpPath: string): JsonObject {
  const only = [{ ...token.only[0], path: mcpPath }];
  return {
    tokens: [
      { ...token, only },
      { subject: 'operator', only: 'all' },
    ],
  };
}

/** Reads the block of the recipe for the token of a subject. */
function readRecipe(subject: string) {
  const file = path.resolve(__dirname, '../../../docs/recipes/clients.md');
  const [, block] = readFileSync(file, 'utf8')
    .split('```')
    .filter(text => text.includes(`subject: ${subject} }`))[0]
    .split(/^yaml\n/);
  const { auth, backend: settings, mcpActions } = parse(block);
  const [{ accessRestrictions }] = settings.auth.externalAccess;
  return { accessRestrictions, apiGate: auth?.apiGate, mcpActions };
}
