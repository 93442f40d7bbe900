// Vectors: what Linux 6.18 answered to `dumpAddressesRequest` and `dumpRoutesRequest` about one veth end that has the
// address 10.1.2.3 with the peer 10.9.9.9/24 and a default route by 10.9.9.1; the link is written by hand.

import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { formatAddress, formatPrefix, parsePrefix } from '../../../src/core/address.ts';
import {
  addAddressRequest,
  dumpRoutesRequest,
  parseRtnetlink,
  removeAddressRequest,
  setLinkRequest,
} from '../../../src/wire/rtnetlink.ts';

const octets = (hex: string): Uint8Array => new Uint8Array(Buffer.from(hex.replace(/\s/g, ''), 'hex'));

const ADDRESS = octets(`
  40000000 1400 0200 08000000 01000000 02188000 03000000
  0800 0100 0a090909 0800 0200 0a010203 0700 0300 76310000 0800 0800 80000000 0800 0600 00000000`);
const DEFAULT_ROUTE = octets(`
  3c000000 1800 2200 09000000 01000000 02000000 fe030001 00000000
  0800 0f00 fe000000 0800 0600 4d000000 0800 0500 0a090901 0800 0400 03000000`);
const LINK = octets(`
  44000000 1000 0200 07000000 01000000 00000100 04000000 43100100 00000000
  0700 0300 76300000 0800 0400 28230000 0a00 0100 3ef8670e5429 0000 0800 0a00 02000000`);
const DONE = octets('14000000 0300 1200 08000000 01000000 00000000');
const REFUSED = octets('14000000 0200 0000 05000000 01000000 edffffff');

test('a link', () => {
  const [link, ...more] = parseRtnetlink(LINK);
  assert.deepEqual(link, {
    type: 'link',
    sequence: 7,
    removed: false,
    index: 4,
    name: 'v0',
    mtu: 9000,
    flags: 0x11043,
    mac: octets('3ef8670e5429'),
    master: 2,
  });
  assert.equal(more.length, 0);
});

test('a link told of as a port of a bridge is left out: its end there is not its end', () => {
  const asBridgePort = LINK.slice();
  asBridgePort[16] = 7;
  asBridgePort[4] = 17;
  assert.deepEqual(parseRtnetlink(asBridgePort), []);
});

test('an address is our own end, not the peer', () => {
  const [address] = parseRtnetlink(ADDRESS);
  assert.ok(address?.type === 'address');
  assert.equal(formatPrefix(address.prefix), '10.1.2.3/24');
  assert.equal(address.index, 3);
  assert.equal(address.flags, 0x80);
});

test('a default route', () => {
  const [route] = parseRtnetlink(DEFAULT_ROUTE);
  assert.ok(route?.type === 'route');
  assert.equal(formatPrefix(route.destination), '0.0.0.0/0');
  assert.equal(formatAddress(route.gateway!), '10.9.9.1');
  assert.equal(route.outIndex, 3);
  assert.equal(route.table, 254);
  assert.equal(route.metric, 77);
  assert.equal(route.routeType, 1);
});

test('several messages of a datagram, the end of an interrupted dump, a refusal', () => {
  const records = parseRtnetlink(Buffer.concat([LINK, ADDRESS, DONE, REFUSED]));
  assert.deepEqual(
    records.map(({ type }) => type),
    ['link', 'address', 'done', 'answer'],
  );
  assert.deepEqual(records[2], { type: 'done', sequence: 8, interrupted: true });
  assert.deepEqual(records[3], { type: 'answer', sequence: 5, errno: 19 });
});

test('what is cut short is left out, whatever stands behind it in memory', () => {
  for (const message of [LINK, ADDRESS, DEFAULT_ROUTE, REFUSED]) {
    for (let length = 0; length < message.length; length++) {
      assert.deepEqual(parseRtnetlink(message.subarray(0, length)), [], `${length} octets`);
    }
  }
});

test('an attribute that says it is longer than its message ends the list', () => {
  const message = ADDRESS.slice();
  message[24] = 0xff;
  assert.deepEqual(parseRtnetlink(message), []);
});

test('an address of the wrong size or prefix length is left out', () => {
  const long = ADDRESS.slice();
  long[17] = 33;
  assert.deepEqual(parseRtnetlink(long), []);
  const asIpv6 = ADDRESS.slice();
  asIpv6[16] = 10;
  assert.deepEqual(parseRtnetlink(asIpv6), []);
});

test('nothing makes it throw or read past the end', () => {
  const seeds = [LINK, ADDRESS, DEFAULT_ROUTE, DONE, REFUSED];
  const edits = fc.array(fc.tuple(fc.nat(80), fc.nat(255)), { maxLength: 8 });
  fc.assert(
    fc.property(fc.constantFrom(...seeds), edits, fc.nat(80), (seed, changes, length) => {
      const message = seed.slice();
      for (const [at, value] of changes) if (at < message.length) message[at] = value;
      const inside = new Uint8Array(200).fill(0xa5);
      inside.set(message.subarray(0, length), 60);
      const view = inside.subarray(60, 60 + Math.min(length, message.length));
      const alone = parseRtnetlink(new Uint8Array(view));
      assert.deepEqual(parseRtnetlink(view), alone);
    }),
    { numRuns: 2000 },
  );
});

test('a request to add or remove an address reads back as that address', () => {
  for (const text of ['10.1.2.3/24', '2001:db8::1/64', '0.0.0.0/0']) {
    const prefix = parsePrefix(text)!;
    for (const [compose, removed] of [
      [addAddressRequest, false],
      [removeAddressRequest, true],
    ] as const) {
      const [record] = parseRtnetlink(compose(77, 9, prefix));
      assert.deepEqual(record, { type: 'address', sequence: 77, removed, index: 9, prefix, flags: 0 });
    }
  }
});

test('requests, octet by octet', () => {
  const hex = (message: Uint8Array): string => Buffer.from(message).toString('hex');
  assert.equal(
    hex(setLinkRequest(1, 3, true)),
    '20000000100005000100000000000000' + '00000000030000000100000001000000',
  );
  assert.equal(
    hex(setLinkRequest(2, 3, false)),
    '20000000100005000200000000000000' + '00000000030000000000000001000000',
  );
  assert.equal(hex(dumpRoutesRequest(3, 4)), '1c0000001a0001030300000000000000' + '020000000000000000000000');
});
