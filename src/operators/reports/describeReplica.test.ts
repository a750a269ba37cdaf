import {
  now,
  Revocation,
  RevocationList,
} from '../../gate/sessions/Revocation';
import { describeReplica } from './describeReplica';
import { RefusalCounts } from './RefusalCounts';
import { Refusals } from './Refusals';

function describeWith(
  revocations: RevocationList,
  backstage?: string,
  installed = 'hello',
) {
  return describeReplica({
    backstage,
    plugins: { isInstalled: id => id === installed },
    observer: {
      counts: new RefusalCounts({ info() {} }),
      refusals: new Refusals(),
    },
    revocations,
  });
}

describe('describeReplica', () => {
  it('has a backend without the auth plugin, and Backstage where its version is known', () => {
    const list = new RevocationList();
    const { replica } = describeWith(list, '0.19.0');
    expect(replica).toMatchObject({
      hasAuth: false,
      backstage: '0.19.0',
    });
    expect(describeWith(list, '0.19.0', 'auth').replica.hasAuth).toBe(true);
    const json = JSON.stringify(describeWith(list).replica);
    expect(JSON.parse(json)).not.toHaveProperty('backstage');
  });

  it('counts 100,000 sign-outs in no time', () => {
    const list = new RevocationList();
    const of = (i: number): Revocation => ({
      scope: 'session',
      sub: `user:default/u${i}`,
      iat: i,
      exp: 9e9,
    });
    list.add(Array.from({ length: 100_000 }, (_, i) => of(i)));
    list.add([{ ...of(now()), scope: 'user', sub: 'user:default/jane' }]);
    const startedAt = performance.now();
    const { revocations } = describeWith(list);
    expect(performance.now() - startedAt).toBeLessThan(50);
    expect(revocations).toEqual({ sessions: 100_001 });
  });
});
