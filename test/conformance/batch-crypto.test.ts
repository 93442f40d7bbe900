// beside others
// The ciphers of IPsec in the addon, by each of its libraries, against node:crypto.

import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { describe, it } from 'node:test';
import { Worker } from 'node:worker_threads';
import {
  BLOCK_OCTETS,
  icvOctets,
  IV_OCTETS,
  JobStatus,
  MAX_JOBS,
  type CipherName,
  type MacName,
  type Transform,
} from '../../src/ipsec/crypto.ts';
import { loadAddon } from '../../src/native/addon.ts';
import { type AddonCryptoBatch, openCryptoBatch } from '../../src/net/batch-crypto.ts';
import { Arena } from '../../src/packet/arena.ts';
import { Random } from '../fuzz/mutator.ts';
import {
  describeTransform,
  digestByNode,
  espLayout,
  type Keyed,
  type Packet,
  randomKeys,
  randomOctets,
  sealByNode,
  setJob,
  statusOf,
  TRANSFORMS,
} from '../support/ipsec-crypto.ts';
import { FILLER, toHex } from '../support/octets.ts';

const loaded = loadAddon();
assert.ok(loaded.addon !== undefined, loaded.addon === undefined ? loaded.reason : '');
const { addon } = loaded;
const ARENA_OCTETS = 1 << 24;
const arenaHandle = addon.arenaCreate(ARENA_OCTETS);
const arena = new Arena(addon.arenaBuffer(arenaHandle));

/** Every length near a block, and those around the sizes that packets have. */
const SIZES = [
  ...Array.from({ length: 70 }, (_, octets) => octets),
  ...[127, 128, 129, 255, 256, 257, 575, 1023, 1024, 1025, 1399, 1400, 1401, 1500, 2047, 4095, 4096, 4097, 8191, 9000],
];
/** A packet of 9000 octets with everything around it, and room between packets. */
const SLOT_OCTETS = 10_000;
const EMPTY = new Uint8Array(0);

const octetsAt = (offset: number, octets: number): Buffer => Buffer.from(arena.bytes.subarray(offset, offset + octets));

/** As two equal texts in hexadecimal, but without making them for what is equal. */
function same(actual: Uint8Array, expected: Uint8Array | readonly number[], message?: string): void {
  if (!Buffer.from(expected).equals(actual)) assert.equal(toHex(actual), toHex(expected), message);
}

/** The least padding, and now and then a block more. */
function padding({ cipher }: Transform, payloadOctets: number, more: boolean): number {
  const block = BLOCK_OCTETS[cipher];
  const least = (block - ((payloadOctets + 2) % block)) % block;
  return more && least + block <= 255 ? least + block : least;
}

function randomPacket(random: Random, transform: Transform, payloadOctets: number, extended: boolean): Packet {
  return {
    spi: 256 + random.below(0xffff_0000),
    sequenceHigh: random.below(0xffff_ffff),
    sequenceLow: random.below(0xffff_ffff),
    extended,
    payload: randomOctets(random, payloadOctets),
    padOctets: padding(transform, payloadOctets, random.chance(20)),
    nextHeader: random.below(256),
  };
}

/** Writes header and payload, in place or elsewhere, and the job that seals them at `target`. */
function placeSeal(
  batch: AddonCryptoBatch,
  index: number,
  key: number,
  transform: Transform,
  packet: Packet,
  target: number,
  inPlace: boolean,
): void {
  const view = new DataView(arena.buffer);
  view.setUint32(target, packet.spi);
  view.setUint32(target + 4, packet.sequenceLow);
  const source = inPlace ? target + 8 + IV_OCTETS[transform.cipher] : target + (ARENA_OCTETS >> 1) + 3;
  arena.bytes.set(packet.payload, source);
  const { sequenceHigh, padOctets, nextHeader } = packet;
  const extended = Number(packet.extended);
  setJob(batch.jobs, index, {
    key,
    source,
    octets: packet.payload.length,
    target,
    sequenceHigh,
    padOctets,
    nextHeader,
    extended,
  });
}

/** A sealed packet at `target`, made by node:crypto. */
function placeSealed(keyed: Keyed, packet: Packet, target: number, random: Random): Buffer {
  const sealed = sealByNode(keyed, packet, randomOctets(random, IV_OCTETS[keyed.transform.cipher]));
  arena.bytes.set(sealed, target);
  return sealed;
}

function openJob(
  batch: AddonCryptoBatch,
  index: number,
  key: number,
  source: number,
  octets: number,
  packet: Packet,
): void {
  const { sequenceHigh } = packet;
  setJob(batch.jobs, index, { key, source, octets, sequenceHigh, extended: Number(packet.extended) });
}

for (const backend of ['openssl', 'ipsec-mb'] as const) {
  const batch = openCryptoBatch(addon, arenaHandle, { backend });
  const withKey = (keyed: Keyed, use: (key: number) => void): void => {
    const key = batch.openKey(keyed.transform, keyed.key, keyed.macKey);
    try {
      use(key);
    } finally {
      batch.closeKey(key);
    }
  };

  describe(`the ciphers of IPsec by ${backend}`, () => {
    for (const variant of TRANSFORMS) {
      const { transform } = variant;

      it(`seal and open as node:crypto does: ${describeTransform(variant)}`, () => {
        const random = new Random(1);
        const keyed = randomKeys(random, variant);
        withKey(keyed, (key) => {
          for (const extended of [false, true]) {
            const packets = SIZES.map((octets) => randomPacket(random, transform, octets, extended));
            const at = (index: number): number => 4096 + index * SLOT_OCTETS + (index % 5);
            arena.bytes.fill(FILLER, 0, at(packets.length));
            for (const [index, packet] of packets.entries()) {
              placeSeal(batch, index, key, transform, packet, at(index), index % 2 === 0);
            }
            batch.seal(packets.length);
            const sealed = packets.map((packet, index) => {
              assert.equal(statusOf(batch.jobs, index), JobStatus.ok);
              const { text, end } = espLayout(transform, packet.payload.length, packet.padOctets);
              const octets = octetsAt(at(index), end);
              const expected = sealByNode(keyed, packet, octets.subarray(8, text));
              same(octets, expected, `${packet.payload.length} octets`);
              assert.equal(arena.bytes[at(index) - 1], FILLER, 'the octet in front');
              assert.equal(arena.bytes[at(index) + end], FILLER, 'the octet behind');
              return octets;
            });
            for (const [index, packet] of packets.entries()) {
              openJob(batch, index, key, at(index), sealed[index]!.length, packet);
            }
            batch.open(packets.length);
            for (const [index, packet] of packets.entries()) {
              assert.equal(statusOf(batch.jobs, index), JobStatus.ok);
              const { text, icv, end } = espLayout(transform, packet.payload.length, packet.padOctets);
              const opened = octetsAt(at(index), end);
              const pad = Array.from({ length: packet.padOctets }, (_, octet) => octet + 1);
              const plain = [...packet.payload, ...pad, packet.padOctets, packet.nextHeader];
              same(opened.subarray(text, icv), plain, `${packet.payload.length} octets`);
              same(opened.subarray(0, text), sealed[index]!.subarray(0, text));
              same(opened.subarray(icv), sealed[index]!.subarray(icv));
              assert.equal(arena.bytes[at(index) - 1], FILLER, 'the octet in front');
              assert.equal(arena.bytes[at(index) + end], FILLER, 'the octet behind');
            }
          }
        });
      });

      if (icvOctets(transform) === 0) continue;
      it(`refuse a packet with any bit changed, and decrypt nothing: ${describeTransform(variant)}`, () => {
        const random = new Random(2);
        const keyed = randomKeys(random, variant);
        withKey(keyed, (key) => {
          for (const payloadOctets of [1, 100]) {
            for (const extended of [false, true]) {
              const packet = randomPacket(random, transform, payloadOctets, extended);
              const sealed = placeSealed(keyed, packet, 4096, random);
              const bits = sealed.length * 8;
              // One more each for the high sequence number, which does not travel.
              for (let first = 0; first < bits + 32; first += MAX_JOBS) {
                const count = Math.min(MAX_JOBS, bits + 32 - first);
                const at = (index: number): number => 4096 + index * 512;
                const changed: Buffer[] = [];
                for (let index = 0; index < count; index++) {
                  const bit = first + index;
                  const octets = Buffer.from(sealed);
                  const other = { ...packet };
                  if (bit < bits) octets[bit >> 3]! ^= 1 << (bit & 7);
                  else other.sequenceHigh = (packet.sequenceHigh ^ (1 << (bit - bits))) >>> 0;
                  arena.bytes.set(octets, at(index));
                  openJob(batch, index, key, at(index), octets.length, other);
                  changed.push(octets);
                }
                batch.open(count);
                for (const [index, octets] of changed.entries()) {
                  const isWrong = first + index < bits || extended;
                  const status = statusOf(batch.jobs, index);
                  assert.equal(status, isWrong ? JobStatus.icvInvalid : JobStatus.ok, `bit ${first + index}`);
                  if (isWrong) same(octetsAt(at(index), octets.length), octets, `bit ${first + index}`);
                }
              }
            }
          }
        });
      });
    }

    it('refuse packets that are too short, or no multiple of the block', () => {
      const random = new Random(3);
      for (const variant of TRANSFORMS) {
        const { transform } = variant;
        const block = BLOCK_OCTETS[transform.cipher];
        const around = 8 + IV_OCTETS[transform.cipher] + icvOctets(transform);
        withKey(randomKeys(random, variant), (key) => {
          const before = randomOctets(random, around + 4 * block);
          arena.bytes.set(before, 4096);
          for (let octets = 0; octets <= before.length; octets++) {
            setJob(batch.jobs, 0, { key, source: 4096, octets });
            batch.open(1);
            const isWhole = octets > around && (octets - around) % block === 0;
            const expected = !isWhole
              ? [JobStatus.malformed]
              : icvOctets(transform) === 0
                ? [JobStatus.ok]
                : [JobStatus.icvInvalid];
            assert.deepEqual([statusOf(batch.jobs, 0)], expected, `${describeTransform(variant)}, ${octets} octets`);
            if (expected[0] === JobStatus.ok) arena.bytes.set(before, 4096);
            else same(octetsAt(4096, before.length), before);
          }
        });
      }
    });

    it('refuse jobs that padding does not fit, that leave the arena, or that are longer than IP', () => {
      const random = new Random(4);
      const keyed = randomKeys(
        random,
        TRANSFORMS.find(({ transform }) => transform.cipher === 'aes-cbc')!,
      );
      withKey(keyed, (key) => {
        const right = { key, source: 8192, octets: 14, target: 4096, nextHeader: 4 };
        const wrong = [
          { ...right, padOctets: 1 },
          { ...right, padOctets: 256 },
          { ...right, padOctets: -16 },
          { ...right, source: ARENA_OCTETS - 13 },
          { ...right, target: ARENA_OCTETS - 39 },
          { ...right, octets: -2 },
          { ...right, octets: 65_534 },
        ];
        setJob(batch.jobs, 0, right);
        for (const [index, words] of wrong.entries()) setJob(batch.jobs, index + 1, words);
        setJob(batch.jobs, 8, { ...right, source: -1 });
        setJob(batch.jobs, 9, right);
        batch.seal(10);
        const statuses = Array.from({ length: 10 }, (_, index) => statusOf(batch.jobs, index));
        assert.deepEqual(statuses, [JobStatus.ok, ...new Array<number>(8).fill(JobStatus.malformed), JobStatus.ok]);
        setJob(batch.jobs, 0, { key, source: ARENA_OCTETS - 40, octets: 56 });
        batch.open(1);
        assert.equal(statusOf(batch.jobs, 0), JobStatus.malformed);
      });
    });

    it('take keys, transforms and lengths mixed in one call, good packets and bad', () => {
      const random = new Random(5);
      const keys = TRANSFORMS.flatMap((variant) =>
        [1, 2].map(() => {
          const keyed = randomKeys(random, variant);
          return { keyed, key: batch.openKey(keyed.transform, keyed.key, keyed.macKey) };
        }),
      );
      for (let round = 0; round < 20; round++) {
        const at = (index: number): number => 4096 + index * 2048;
        const cases = Array.from({ length: MAX_JOBS }, (_, index) => {
          const { keyed, key } = random.pick(keys);
          const packet = randomPacket(random, keyed.transform, random.below(1500), random.chance(50));
          const sealed = placeSealed(keyed, packet, at(index), random);
          const isWrong = random.chance(20) && icvOctets(keyed.transform) > 0;
          if (isWrong) arena.bytes[at(index) + random.below(sealed.length)]! ^= 1 + random.below(255);
          openJob(batch, index, key, at(index), sealed.length, packet);
          return { keyed, packet, isWrong, before: octetsAt(at(index), sealed.length) };
        });
        batch.open(MAX_JOBS);
        for (const [index, { keyed, packet, isWrong, before }] of cases.entries()) {
          assert.equal(statusOf(batch.jobs, index), isWrong ? JobStatus.icvInvalid : JobStatus.ok);
          if (isWrong) same(octetsAt(at(index), before.length), before);
          const { text } = espLayout(keyed.transform, packet.payload.length, packet.padOctets);
          if (!isWrong) same(octetsAt(at(index) + text, packet.payload.length), packet.payload);
        }
      }
      for (const { key } of keys) batch.closeKey(key);
    });

    it('write the IV of a combined cipher from the sequence number, and one of a block cipher that nobody can predict', () => {
      const random = new Random(6);
      for (const variant of TRANSFORMS.filter(({ transform }) => IV_OCTETS[transform.cipher] > 0)) {
        const { transform } = variant;
        withKey(randomKeys(random, variant), (key) => {
          const packet = randomPacket(random, transform, 30, false);
          for (let index = 0; index < MAX_JOBS; index++)
            placeSeal(batch, index, key, transform, packet, 4096 + 128 * index, true);
          batch.seal(MAX_JOBS);
          const ivs = new Set(
            Array.from({ length: MAX_JOBS }, (_, index) =>
              toHex(octetsAt(4096 + 128 * index + 8, IV_OCTETS[transform.cipher])),
            ),
          );
          const { sequenceHigh, sequenceLow } = packet;
          const number = (BigInt(sequenceHigh) << 32n) | BigInt(sequenceLow);
          if (transform.cipher.startsWith('aes-g')) assert.deepEqual([...ivs], [number.toString(16).padStart(16, '0')]);
          else assert.equal(ivs.size, MAX_JOBS);
        });
      }
    });

    it('digest and verify AH as node:crypto does, with the ICV in what is authenticated, or elsewhere', () => {
      const random = new Random(7);
      const variants = TRANSFORMS.filter(
        ({ transform }) => transform.cipher === 'aes-gmac' || (transform.cipher === 'null' && transform.mac !== 'none'),
      );
      for (const variant of variants) {
        const keyed = randomKeys(random, variant);
        withKey(keyed, (key) => {
          for (const extended of [false, true]) {
            for (const isInside of [false, true]) {
              const at = (index: number): number => 4096 + index * SLOT_OCTETS;
              const sizes = SIZES.filter((octets) => octets >= 60);
              const cases = sizes.map((octets, index) => {
                const covered = randomOctets(random, octets);
                if (isInside) covered.fill(0, 12, 52);
                const fields = {
                  sequenceHigh: random.below(0xffff_ffff),
                  sequenceLow: random.below(0xffff_ffff),
                  extended,
                };
                const target = at(index) + (isInside ? 12 : octets + 5);
                arena.bytes.fill(FILLER, at(index), at(index) + octets + 60);
                arena.bytes.set(covered, at(index));
                const words = { key, source: at(index), octets, target, ...fields, extended: Number(extended) };
                setJob(batch.jobs, index, words);
                return { covered, target, words, expected: digestByNode(keyed, covered, fields) };
              });
              batch.digest(cases.length);
              for (const [index, { target, expected, covered }] of cases.entries()) {
                assert.equal(statusOf(batch.jobs, index), JobStatus.ok);
                same(octetsAt(target, expected.length), expected, `${covered.length} octets`);
                const after = octetsAt(at(index), covered.length);
                if (isInside) after.fill(0, 12, 12 + expected.length);
                same(after, covered, 'what is authenticated stays');
                if (!isInside) assert.equal(arena.bytes[at(index) + covered.length], FILLER);
              }
              // As a receiver has it: what arrived is kept elsewhere, and zeros stand in its place.
              for (const wrongOctet of [-1, 0, cases[0]!.expected.length - 1]) {
                for (const [index, { covered, words, expected }] of cases.entries()) {
                  arena.bytes.set(covered, at(index));
                  const target = at(index) + covered.length + 8;
                  arena.bytes.set(expected, target);
                  if (wrongOctet >= 0) arena.bytes[target + wrongOctet]! ^= 0x10;
                  setJob(batch.jobs, index, { ...words, target });
                }
                batch.verify(cases.length);
                const status = wrongOctet >= 0 ? JobStatus.icvInvalid : JobStatus.ok;
                for (const index of cases.keys()) assert.equal(statusOf(batch.jobs, index), status);
              }
            }
          }
        });
      }
    });

    it('have no AH with a key that encrypts or does not authenticate, nor a job with a key that is closed', () => {
      const random = new Random(8);
      for (const cipher of ['aes-gcm', 'aes-cbc', 'null'] as const) {
        const variant = TRANSFORMS.find(({ transform }) => transform.cipher === cipher && transform.mac === 'none')!;
        withKey(randomKeys(random, variant), (key) => {
          setJob(batch.jobs, 0, { key, source: 4096, octets: 64, target: 8192 });
          batch.digest(1);
          assert.equal(statusOf(batch.jobs, 0), JobStatus.failed);
        });
      }
      const keyed = randomKeys(random, TRANSFORMS[0]!);
      const key = batch.openKey(keyed.transform, keyed.key, keyed.macKey);
      batch.closeKey(key);
      for (const [index, handle] of [key, 0, -1, 65_536, 65_537].entries()) {
        setJob(batch.jobs, index, { key: handle, source: 4096, octets: 64 });
      }
      batch.open(5);
      for (let index = 0; index < 5; index++) assert.equal(statusOf(batch.jobs, index), JobStatus.failed);
      assert.throws(
        () => {
          batch.closeKey(key);
        },
        { code: 'EBADF' },
      );
      assert.throws(
        () => {
          batch.open(MAX_JOBS + 1);
        },
        { code: 'EINVAL' },
      );
    });

    it('work in another thread with a key of this one', async () => {
      const random = new Random(9);
      const keyed = randomKeys(random, TRANSFORMS[0]!);
      const packet = randomPacket(random, keyed.transform, 500, false);
      const key = batch.openKey(keyed.transform, keyed.key, keyed.macKey);
      for (let round = 0; round < 3; round++) {
        const { length } = placeSealed(keyed, packet, 4096, random);
        const worker = new Worker(new URL('../support/crypto-worker.js', import.meta.url), {
          workerData: { arena: arenaHandle, key, source: 4096, octets: length },
        });
        const status = await new Promise((resolve, reject) => worker.once('message', resolve).once('error', reject));
        await worker.terminate();
        assert.equal(status, JobStatus.ok);
        same(octetsAt(4096 + 16, 500), packet.payload);
      }
      batch.closeKey(key);
    });

    it('leave nothing of a key in memory once it is closed', () => {
      for (const cipher of ['aes-gcm', 'aes-cbc'] as const) {
        const mac: MacName = cipher === 'aes-cbc' ? 'hmac-sha256-128' : 'none';
        // In memory of its own: the collector copies small arrays to and fro.
        const secretOctets = 16;
        const key = new Uint8Array(new ArrayBuffer(cipher === 'aes-gcm' ? secretOctets + 4 : secretOctets));
        const random = new Random(Date.now());
        let reversed = '';
        for (let at = 0; at < secretOctets; at++) {
          const octet = random.below(256);
          key[at] = octet;
          reversed = octet.toString(16).padStart(2, '0') + reversed;
        }
        const handle = batch.openKey({ cipher, mac }, key, new Uint8Array(mac === 'none' ? 0 : 32));
        key.fill(0);
        assert.ok(occurrences(reversed) > 0, 'the search finds it while it is open');
        batch.closeKey(handle);
        assert.equal(occurrences(reversed), 0);
      }
    });
  });
}

/** How often the octets, given backwards, stand in the memory that this process can write. */
function occurrences(reversed: string): number {
  const script = `
import sys
needle = bytes.fromhex(sys.argv[2])[::-1]
found = 0
with open(f"/proc/{sys.argv[1]}/maps") as maps, open(f"/proc/{sys.argv[1]}/mem", "rb") as memory:
    for line in maps:
        first, last = (int(text, 16) for text in line.split()[0].split("-"))
        if "rw" not in line or last - first > 1 << 28:
            continue
        try:
            memory.seek(first)
            found += memory.read(last - first).count(needle)
        except (OSError, ValueError):
            pass
print(found)`;
  return Number(execFileSync('python3', ['-c', script, String(process.pid), reversed], { encoding: 'utf8' }));
}

describe('a batch of ciphers', () => {
  const batch = openCryptoBatch(addon, arenaHandle);

  it('is done by ipsec-mb where it can be used, by OpenSSL otherwise, or as was asked, and says why', () => {
    assert.deepEqual([batch.name, batch.reason], ['ipsec-mb', 'it is installed']);
    const without = Object.create(addon, {
      cryptoMultiBufferUnavailable: { value: () => 'it is not there' },
    }) as typeof addon;
    const fallback = openCryptoBatch(without, arenaHandle);
    assert.deepEqual([fallback.name, fallback.reason], ['openssl', 'there is no ipsec-mb: it is not there']);
    assert.throws(
      () => openCryptoBatch(without, arenaHandle, { backend: 'ipsec-mb' }),
      /^Error: there is no ipsec-mb: it is not there$/,
    );
    const asked = openCryptoBatch(addon, arenaHandle, { backend: 'openssl' });
    assert.deepEqual([asked.name, asked.reason], ['openssl', 'it was asked for']);
  });

  it('refuses keys of another length with a RangeError that does not show them', () => {
    const key = (octets: number): Uint8Array => new Uint8Array(octets).fill(0x5a);
    const cases: [CipherName, MacName, number, number, RegExp][] = [
      ['aes-gcm', 'none', 16, 0, /the key of aes-gcm has 16 octets: it must have 20, or 28, or 36/],
      ['aes-gmac', 'none', 32, 0, /20, or 28, or 36/],
      ['aes-cbc', 'hmac-sha1-96', 15, 20, /16, or 24, or 32/],
      ['3des-cbc', 'hmac-sha1-96', 16, 20, /it must have 24$/],
      ['null', 'hmac-sha1-96', 1, 20, /it must have 0$/],
      ['null', 'hmac-sha256-128', 0, 20, /the key of the MAC hmac-sha256-128 has 20 octets: it must have 32/],
      ['aes-gcm', 'hmac-sha1-96', 20, 20, /aes-gcm authenticates by itself/],
      ['des' as CipherName, 'none', 8, 0, /there is no cipher des/],
      ['null', 'hmac-md5' as MacName, 0, 16, /there is no MAC hmac-md5/],
    ];
    for (const [cipher, mac, keyOctets, macKeyOctets, message] of cases) {
      assert.throws(
        () => batch.openKey({ cipher, mac }, key(keyOctets), key(macKeyOctets)),
        (error: unknown) => {
          assert.ok(error instanceof RangeError);
          assert.match(error.message, message);
          assert.doesNotMatch(error.message, /5a|90|Z/);
          return true;
        },
      );
    }
  });

  it('keeps keys in memory that is locked and never dumped', () => {
    const key = batch.openKey({ cipher: 'aes-gcm', mac: 'none' }, new Uint8Array(20), EMPTY);
    const flags = readFileSync('/proc/self/smaps', 'utf8').match(/^VmFlags:.*$/gm) ?? [];
    assert.ok(
      flags.some((line) => / lo\b/.test(line) && / dd\b/.test(line)),
      'no such memory',
    );
    batch.closeKey(key);
  });

  it('has room for many keys, and gives closed ones out again', () => {
    const handles = Array.from({ length: 3000 }, () =>
      batch.openKey({ cipher: 'aes-gcm', mac: 'none' }, new Uint8Array(20), EMPTY),
    );
    assert.equal(new Set(handles).size, 3000);
    for (const handle of handles) batch.closeKey(handle);
    const again = Array.from({ length: 3000 }, () =>
      batch.openKey({ cipher: 'aes-gcm', mac: 'none' }, new Uint8Array(20), EMPTY),
    );
    assert.ok(Math.max(...again) <= Math.max(...handles));
    for (const handle of again) batch.closeKey(handle);
  });
});
