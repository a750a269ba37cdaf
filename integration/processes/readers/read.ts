// Reads the policy 50 times a second, until the process that has started it ends it.
import { send } from '../../http';

const [port, bearer, ...paths] = process.argv.slice(2);
let count = 0;

setInterval(() => {
  const path = paths[count % paths.length].replace('COUNT', String(count));
  count += 1;
  send(Number(port), { path, bearer }).then(
    ({ status }) => status === 200 || process.exit(2),
    () => process.exit(3),
  );
}, 20);
