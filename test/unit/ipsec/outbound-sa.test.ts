import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { Drop, FORWARD } from '../../../src/core/drop-reason.ts';
import { CompressionPolicy } from '../../../src/ipsec/compression-policy.ts';
import { OutboundSa } from '../../../src/ipsec/outbound-sa.ts';
import { IpsecProtocol } from '../../../src/ipsec/security-association.ts';
import { specOf } from '../../support/ipsec-rig.ts';

const take = (sa: OutboundSa): number => {
  assert.equal(sa.takeSequence(), FORWARD);
  return sa.sequenceHigh * 2 ** 32 + sa.sequenceLow;
};

describe('the sequence numbers of an SA', () => {
  it('start with 1, once they are reserved', () => {
    const sa = new OutboundSa(specOf(), 0, 0);
    assert.equal(sa.takeSequence(), Drop.ipsecSequenceUnreserved);
    sa.reserve(1, 3);
    assert.equal(sa.reservedLeft, 2);
    assert.deepEqual([take(sa), take(sa)], [1, 2]);
    assert.equal(sa.takeSequence(), Drop.ipsecSequenceUnreserved);
    sa.reserve(3, 4);
    assert.equal(take(sa), 3);
  });

  it('go on through blocks that follow each other, and skip the rest of one that does not', () => {
    const sa = new OutboundSa(specOf(), 0, 0);
    sa.reserve(1, 3);
    sa.reserve(3, 5);
    assert.equal(take(sa), 1);
    assert.equal(sa.reservedLeft, 3);
    sa.reserve(1000, 2000);
    assert.equal(take(sa), 1000);
    assert.equal(sa.nextSequence, 1001);
    for (const [first, end] of [
      [1999, 2005],
      [1, 3],
      [3000, 2999],
      [2000.5, 3000],
    ] as const)
      assert.throws(() => sa.reserve(first, end), RangeError);
  });

  it('end with 2^32 - 1, and never begin again', () => {
    const sa = new OutboundSa(specOf(), 0, 0);
    sa.reserve(2 ** 32 - 2, 2 ** 32 + 1000);
    assert.equal(sa.reservedLeft, 2);
    assert.deepEqual([take(sa), take(sa)], [2 ** 32 - 2, 2 ** 32 - 1]);
    assert.equal(sa.takeSequence(), Drop.ipsecSequenceExhausted);
    assert.equal(sa.takeSequence(), Drop.ipsecSequenceExhausted);
  });

  it('extended ones go on behind that, up to 2^53 - 1', () => {
    const sa = new OutboundSa(specOf({ extended: true }), 0, 0);
    sa.reserve(2 ** 32 - 1, 2 ** 32 + 2);
    assert.deepEqual([take(sa), take(sa), take(sa)], [2 ** 32 - 1, 2 ** 32, 2 ** 32 + 1]);
    assert.deepEqual([sa.sequenceHigh, sa.sequenceLow], [1, 1]);
    sa.reserve(Number.MAX_SAFE_INTEGER - 1, Number.MAX_SAFE_INTEGER);
    take(sa);
    assert.equal(sa.takeSequence(), Drop.ipsecSequenceUnreserved);
  });
});

describe('the lifetime of an SA', () => {
  const limits = (octets: number, packets: number, seconds: number) => ({ octets, packets, seconds });

  it('raises each flag once, by packets', () => {
    const sa = new OutboundSa(specOf({ softLifetime: limits(0, 2, 0), hardLifetime: limits(0, 4, 0) }), 0, 0);
    const flags = [1, 2, 3, 4].map(() => {
      sa.count(10);
      const now = [sa.softDue, sa.hardDue];
      sa.softDue = false;
      return now;
    });
    assert.deepEqual(flags, [
      [false, false],
      [true, false],
      [false, false],
      [false, true],
    ]);
    assert.equal(sa.usable, Drop.ipsecExpired);
    assert.deepEqual([sa.packets, sa.octets], [4, 40]);
  });

  it('by octets', () => {
    const sa = new OutboundSa(specOf({ softLifetime: limits(100, 0, 0), hardLifetime: limits(150, 0, 0) }), 0, 0);
    sa.count(99);
    assert.deepEqual([sa.softDue, sa.hardDue, sa.usable], [false, false, FORWARD]);
    sa.count(1);
    assert.deepEqual([sa.softDue, sa.hardDue], [true, false]);
    sa.count(50);
    assert.equal(sa.hardDue, true);
  });

  it('by time, from when it was made', () => {
    const sa = new OutboundSa(specOf({ softLifetime: limits(0, 0, 5), hardLifetime: limits(0, 0, 8) }), 0, 1000);
    sa.age(5999);
    assert.deepEqual([sa.softDue, sa.hardDue], [false, false]);
    sa.age(6000);
    assert.deepEqual([sa.softDue, sa.hardDue], [true, false]);
    sa.softDue = false;
    sa.age(9000);
    assert.deepEqual([sa.softDue, sa.hardDue], [false, true]);
  });

  it('is endless without limits', () => {
    const sa = new OutboundSa(specOf(), 0, 0);
    sa.age(Number.MAX_SAFE_INTEGER);
    for (let index = 0; index < 1000; index++) sa.count(65_535);
    assert.deepEqual([sa.softDue, sa.hardDue], [false, false]);
  });
});

describe('an SA', () => {
  it('is not made of AH in UDP, or of AH without a MAC', () => {
    const mac = { cipher: 'null', mac: 'hmac-sha256-128' } as const;
    const ports = { udpSourcePort: 4500, udpDestinationPort: 4500 };
    assert.throws(
      () => new OutboundSa(specOf({ protocol: IpsecProtocol.ah, transform: mac, ...ports }), 0, 0),
      RangeError,
    );
    const none = { cipher: 'null', mac: 'none' } as const;
    assert.throws(() => new OutboundSa(specOf({ protocol: IpsecProtocol.ah, transform: none }), 0, 0), RangeError);
  });
});

describe('when compressing is tried', () => {
  it('not for fewer than 90 octets', () => {
    const policy = new CompressionPolicy();
    assert.equal(policy.wants(89), false);
    assert.equal(policy.wants(90), true);
  });

  it('more and more seldom as long as it does not help, and at once again when it did', () => {
    const policy = new CompressionPolicy();
    const pauses: number[] = [];
    for (let tries = 0; tries < 12; tries++) {
      let skipped = 0;
      while (!policy.wants(1000)) skipped += 1;
      pauses.push(skipped);
      policy.tried(false);
    }
    assert.deepEqual(pauses, [0, 0, 0, 0, 4, 8, 16, 32, 64, 128, 256, 256]);
    while (!policy.wants(1000));
    policy.tried(true);
    assert.equal(policy.wants(1000), true);
  });
});
