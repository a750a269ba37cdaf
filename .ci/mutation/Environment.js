const Environment = require('../../dev/jest/Environment');

/** Skips the tests of a file behind one that has failed. The mutant is killed by then, and each of them might wait for its time-out. */
module.exports = class extends Environment {
  #hasFailed = false;

  handleTestEvent({ name, test }) {
    if (name === 'test_done') {
      this.#hasFailed ||= test.errors.length > 0;
    }
    if (name === 'test_start' && this.#hasFailed) {
      test.mode = 'skip';
    }
  }
};
