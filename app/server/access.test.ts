import { expect, it } from 'vitest';
import { Access } from './access.ts';

function cookieOf(access: Access): string {
  const verdict = access.check(access.token, undefined, 7440);
  if (!verdict.ok || verdict.setCookie === undefined) throw new Error('the token was refused');
  return verdict.setCookie.split(';')[0]!;
}

it('lets the holder of the token in once, and its browser from then on', () => {
  const access = new Access();
  const cookie = cookieOf(access);
  expect(access.check(undefined, `other=1; ${cookie}`, 7440)).toEqual({ ok: true, setCookie: undefined });
  expect(access.check(access.token, cookie, 7440)).toEqual({ ok: true, setCookie: undefined });
  expect(access.check(access.token, undefined, 7440)).toMatchObject({ ok: false, reason: /used already/ });
});

it.each([
  [undefined, /No token/],
  ['', /No token/],
  ['wrong', /stale token/],
])('refuses the token %s and says why', (token, reason) => {
  expect(new Access().check(token, 'pciem-lab-7440=wrong', 7440)).toMatchObject({ ok: false, reason });
});

it('gives a cookie that scripts and other sites do not get', () => {
  const access = new Access();
  expect(access.check(access.token, undefined, 7440)).toMatchObject({
    setCookie: /HttpOnly; SameSite=Strict/,
  });
});

it('tells the cookies of two labs on one machine apart', () => {
  const access = new Access();
  const cookie = cookieOf(access);
  const other = new Access();
  const verdict = other.check(other.token, cookie, 7441);
  if (!verdict.ok || verdict.setCookie === undefined) throw new Error('the token was refused');
  const both = `${cookie}; ${verdict.setCookie.split(';')[0]}`;
  expect(access.check(undefined, both, 7440)).toMatchObject({ ok: true });
  expect(other.check(undefined, both, 7441)).toMatchObject({ ok: true });
});
