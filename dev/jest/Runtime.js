const { createRequire, isBuiltin } = require('node:module');
const { compileFunction } = require('node:vm');
const { default: JestRuntime } = require('./requireOfJest')('jest-runtime');

// `compileFunction` has no `import()`.
const IMPORT_OF_FILE = /\bimport\(('\.[^']+')\)/g;

/** The compiled files of this worker, the tests' and Jest's own. Each test file runs them anew, as with any other runtime. */
const compiled = new Map();

const isOfPackage = name => /^[^./\\]/.test(name) && !isBuiltin(name);

/**
 * Loads packages as Node does: as they are published, and once for all test files of a worker. Jest loads them anew for each file,
 * which takes longer than most of the tests with a backend. For the same reason, a worker compiles each file of the tests once.
 *
 * Packages live in Node's own context, so the code of the tests runs there too: in another context, `instanceof Error` is false
 * for an error of a package.
 */
module.exports = class Runtime extends JestRuntime {
  constructor(...args) {
    super(...args);
    const { executor } = this;
    if (!executor?.compile) {
      throw new Error('dev/jest/Runtime.js does not fit this release of Jest');
    }
    executor.compile = (source, filename) => {
      const known = compiled.get(filename);
      if (known?.source === source) {
        return known.run;
      }
      const run = compileFunction(
        source.replace(IMPORT_OF_FILE, 'Promise.resolve(require($1))'),
        executor.injectedModuleParameters,
        { filename },
      );
      compiled.set(filename, { source, run });
      return run;
    };
  }

  requireModule(from, moduleName, options, isRequireActual) {
    return moduleName && isOfPackage(moduleName) && !options?.isInternalModule
      ? createRequire(from)(moduleName)
      : super.requireModule(from, moduleName, options, isRequireActual);
  }
};
