import { RequestHandler, Router } from 'express';
import {
  HandledRequest,
  handledRequest,
} from '../../../src/__testUtils__/recordingPlugin';

/** The router of a plugin that answers 200 to everything below it and keeps what reached its handler. */
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
