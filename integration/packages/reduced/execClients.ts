// Opens an exec in a pod, as the clients of Kubernetes do it, through the proxy of the Kubernetes plugin.
import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { WebSocket } from 'ws';
import { openedOrRefused } from '../../../src/__tests__/__testUtils__/openedOrRefused';
import { STDIN } from './FakeCluster';

export const CLUSTER = 'production';
export const PROXY = '/api/kubernetes/proxy';
export const execIn = (namespace: string) =>
  `/api/v1/namespaces/${namespace}/pods/web/exec`;

/** Resolves to the WebSocket of an exec once it is open, or to the status of a refusal. */
const open = (
  port: number,
  headers: Record<string, string>,
  { namespace = 'default', protocol = 'v5.channel.k8s.io' } = {},
) =>
  openedOrRefused(
    new WebSocket(
      `ws://localhost:${port}${PROXY}${execIn(namespace)}?command=tr`,
      protocol,
      { headers },
    ),
  );

/** Opens an exec with what `kubectl` sends, and the header that names one of several clusters. */
export const openKubectl = (port: number, token?: string, namespace?: string) =>
  open(
    port,
    {
      'Backstage-Kubernetes-Cluster': CLUSTER,
      ...(token && { Authorization: `Bearer ${token}` }),
    },
    { namespace },
  );

/** Opens an exec as the terminal of the frontend does, which can send neither a token nor the name of a cluster. */
export const openTerminal = (port: number, Cookie: string, Origin: string) =>
  open(port, { Cookie, Origin }, { protocol: 'channel.k8s.io' });

/** Resolves to what an exec of `kubectl` prints, or to the status of a refusal. */
export async function exec(...args: Parameters<typeof openKubectl>) {
  const socket = await openKubectl(...args);
  if (typeof socket === 'number') {
    return socket;
  }
  socket.send(Buffer.from([STDIN, ...Buffer.from('hello')]));
  const [message] = await once(socket, 'message');
  socket.close();
  return message.toString('utf8', 1);
}

/** Opens an exec with Kubernetes's client for JavaScript, and resolves to the status. */
export async function statusOfClient(
  port: number,
  token: string,
): Promise<number> {
  // TypeScript checks the project where the package is not installed.
  const name = '@kubernetes/client-node';
  const { Exec, KubeConfig } = await import(name);
  const config = new KubeConfig();
  config.loadFromClusterAndUser(
    // The client uses HTTP with this setting only.
    {
      name: CLUSTER,
      server: `http://localhost:${port}${PROXY}`,
      skipTLSVerify: true,
    },
    { name: 'user', token },
  );
  return new Exec(config)
    .exec('default', 'web', 'app', 'tr', new PassThrough(), null, null, false)
    .then(
      (socket: WebSocket) => {
        socket.close();
        return 101;
      },
      ({ message }: Error) => Number(message.split(' ').at(-1)),
    );
}
