/** Who may attach: the holder of the one-time token, and from then on the browser that used it. */
import { randomBytes, timingSafeEqual } from 'node:crypto';

const COOKIE = 'pciem-lab';

export type Verdict =
  | { readonly ok: true; readonly setCookie: string | undefined }
  | { readonly ok: false; readonly reason: string };

function same(a: string, b: string): boolean {
  const left = Buffer.from(a);
  const right = Buffer.from(b);
  return left.length === right.length && timingSafeEqual(left, right);
}

export class Access {
  readonly token: string;
  readonly #session = randomBytes(24).toString('base64url');
  #claimed = false;

  constructor(token = randomBytes(24).toString('base64url')) {
    this.token = token;
  }

  /**
   * `token` from the WebSocket's protocol list, `cookie` as the browser sent it. `port` is in the cookie's name: a
   * browser's cookies are for all ports of a machine, and two labs must not take each other's.
   */
  check(token: string | undefined, cookie: string | undefined, port: number): Verdict {
    const name = `${COOKIE}-${port}`;
    const session = cookie
      ?.split(';')
      .map((part) => part.trim())
      .find((part) => part.startsWith(`${name}=`))
      ?.slice(name.length + 1);
    if (session !== undefined && same(session, this.#session)) return { ok: true, setCookie: undefined };
    if (token === undefined || token === '') {
      return { ok: false, reason: 'No token: open the address that the lab printed.' };
    }
    if (!same(token, this.token)) {
      return { ok: false, reason: 'Wrong or stale token: open the address that the running lab printed.' };
    }
    if (this.#claimed) {
      return {
        ok: false,
        reason: 'This token was used already: it opens one browser. Start the lab again for another.',
      };
    }
    this.#claimed = true;
    return { ok: true, setCookie: `${name}=${this.#session}; HttpOnly; SameSite=Strict; Path=/` };
  }
}
