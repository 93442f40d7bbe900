// A synchronisation group on a bus in place of the mesh, by a clock that goes when it is told to.

import assert from 'node:assert/strict';
import { afterEach, describe, it } from 'node:test';
import { SyncGroup } from '../support/sync-group.ts';

const groups: SyncGroup[] = [];
afterEach(async () => {
  for (const group of groups.splice(0)) await group.stop();
});

async function groupOf(texts: readonly string[], properties = {}): Promise<SyncGroup> {
  const group = new SyncGroup(texts);
  groups.push(group);
  await group.start(properties);
  return group;
}

const says = (group: SyncGroup, index: number, pattern: RegExp): boolean =>
  group.members[index]!.log.some((line) => pattern.test(line));

describe('a synchronisation group', { timeout: 120_000 }, () => {
  it('takes what one of it has, and then every change of anybody', async () => {
    const group = await groupOf(['founded', '', '']);
    assert.deepEqual(group.texts, ['founded', 'founded', 'founded']);
    assert.deepEqual(
      [0, 1, 2].map((index) => group.statusOf(index)),
      ['In Sync', 'In Sync', 'In Sync'],
    );
    for (const [index, text] of ['one', 'two', 'three', 'one'].entries()) {
      group.members[index % 3]!.store.edit(text);
      await group.settle();
      assert.deepEqual(group.texts, [text, text, text]);
    }
    assert.deepEqual(
      group.members.flatMap(({ store }) => store.kept),
      ['', ''],
    );
  });

  it('a large text comes whole: pieces, and characters that are long', async () => {
    const text = Array.from(
      { length: 40_000 },
      (_, index) => `${(index * 2654435761) % 4294967296} ü 🌍\u0001\r\n`,
    ).join('');
    const group = await groupOf([text, '']);
    for (let round = 0; round < 20 && group.texts[1] === ''; round++) await group.settle();
    assert.ok(group.texts[1] === text);
  });

  it('a partition: one side wins whole on all members, and the other is kept and named', async () => {
    const group = await groupOf(['founded', '', '', '']);
    for (const [a, b] of [
      [0, 2],
      [0, 3],
      [1, 2],
      [1, 3],
    ] as const) {
      group.cut(a, b);
    }
    group.members[0]!.store.edit('left');
    await group.settle(30);
    assert.deepEqual(group.texts, ['left', 'left', 'founded', 'founded']);
    assert.equal(group.statusOf(0), 'Not All Devices Synced');
    group.members[2]!.store.edit('right');
    await group.settle();
    group.heal();
    await group.settle();
    assert.deepEqual(group.texts, ['right', 'right', 'right', 'right']);
    assert.deepEqual(
      [0, 1].map((index) => group.members[index]!.store.kept.at(-1)),
      ['left', 'left'],
    );
    assert.ok(
      says(
        group,
        0,
        /sync-conflict.*changed by admin@h2, counts.*\/kept\/1\.conf.*load sys config file \/kept\/1\.conf group/,
      ),
    );
    assert.ok(says(group, 2, /sync-conflict.*that one counts, and \/Common\/s0 keeps its own/));
    assert.ok(group.members[0]!.feature.status().details.some((line) => /^Conflict at .*\/kept\/1\.conf/.test(line)));
    assert.deepEqual(
      [0, 1, 2, 3].map((index) => group.statusOf(index)),
      Array(4).fill('In Sync'),
    );
  });

  it('changes that cross each other: all end with one of them', async () => {
    const group = await groupOf(['founded', '', '']);
    for (const [index, { store }] of group.members.entries()) store.edit(`by ${index}`);
    await group.settle();
    const [text] = group.texts;
    assert.match(text!, /^by \d$/);
    assert.deepEqual(group.texts, [text, text, text]);
    const kept = group.members.flatMap(({ store }) => store.kept).filter((each) => each.startsWith('by '));
    assert.ok(new Set([...kept, text]).size === 3, `${kept.join()} and ${text}`);
  });

  it('who was away catches up without a conflict, and so does who had not saved', async () => {
    const group = await groupOf(['founded', '', '']);
    group.cut(0, 2);
    group.cut(1, 2);
    for (let edit = 0; edit < 100; edit++) {
      group.members[edit % 2]!.store.edit(`edit ${edit}`);
      await group.settle(1);
    }
    assert.equal(group.statusOf(2), 'Disconnected');
    group.heal();
    await group.settle();
    assert.equal(group.texts[2], 'edit 99');
    assert.deepEqual(group.members[2]!.store.kept, ['']);
    group.members[0]!.store.edit('last');
    await group.settle();
    group.members[2]!.store.restart('edit 99');
    await group.settle();
    assert.deepEqual(group.texts, ['last', 'last', 'last']);
    assert.deepEqual(group.members[2]!.store.kept, ['']);
  });

  it('a restart of iqueryd knows version and history', async () => {
    const group = await groupOf(['founded', '']);
    group.members[0]!.store.edit('one');
    await group.settle();
    const before = group.members[1]!.file.record.memory!.current.revision;
    const member = group.members[1]!;
    await member.restart();
    // A change while it was away is one of this machine.
    member.store.text_ = 'two';
    member.store.number += 1;
    group.begin(member);
    await group.settle();
    group.connect(member);
    await group.settle();
    assert.deepEqual(group.texts, ['two', 'two']);
    assert.equal(member.file.record.memory!.current.revision.version, before.version + 1);
    assert.deepEqual(group.members[0]!.store.kept, []);
  });

  it('what cannot be taken changes nothing, is told, and is tried again', async () => {
    const group = await groupOf(['founded', '']);
    group.members[1]!.store.refuses = 'The Data Center (/Common/x) cannot be deleted because it is in use by a Link.';
    group.members[0]!.store.edit('one');
    await group.settle();
    assert.deepEqual(group.texts, ['one', 'founded']);
    const { status, color, details } = group.members[1]!.feature.status();
    assert.deepEqual([status, color], ['Sync Failed', 'red']);
    assert.ok(
      details.some((line) => line.includes('cannot be deleted because it is in use')),
      details.join('\n'),
    );
    group.members[1]!.store.refuses = undefined;
    await group.settle(12);
    assert.deepEqual(group.texts, ['one', 'one']);
    assert.equal(group.statusOf(1), 'In Sync');
  });

  it('an answer that does not come is given up after synchronization-timeout, and asked for again', async () => {
    const group = await groupOf(['founded', ''], { 'synchronization-timeout': 20 });
    group.losesReplies = true;
    group.members[0]!.store.edit('one');
    await group.settle();
    assert.equal(group.statusOf(1), 'Syncing');
    await group.settle(20);
    assert.equal(group.statusOf(1), 'Sync Failed');
    group.losesReplies = false;
    await group.settle(12);
    assert.deepEqual(group.texts, ['one', 'one']);
  });

  it('clocks that are too far apart: nothing is taken, and it is said whose is off by how much; 0 does not look', async () => {
    const group = await groupOf(['founded', '', '']);
    group.members[1]!.skewMs = 42_000;
    group.members[1]!.store.edit('from the future');
    await group.settle();
    assert.deepEqual(group.texts, ['founded', 'from the future', 'founded']);
    const { details } = group.members[0]!.feature.status();
    assert.ok(
      details.some((line) => line.includes('/Common/s1: its clock is 42.0 s ahead: nothing is taken')),
      details.join(),
    );
    assert.ok(says(group, 0, /sync-clock.*42\.0 s ahead/));
    group.members[1]!.skewMs = 1000;
    await group.settle();
    assert.deepEqual(group.texts, Array(3).fill('from the future'));

    const blind = await groupOf(['founded', ''], { 'synchronization-time-tolerance': 0 });
    blind.members[0]!.skewMs = 3_600_000;
    blind.members[0]!.store.edit('one');
    await blind.settle();
    assert.deepEqual(blind.texts, ['one', 'one']);
  });

  it('two that both have something wait; config-sync says which counts, in either direction', async () => {
    const group = await groupOf(['left', 'right']);
    assert.deepEqual(group.texts, ['left', 'right']);
    assert.equal(group.statusOf(0), 'Awaiting Initial Sync');
    const force = async (index: number, direction: 'to-group' | 'from-group') =>
      group.members[index]!.feature.handlers['config-sync']!(
        { direction, group: 'default', user: 'root' },
        undefined as never,
      );
    await force(1, 'to-group');
    await group.settle();
    assert.deepEqual(group.texts, ['right', 'right']);
    assert.deepEqual(group.members[0]!.store.kept, ['left']);
    group.cut(0, 1);
    group.members[0]!.store.edit('mine');
    await group.settle();
    group.members[0]!.store.refuses = undefined;
    group.members[1]!.store.edit('theirs');
    group.clock.goTo(group.clock.now() + 60_000);
    group.members[0]!.store.edit('mine, later');
    await group.settle();
    group.heal();
    await force(0, 'from-group').catch(() => undefined);
    await group.settle();
    assert.equal(new Set(group.texts).size, 1);
  });

  it('synchronization no: nothing is published and nothing taken', async () => {
    const group = new SyncGroup(['left', '']);
    groups.push(group);
    for (const member of group.members) group.begin(member, { synchronization: false });
    await group.settle();
    for (const member of group.members) group.connect(member);
    await group.settle();
    assert.deepEqual(group.texts, ['left', '']);
    assert.equal(group.members[0]!.published.size, 0);
    assert.equal(group.statusOf(0), 'Standalone');
  });
});
