import { OwnIssuer } from './OwnIssuer';

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

  it('asks discovery once a second', async () => {
    const { ownIssuer, asked, answerWith } = create();
    expect(await ownIssuer.get()).toBe('https://a/api/auth');
    answerWith(async () => 'https://b/api/auth');
    jest.advanceTimersByTime(999);
    expect(ownIssuer.get()).toBe('https://a/api/auth');
    jest.advanceTimersByTime(1);
    expect(ownIssuer.get()).toBeInstanceOf(Promise);
    expect(await ownIssuer.get()).toBe('https://b/api/auth');
    expect(asked()).toBe(3);
  });

  it('remembers no failure', async () => {
    const { ownIssuer, answerWith } = create();
    answerWith(() => Promise.reject(new Error('gone')));
    await expect(ownIssuer.get()).rejects.toThrow('gone');
    answerWith(async () => 'https://b/api/auth');
    expect(await ownIssuer.get()).toBe('https://b/api/auth');
  });
});
