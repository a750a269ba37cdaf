module.exports = require('@backstage/cli/config/eslint-factory')(__dirname, {
  ignorePatterns: ['bench/build/**'],
  rules: {
    'jest/expect-expect': [
      'error',
      { assertFunctionNames: ['expect*', 'until', '**.expect'] },
    ],
  },
  // Tests, that one file runs.
  overrides: [
    { files: ['src/attacks/**'], rules: { 'no-restricted-imports': 'off' } },
  ],
});
