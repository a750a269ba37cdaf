import { longestPiece } from '../../__tests__/__testUtils__/longestPiece';
import { createLargeReport } from '../../__tests__/__testUtils__/pageReport';
import { renderWholePage } from '../../__tests__/__testUtils__/renderWholePage';
import { renderPage } from './renderPage';

it('the page stays below 1 MB, and takes less than 50 ms, with 1,000 rules, 200 plugins and 200 refusals', () => {
  const report = createLargeReport();
  const measure = () => {
    const begin = process.cpuUsage();
    expect(Buffer.byteLength(renderWholePage(report))).toBeLessThan(1_000_000);
    const { system, user } = process.cpuUsage(begin);
    return (system + user) / 1000;
  };
  // Other work of the machine makes a time longer, never shorter.
  let best = Infinity;
  for (let i = 0; i < 50 && best >= 50; i += 1) {
    best = Math.min(best, measure());
  }
  expect(best).toBeLessThan(50);
});

it('[P89] no piece of the work on such a page takes more than 5 ms', () => {
  const report = createLargeReport();
  expect(longestPiece(() => renderPage(report))).toBeLessThan(5);
});
