import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { classifyUdpEncapsulated, UdpEncapsulated } from '../../../src/wire/udp-encapsulation.ts';
import { fromHex, guard } from '../../support/octets.ts';

describe('what comes to the UDP port of IPsec (RFC 3948, section 2)', () => {
  const { esp, nonEsp, keepalive, tooShort } = UdpEncapsulated;
  const cases = [
    ['0000100200000001', esp],
    ['00001002000000017766', esp],
    ['00001002000000', tooShort],
    ['00000000', nonEsp],
    ['0000000011223344556677', nonEsp],
    ['ff', keepalive],
    ['fe', tooShort],
    ['', tooShort],
    ['ffff', tooShort],
    ['ffffffffffffffff', esp],
    ['000000', tooShort],
  ] as const;
  for (const [text, kind] of cases) {
    it(`${text === '' ? 'nothing' : text}: ${kind}`, () => {
      const { bytes, start, end } = guard(fromHex(text));
      assert.equal(classifyUdpEncapsulated(bytes, start, end), kind);
    });
  }
});
