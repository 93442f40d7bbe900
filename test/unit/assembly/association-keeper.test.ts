// Which sequence numbers security associations get, and what is said where they get none.

import assert from 'node:assert/strict';
import { mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, afterEach, describe, it } from 'node:test';
import { AssociationKeeper, fingerprintsOf } from '../../../src/assembly/dataplaned/association-keeper.ts';
import {
  AssociationCell,
  AssociationStates,
  createAssociationStates,
} from '../../../src/assembly/dataplaned/association-states.ts';
import type { AssociationModel } from '../../../src/assembly/dataplaned/model.ts';
import { sealSecret } from '../../../src/config/secret-box.ts';
import { Drop, FORWARD } from '../../../src/core/drop-reason.ts';
import { Association } from '../../../src/ipsec/association-database.ts';
import { SequenceStore } from '../../../src/store/sequence-store.ts';
import { NodeCryptoBatch } from '../../support/crypto-batch.ts';
import { specOf } from '../../support/ipsec-rig.ts';
import '../../support/secret-box.ts';
import { eventually } from '../../lib/namespace.ts';

const root = mkdtempSync(join(tmpdir(), 'keeper-'));
after(() => rmSync(root, { recursive: true }));

const OBJECT = 'net ipsec manual-security-association';
const keysOf = (letter: string): AssociationModel['keys'] => ({
  protocol: 'esp',
  'auth-algorithm': 'aes-gcm128',
  'encrypt-algorithm': 'aes-gcm128',
  'encrypt-key': sealSecret(letter.repeat(20)),
});
const model = (name: string, letter: string, changes: Parameters<typeof specOf>[0] = {}): AssociationModel => ({
  name,
  routeDomain: 0,
  policy: '/Common/p',
  sends: true,
  tunnel: undefined,
  sa: specOf(changes),
  keys: keysOf(letter),
});
const ranBefore = (...letters: string[]): Set<string> =>
  fingerprintsOf({
    manualAssociations: new Map(letters.map((letter) => [letter, { properties: keysOf(letter) }])),
  } as unknown as Parameters<typeof fingerprintsOf>[0]);

let serial = 0;
const keepers: AssociationKeeper[] = [];
afterEach(() => keepers.splice(0).forEach((keeper) => keeper.stop()));

/** A keeper with the worker's side of it: associations by name. */
class Bench {
  readonly lines: string[] = [];
  readonly states = new AssociationStates(createAssociationStates());
  readonly associations = new Map<string, Association>();
  readonly keeper: AssociationKeeper;
  #models = new Map<string, AssociationModel>();

  constructor(store: SequenceStore, before: ReadonlySet<string> = new Set()) {
    const say = (text: string): void => void this.lines.push(text);
    const log = { debug: say, info: say, warn: say, error: say };
    const crypto = new NodeCryptoBatch(new Uint8Array(4096));
    this.keeper = new AssociationKeeper({ crypto, store, states: this.states, ranBefore: before, log });
    keepers.push(this.keeper);
  }

  /** As the main thread goes over to a configuration; `meanwhile`: before the worker hears of it. */
  async want(models: readonly AssociationModel[], meanwhile: () => void = () => undefined): Promise<void> {
    const { keeper } = this;
    this.#models = new Map(models.map((one) => [one.name, one]));
    const closing = await keeper.want(this.#models);
    keeper.place((name) => this.#idOf(name));
    meanwhile();
    for (const { name, sa } of models) {
      const opened = keeper.keyOf(name)!;
      if (this.associations.get(name)?.spec.key === opened.key) continue;
      const place = { id: this.#idOf(name), name, row: 1, routeDomain: 0, policy: 1, sends: true, tunnel: -1 };
      this.associations.set(name, new Association({ ...place, ...opened, sa }, 0));
    }
    keeper.close(closing);
  }

  #idOf(name: string): number {
    return [...this.#models.keys()].indexOf(name);
  }

  /** The next number that the association sends with, or undefined. */
  send(name: string, count = 1): number | undefined {
    const association = this.associations.get(name)!;
    let last: number | undefined;
    for (let index = 0; index < count; index++) {
      this.states.refill(association);
      const { outbound } = association;
      last = outbound.takeSequence() === FORWARD ? outbound.sequenceHigh * 2 ** 32 + outbound.sequenceLow : undefined;
      this.states.publish(association, 0);
    }
    return last;
  }

  reasons(): Record<string, string> {
    return Object.fromEntries(this.keeper.failures().map(({ object, reason }) => [object, reason]));
  }
}

const newPath = (): string => {
  const directory = join(root, String(++serial));
  mkdirSync(directory);
  return join(directory, 'sequence-numbers');
};

describe('keeper of associations', () => {
  it('goes on behind what the process before it may have sent', async () => {
    const path = newPath();
    const seen = new Set<number>();
    for (let start = 0; start < 5; start++) {
      const bench = new Bench(await SequenceStore.open(path), start === 0 ? new Set() : ranBefore('k'));
      await bench.want([model('/Common/a', 'k')]);
      for (let packet = 0; packet < 10; packet++) {
        const number = bench.send('/Common/a')!;
        assert.ok(!seen.has(number), `${number} twice`);
        seen.add(number);
      }
      assert.deepEqual(bench.reasons(), {});
      bench.keeper.stop();
    }
    assert.equal(seen.size, 50);
  });

  it('gives two associations with the same keys different numbers', async () => {
    const bench = new Bench(await SequenceStore.open(newPath()));
    await bench.want([model('/Common/a', 'k'), model('/Common/b', 'k', { spi: 0x2000 })]);
    assert.equal(bench.send('/Common/a'), 1);
    assert.ok(bench.send('/Common/b')! > 100_000);
  });

  it('fetches more numbers before they run out, in growing blocks', async () => {
    const bench = new Bench(await SequenceStore.open(newPath()));
    await bench.want([model('/Common/a', 'k')]);
    const reservedEnd = (): number => bench.states.read(0, AssociationCell.reservedEnd);
    const first = reservedEnd();
    const half = (first - 1) / 2;
    assert.equal(bench.send('/Common/a', half - 10), half - 10);
    await new Promise((resolve) => setTimeout(resolve, 300));
    assert.equal(reservedEnd(), first, 'half of the block is left');
    bench.send('/Common/a', 100);
    await eventually('a second block', () => reservedEnd() > first);
    assert.equal(reservedEnd() - first, (first - 1) * 2);
    const before = bench.send('/Common/a')!;
    assert.equal(bench.send('/Common/a'), before + 1);
  });

  it('leaves numbers of a successor alone until it has come', async () => {
    const path = newPath();
    const bench = new Bench(await SequenceStore.open(path));
    await bench.want([model('/Common/a', 'k')]);
    const seen = new Set<number>([bench.send('/Common/a')!]);
    // Other properties, the same keys: the old one sends while the numbers of the new one are there already.
    await bench.want([model('/Common/a', 'k', { spi: 0x7777 })], () => {
      for (let packet = 0; packet < 5; packet++) {
        const number = bench.send('/Common/a')!;
        assert.ok(!seen.has(number), `${number} twice`);
        seen.add(number);
      }
      const { outbound } = bench.associations.get('/Common/a')!;
      assert.ok(outbound.reservedEnd < 2 ** 20, `the predecessor may send up to ${outbound.reservedEnd}`);
    });
    for (let packet = 0; packet < 5; packet++) {
      const number = bench.send('/Common/a')!;
      assert.ok(!seen.has(number), `${number} twice`);
      seen.add(number);
    }
  });

  it('does not let an association send that ran before and is not on record; with new keys it does', async () => {
    const path = newPath();
    const bench = new Bench(await SequenceStore.open(path), ranBefore('k'));
    await bench.want([model('/Common/a', 'k'), model('/Common/b', 'n')]);
    assert.equal(bench.send('/Common/a'), undefined);
    assert.equal(bench.associations.get('/Common/a')!.outbound.takeSequence(), Drop.ipsecSequenceUnreserved);
    assert.equal(bench.send('/Common/b'), 1);
    const reasons = bench.reasons();
    assert.deepEqual(Object.keys(reasons), [`${OBJECT} /Common/a`]);
    assert.match(
      reasons[`${OBJECT} /Common/a`]!,
      /not on record .* sends nothing, and only receives: give it new keys/,
    );
    await new Promise((resolve) => setTimeout(resolve, 300));
    assert.equal(bench.send('/Common/a'), undefined, 'nor does it later');
    // Deleted and created again with the same keys.
    await bench.want([]);
    await bench.want([model('/Common/a', 'k')]);
    assert.equal(bench.send('/Common/a'), undefined);
    await bench.want([model('/Common/a', 'x')]);
    assert.equal(bench.send('/Common/a'), 1);
    assert.deepEqual(bench.reasons(), {});
    // The next process finds the new ones on record, and the old ones still not.
    const next = new Bench(await SequenceStore.open(path), ranBefore('k', 'x'));
    await next.want([model('/Common/a', 'x'), model('/Common/c', 'k')]);
    assert.ok(next.send('/Common/a')! > 1);
    assert.equal(next.send('/Common/c'), undefined);
  });

  it('says so when numbers cannot be written, once in the log, and sends when they can', async () => {
    const path = newPath();
    const directory = join(path, '..');
    const bench = new Bench(await SequenceStore.open(path));
    renameSync(directory, `${directory}-gone`);
    await bench.want([model('/Common/a', 'k')]);
    assert.equal(bench.send('/Common/a'), undefined);
    assert.match(
      bench.reasons()[`${OBJECT} /Common/a`]!,
      /^its sequence numbers cannot be reserved: cannot write .*\(ENOENT\).*; it sends nothing until they can$/,
    );
    await new Promise((resolve) => setTimeout(resolve, 1500));
    assert.equal(bench.send('/Common/a'), undefined);
    renameSync(`${directory}-gone`, directory);
    await eventually('numbers', () => bench.send('/Common/a') === 1);
    assert.deepEqual(bench.reasons(), {});
    assert.equal(bench.lines.filter((line) => line.includes('cannot be reserved')).length, 1, bench.lines.join('\n'));
  });

  it('stops when a block has run out that no other could follow, and never uses a number twice', async () => {
    const path = newPath();
    const directory = join(path, '..');
    const bench = new Bench(await SequenceStore.open(path));
    await bench.want([model('/Common/a', 'k')]);
    const last = bench.states.read(0, AssociationCell.reservedEnd) - 1;
    renameSync(directory, `${directory}-gone`);
    assert.equal(bench.send('/Common/a', last), last);
    assert.equal(bench.send('/Common/a'), undefined);
    await eventually('a reason', () => bench.keeper.failures().length === 1);
    assert.match(bench.reasons()[`${OBJECT} /Common/a`]!, /; it stops sending when those that it has are used up$/);
    assert.equal(bench.send('/Common/a'), undefined);
    renameSync(`${directory}-gone`, directory);
    await eventually('more numbers', () => bench.send('/Common/a') === last + 1);
  });

  it('asks for no numbers behind the last that 32 bits hold', async () => {
    const path = newPath();
    const store = await SequenceStore.open(path);
    const bench = new Bench(store);
    await bench.want([model('/Common/a', 'k'), model('/Common/b', 'e', { extended: true })]);
    const fingerprints = { a: [...ranBefore('k')][0]!, b: [...ranBefore('e')][0]! };
    bench.keeper.stop();
    for (const fingerprint of Object.values(fingerprints)) await store.reserve([{ fingerprint, count: 2 ** 32 }]);
    const next = new Bench(await SequenceStore.open(path), ranBefore('k', 'e'));
    await next.want([model('/Common/a', 'k'), model('/Common/b', 'e', { extended: true })]);
    assert.equal(next.send('/Common/a'), undefined);
    assert.equal(next.associations.get('/Common/a')!.outbound.takeSequence(), Drop.ipsecSequenceExhausted);
    assert.ok(next.send('/Common/b')! > 2 ** 32);
  });
});
