// The rooms of `src`, from the lowest to the highest: a file may import from its own room and from those before it.
const ROOMS = [
  ['util'],
  ['http'],
  ['revocation'],
  ['config'],
  ['policy'],
  ['decision'],
  ['credentials'],
  ['plugins'],
  ['cookie'],
  // The core ends here. It decides about requests, and imports nothing of the rooms above it, types included.
  ['gate'],
  ['usage'],
  ['findings'],
  ['observability'],
  ['page'],
  ['routes'],
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

// That no plugin sees the gate's cookie holds as long as one function changes the headers of a request that goes on
// (`readCredential` compares their names only).
zones.push({
  target: './src/!(http)/!(forward|readCredential).ts',
  from: './src/gate/carryOut/requestHeaders.ts',
  message:
    'Only src/gate/carryOut/forward.ts changes the headers of a request.',
});

// What a browser may do with an answer holds as long as one file sets the headers of answers, in one order.
const SETS_ANSWER_HEADERS = [
  "CallExpression[callee.property.name=/^(setHeaders?|appendHeader|removeHeader|append|vary|cookie|clearCookie)$/][callee.object.name='res']",
  "ImportDeclaration[source.value='on-headers']",
];

module.exports = require('@backstage/cli/config/eslint-factory')(__dirname, {
  restrictedSrcSyntax: SETS_ANSWER_HEADERS.map(selector => ({
    selector,
    message: 'Only src/gate/carryOut/answer.ts sets the headers of an answer.',
  })),
  // The packages of `faster`, `legacy`, `recipes` and the backend of `dynamic` are their own, and are installed there. `delegation` has copies
  // of `src`.
  ignorePatterns: [
    'bench/build/**',
    'bench/old/**',
    'integration/packages/delegation/**',
    'integration/packages/dynamic/backend/**',
    'integration/packages/dynamic/export/**',
    'integration/packages/faster/**',
    'integration/packages/legacy/**',
    'integration/packages/recipes/**',
  ],
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
    {
      files: [
        // The answers of the gate's own routes are no answers of a handler behind the gate.
        'src/operators/routes/**',
        'src/gate/carryOut/answer.ts',
      ],
      rules: { 'no-restricted-syntax': 'off' },
    },
    // Someone reads each of these files, from the top to the bottom.
    {
      files: ['src/**/*.ts'],
      excludedFiles: [
        '**/*.test.ts',
        'src/__tests__/__testUtils__/**',
        'src/__tests__/attacks/**',
      ],
      rules: {
        'max-lines': ['error', 250],
        'max-lines-per-function': ['error', 60],
      },
    },
    // This file runs the tests of the files beside it.
    {
      files: ['src/__tests__/attacks/**'],
      rules: { 'no-restricted-imports': 'off' },
    },
    // The expectation depends on the input, and a property has every input.
    {
      files: ['src/__tests__/properties/**'],
      rules: { 'jest/no-conditional-expect': 'off' },
    },
  ],
});
