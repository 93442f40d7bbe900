import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { KnownReplies } from '../../../src/dns/known-replies.ts';

const START = 44;
/** More than there is room for. */
const MANY = 60_000;
/** Of questions that are noted one after the other, how often each is asked until it is. */
const TRIES = 4;

/** A question for a name of one label and its reply: the same with an answer of 16 octets behind it. */
function exchange(number: number): { question: Uint8Array; reply: Uint8Array } {
  const label = Buffer.from(`name${number}`);
  const question = Uint8Array.of(0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, label.length, ...label, 0, 0, 1, 0, 1);
  const record = Uint8Array.of(0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, number >>> 16, number >>> 8, number, 7);
  const reply = Uint8Array.from([...question, ...record]);
  reply.set([0x85, 0, 0, 1, 0, 1, 0, 2, 0, 3], 2);
  return { question, reply };
}

const octets = new Uint8Array(1024);
const ask = (known: KnownReplies, { question }: { question: Uint8Array }): number => {
  octets.fill(0xa5).set(question, START);
  return known.find(octets, START, START + question.length);
};

/** Asks until the reply is noted. */
function note(known: KnownReplies, number: number): void {
  const { question, reply } = exchange(number);
  for (let tries = 0; tries < TRIES; tries++) {
    assert.ok(ask(known, { question }) < 0);
    if (!known.keepQuestion(START, START + question.length)) continue;
    octets.set(reply, START);
    known.note(START, START + reply.length, START + question.length, number & 0xff, number & 3, -number);
  }
}

function replyOf(known: KnownReplies, number: number): Uint8Array | undefined {
  const { question } = exchange(number);
  const entry = ask(known, { question });
  if (entry < 0) return undefined;
  assert.deepEqual([known.zone(entry), known.finding(entry), known.kind(entry)], [number & 0xff, number & 3, -number]);
  return octets.slice(START, known.write(entry, START));
}

describe('known replies', () => {
  it('are those that were noted, and none of another question', () => {
    const known = new KnownReplies();
    assert.equal(replyOf(known, 1), undefined);
    note(known, 1);
    assert.deepEqual(replyOf(known, 1), exchange(1).reply);
    assert.equal(replyOf(known, 2), undefined);
    for (let at = 2; at < exchange(1).question.length; at++) {
      const question = exchange(1).question.slice();
      question[at]! ^= 0x20;
      assert.ok(ask(known, { question }) < 0, `octet ${at}`);
    }
    known.clear();
    assert.equal(replyOf(known, 1), undefined);
  });

  it('are those of the last questions, when there are more than have room', () => {
    const known = new KnownReplies();
    for (let number = 0; number < MANY; number++) note(known, number);
    let found = 0;
    for (let number = 0; number < MANY; number++) {
      const reply = replyOf(known, number);
      if (reply === undefined) continue;
      assert.deepEqual(reply, exchange(number).reply);
      found++;
      assert.ok(number > MANY / 2, `${number} is still known`);
    }
    assert.ok(found > 14_000, `only ${found} are known`);
  });

  it('are not of a message at an odd place, nor of one that is too long', () => {
    const known = new KnownReplies();
    const { question } = exchange(1);
    octets.set(question, START + 1);
    assert.ok(known.find(octets, START + 1, START + 1 + question.length) < 0);
    assert.ok(!known.keepQuestion(START + 1, START + 1 + question.length));
    assert.ok(known.find(octets, START, START + 256) < 0);
    assert.ok(!known.keepQuestion(START, START + 256));
  });
});
