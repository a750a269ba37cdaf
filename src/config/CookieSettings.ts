/** `auth.apiGate.cookie`, checked and with its defaults. */
export interface CookieSettings {
  /** Whether the gate reads and issues its cookie. */
  enabled: boolean;
  name: string;
  /** RFC 6265, section 4.1.2, as the `cookie` package spells them. */
  attributes: {
    domain?: string;
    httpOnly: true;
    path: '/';
    sameSite: 'strict' | 'lax' | 'none';
    secure: boolean;
  };
}
