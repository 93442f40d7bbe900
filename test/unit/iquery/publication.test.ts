import assert from 'node:assert/strict';
import { it } from 'node:test';
import { type Message, recordKey, type RecordMessage } from '../../../src/iquery/messages.ts';
import { MOST_FORGOTTEN, MOST_RECORDS, Publication, type PublicationReader } from '../../../src/iquery/publication.ts';
import { randomOf } from '../../support/mesh-network.ts';
import { virtualServer } from '../../support/mesh-view.ts';

const ALL = (): boolean => true;

function take(reader: PublicationReader, most = Infinity): Message[] {
  const messages: Message[] = [];
  reader.read(messages, most);
  return messages;
}

const named = (messages: readonly Message[]): string[] =>
  messages.map((message) => {
    if (message.message === 'vs') return `${message.name} ${message.reason}`;
    return 'channel' in message ? `${message.message} ${message.channel}` : message.message;
  });

/** What a client makes of it; a whole that is broken off is begun anew. */
class Picture {
  readonly records = new Map<string, string>();
  #coming: Map<string, string> | undefined;

  take(messages: readonly Message[]): void {
    for (const message of messages) {
      if (message.message === 'begin') this.#coming = new Map();
      else if (message.message === 'end') {
        this.records.clear();
        for (const [key, reason] of this.#coming!) this.records.set(key, reason);
        this.#coming = undefined;
      } else if (message.message === 'forget') {
        assert.equal(this.#coming, undefined, 'nothing goes within a whole');
        this.records.delete(message.key);
      } else if (message.message === 'vs') {
        assert.ok(this.#coming?.has(message.name) !== true, 'a key comes once in a whole');
        (this.#coming ?? this.records).set(message.name, message.reason);
      }
    }
  }
}

it('a reader gets each known channel whole, then changes, each key once with its last record', () => {
  const publication = new Publication(() => undefined);
  publication.publish(virtualServer('a', '1'));
  publication.publish(virtualServer('b', '1'));
  const reader = publication.read(ALL);
  assert.deepEqual(named(take(reader)), ['begin vs', 'a 1', 'b 1', 'end vs']);
  assert.ok(reader.isDone);
  publication.publish(virtualServer('a', '1'));
  assert.ok(reader.isDone, 'the same is no change');
  for (let count = 2; count < 1000; count++) publication.publish(virtualServer('a', `${count}`));
  publication.forget('vs', 'b');
  publication.forget('vs', 'b');
  publication.forget('vs', 'never there');
  assert.deepEqual(named(take(reader)), ['a 999', 'forget vs']);
  assert.deepEqual(take(reader), []);
});

it('a channel becomes known by its first record, or by being empty', () => {
  const publication = new Publication(() => undefined);
  const reader = publication.read(ALL);
  assert.deepEqual(take(reader), []);
  publication.publishAll('path', []);
  publication.publishAll('vs', [virtualServer('a', '1'), virtualServer('b', '1')]);
  assert.deepEqual(named(take(reader)), ['begin path', 'end path', 'begin vs', 'a 1', 'b 1', 'end vs']);
  publication.publishAll('vs', [virtualServer('b', '1'), virtualServer('c', '1')]);
  assert.deepEqual(named(take(reader)), ['c 1', 'forget vs']);
});

it('what changes within a whole that is read in parts is neither lost nor told twice', () => {
  const publication = new Publication(() => undefined);
  for (const name of ['a', 'b', 'c', 'd']) publication.publish(virtualServer(name, '1'));
  const reader = publication.read(ALL);
  const picture = new Picture();
  picture.take(take(reader, 3));
  publication.forget('vs', 'a');
  publication.publish(virtualServer('a', 'back'));
  publication.forget('vs', 'd');
  publication.publish(virtualServer('c', '2'));
  publication.publish(virtualServer('e', '1'));
  while (!reader.isDone) picture.take(take(reader, 1));
  assert.deepEqual(Object.fromEntries(picture.records), { a: 'back', b: '1', c: '2', e: '1' });
});

it('a channel that is not allowed is told to be empty, whole when it is, and to be empty again', () => {
  const publication = new Publication(() => undefined);
  publication.publish(virtualServer('a', '1'));
  const reader = publication.read(() => false);
  assert.deepEqual(named(take(reader)), ['begin vs', 'end vs']);
  publication.publish(virtualServer('a', '2'));
  assert.deepEqual(take(reader), []);
  reader.allow(ALL);
  assert.deepEqual(named(take(reader)), ['begin vs', 'a 2', 'end vs']);
  reader.allow(() => false);
  assert.deepEqual(named(take(reader)), ['begin vs', 'end vs']);
});

it('a reader that takes nothing costs no more than what there is and what went lately', () => {
  const publication = new Publication(() => undefined);
  const [stuck, quick] = [publication.read(ALL), publication.read(ALL)];
  const [before, after] = [new Picture(), new Picture()];
  before.take(take(stuck));
  let most = 0;
  for (let round = 0; round < 300; round++) {
    // A thousand that stay and change, and a thousand that come and go.
    for (let index = 0; index < 1000; index++) {
      publication.publish(virtualServer(`stays ${index}`, `${round}`));
      publication.publish(virtualServer(`goes ${round} ${index}`, `${round}`));
      if (round > 0) publication.forget('vs', `goes ${round - 1} ${index}`);
      most = Math.max(most, publication.places);
    }
    after.take(take(quick));
  }
  const bound = 2 * (3000 + MOST_FORGOTTEN) + 1025;
  console.log(`of 900,000 changes the log holds ${most} places at most, the bound is ${bound}`);
  assert.ok(most <= bound);
  before.take(take(stuck));
  assert.equal(before.records.size, 2000);
  assert.deepEqual(before.records, after.records);
});

it('more records than anybody would take are refused, and counted', () => {
  const publication = new Publication(() => undefined);
  for (let index = 0; index < MOST_RECORDS + 10; index++) publication.publish(virtualServer(`${index}`));
  assert.deepEqual([publication.size, publication.refused], [MOST_RECORDS, 10]);
  publication.publish(virtualServer('0', 'changed'));
  publication.forget('vs', '1');
  publication.publish(virtualServer('one more'));
  assert.deepEqual([publication.size, publication.refused], [MOST_RECORDS, 10]);
});

it('readers of any pace see in the end what there is', () => {
  for (let seed = 1; seed <= 100; seed++) {
    const random = randomOf(seed);
    const below = (limit: number): number => Math.floor(limit * random());
    const publication = new Publication(() => undefined);
    const truth = new Map<string, string>();
    const readers: { reader: PublicationReader; picture: Picture; allowed: boolean }[] = [];
    for (let step = 0; step < 2000; step++) {
      const [name, reason] = [`${below(3000)}`, `${below(3)}`];
      const what = random();
      if (what < 0.5) {
        publication.publish(virtualServer(name, reason));
        truth.set(name, reason);
      } else if (what < 0.8) {
        publication.forget('vs', name);
        truth.delete(name);
      } else if (what < 0.802) {
        const records: RecordMessage[] = Array.from({ length: below(4000) }, (_, index) =>
          virtualServer(`${index}`, reason),
        );
        publication.publishAll('vs', records);
        truth.clear();
        for (const record of records) truth.set(recordKey(record), reason);
      } else if (what < 0.81 && readers.length < 8) {
        readers.push({ reader: publication.read(ALL), picture: new Picture(), allowed: true });
      } else if (readers.length > 0) {
        const one = readers[below(readers.length)]!;
        if (random() < 0.01) {
          one.allowed = !one.allowed;
          const { allowed } = one;
          one.reader.allow(() => allowed);
        } else one.picture.take(take(one.reader, 1 + below(500)));
      }
    }
    for (const { reader, picture, allowed } of readers) {
      while (!reader.isDone) picture.take(take(reader, 1 + below(500)));
      assert.deepEqual(
        new Map([...picture.records].sort()),
        allowed ? new Map([...truth].sort()) : new Map(),
        `seed ${seed}`,
      );
    }
  }
});
