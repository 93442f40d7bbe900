// Members of a group that are edited, parted, joined and started anew at random, by the rules alone: whoever can talk ends alike, with
// what somebody has written, and nothing is lost where nobody was cut off.

import assert from 'node:assert/strict';
import fc from 'fast-check';
import { describe, it } from 'node:test';
import {
  newMemory,
  withJoined,
  withOverride,
  withReport,
  withTaken,
  type SyncMemory,
} from '../../src/iquery/sync-memory.ts';
import { choose, compareRevisions, decide, readEdits, printEdits, relate } from '../../src/iquery/sync-rules.ts';
import type { Revision } from '../../src/iquery/sync-rules.ts';

/** A text is the list of all edits that went into it, so that it can be seen what was lost. */
type Text = readonly string[];

class Member {
  readonly device: string;
  readonly kept: Text[] = [];
  skewMs: number;
  text: Text;
  saved: Text;
  epoch = 1;
  memory: SyncMemory;

  constructor(device: string, skewMs: number, text: Text) {
    this.device = device;
    this.skewMs = skewMs;
    this.text = text;
    this.saved = text;
    this.memory = newMemory('default', this.report(0), device);
  }

  report(now: number) {
    return {
      epoch: this.epoch,
      digest: this.text.join(','),
      hasContent: this.text.length > 0,
      time: now + this.skewMs,
      changedBy: this.device,
    };
  }

  look(now: number, highest: number): void {
    this.memory = withReport(this.memory, this.report(now), { device: this.device, highest });
  }
}

class Group {
  readonly members: Member[];
  /** Who cannot be reached by whom: members of one part reach each other. */
  parts: number[];
  now = 1_000_000;
  written = new Set<string>(['']);
  edits = 0;

  constructor(skews: readonly number[], founders: readonly boolean[]) {
    this.members = skews.map((skew, index) => {
      const text = founders[index] === true ? [`founded by ${index}`] : [];
      this.written.add(text.join(','));
      return new Member(`device-${index}`, skew, text);
    });
    this.parts = this.members.map(() => 0);
  }

  edit(index: number): string {
    const member = this.members[index]!;
    const name = `edit ${++this.edits}`;
    member.text = [...member.text, name];
    this.written.add(member.text.join(','));
    member.look(this.now, this.#highestFor(index));
    return name;
  }

  /** Each takes what is best for it, in this order, until nobody has anything to take. */
  settle(order: readonly number[]): void {
    for (let round = 0; round < 50; round++) {
      let isQuiet = true;
      for (const index of order) if (this.#take(index)) isQuiet = false;
      if (isQuiet) return;
    }
    assert.fail('it does not come to rest');
  }

  #reachable(index: number): Member[] {
    return this.members.filter((_, other) => other !== index && this.parts[other] === this.parts[index]);
  }

  #highestFor(index: number): number {
    return Math.max(
      ...[this.members[index]!, ...this.#reachable(index)].map((each) => each.memory.current.revision.version),
    );
  }

  #take(index: number): boolean {
    const member = this.members[index]!;
    const peers = this.#reachable(index).map(({ memory, text }) => ({ revision: memory.current.revision, text }));
    const own = member.memory.current.revision;
    if (peers.some(({ revision }) => relate(own, revision) === 'same')) member.memory = withJoined(member.memory);
    const best = choose(own, peers);
    if (best === undefined) return false;
    if (best.decision === 'yield') member.kept.push(member.text);
    member.text = best.peer.text;
    member.memory = withTaken(member.memory, best.peer.revision, member.text.join(','));
    return true;
  }

  override(index: number): void {
    const member = this.members[index]!;
    const known = this.#reachable(index).map(({ memory }) => memory.current.revision);
    const { digest, time, changedBy } = member.report(this.now);
    member.memory = withOverride(member.memory, known, { device: member.device, digest, time, changedBy });
  }

  /** Ends in order without a save: what was not saved is gone. */
  restart(index: number): void {
    const member = this.members[index]!;
    member.epoch += 1;
    member.text = member.saved;
    member.look(this.now, this.#highestFor(index));
  }

  /** What each part runs. */
  texts(): Map<number, Set<string>> {
    const texts = new Map<number, Set<string>>();
    for (const [index, { text }] of this.members.entries()) {
      const part = this.parts[index]!;
      texts.set(part, (texts.get(part) ?? new Set()).add(text.join(',')));
    }
    return texts;
  }
}

const COUNT = 5;
const members = fc.integer({ min: 0, max: COUNT - 1 });
const skews = fc.array(fc.integer({ min: -10_000, max: 10_000 }), { minLength: COUNT, maxLength: COUNT });
const order = fc.shuffledSubarray([...Array(COUNT).keys()], { minLength: COUNT });

const step = fc.oneof(
  { weight: 4, arbitrary: fc.record({ does: fc.constant('edit' as const), member: members }) },
  {
    weight: 1,
    arbitrary: fc.record({
      does: fc.constant('part' as const),
      parts: fc.array(fc.integer({ min: 0, max: 2 }), { minLength: COUNT, maxLength: COUNT }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ does: fc.constant('heal' as const) }) },
  { weight: 2, arbitrary: fc.record({ does: fc.constant('settle' as const), order }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constant('save' as const), member: members }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constant('restart' as const), member: members }) },
  { weight: 1, arbitrary: fc.record({ does: fc.constant('override' as const), member: members }) },
  { weight: 2, arbitrary: fc.record({ does: fc.constant('wait' as const), ms: fc.integer({ min: 0, max: 60_000 }) }) },
);

type Step = typeof step extends fc.Arbitrary<infer S> ? S : never;

function perform(group: Group, does: Step): void {
  switch (does.does) {
    case 'edit':
      group.edit(does.member);
      break;
    case 'part':
      group.parts = [...does.parts];
      break;
    case 'heal':
      group.parts = group.members.map(() => 0);
      break;
    case 'settle':
      group.settle(does.order);
      break;
    case 'save':
      group.members[does.member]!.saved = group.members[does.member]!.text;
      break;
    case 'restart':
      group.restart(does.member);
      break;
    case 'override':
      group.override(does.member);
      break;
    case 'wait':
      group.now += does.ms;
  }
}

const steps = fc.array(step, { maxLength: 60 });

describe('the rules of a group', () => {
  it('all who reach each other end with the same, which somebody has written', () => {
    fc.assert(
      fc.property(skews, steps, order, (clocks, all, last) => {
        const group = new Group(clocks, [true]);
        group.settle(last);
        for (const each of all) perform(group, each);
        group.settle(last);
        for (const texts of group.texts().values()) {
          for (const text of texts) assert.ok(group.written.has(text), `nobody has written ${text}`);
        }
        group.parts = group.members.map(() => 0);
        group.settle(last);
        assert.equal(group.texts().get(0)!.size, 1);
        const revisions = new Set(group.members.map(({ memory }) => JSON.stringify(memory.current.revision)));
        assert.equal(revisions.size, 1);
      }),
      { numRuns: 600 },
    );
  });

  it('what a partition has cost is kept: every edit is in what runs, or in what somebody has kept', () => {
    const peaceful = fc.array(
      step.filter(({ does }) => does !== 'restart' && does !== 'override'),
      { maxLength: 60 },
    );
    fc.assert(
      fc.property(skews, peaceful, order, (clocks, all, last) => {
        const group = new Group(clocks, [true]);
        group.settle(last);
        for (const each of all) perform(group, each);
        group.parts = group.members.map(() => 0);
        group.settle(last);
        const known = new Set(group.members.flatMap(({ text, kept }) => [...text, ...kept.flat()]));
        for (let edit = 1; edit <= group.edits; edit++) assert.ok(known.has(`edit ${edit}`), `edit ${edit} is lost`);
      }),
      { numRuns: 600 },
    );
  });

  it('no edit of a group that nothing disturbs is lost, and there is no conflict', () => {
    fc.assert(
      fc.property(
        skews,
        fc.array(fc.tuple(members, order, fc.integer({ min: 0, max: 100_000 })), { maxLength: 80 }),
        (clocks, edits) => {
          const group = new Group(clocks, [true]);
          group.settle([...Array(COUNT).keys()]);
          const start = group.members.map(({ kept }) => kept.length);
          const made = edits.map(([member, each, ms]) => {
            const name = group.edit(member);
            group.now += ms;
            group.settle(each);
            return name;
          });
          for (const [index, { text, kept }] of group.members.entries()) {
            assert.deepEqual(text, ['founded by 0', ...made]);
            assert.equal(kept.length, start[index]);
          }
        },
      ),
      { numRuns: 200 },
    );
  });

  it('a member that was away catches up, however much it missed, without a conflict', () => {
    fc.assert(
      fc.property(skews, members, fc.integer({ min: 1, max: 300 }), order, (clocks, away, missed, last) => {
        const group = new Group(clocks, [true]);
        group.settle(last);
        const first = (away + 1) % COUNT;
        group.edit(first);
        group.settle(last);
        group.parts = group.parts.map((_, index) => (index === away ? 1 : 0));
        for (let number = 0; number < missed; number++) {
          group.edit((away + 1 + (number % (COUNT - 1))) % COUNT);
          group.settle(last);
        }
        group.parts = group.parts.map(() => 0);
        const before = group.members[away]!.kept.length;
        group.settle(last);
        assert.equal(group.texts().get(0)!.size, 1);
        assert.equal(group.members[away]!.text.length, 2 + missed);
        assert.equal(group.members[away]!.kept.length, before);
      }),
      { numRuns: 100 },
    );
  });

  it('a newcomer never wins over the group, whatever it has and however late it was written', () => {
    fc.assert(
      fc.property(skews, members, fc.integer({ min: 0, max: 20 }), order, (clocks, newcomer, edits, last) => {
        const group = new Group(clocks, [false, false, false, false, false]);
        const founder = (newcomer + 1) % COUNT;
        group.parts = group.parts.map((_, index) => (index === newcomer ? 1 : 0));
        group.edit(founder);
        group.settle(last);
        group.edit(founder);
        group.settle(last);
        const ours = group.members[founder]!.text;
        group.now += 1_000_000;
        for (let number = 0; number < edits; number++) group.edit(newcomer);
        const own = group.members[newcomer]!.text;
        group.parts = group.parts.map(() => 0);
        group.settle(last);
        for (const { text } of group.members) assert.deepEqual(text, ours);
        assert.deepEqual(group.members[newcomer]!.kept, [own]);
      }),
      { numRuns: 200 },
    );
  });

  it('two that have never met and both have something wait until somebody says which is to count', () => {
    const group = new Group([0, 0, 0, 0, 0], [true, true, false, false, false]);
    group.parts = [0, 0, 1, 1, 1];
    group.settle([0, 1, 2, 3, 4]);
    const [one, other] = group.members;
    assert.equal(decide(one!.memory.current.revision, other!.memory.current.revision), 'undecided');
    assert.equal(decide(other!.memory.current.revision, one!.memory.current.revision), 'undecided');
    group.override(1);
    group.settle([0, 1, 2, 3, 4]);
    assert.deepEqual(one!.text, ['founded by 1']);
    group.edit(0);
    group.settle([0, 1, 2, 3, 4]);
    assert.deepEqual(other!.text, ['founded by 1', 'edit 1']);
  });

  it('who comes back with what it had not saved goes on with the group, and what nobody knows joins anew', () => {
    const group = new Group([0, 0, 0, 0, 0], [true]);
    const all = [0, 1, 2, 3, 4];
    group.settle(all);
    for (const member of group.members) member.saved = member.text;
    group.edit(2);
    group.edit(2);
    group.settle(all);
    group.restart(2);
    assert.deepEqual(group.members[2]!.text, ['founded by 0']);
    group.settle(all);
    for (const { text } of group.members) assert.deepEqual(text, ['founded by 0', 'edit 1', 'edit 2']);
    group.now += 1_000_000;
    group.members[2]!.saved = ['by hand'];
    group.restart(2);
    group.settle(all);
    for (const { text } of group.members) assert.deepEqual(text, ['founded by 0', 'edit 1', 'edit 2']);
    assert.deepEqual(group.members[2]!.kept.at(-1), ['by hand']);
  });

  it('order: what came from a revision wins over it, and of three each two are ordered alike', () => {
    const revision: fc.Arbitrary<Revision> = fc.record({
      digest: fc.constantFrom('a', 'b'),
      version: fc.integer({ min: 0, max: 5 }),
      time: fc.integer({ min: 0, max: 40_000 }),
      changedBy: fc.constant(''),
      edits: fc.uniqueArray(
        fc.record({ device: fc.constantFrom('x', 'y', 'z'), count: fc.integer({ min: 1, max: 3 }) }),
        {
          selector: ({ device }) => device,
          minLength: 1,
        },
      ),
    });
    fc.assert(
      fc.property(revision, revision, revision, (a, b, c) => {
        assert.equal(Math.sign(compareRevisions(a, b)) + Math.sign(compareRevisions(b, a)), 0);
        if (compareRevisions(a, b) > 0 && compareRevisions(b, c) > 0) assert.ok(compareRevisions(a, c) > 0);
        const opposite = { same: 'same', newer: 'older', older: 'newer', apart: 'apart' } as const;
        assert.equal(relate(b, a), opposite[relate(a, b)]);
        assert.equal(printEdits(readEdits(printEdits(a.edits))!).join(), printEdits(a.edits).join());
      }),
    );
    for (const bad of ['', 'x', 'x 0', 'x -1', 'x 1 2', ' 1', 'x 1e3']) assert.equal(readEdits([bad]), undefined, bad);
  });
});
