module.exports = require('@backstage/cli/config/eslint-factory')(__dirname, {
  // The packages of `integration/legacy` are its own, and are installed there.
  ignorePatterns: ['bench/build/**', 'integration/legacy/**'],
  rules: {
    'jest/expect-expect': [
      'error',
      { assertFunctionNames: ['expect*', 'until', '**.expect'] },
    ],
  },
  overrides: [
    // Tests, that one file runs.
    { files: ['src/attacks/**'], rules: { 'no-restricted-imports': 'off' } },
    // What is expected of an input depends on it, and a property has every input.
    {
      files: ['src/properties/**'],
      rules: { 'jest/no-conditional-expect': 'off' },
    },
  ],
});
