module.exports = require('@backstage/cli/config/eslint-factory')(__dirname, {
  ignorePatterns: ['bench/build/**'],
  rules: {
    'jest/expect-expect': [
      'error',
      { assertFunctionNames: ['expect', 'expectRefused', 'until', '**.expect'] },
    ],
  },
});
