import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Drop, FORWARD } from '../../../src/core/drop-reason.ts';
import { outgoingEcn } from '../../../src/packet/ecn.ts';
import { decapsulateEcn, encapsulatedTos, innerTos } from '../../../src/tunnel/ecn.ts';
import { checkIpv4 } from '../../../src/wire/ipv4.ts';
import { fromHex, guard, vector } from '../../support/octets.ts';

const IP = 14;

// RFC 6040, figure 4, typed in anew: inner Not-ECT, ECT(0), ECT(1), CE; outer in the same order.
const NAMES = ['Not-ECT', 'ECT(0)', 'ECT(1)', 'CE'] as const;
const CODE = { 'Not-ECT': 0, 'ECT(0)': 2, 'ECT(1)': 1, CE: 3, drop: -1 } as const;
const FIGURE_4 = [
  ['Not-ECT', 'Not-ECT', 'Not-ECT', 'drop'],
  ['ECT(0)', 'ECT(0)', 'ECT(1)', 'CE'],
  ['ECT(1)', 'ECT(1)', 'ECT(1)', 'CE'],
  ['CE', 'CE', 'CE', 'CE'],
] as const;

const withTos = (octets: Uint8Array, tos: number): Uint8Array => {
  const copy = Uint8Array.from(octets);
  if (copy[IP]! >>> 4 === 6) {
    copy[IP] = 0x60 | (tos >>> 4);
    copy[IP + 1] = (copy[IP + 1]! & 0x0f) | ((tos & 15) << 4);
    return copy;
  }
  copy[IP + 1] = tos;
  let sum = 0;
  copy.fill(0, IP + 10, IP + 12);
  for (let at = IP; at < IP + 20; at += 2) sum += (copy[at]! << 8) | copy[at + 1]!;
  sum = (sum & 0xffff) + (sum >>> 16);
  copy.set([(~sum >>> 8) & 255, ~sum & 255], IP + 10);
  return copy;
};

const tagged = (octets: Uint8Array, ...tags: string[]): Uint8Array =>
  Uint8Array.from([...octets.subarray(0, 12), ...fromHex(tags.join('')), ...octets.subarray(12)]);

describe('ECN through tunnels', () => {
  FIGURE_4.forEach((row, inner) => {
    row.forEach((outgoing, outer) => {
      it(`inner ${NAMES[inner]!}, outer ${NAMES[outer]!}: ${outgoing}`, () => {
        const innerCode = CODE[NAMES[inner]!];
        const outerCode = CODE[NAMES[outer]!];
        assert.equal(outgoingEcn(innerCode, outerCode), CODE[outgoing]);
        for (const name of ['kernel-echo-v4-request', 'kernel-echo-v6-request']) {
          for (const tags of [[], ['81000064'], ['88a80064', '81000007']]) {
            const frame = tagged(withTos(vector(name), 0xb8 | innerCode), ...tags);
            const { bytes, start, end } = guard(frame);
            const verdict = decapsulateEcn(bytes, start, end, 0x40 | outerCode);
            assert.equal(verdict, outgoing === 'drop' ? Drop.ecnNotCapable : FORWARD);
            if (outgoing === 'drop') continue;
            assert.equal(innerTos(bytes, start, end), 0xb8 | CODE[outgoing]);
            const ip = start + IP + 4 * tags.length;
            if (name.includes('v4')) assert.equal(checkIpv4(bytes, ip, end), FORWARD);
          }
        }
      });
    });
  });

  it('copies the ECN field on the way in', () => {
    for (let ecn = 0; ecn < 4; ecn++) assert.equal(encapsulatedTos(0xbb, 0x1c | ecn), 0xb8 | ecn);
  });

  it('lets pass what is not IP, or cut short', () => {
    const arp = vector('kernel-vxlan-arp-request').subarray(50);
    assert.equal(decapsulateEcn(arp, 0, arp.length, 3), FORWARD);
    assert.equal(innerTos(arp, 0, arp.length), 0);
    const ip = vector('kernel-echo-v4-request');
    for (let end = 0; end < IP + 20; end++) {
      const { bytes, start } = guard(ip.subarray(0, end));
      assert.equal(decapsulateEcn(bytes, start, start + end, 3), FORWARD);
    }
    const short = tagged(ip, '81000064').subarray(0, 17);
    assert.equal(innerTos(short, 0, short.length), 0);
  });
});
