// The rooms of `src`, from the lowest to the highest. A file may import from its own room and from those before it; the first one is the
// core, which decides about requests and imports nothing of the others, types included.
const ROOMS = ['gate', 'settings', 'store', 'operators', 'backstage', 'cli'];

const zones = ROOMS.map((room, level) => ({
  target: `./src/${room}`,
  from: './src',
  except: ROOMS.slice(0, level + 1).map(each => `./${each}`),
  message: `Imports between the rooms of src run one way: ${room} may not import from here (see .eslintrc.js).`,
}));

// The packages that the core uses.
const PACKAGES_OF_GATE = [
  '@backstage/backend-plugin-api',
  '@backstage/errors',
  '@backstage/plugin-auth-node',
  '@backstage/types',
  'cookie',
  'express',
  'jose',
  'lodash',
  'lru-cache',
  'on-headers',
  'path-to-regexp',
];

const OTHER_PACKAGE_IN_GATE = {
  selector: `:matches(ImportDeclaration, ExportNamedDeclaration, ExportAllDeclaration, ImportExpression)[source.value=/^(?!\\.|node:|(${PACKAGES_OF_GATE.join('|').replaceAll('/', '\\x2F')})$)/]`,
  message: 'The core uses few packages: .eslintrc.js has their names.',
};

// No plugin sees the gate's cookie, since one file changes the headers of a request that goes on. Allowed elsewhere is `this.headers = …`: a
// `Refusal` keeps the headers of its answer there.
const NAMES = '/^(headers|headersDistinct|rawHeaders)$/';
const HEADERS = `:matches(Identifier[name=${NAMES}], Literal[value=${NAMES}])`;
const CHANGES_REQUEST_HEADERS = [
  'Identifier[name=/^(setRequestHeader|removeCookies)$/]',
  `AssignmentExpression[left.object.type!='ThisExpression'] > MemberExpression.left ${HEADERS}`,
  `UnaryExpression[operator='delete'] ${HEADERS}`,
  `CallExpression[callee.property.name=/^(push|pop|shift|unshift|splice)$/] > .callee ${HEADERS}`,
  `CallExpression[callee.object.name=/^(Object|Reflect)$/][callee.property.name=/^(assign|define.+|deleteProperty|set)$/] ${HEADERS}`,
].map(selector => ({
  selector,
  message:
    'Only src/gate/carryOut/forward.ts changes the headers of a request.',
}));

// What a browser may do with an answer holds as long as one file sets the headers of answers, in one order.
const SETS_ANSWER_HEADERS = [
  "CallExpression[callee.property.name=/^(setHeaders?|appendHeader|removeHeader|append|vary|cookie|clearCookie)$/][callee.object.name='res']",
  "ImportDeclaration[source.value='on-headers']",
].map(selector => ({
  selector,
  message: 'Only src/gate/carryOut/answer.ts sets the headers of an answer.',
}));

// Backstage's STYLE.md.
const CALLS_FOR_EACH = {
  selector: "CallExpression[callee.property.name='forEach']",
  message: 'Write a loop with for…of.',
};
const IS_NO_REEXPORT = {
  selector:
    'Program > :not(ExportNamedDeclaration[source], ExportAllDeclaration, ImportDeclaration[specifiers.length=0])',
  message: 'An index.ts only re-exports.',
};

const WRITES_HEAD = {
  selector:
    "CallExpression[callee.property.name='writeHead'][callee.object.name='res']",
  message:
    'Only src/gate/carryOut/answer.ts, and what answers an error, writes the head of an answer.',
};

// What each file may not have, except those that an override below names.
const RESTRICTED = [CALLS_FOR_EACH, ...CHANGES_REQUEST_HEADERS];
const RESTRICTED_BEHIND_GATE = [...RESTRICTED, ...SETS_ANSWER_HEADERS];
const RESTRICTED_IN_GATE = [
  ...RESTRICTED_BEHIND_GATE,
  OTHER_PACKAGE_IN_GATE,
  WRITES_HEAD,
];

// What is read in a request, and judged of it, depends on nothing else: these rooms wait for nothing, and have no clock.
const IS_PURE = [
  ':matches(AwaitExpression, [async=true], Identifier[name=Promise])',
  'MemberExpression[object.name=/^(Date|performance)$/]',
  "NewExpression[callee.name='Date']",
  "ImportDeclaration[importKind!='type'][source.value=/^(node:http|express|@backstage\\u002Fbackend-plugin-api)$|\\u002F(verify|carryOut|cookie|sessions|upgrades|plugins)\\u002F|GateServices$/]",
].map(selector => ({
  selector,
  message:
    'src/gate/read and src/gate/judge are functions of the request: they use no service, no clock and no promise.',
}));

module.exports = require('@backstage/cli/config/eslint-factory')(__dirname, {
  restrictedSrcSyntax: [...RESTRICTED_BEHIND_GATE, WRITES_HEAD],
  // The packages of `classes`, `legacy`, `recipes` and the backend of `dynamic` are their own, and are installed there. `delegation`
  // has copies of `src`.
  ignorePatterns: [
    'bench/build/**',
    'bench/old/**',
    'integration/browsers/engines/classes/**',
    'integration/packages/delegation/**',
    'integration/packages/dynamic/backend/**',
    'integration/packages/dynamic/export/**',
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
    // The answers of the gate's own routes are no answers of a handler behind the gate.
    {
      files: ['src/operators/routes/**'],
      excludedFiles: ['**/*.test.ts'],
      rules: { 'no-restricted-syntax': ['error', ...RESTRICTED] },
    },
    {
      files: [
        'src/backstage/mountGate.ts',
        'src/backstage/RequestGuard.ts',
        'src/operators/page/createPageErrorAnswer.ts',
      ],
      rules: { 'no-restricted-syntax': ['error', ...RESTRICTED_BEHIND_GATE] },
    },
    { files: ['src/__tests__/**'], rules: { 'no-restricted-syntax': 'off' } },
    {
      files: ['src/**/index.ts'],
      rules: { 'no-restricted-syntax': ['error', IS_NO_REEXPORT] },
    },
    {
      files: ['src/gate/**/*.ts'],
      excludedFiles: ['**/*.test.ts'],
      rules: {
        'no-restricted-syntax': ['error', ...RESTRICTED_IN_GATE],
      },
    },
    {
      files: ['src/gate/read/*.ts', 'src/gate/judge/*.ts'],
      excludedFiles: ['**/*.test.ts'],
      rules: {
        'no-restricted-syntax': ['error', ...RESTRICTED_IN_GATE, ...IS_PURE],
      },
    },
    {
      files: ['src/gate/carryOut/answer.ts'],
      rules: {
        'no-restricted-syntax': ['error', OTHER_PACKAGE_IN_GATE, ...RESTRICTED],
      },
    },
    {
      files: ['src/gate/carryOut/forward.ts'],
      rules: {
        'no-restricted-syntax': [
          'error',
          ...RESTRICTED_IN_GATE.filter(
            each => !CHANGES_REQUEST_HEADERS.includes(each),
          ),
        ],
      },
    },
    // Someone reads each of these files, from the top to the bottom.
    {
      files: ['src/**/*.ts'],
      excludedFiles: ['**/*.test.ts', 'src/__tests__/**'],
      rules: {
        'max-lines': ['error', 250],
        'max-lines-per-function': ['error', 60],
      },
    },
    // Tests of these folders are more than one file.
    {
      files: ['src/__tests__/attacks/**', 'src/__tests__/proof/**'],
      rules: { 'no-restricted-imports': 'off' },
    },
    // The expectation depends on the input, and a property has every input.
    {
      files: ['src/__tests__/properties/**'],
      rules: { 'jest/no-conditional-expect': 'off' },
    },
  ],
});
