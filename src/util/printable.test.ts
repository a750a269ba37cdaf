import fc from 'fast-check';
import { runnerCommandsIn } from '../__testUtils__/runnerCommandsIn';
import { printable } from './printable';

describe('printable', () => {
  it.each([
    ['a\r\nb\u0085c\u2028d\u001b[2Je', 'a b c d [2Je'],
    ['::error::x', ': :error::x'],
    [' \t::error::x', '  : :error::x'],
    ['\u00a0::error::x', '\u00a0: :error::x'],
    [':::error::x', ': ::error::x'],
    [':\u0000:error::x', ': :error::x'],
    ['a ##[error]x', 'a # #[error]x'],
    ['###[error]x', '## #[error]x'],
    ['#\u200b#[error]x', '# #[error]x'],
    [
      '##vso[task.complete result=Failed;]',
      '# #vso[task.complete result=Failed;]',
    ],
    ['a ::b:: ## c #[d]', 'a ::b:: ## c #[d]'],
  ])('%j is %j', (text, printed) => {
    expect(printable(text)).toBe(printed);
    expect(printable(printed)).toBe(printed);
  });

  it('leaves no command to the runner of GitHub', () => {
    const part = fc.constantFrom(
      ...[':', '::', '#', '##', '[', '##[', ']', 'error', 'add-mask', ' '],
      ...['\t', '\r', '\n', '\u0085', '\u00a0', '\u2028', '\u0000', '\u200b'],
    );
    const text = fc.array(part, { maxLength: 12 }).map(all => all.join(''));
    fc.assert(
      fc.property(text, line => {
        expect(runnerCommandsIn(printable(line))).toEqual([]);
      }),
      { numRuns: 5000 },
    );
  });
});

describe('runnerCommandsIn', () => {
  it.each<[string, string[]]>([
    ['::error::x', ['error']],
    ['  ::ERROR file=a::x', ['ERROR']],
    ['a ::error::x', []],
    ['::errors::x', []],
    ['::error', []],
    ['a ##[add-mask]x', ['add-mask']],
    ['::errors:: ##[error]x', ['error']],
    ['a\r::error::x', ['error']],
    [
      '::stop-commands::T\n::error::x\n##[error]x\n::t::\n::debug::x',
      ['stop-commands', 'debug'],
    ],
  ])('finds in %j the commands %j', (output, names) => {
    expect(runnerCommandsIn(output).map(({ name }) => name)).toEqual(names);
  });
});
