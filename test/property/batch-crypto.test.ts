// time-out: 600 s
// The two libraries of the batch of ciphers against each other: the same jobs, drawn at random, give the same packets, and each
// opens what the other has sealed, or refuses it. WIDEPLANE_LONG=1 does a million jobs.

import assert from 'node:assert/strict';
import { it } from 'node:test';
import { BLOCK_OCTETS, icvOctets, IV_OCTETS, JobStatus, MAX_JOBS } from '../../src/ipsec/crypto.ts';
import { loadAddon } from '../../src/native/addon.ts';
import { openCryptoBatch } from '../../src/net/batch-crypto.ts';
import { Arena } from '../../src/packet/arena.ts';
import { Random } from '../fuzz/mutator.ts';
import { finishChecksum } from '../support/crypto-batch.ts';
import { espLayout, randomKeys, setJob, statusOf, TRANSFORMS } from '../support/ipsec-crypto.ts';

const JOBS = process.env.WIDEPLANE_LONG === '1' ? 1_000_000 : 100_000;
const SEED = 20_260_101;
const SLOT_OCTETS = 2048;

const loaded = loadAddon();
assert.ok(loaded.addon !== undefined, loaded.addon === undefined ? loaded.reason : '');
const { addon } = loaded;
/** Each library has a slot for every job. */
const HALF = MAX_JOBS * SLOT_OCTETS;
const arenaHandle = addon.arenaCreate(3 * HALF);
const arena = new Arena(addon.arenaBuffer(arenaHandle));
const octets = Buffer.from(arena.buffer as ArrayBuffer);
const view = new DataView(arena.buffer);
const [first, second] = (['openssl', 'ipsec-mb'] as const).map((backend) =>
  openCryptoBatch(addon, arenaHandle, { backend }),
);
const sides = [
  { batch: first!, at: HALF },
  { batch: second!, at: 2 * HALF },
] as const;

it('both libraries seal, open, digest and verify alike', () => {
  const random = new Random(SEED);
  for (let at = 0; at < HALF; at += 4) view.setUint32(at, random.below(0x1_0000_0000));
  const keys = TRANSFORMS.flatMap((variant) => [randomKeys(random, variant), randomKeys(random, variant)]).map(
    (keyed) => ({
      ...keyed,
      handles: sides.map(({ batch }) => batch.openKey(keyed.transform, keyed.key, keyed.macKey)),
    }),
  );
  for (let done = 0; done < JOBS; done += MAX_JOBS) {
    const jobs = Array.from({ length: MAX_JOBS }, (_, index) => {
      const { transform, handles } = random.pick(keys);
      const octetCount = random.chance(50) ? random.below(128) : random.below(SLOT_OCTETS - 400);
      const padOctets =
        (BLOCK_OCTETS[transform.cipher] - ((octetCount + 2) % BLOCK_OCTETS[transform.cipher])) %
        BLOCK_OCTETS[transform.cipher];
      // Some have a transport checksum that is finished on the way.
      const start = random.below(64);
      const field = random.pick([6, 16]);
      const checksum = random.chance(50) && start + field + 2 <= octetCount ? start | (field << 16) : 0;
      return {
        ...{ transform, handles, octets: octetCount, padOctets, checksum },
        ...{ source: random.below(HALF - SLOT_OCTETS), at: index * SLOT_OCTETS + 16 + random.below(64) },
        ...{
          spi: random.below(0xffff_ffff),
          sequenceLow: random.below(0xffff_ffff),
          sequenceHigh: random.below(0xffff_ffff),
        },
        ...{ extended: random.below(2), nextHeader: random.below(256) },
      };
    });
    for (const [side, { batch, at }] of sides.entries()) {
      octets.fill(0xa5, at, at + HALF);
      for (const [index, job] of jobs.entries()) {
        view.setUint32(at + job.at, job.spi);
        view.setUint32(at + job.at + 4, job.sequenceLow);
        const { source, sequenceHigh, padOctets, nextHeader, extended, checksum } = job;
        const target = at + job.at;
        setJob(batch.jobs, index, {
          key: job.handles[side]!,
          source,
          octets: job.octets,
          target,
          sequenceHigh,
          padOctets,
          nextHeader,
          extended,
          checksum,
        });
      }
      batch.seal(MAX_JOBS);
      for (const index of jobs.keys()) assert.equal(statusOf(batch.jobs, index), JobStatus.ok);
    }
    // Random IVs differ: there either library opens what the other has sealed. All else is the same, octet for octet.
    for (const [index, { transform, at, octets: payloadOctets, padOctets }] of jobs.entries()) {
      if (transform.cipher !== 'aes-cbc' && transform.cipher !== '3des-cbc') continue;
      const [from, to] = index % 2 === 0 ? [sides[0], sides[1]] : [sides[1], sides[0]];
      const { end } = espLayout(transform, payloadOctets, padOctets);
      octets.copyWithin(to.at + at, from.at + at, from.at + at + end);
    }
    const packets = (side: 0 | 1): Buffer => octets.subarray(sides[side].at, sides[side].at + HALF);
    assert.ok(packets(0).equals(packets(1)), `the packets of jobs ${done} and on, seed ${SEED}`);

    const wrong = jobs.map(({ transform, at, octets: payloadOctets, padOctets }) => {
      if (icvOctets(transform) === 0 || !random.chance(10)) return false;
      const place = at + random.below(espLayout(transform, payloadOctets, padOctets).end);
      const change = 1 << random.below(8);
      for (const side of sides) octets[side.at + place]! ^= change;
      return true;
    });
    for (const [side, { batch, at }] of sides.entries()) {
      for (const [index, job] of jobs.entries()) {
        const { end } = espLayout(job.transform, job.octets, job.padOctets);
        const { sequenceHigh, extended } = job;
        setJob(batch.jobs, index, {
          key: job.handles[side]!,
          source: at + job.at,
          octets: end,
          sequenceHigh,
          extended,
        });
      }
      batch.open(MAX_JOBS);
      for (const [index, job] of jobs.entries()) {
        const status = statusOf(batch.jobs, index);
        assert.equal(status, wrong[index] ? JobStatus.icvInvalid : JobStatus.ok);
        const text = at + job.at + 8 + IV_OCTETS[job.transform.cipher];
        const payload = Buffer.from(octets.subarray(job.source, job.source + job.octets));
        if (job.checksum !== 0) finishChecksum(payload, job.checksum);
        const isPayload = payload.equals(octets.subarray(text, text + job.octets));
        if (!wrong[index]) assert.ok(isPayload, `the payload of job ${done + index}, seed ${SEED}`);
      }
    }
    assert.ok(packets(0).equals(packets(1)), `the opened packets of jobs ${done} and on, seed ${SEED}`);

    // AH over the same octets, where the key is one for it.
    for (const operation of ['digest', 'verify'] as const) {
      for (const [side, { batch, at }] of sides.entries()) {
        for (const [index, job] of jobs.entries()) {
          const { sequenceHigh, sequenceLow, extended } = job;
          const target = at + (index + 1) * SLOT_OCTETS - 64;
          setJob(batch.jobs, index, {
            key: job.handles[side]!,
            source: job.source,
            octets: job.octets + 1,
            target,
            sequenceHigh,
            sequenceLow,
            extended,
          });
        }
        batch[operation](MAX_JOBS);
      }
      for (const [index, { transform }] of jobs.entries()) {
        const isForAh = transform.cipher === 'aes-gmac' || (transform.cipher === 'null' && transform.mac !== 'none');
        for (const { batch } of sides)
          assert.equal(statusOf(batch.jobs, index), isForAh ? JobStatus.ok : JobStatus.failed);
      }
      assert.ok(packets(0).equals(packets(1)), `AH of jobs ${done} and on, seed ${SEED}`);
    }
  }
  for (const { handles } of keys) for (const [side, { batch }] of sides.entries()) batch.closeKey(handles[side]!);
});
