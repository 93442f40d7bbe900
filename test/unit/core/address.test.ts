import assert from 'node:assert/strict';
import { isIPv6 } from 'node:net';
import { describe, it } from 'node:test';
import fc from 'fast-check';
import {
  formatAddress,
  formatIpv4,
  formatIpv6,
  formatPrefix,
  isLocalControlMulticast,
  isMulticast,
  isUnspecified,
  networkOf,
  parseAddress,
  parseIpv4,
  parseIpv6,
  parsePrefix,
  prefixContains,
} from '../../../src/core/address.ts';
import type { AddressWords } from '../../../src/core/address.ts';
import { formatMac, formatMacNumbers, isGroupMac, macHigh16, macLow32, parseMac } from '../../../src/core/mac.ts';

/** The canonical form of an address or prefix, or undefined where it is none. */
function canonical(text: string): string | undefined {
  const prefix = text.includes('/') ? parsePrefix(text) : undefined;
  if (prefix !== undefined) return formatPrefix(prefix);
  const address = parseAddress(text);
  return address && formatAddress(address);
}

describe('IP addresses', () => {
  const forms: [string, string][] = [
    ['10.1.1.1', '10.1.1.1'],
    ['255.255.255.255', '255.255.255.255'],
    ['10.3.3.1%5000', '10.3.3.1%5000'],
    ['10.3.3.1%0', '10.3.3.1'],
    ['10.3.3.1%5000/24', '10.3.3.1%5000/24'],
    ['10.1.1.1%0/24', '10.1.1.1/24'],
    ['10.1.1.1/255.255.254.0', '10.1.1.1/23'],
    ['10.1.1.1/0.0.0.0', '10.1.1.1/0'],
    ['::', '::'],
    ['::1', '::1'],
    // RFC 5952, sections 4.1 to 4.3 and 5
    ['2001:0db8::0001', '2001:db8::1'],
    ['2001:db8:0:0:0:0:2:1', '2001:db8::2:1'],
    ['2001:db8:0:1:1:1:1:1', '2001:db8:0:1:1:1:1:1'],
    ['2001:0:0:1:0:0:0:1', '2001:0:0:1::1'],
    ['2001:db8:0:0:1:0:0:1', '2001:db8::1:0:0:1'],
    ['2001:DB8::A', '2001:db8::a'],
    ['::ffff:192.0.2.1', '::ffff:192.0.2.1'],
    ['::ffff:c000:201', '::ffff:192.0.2.1'],
    ['1:2:3:4:5:6:7::', '1:2:3:4:5:6:7:0'],
    ['::2:3:4:5:6:7:8', '0:2:3:4:5:6:7:8'],
    ['fe80::1%7/64', 'fe80::1%7/64'],
  ];
  for (const [text, expected] of forms) {
    it(`${text} is ${expected}`, () => assert.equal(canonical(text), expected));
  }

  const refused = [
    ...['', '1', '1.2.3', '1.2.3.4.5', '256.1.1.1', '01.2.3.4', '1.2.3.4 ', '1.2.3.-4', '1.2.3.4%', '1.2.3.4%65535'],
    ...['1.2.3.4%1%2', '10.1.1./24', '1.2.3.4/33', '1.2.3.4/', '1.2.3.4/255.0.255.0', '1.2.3.4/-1', '1.2.3.4/024'],
    ...[':', ':::', '1::2::3', '1:2:3:4:5:6:7', '1:2:3:4:5:6:7:8:9', '1:2:3:4:5:6:7:8::', '12345::', 'g::', '::1/129'],
    ...['::1.2.3', '::1.2.3.4:5', '1.2.3.4::', ':1::', '1:', 'fe80::1%eth0'],
  ];
  for (const text of refused) it(`refuses "${text}"`, () => assert.equal(canonical(text), undefined));

  const word = fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 });
  const words = fc.tuple(word, word, word, word);
  const sparse = fc.tuple(...[0, 1, 2, 3].map(() => fc.oneof(fc.constantFrom(0, 1, 0x10000, 0xffff), word)));

  it('IPv4 text and number are each other', () => {
    fc.assert(fc.property(word, (value) => assert.equal(parseIpv4(formatIpv4(value)), value)));
  });

  it('IPv6 text and words are each other, and the platform agrees that it is IPv6', () => {
    fc.assert(
      fc.property(fc.oneof(words, sparse), (value) => {
        const text = formatIpv6(value as unknown as AddressWords);
        assert.ok(isIPv6(text), text);
        assert.deepEqual(parseIpv6(text), value);
      }),
    );
  });

  it('never throws, and what it accepts as IPv6 the platform accepts too', () => {
    const piece = fc.constantFrom(':', '::', '.', '0', '1', 'ff', '255', 'abcd', '%', '/', 'g', ' ');
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 18 }), (pieces) => {
        const text = pieces.join('');
        parsePrefix(text);
        parseAddress(text);
        assert.equal(parseIpv6(text) !== undefined, isIPv6(text) && !text.includes('%'), text);
      }),
      { numRuns: 2000 },
    );
  });

  it('knows subnets', () => {
    const prefix = parsePrefix('10.1.1.77%3/24')!;
    assert.equal(formatAddress(networkOf(prefix)), '10.1.1.0%3');
    assert.ok(prefixContains(prefix, parseAddress('10.1.1.255%3')!));
    assert.ok(!prefixContains(prefix, parseAddress('10.1.1.255')!));
    assert.ok(!prefixContains(prefix, parseAddress('10.1.2.0%3')!));
    assert.ok(!prefixContains(parsePrefix('::a01:100/120')!, parseAddress('10.1.1.0')!));
    assert.ok(prefixContains(parsePrefix('2001:db8::/33')!, parseAddress('2001:db8:7fff::1')!));
    assert.ok(!prefixContains(parsePrefix('2001:db8::/33')!, parseAddress('2001:db8:8000::1')!));
    assert.ok(prefixContains(parsePrefix('0.0.0.0/0')!, parseAddress('255.1.2.3')!));
  });

  it('knows groups', () => {
    const is = (text: string) => [isMulticast(parseAddress(text)!), isLocalControlMulticast(parseAddress(text)!)];
    assert.deepEqual(is('224.0.0.255'), [true, true]);
    assert.deepEqual(is('224.0.1.0'), [true, false]);
    assert.deepEqual(is('239.255.255.255'), [true, false]);
    assert.deepEqual(is('223.255.255.255'), [false, false]);
    assert.deepEqual(is('ff02::1'), [true, false]);
    assert.deepEqual(is('fe80::1'), [false, false]);
    assert.ok(isUnspecified(parseAddress('::')!));
    assert.ok(!isUnspecified(parseAddress('::1')!));
  });
});

describe('MAC addresses', () => {
  it('reads the forms that people write and prints one', () => {
    for (const text of ['00:FF:0a:03:03:02', '0:ff:a:3:3:2', '00-ff-0A-03-03-02']) {
      assert.equal(formatMac(parseMac(text)!), '00:ff:0a:03:03:02', text);
    }
  });

  it('refuses the rest', () => {
    for (const text of [
      '',
      '00:ff:0a:03:03',
      '00:ff:0a:03:03:02:01',
      '00:ff:0a-03:03:02',
      '000:ff:0a:03:03:02',
      'g0:0:0:0:0:0',
    ]) {
      assert.equal(parseMac(text), undefined, text);
    }
  });

  it('splits into the numbers of the tables and back', () => {
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 6, maxLength: 6 }), (octets) => {
        assert.deepEqual(parseMac(formatMac(octets)), octets);
        assert.equal(formatMacNumbers(macHigh16(octets), macLow32(octets)), formatMac(octets));
        assert.equal(isGroupMac(octets), octets[0]! % 2 === 1);
      }),
    );
  });
});
