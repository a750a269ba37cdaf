/** Returns the body of a page that makes a browser send a request to `to`. */
type Body = (to: string) => string;

/** A kind of request that a page can make a browser send. */
export interface Kind {
  title: string;
  /** What comes of it, by the origin of the page. */
  sort:
    | 'content'
    | 'code'
    | 'code of its own'
    | 'code by CORS'
    | 'read'
    | 'change'
    | 'own';
  body: Body;
  /** `page` if it replaces the page, `click` if it needs a click, or both. Without a way, a page can send others beside it. */
  way?: 'page' | 'click' | 'page by click';
}

/** A script that does so, or a script and what it needs. */
const script =
  (code: string): Body =>
  to =>
    `<script>{ const to = ${JSON.stringify(to)}; ${code} }</script>`;
const element =
  (html: string): Body =>
  to =>
    html.replaceAll('URL', to.replaceAll('&', '&amp;'));
const style = (css: string): Body => element(`<p style="${css}">x</p>`);
const fetchBy = (init: RequestInit) =>
  script(
    `fetch(to, ${JSON.stringify({ credentials: 'include', ...init })}).catch(() => {})`,
  );
/** A form that its page sends. A form by GET replaces the query of its address. */
const formBy =
  (attributes: string): Body =>
  to =>
    element(
      `<form action="URL" ${attributes}><input name="title" value="${new URL(to).searchParams.get('title')}"></form>
       <script>document.currentScript.previousElementSibling.submit()</script>`,
    )(to);
const inFrame =
  (name: string, attributes: string): Body =>
  to =>
    `<iframe name="${name}"></iframe>${formBy(`target="${name}" ${attributes}`)(to)}`;
const preload = (as: string): Body =>
  element(`<link rel="preload" as="${as}" href="URL">`);

export const ENCTYPES = [
  'application/x-www-form-urlencoded',
  'multipart/form-data',
  'text/plain',
];

/** What a page shows or plays, and can't read if it is of another origin: GET, without `Origin`. */
const CONTENT: Record<string, Body> = {
  image: element('<img src="URL">'),
  'image, srcset': element('<img srcset="URL 1x">'),
  'image, picture': element('<picture><source srcset="URL"><img></picture>'),
  'image, button': element('<input type="image" src="URL">'),
  'image, new Image': script('new Image().src = to;'),
  'image, SVG': element('<svg><image href="URL" width="9" height="9"/></svg>'),
  'image, body': script('document.body.background = to;'),
  video: element('<video src="URL" preload="auto"></video>'),
  'video, source': element('<video preload="auto"><source src="URL"></video>'),
  'video, poster': element('<video poster="URL"></video>'),
  audio: element('<audio src="URL" preload="auto"></audio>'),
  embed: element('<embed src="URL">'),
  object: element('<object data="URL"></object>'),
  iframe: element('<iframe src="URL"></iframe>'),
  background: style('background: url(URL)'),
  'list-style': style('display: list-item; list-style-image: url(URL)'),
  'border-image': style('border: 9px solid; border-image: url(URL) 9'),
  content: style('content: url(URL)'),
  'preload, image': preload('image'),
  prefetch: element('<link rel="prefetch" href="URL">'),
  'fetch, no-cors': fetchBy({ mode: 'no-cors' }),
  'fetch HEAD, no-cors': fetchBy({ mode: 'no-cors', method: 'HEAD' }),
  'form GET in a frame': inFrame('get', ''),
  'link in a frame': element(
    '<iframe name="link"></iframe><a href="URL" target="link"></a><script>document.currentScript.previousElementSibling.click()</script>',
  ),
};

/** Code that a page runs. */
const CODE: Record<string, Body> = {
  script: element('<script src="URL"></script>'),
  'script, SVG': element('<svg><script href="URL"></script></svg>'),
  'preload, script': preload('script'),
  style: element('<link rel="stylesheet" href="URL">'),
  'style, @import': element('<style>@import "URL";</style>'),
  'preload, style': preload('style'),
  'worker, importScripts': script(
    'new Worker(URL.createObjectURL(new Blob([`importScripts(${JSON.stringify(to)})`])));',
  ),
};

/** Code that a page of another origin gets by CORS only, or not at all. */
const OWN_CODE: Record<string, Body> = {
  module: element('<script type="module" src="URL"></script>'),
  'module, import()': script('import(to).catch(() => {});'),
  modulepreload: element('<link rel="modulepreload" href="URL">'),
  worker: script('new Worker(to);'),
  'worker, module': script('new Worker(to, { type: "module" });'),
  'shared worker': script('new SharedWorker(to);'),
  'service worker': script(
    'navigator.serviceWorker.register(to).catch(() => {});',
  ),
  'audio worklet': script(
    'new OfflineAudioContext(1, 1, 44100).audioWorklet.addModule(to).catch(() => {});',
  ),
  'paint worklet': script('CSS.paintWorklet.addModule(to).catch(() => {});'),
  XSLT: script(
    `const frame = document.createElement('iframe'); document.body.append(frame);
     frame.src = URL.createObjectURL(new Blob(['<?xml version="1.0"?><?xml-stylesheet type="text/xsl" href="' + to.replaceAll('&', '&amp;') + '"?><a/>'], { type: 'text/xml' }));`,
  ),
};

/** Code that a page of another origin gets by CORS. */
const CORS_CODE: Record<string, Body> = {
  'script, crossorigin': element(
    '<script src="URL" crossorigin="use-credentials"></script>',
  ),
};

/** What the page could read: with `Origin` from another one. */
const READ: Record<string, Body> = {
  fetch: fetchBy({}),
  'fetch HEAD': fetchBy({ method: 'HEAD' }),
  'fetch in a worker': script(
    'new Worker(URL.createObjectURL(new Blob([`fetch(${JSON.stringify(to)}, { credentials: "include" })`])));',
  ),
  XMLHttpRequest: script(
    'const request = new XMLHttpRequest(); request.open("GET", to); request.withCredentials = true; request.send();',
  ),
  'event stream': script('new EventSource(to, { withCredentials: true });'),
  'image, crossorigin': element(
    '<img src="URL" crossorigin="use-credentials">',
  ),
  'video, crossorigin': element(
    '<video src="URL" preload="auto" crossorigin="use-credentials"></video>',
  ),
  track: element(
    '<video crossorigin="use-credentials"><track default src="URL"></video>',
  ),
  'preload, fetch': element(
    '<link rel="preload" as="fetch" crossorigin="use-credentials" href="URL">',
  ),
  'preload, font': element(
    '<link rel="preload" as="font" crossorigin="use-credentials" href="URL">',
  ),
  // Without CORS, so that no page can use it.
  'preload, font, no-cors': preload('font'),
  'preload, track, no-cors': preload('track'),
};

/** What a browser requests by CORS, and of another origin without the cookie. */
const CORS_CONTENT: Record<string, Body> = {
  font: element(
    '<style>@font-face { font-family: f; src: url("URL") }</style><p style="font-family: f">x</p>',
  ),
  'track, no-cors': script(
    `const video = Object.assign(document.createElement('video'), { src: 'data:video/mp4;base64,AAAA' });
     const track = Object.assign(document.createElement('track'), { src: to, default: true });
     video.append(track);
     document.body.append(video);
     track.track.mode = 'showing';`,
  ),
  'mask-image': style('mask-image: url(URL)'),
  'shape-outside': style('float: left; shape-outside: url(URL)'),
};

/** What changes something. */
const CHANGE: Record<string, Body> = {
  'fetch POST': fetchBy({ method: 'POST', body: 'text' }),
  'fetch POST, no-cors': fetchBy({ method: 'POST', mode: 'no-cors' }),
  'fetch POST, keepalive': fetchBy({ method: 'POST', keepalive: true }),
  'fetch POST, no-referrer': fetchBy({
    method: 'POST',
    mode: 'no-cors',
    referrerPolicy: 'no-referrer',
  }),
  'XMLHttpRequest POST': script(
    'const request = new XMLHttpRequest(); request.open("POST", to); request.withCredentials = true; request.send("text");',
  ),
  sendBeacon: script('navigator.sendBeacon(to, "text");'),
  'sendBeacon, a form': script('navigator.sendBeacon(to, new FormData());'),
  ...Object.fromEntries(
    ENCTYPES.map((enctype, i) => [
      `form in a frame, ${enctype}`,
      inFrame(`post${i}`, `method="post" enctype="${enctype}"`),
    ]),
  ),
};

/** What a page of another origin may send only if the backend agrees to it before. */
const PREFLIGHTED: Record<string, Body> = {
  'fetch POST, JSON': fetchBy({
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: '{}',
  }),
  'fetch PUT': fetchBy({ method: 'PUT' }),
  'fetch DELETE': fetchBy({ method: 'DELETE' }),
  'sendBeacon, JSON': script(
    'navigator.sendBeacon(to, new Blob(["{}"], { type: "application/json" }));',
  ),
};

/** What opens another page in place of this one. */
const PAGE: Record<string, Body> = {
  location: script('location = to;'),
  'meta refresh': element('<meta http-equiv="refresh" content="0; url=URL">'),
  link: element(
    '<a href="URL"></a><script>document.currentScript.previousElementSibling.click()</script>',
  ),
  'form GET': formBy(''),
};

/** Forms that change something. */
const FORM: Record<string, Body> = Object.fromEntries(
  ENCTYPES.map(enctype => [
    `form, ${enctype}`,
    formBy(`method="post" enctype="${enctype}"`),
  ]),
);

/** What opens another page beside this one, by a click. */
const TAB: Record<string, Body> = {
  'link, another tab': element('<a href="URL" target="_blank">x</a>'),
  'window.open': element(
    '<button onclick="window.open(this.value)" value="URL">x</button>',
  ),
};

/** What the backend itself redirects, after it has let it pass. */
const redirected =
  (status: number, body: Body): Body =>
  to =>
    body(`${to}&redirect=${status}`);
const redirectedForms = (name: string, body: Body) =>
  Object.fromEntries(
    [302, 303, 307, 308].map(status => [
      `${name}, by ${status}`,
      redirected(status, body),
    ]),
  );
const FORM_BY_CLICK = element(
  '<form method="post" action="URL"><button>x</button></form>',
);

/** A click on a link tells its address also to another one. */
const PING: Record<string, Body> = {
  ping: element('<a href="#" ping="URL">x</a>'),
};

const rows = (
  sort: Kind['sort'],
  bodies: Record<string, Body>,
  way?: Kind['way'],
): Kind[] =>
  Object.entries(bodies).map(([title, body]) => ({ title, sort, body, way }));

/** The kinds of requests that a page can make a browser send. */
export const KINDS: Kind[] = [
  ...rows('content', CONTENT),
  ...rows('content', PAGE, 'page'),
  ...rows('content', TAB, 'click'),
  ...rows('code', CODE),
  ...rows('code of its own', OWN_CODE),
  ...rows('code by CORS', CORS_CODE),
  ...rows('read', READ),
  ...rows('own', CORS_CONTENT),
  ...rows('change', CHANGE),
  ...rows('change', FORM, 'page'),
  ...rows('change', PING, 'click'),
  ...rows('own', PREFLIGHTED),
  ...rows('own', {
    'fetch POST, by 307': redirected(307, fetchBy({ method: 'POST' })),
  }),
  ...rows('own', redirectedForms('form', formBy('method="post"')), 'page'),
  ...rows(
    'own',
    redirectedForms('form by a click', FORM_BY_CLICK),
    'page by click',
  ),
];
