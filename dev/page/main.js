import * as attack from './attack.js';
import * as calls from './calls.js';
import * as compare from './compare.js';
import { ask } from './dom.js';
import * as feed from './feed.js';
import * as session from './session.js';

feed.start();
calls.start();
session.start();
const info = await (await ask('/dev/info')).json();
attack.start(info);
await compare.start(info);
