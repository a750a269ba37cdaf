import type { Page } from 'playwright-core';

/** A handshake that the browser has made, as it was on the wire, and its result. */
export interface WebSocketOutcome {
  /** The channel of the first message that the page received, or a text if none arrived. */
  message: string;
  /** 101, or the status of another answer of the backend. */
  status: number;
  origin: string | undefined;
  /** Whether a header held a token, or text that could be one. DevTools don't show cookies to other origins. */
  token: boolean;
}

/** Opens a WebSocket from a page, as a script without a token does, and waits for the result. */
export async function openWebSocket(
  page: Page,
  url: string,
): Promise<WebSocketOutcome> {
  const devTools = await page.context().newCDPSession(page);
  try {
    await devTools.send('Network.enable');
    let headers: Record<string, string | undefined> = {};
    let status: number | undefined;
    // The page opens WebSockets of its own, to the backend without the gate too.
    let requestId: string | undefined;
    devTools.on('Network.webSocketCreated', event => {
      if (event.url === url) {
        requestId = event.requestId;
      }
    });
    devTools.on('Network.webSocketWillSendHandshakeRequest', event => {
      if (event.requestId !== requestId) {
        return;
      }
      headers = Object.fromEntries(
        Object.entries(event.request.headers).map(([name, value]) => [
          name.toLowerCase(),
          value,
        ]),
      );
    });
    devTools.on('Network.webSocketHandshakeResponseReceived', event => {
      if (event.requestId === requestId) {
        status = event.response.status;
      }
    });
    devTools.on('Network.webSocketFrameError', event => {
      if (event.requestId !== requestId) {
        return;
      }
      const { errorMessage } = event;
      status ??= /HTTP Authentication failed/.test(errorMessage)
        ? 401
        : Number(errorMessage.match(/code: (\d+)/)?.[1]);
    });
    const message = await page.evaluate(
      address =>
        new Promise<string>(resolve => {
          const socket = new WebSocket(address);
          socket.onopen = () =>
            socket.send('{"action":"subscribe","channel":"clock"}');
          socket.onmessage = ({ data }) => {
            socket.onclose = null;
            socket.close();
            resolve(JSON.parse(data).channel);
          };
          socket.onclose = () => resolve('none');
        }),
      url,
    );
    return {
      message,
      status: status!,
      origin: headers.origin,
      token: 'authorization' in headers || 'sec-websocket-protocol' in headers,
    };
  } finally {
    await devTools.detach();
  }
}
