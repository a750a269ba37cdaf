import { OwnIssuer } from './OwnIssuer';
import type { DecodedToken } from '../read/token';

function create() {
  let answer = async (id: string) => `https://a/api/${id}`;
  let asked = 0;
  const ownIssuer = new OwnIssuer({
    anyRegistered: () =>
      ({
        discovery: {
          getExternalBaseUrl: (id: string) => {
            asked += 1;
            return answer(id);
          },
        },
      }) as never,
  });
  return {
    ownIssuer,
    asked: () => asked,
    answerWith(next: typeof answer) {
      answer = next;
    },
  };
}

describe('OwnIssuer', () => {
  beforeEach(() => {
    jest.useFakeTimers();
  });
  afterEach(() => {
    jest.useRealTimers();
  });

  const by = (iss?: string) => ({ typ: 'vnd.backstage.user', iss });

  it('asks discovery once a second', async () => {
    const { ownIssuer, asked, answerWith } = create();
    const a = by('https://a/api/auth');
    const b = by('https://b/api/auth');
    const trusts = () => [a, b].map(of => ownIssuer.trusts(of));
    expect(await ownIssuer.trusts(a)).toBe(true);
    answerWith(async id => `https://b/api/${id}`);
    jest.advanceTimersByTime(999);
    // Without a promise, so that a request need not wait.
    expect(trusts()).toEqual([true, false]);
    expect(asked()).toBe(1);
    jest.advanceTimersByTime(1);
    expect(await ownIssuer.trusts(b)).toBe(true);
    expect(trusts()).toEqual([false, true]);
    expect(asked()).toBe(2);
  });

  it.each<[string, DecodedToken | undefined, boolean]>([
    ['no user', undefined, true],
    ['a limited token', { ...by(), typ: 'vnd.backstage.limited-user' }, true],
    ['no issuer', by(), false],
  ])('decides about %s without discovery', (_, token, trusts) => {
    const { ownIssuer, asked } = create();
    expect(ownIssuer.trusts(token)).toBe(trusts);
    expect(asked()).toBe(0);
  });

  it('trusts no issuer that is a part of its own', async () => {
    const { ownIssuer } = create();
    expect(await ownIssuer.trusts(by('https://a'))).toBe(false);
    expect(await ownIssuer.trusts(by('https://a/api/auth/'))).toBe(false);
  });

  it('remembers no failure', async () => {
    const { ownIssuer, answerWith } = create();
    const token = by('https://b/api/auth');
    answerWith(() => Promise.reject(new Error('gone')));
    await expect(ownIssuer.trusts(token)).rejects.toThrow('gone');
    answerWith(async id => `https://b/api/${id}`);
    expect(await ownIssuer.trusts(token)).toBe(true);
  });
});
