import './apiGate.test';
import './narrowRules.test';
import {
  express5,
  openPlugin,
  pluginExpress,
} from '../__testUtils__/recordingPlugin';
import { bearer } from '../__testUtils__/requestParts';
import { signedBackends } from '../__testUtils__/signedBackends';

// This file runs both files above with plugins whose routers are Express 5's.
Object.assign(pluginExpress, { json: express5.json, Router: express5.Router });
