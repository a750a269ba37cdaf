import '../../attacks/attacks.test';

// The twin of the attacked backend has `foreignAuthorization` as well.
jest.mock('../../__testUtils__/attackedSettings', () => ({
  attackedSettings: { credentialHeader: 'X-Backstage-Token' },
}));

// Another scheme than Bearer is somebody else's. Beside it the cookie counts, as foreignAuthorization.test.ts shows.
jest.mock('../../attacks/corpus/credentials', () => {
  const corpus = jest.requireActual('../../attacks/corpus/credentials');
  const isBearer = (lines: string) => /^Authorization: Bearer\b/.test(lines);
  return {
    ...corpus,
    ATTACKS: corpus.ATTACKS.flatMap((attack: any) => {
      if (attack.refused.reason !== 'unsupported-scheme') {
        return [attack];
      }
      const others = attack.headers.filter(
        (lines: string) => !isBearer(lines) && !lines.includes('Cookie'),
      );
      return [
        { ...attack, headers: attack.headers.filter(isBearer) },
        { ...attack, headers: others, refused: {} },
      ];
    }),
  };
});
