import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { COOKIE_OCTETS, Cookies, CookieState } from '../../../src/dns/cookie.ts';
import { Query } from '../../../src/dns/query.ts';
import { sipHash } from '../../../src/dns/sip-hash.ts';
import { fromHex, toHex } from '../../support/octets.ts';

describe('SipHash-2-4', () => {
  // The vectors of its authors: the key 00 01 .. 0f, and so many octets 00 01 ..
  const KEY = Uint8Array.from({ length: 16 }, (_, index) => index);
  for (const [octets, hash] of [
    [0, '310e0edd47db6f72'],
    [1, 'fd67dc93c539f874'],
    [15, 'e545be4961ca29a1'],
    [63, '724506eb4c328a95'],
  ] as const) {
    it(`of ${octets} octets`, () => {
      const output = new Uint8Array(8);
      sipHash(
        KEY,
        Uint8Array.from({ length: octets }, (_, index) => index),
        0,
        octets,
        output,
        0,
      );
      assert.equal(toHex(output), hash);
    });
  }
});

/** A query whose sender gives this cookie. */
function withCookie(cookie: Uint8Array): Query {
  const query = new Query();
  query.octets = cookie;
  query.cookieStart = 0;
  query.cookieOctets = cookie.length;
  return query;
}

describe('cookies', () => {
  // RFC 9018, appendix A.
  const KEY = fromHex('e5e973e5a6b2a43f48e7dc849e37bfcf');
  const ADDRESS = Uint8Array.from([198, 51, 100, 100]);
  const CLIENT = fromHex('2464c4abcf10c957');

  it('are those of RFC 9018', () => {
    const cookies = new Cookies(KEY);
    const output = new Uint8Array(COOKIE_OCTETS);
    cookies.write(withCookie(CLIENT), ADDRESS, 0, 4, 1_559_731_985, output, 0);
    assert.equal(toHex(output), '2464c4abcf10c957010000005cf79f111f8130c3eee29480');
    assert.equal(cookies.check(withCookie(output), ADDRESS, 0, 4, 1_559_731_985), CookieState.proven);
  });

  it('of an IPv6 address are those of RFC 9018, before and after a change of the key', () => {
    const address = fromHex('20010db80220000159ded0f4876982b8');
    const output = new Uint8Array(COOKIE_OCTETS);
    for (const [key, made, cookie] of [
      ['dd3bdf9344b678b185a6f5cb60fca715', 0x5cf7c579, '22681ab97d52c298010000005cf7c57926556bd0934c72f8'],
      ['445536bcd2513298075a5d379663c962', 0x5cf7c609, '22681ab97d52c298010000005cf7c609a6bb79d16625507a'],
    ] as const) {
      new Cookies(fromHex(key)).write(withCookie(fromHex('22681ab97d52c298')), address, 0, 16, made, output, 0);
      assert.equal(toHex(output), cookie);
    }
  });

  it('hold for an hour, for five minutes ahead, and for nobody else', () => {
    const cookies = new Cookies(KEY);
    const made = 1_600_000_000;
    const cookie = new Uint8Array(COOKIE_OCTETS);
    cookies.write(withCookie(CLIENT), ADDRESS, 0, 4, made, cookie, 0);
    const state = (now: number, address = ADDRESS): CookieState =>
      cookies.check(withCookie(cookie), address, 0, address.length, now);
    assert.equal(state(made + 3600), CookieState.proven);
    assert.equal(state(made + 3601), CookieState.unproven);
    assert.equal(state(made - 300), CookieState.proven);
    assert.equal(state(made - 301), CookieState.unproven);
    assert.equal(state(made, Uint8Array.from([198, 51, 100, 101])), CookieState.unproven);
    for (let index = 0; index < COOKIE_OCTETS; index++) {
      const other = cookie.slice();
      other[index]! ^= 1;
      assert.equal(cookies.check(withCookie(other), ADDRESS, 0, 4, made), CookieState.unproven, String(index));
    }
  });

  it('that are the sender’s alone, or of another version, prove nothing', () => {
    const cookies = new Cookies(KEY);
    assert.equal(cookies.check(withCookie(CLIENT), ADDRESS, 0, 4, 0), CookieState.unproven);
    assert.equal(cookies.check(new Query(), ADDRESS, 0, 4, 0), CookieState.none);
    assert.throws(() => new Cookies(new Uint8Array(8)), /has 16 octets, not 8/);
  });
});
