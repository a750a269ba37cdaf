// A frontend of Backstage's own packages, whose page has the backend's address: see `checkClasses.ts`.
import { createApp } from '@backstage/app-defaults';
import { AppRouter } from '@backstage/core-app-api';
import { SignInPage } from '@backstage/core-components';
import {
  discoveryApiRef,
  fetchApiRef,
  identityApiRef,
  useApi,
} from '@backstage/core-plugin-api';
import { CookieAuthRefreshProvider } from '@backstage/plugin-auth-react';
import { signalsPlugin } from '@backstage/plugin-signals';
import { signalApiRef } from '@backstage/plugin-signals-react';
import { useState } from 'react';
import { createRoot } from 'react-dom/client';
// The function that docs/sign-out.md has for frontends, as `run` writes it here.
import { endSessionAtSignOut } from './signOut';

const root = document.getElementById('root')!;
const { backend, way } = root.dataset;

/** What became of each WebSocket of the page, in order. */
const sockets: string[] = [];
window.WebSocket = class extends WebSocket {
  constructor(url: string | URL, protocols?: string | string[]) {
    super(url, protocols);
    const index = sockets.push('') - 1;
    const note = (what: string) => () => {
      sockets[index] += what;
    };
    this.addEventListener('open', note('open'));
    this.addEventListener('error', note('error'));
    this.addEventListener('close', note(' closed'));
  }
};

/** Hands the frontend's APIs to the checks. */
function Frontend() {
  const [image, show] = useState<string>();
  const frontend = {
    discoveryApi: useApi(discoveryApiRef),
    fetchApi: useApi(fetchApiRef),
    identityApi: useApi(identityApiRef),
    signalApi: useApi(signalApiRef),
    ...{ show, sockets },
  };
  Object.assign(window, { frontend });
  return (
    <div id="frontend">
      {image && (
        <CookieAuthRefreshProvider pluginId="hello">
          <img id="image" src={image} alt="" />
        </CookieAuthRefreshProvider>
      )}
    </div>
  );
}

const app = createApp({
  plugins: [signalsPlugin],
  components: {
    SignInPage({ onSignInSuccess }) {
      const discoveryApi = useApi(discoveryApiRef);
      const fetchApi = useApi(fetchApiRef);
      return (
        <SignInPage
          providers={['guest']}
          onSignInSuccess={identityApi =>
            onSignInSuccess(
              way === 'documented'
                ? endSessionAtSignOut(identityApi, discoveryApi, fetchApi)
                : identityApi,
            )
          }
        />
      );
    },
  },
  configLoader: async () => [
    {
      context: 'page',
      data: {
        app: { title: 'Frontend', baseUrl: location.origin },
        backend: { baseUrl: backend },
      },
    },
  ],
});

const App = app.createRoot(
  <AppRouter>
    <Frontend />
  </AppRouter>,
);
createRoot(root).render(<App />);
