import { RequestHandler, Router } from 'express';
import {
  HandledRequest,
  handledRequest,
} from '../../../../src/__tests__/__testUtils__/recordingPlugin';

/** Creates the router of a plugin that answers 200 to every request and records the requests that reached its handler. */
export function createRecordingRouter(): {
  router: RequestHandler;
  handled: HandledRequest[];
} {
  const handled: HandledRequest[] = [];
  const router = Router();
  router.use((req, res) => {
    handled.push(handledRequest(req));
    res.json({ plugin: 'todo' });
  });
  return { router, handled };
}
