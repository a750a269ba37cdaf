import '../attacks/attacks.test';

// With all settings that are off by default. The twin of the attacked backend has `foreignAuthorization` as well.
jest.mock('../__testUtils__/attackedSettings', () => {
  const token = (subject: string, restriction: object = {}) => ({
    type: 'static',
    options: { token: `token-of-${subject}`, subject },
    accessRestrictions: [{ plugin: 'hello', ...restriction }],
  });
  return {
    attackedSettings: {
      apiGate: {
        credentialHeader: 'X-Backstage-Token',
        tokens: [
          { subject: 'narrow', only: [{ plugin: 'hello', path: '/narrow' }] },
        ],
      },
      backend: {
        auth: { externalAccess: [token('narrow')] },
      },
    },
  };
});

// Another scheme than Bearer is somebody else's. Beside it the cookie counts, as foreignAuthorization.test.ts shows.
jest.mock('../attacks/corpus/credentials', () => {
  const corpus = jest.requireActual('../attacks/corpus/credentials');
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
        { ...attack, headers: others, rows: 'J6', refused: {} },
      ];
    }),
  };
});
