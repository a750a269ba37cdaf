import type { IncomingMessage, ServerResponse } from 'node:http';
import { text } from 'node:stream/consumers';
import { serve } from '../../__tests__/__testUtils__/serve';
import {
  TestDatabase,
  testDatabases,
} from '../../__tests__/__testUtils__/testDatabases';
import { createUserLookup } from './createUserLookup';

describe.each(testDatabases)('createUserLookup on %s', (_, create) => {
  let database: TestDatabase;
  let catalog: Awaited<ReturnType<typeof serve>>;
  let asked: string[];
  let status: number;
  let items: object[];

  beforeEach(async () => {
    asked = [];
    status = 200;
    items = [];
    database = await create();
    catalog = await serve(async (req: IncomingMessage, res: ServerResponse) => {
      asked.push(`${req.method} ${req.url} ${await text(req)}`);
      res.statusCode = status;
      res.end(status === 200 ? JSON.stringify({ items }) : 'no JSON');
    });
  });
  afterEach(async () => {
    await catalog.stop();
    await database.remove();
  });

  /** Creates the table of the `auth` plugin, with these users. */
  async function fill(...users: string[]) {
    await database.knex.schema.createTable('user_info', table => {
      table.string('user_entity_ref').primary();
    });
    for (const user_entity_ref of users) {
      await database.knex('user_info').insert({ user_entity_ref });
    }
  }

  const lookUp = async (user: string) =>
    createUserLookup({
      auth: {
        getOwnServiceCredentials: async () => ({}),
        getPluginRequestToken: async () => ({ token: 'x' }),
      } as never,
      database: await database.openGate(),
      discovery: {
        getBaseUrl: async (id: string) =>
          `http://localhost:${catalog.port}/${id}`,
      } as never,
    })(user);

  it.each<[string, boolean | undefined, number, (object | null)[]]>([
    ['user:default/jane', true, 200, [null]],
    // Backstage's releases differ in how they spell a subject.
    ['user:default/other', true, 200, [null]],
    ['user:default/absent', true, 200, [{ kind: 'User' }]],
    ['user:default/absent', false, 200, [null]],
    ['user:default/absent', false, 404, []],
    ['user:default/absent', false, 400, []],
    ['user:default/jane', true, 500, []],
    ['user:default/absent', undefined, 500, []],
  ])(
    '%s is known: %s, where the catalog answers %i %j',
    async (user, known, answer, found) => {
      await fill('user:default/jane', 'User:default/Other');
      status = answer;
      items = found as object[];
      expect(await lookUp(user)).toBe(known);
    },
  );

  it('does not know whether the auth plugin has issued a token where its table is missing', async () => {
    expect(await lookUp('user:default/jane')).toBeUndefined();
    items = [{ kind: 'User' }];
    expect(await lookUp('user:default/jane')).toBe(true);
  });

  it('asks the catalog for the user alone, whatever the name', async () => {
    await fill();
    const user = 'user:../a?b=c#%2f"ä';
    expect(await lookUp(user)).toBe(false);
    const body = JSON.stringify({ entityRefs: [user], fields: ['kind'] });
    expect(asked).toEqual([`POST /catalog/entities/by-refs ${body}`]);
  });
});

it('does not wait longer than five seconds for the database', async () => {
  jest.useFakeTimers();
  const known = createUserLookup({
    auth: { getOwnServiceCredentials: () => Promise.reject(new Error()) },
    database: { run: () => new Promise(() => {}) },
    discovery: {},
  } as never)('user:default/jane');
  await jest.advanceTimersByTimeAsync(5_000);
  expect(await known).toBeUndefined();
  jest.useRealTimers();
});
