// The rooms of `src`, from the lowest to the highest: a file may import from its own room and from those before it.
const ROOMS = [
  ['util'],
  ['http'],
  ['revocation'],
  ['config'],
  ['decision'],
  ['policy'],
  ['credentials'],
  ['plugins'],
  ['cookie'],
  ['usage'],
  ['findings'],
  ['observability'],
  ['routes'],
  ['gate'],
  ['services', 'legacy', 'cli'],
];

const zones = ROOMS.flatMap((rooms, level) =>
  rooms.map(room => ({
    target: `./src/${room}`,
    from: ROOMS.slice(level)
      .flat()
      .filter(other => other !== room)
      .map(other => `./src/${other}`),
    message: `Imports between the rooms of src run one way: ${room} is below (see .eslintrc.js).`,
  })),
);

// That no plugin sees the gate's cookie holds as long as one function changes the headers of a request that goes on.
zones.push({
  target: './src/gate/!(forward).ts',
  from: './src/http/requestHeaders.ts',
  message: 'Only src/gate/forward.ts changes the headers of a request.',
});

module.exports = require('@backstage/cli/config/eslint-factory')(__dirname, {
  // The packages of `integration/legacy` are its own, and are installed there.
  ignorePatterns: ['bench/{build,old}/**', 'integration/legacy/**'],
  rules: {
    'jest/expect-expect': [
      'error',
      { assertFunctionNames: ['expect*', 'until', '**.expect'] },
    ],
  },
  overrides: [
    {
      files: ['src/**/*.ts'],
      excludedFiles: ['**/*.test.ts'],
      settings: { 'import/resolver': { node: { extensions: ['.ts'] } } },
      rules: { 'import/no-restricted-paths': ['error', { zones }] },
    },
    // Someone reads each of these files, from the top to the bottom.
    {
      files: ['src/**/*.ts'],
      excludedFiles: ['**/*.test.ts', 'src/__testUtils__/**', 'src/attacks/**'],
      rules: {
        'max-lines': ['error', 250],
        'max-lines-per-function': ['error', 60],
      },
    },
    // This file runs the tests of the files beside it.
    { files: ['src/attacks/**'], rules: { 'no-restricted-imports': 'off' } },
    // The expectation depends on the input, and a property has every input.
    {
      files: ['src/properties/**'],
      rules: { 'jest/no-conditional-expect': 'off' },
    },
  ],
});
