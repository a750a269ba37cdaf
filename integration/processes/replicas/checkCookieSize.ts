import { randomBytes } from 'node:crypto';
import { MAX_TOKEN_BYTES } from '../../../src/gate/cookie/GateCookie';
import { gateCookieOf, send, until } from '../../http';
import { expectEqual, Report } from '../../Report';
import type { World } from './World';

/** Returns a new user's token of this many bytes, or of one or two less, since base64url has no text of every length. */
async function tokenOfSize({ sign }: World, size: number): Promise<string> {
  const claims = { sub: `user:default/${randomBytes(4).toString('hex')}` };
  const bare = await sign({ ...claims, ent: [''] });
  let token = bare;
  let length = Math.floor(((size - bare.length) * 3) / 4) - 3;
  for (;;) {
    const longer = await sign({ ...claims, ent: ['x'.repeat(++length)] });
    if (longer.length > size) {
      return token;
    }
    token = longer;
  }
}

/** Returns the size of the largest token whose cookie nginx passes from the gate to the browser. */
async function largestThatPasses(world: World, port: number): Promise<number> {
  let [passes, fails] = [700, MAX_TOKEN_BYTES + 1];
  let largest = 0;
  while (fails - passes > 1) {
    const size = Math.floor((passes + fails) / 2);
    const bearer = await tokenOfSize(world, size);
    // Nginx passes headers that fill the buffer to the byte, and cuts off the body: no answer at all here.
    const answer = await send(port, { bearer }).catch(() => undefined);
    if (answer?.status === 200) {
      expectEqual('sets the cookie', answer.setCookies.length > 0, true);
      passes = size;
      largest = bearer.length;
    } else {
      expectEqual('the answer of nginx', answer?.status ?? 502, 502);
      fails = size;
    }
  }
  return largest;
}

export async function checkCookieSize(report: Report, world: World) {
  const { a, nginx } = world;
  const largest = await tokenOfSize(world, MAX_TOKEN_BYTES);

  await report.check(
    'nginx at its defaults passes a request with the largest token as bearer and as cookie',
    async () => {
      const direct = await send(a.port, { bearer: largest });
      const cookie = gateCookieOf(direct);
      // Another replica would set its cookie anew.
      const { status } = await send(nginx.single, { bearer: largest, cookie });
      expectEqual('both', status, 200);
      expectEqual(
        'the cookie alone',
        (await send(nginx.main, { cookie })).status,
        200,
      );
      return `${largest.length} bytes of at most ${MAX_TOKEN_BYTES}, in ${cookie.split('; ').length} cookies; Authorization and Cookie have ${2 * largest.length + 40} bytes`;
    },
  );

  await report.check(
    'nginx with proxy_buffer_size 16k passes the answer that sets the largest cookie, also in place of another one',
    async () => {
      const fresh = await send(nginx.buffer16k, { bearer: largest });
      expectEqual('without a cookie before', fresh.status, 200);
      const another = await tokenOfSize(world, MAX_TOKEN_BYTES);
      const replaced = await send(nginx.buffer16k, {
        bearer: another,
        cookie: gateCookieOf(fresh),
      });
      expectEqual('in place of another', replaced.status, 200);
      expectEqual(
        'the cookie that was set',
        (await send(nginx.main, { cookie: gateCookieOf(replaced) })).status,
        200,
      );
      const at8k = [
        await send(nginx.buffer8k, { bearer: largest }),
        await send(nginx.buffer8k, {
          bearer: await tokenOfSize(world, MAX_TOKEN_BYTES),
          cookie: gateCookieOf(fresh),
        }),
      ].map(({ status }) => status);
      return `headers of ${fresh.headerBytes} and ${replaced.headerBytes} bytes; with 8k the answers are ${at8k.join(' and ')}`;
    },
  );

  await report.check(
    'nginx at its defaults: the largest token whose cookie can be set',
    async () => {
      const size = await largestThatPasses(world, nginx.single);
      // The gate issues no cookie beyond its own limit, so nginx has nothing to reject.
      const beyond = await send(nginx.single, {
        bearer: await tokenOfSize(world, MAX_TOKEN_BYTES + 4),
      });
      expectEqual('a token that gets no cookie', beyond.status, 200);
      expectEqual('its cookies', beyond.setCookies, []);
      if (size === largest.length) {
        return `${size} bytes, which is the gate's own limit: this nginx has larger buffers`;
      }
      return `${size} bytes; from there to ${MAX_TOKEN_BYTES} it is 502 ("upstream sent too big header"), and 200 without a cookie beyond`;
    },
  );

  await report.check(
    'nginx at its defaults, after two answers with such a cookie: what everybody else gets',
    async () => {
      const bystander = await world.sign({ sub: 'user:default/bystander' });
      const cookie = `token=${bystander}`;
      const before = await send(nginx.outage, { cookie });
      expectEqual('before', before.status, 200);
      for (let i = 0; i < 2; i += 1) {
        await send(nginx.outage, { bearer: largest });
      }
      const seen = new Map<number, number>();
      const tookMs = await until('others get in', 20_000, async () => {
        const { status } = await send(nginx.outage, { cookie });
        seen.set(status, (seen.get(status) ?? 0) + 1);
        return status === 200;
      });
      return `${[...seen].map(([status, n]) => `${status} × ${n}`).join(', ')}; let in after ${Math.round(tookMs)} ms`;
    },
  );
}
