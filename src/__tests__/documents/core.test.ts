import { groupBy, sumBy } from 'lodash';
import { productSources } from '../__testUtils__/documents';

const rooms = groupBy(productSources(), ({ file }) => file.split('/')[1]);
const sizes = Object.entries(rooms).map(([room, files]) => ({
  room,
  files: files.length,
  lines: sumBy(files, ({ text }) => text.split('\n').length - 1),
}));

it('prints the size of src without tests, by its rooms', () => {
  const rows = [
    ...sizes,
    { room: 'all', files: sumBy(sizes, 'files'), lines: sumBy(sizes, 'lines') },
  ];
  process.stderr.write(
    rows
      .map(
        ({ room, files, lines }) => `${room}: lines ${lines}, files ${files}\n`,
      )
      .join(''),
  );
  expect(Object.keys(rooms)).toContain('gate');
});
