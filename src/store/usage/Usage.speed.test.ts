import { times } from 'lodash';
import { testDatabases } from '../../__tests__/__testUtils__/testDatabases';
import { Usage } from './Usage';

const TABLE = 'api_gate_usage';

const allow = times(1_000, i => ({
  plugin: 'hello',
  path: `/of/the/rule/${i}`,
  methods: ['GET'],
}));
const externalTokens = times(200, i => ({
  subject: `external:service-${i}`,
  isRestricted: false,
}));

/** Creates a replica that has used each rule, and each token for 50 paths. */
function createReplica(): Usage {
  const replica = new Usage({
    logger: { info: () => {}, warn: () => {} } as never,
    source: {
      current: { config: { allow, usage: true }, isEnforced: true },
    } as never,
    externalTokens,
  });
  allow.forEach(rule => replica.ruleUsed(rule, 'GET', true));
  for (const { subject } of externalTokens) {
    replica.tokenUsed(subject, 'hello');
    replica.tokenUsed(subject, 'hello', 'delegation');
    times(50, i =>
      replica.tokenCalled({
        ...{ subject, plugin: 'hello', method: 'GET' },
        path: `/some/path/of/the/call/${i}`,
      }),
    );
  }
  return replica;
}

/** Returns the milliseconds that this process computes. SQLite is part of it, and other processes of the machine are not. */
async function timeOf(run: () => Promise<unknown>): Promise<number> {
  const begin = process.cpuUsage();
  await run();
  const { system, user } = process.cpuUsage(begin);
  return (system + user) / 1000;
}

it.each(testDatabases)(
  '[P104] the record of 1,000 rules and 200 tokens with 50 paths each on 31 days has 500,000 rows at most, and an exchange takes less than a quarter of a second: %s',
  async (_, create) => {
    const database = await create();
    const { knex } = database;
    const replicas = [createReplica(), createReplica()];
    for (const replica of replicas) {
      await replica.follow(await database.openGate());
      await replica.sync();
    }
    const columns = Object.keys(await knex(TABLE).columnInfo());
    const { day: today } = replicas[0];
    const others = columns.filter(column => column !== 'day').join(', ');
    for (let day = today - 30; day < today; day += 1) {
      await knex.raw(
        `insert into ${TABLE} (day, ${others}) select ${day}, ${others} from ${TABLE} where day = ${today}`,
      );
    }
    const [{ rows }] = await knex(TABLE).count({ rows: '*' });
    expect(Number(rows)).toBeGreaterThan(31 * 11_000);
    expect(Number(rows)).toBeLessThan(500_000);
    const added = createReplica();
    replicas.push(added);
    await added.follow(await database.openGate());
    await added.sync();
    // Other work of the machine makes a time longer, never shorter.
    let best = Infinity;
    for (let i = 0; i < 20 && best >= 250; i += 1) {
      best = Math.min(best, await timeOf(() => added.sync()));
    }
    expect(best).toBeLessThan(250);
    expect(added.isComplete).toBe(true);
    const uses = [...added.read().values()];
    expect(uses.filter(({ days }) => days === 30)).toHaveLength(12_000);
    await Promise.all(replicas.map(replica => replica.stop()));
    await database.remove();
  },
  300_000,
);
