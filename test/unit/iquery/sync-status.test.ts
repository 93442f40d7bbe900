// The words of show cm sync-status: one for each way in which a machine can stand to its group.

import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { editedRevision, firstRevision } from '../../../src/iquery/sync-rules.ts';
import { viewSync, type SyncFacts, type SyncMember } from '../../../src/iquery/sync-status.ts';

const edit = (device: string, count: number, digest: string) => ({
  device,
  count,
  digest,
  time: 1000,
  changedBy: device,
});
const FOUNDED = firstRevision(edit('a', 1, 'one'), true);
const OURS = editedRevision(FOUNDED, edit('a', 2, 'two'), 1);
const NEWER = editedRevision(OURS, edit('b', 1, 'three'), 2);
const OTHER = editedRevision(FOUNDED, edit('b', 1, 'four'), 1);
const STRANGE = firstRevision(edit('c', 1, 'five'), true);

const member = (more: Partial<SyncMember> = {}): SyncMember => ({
  ...{ server: '/Common/b', isConnected: true, reason: '', revision: OURS, skewMs: undefined },
  ...more,
});
const facts = (more: Partial<SyncFacts> = {}): SyncFacts => ({
  ...{ isOn: true, group: 'default', own: OURS, members: [member()], taking: undefined, failure: undefined },
  ...{ conflict: undefined, ...more },
});

describe('show cm sync-status', () => {
  for (const [what, given, status, color, detail] of [
    ['no group', { isOn: false }, 'Standalone', 'green', /synchronization yes/],
    ['nobody else', { members: [] }, 'Standalone', 'green', /Add a device/],
    ['all have the same', {}, 'In Sync', 'green', /\/Common\/b: In Sync/],
    ['one is behind', { members: [member({ revision: FOUNDED })] }, 'Changes Pending', 'yellow', /older/],
    ['one is ahead', { members: [member({ revision: NEWER })] }, 'Changes Pending', 'yellow', /newer .*changed by b/],
    [
      'a conflict',
      { members: [member({ revision: OTHER })] },
      'Changes Pending',
      'yellow',
      /changes that this device has not/,
    ],
    [
      'never in sync',
      { own: FOUNDED, members: [member({ revision: STRANGE })] },
      'Awaiting Initial Sync',
      'blue',
      /run cm config-sync to-group default/,
    ],
    [
      'one of two away',
      { members: [member(), member({ server: '/Common/c', isConnected: false, reason: 'gone' })] },
      'Not All Devices Synced',
      'yellow',
      /\/Common\/c: Disconnected: gone/,
    ],
    ['all away', { members: [member({ isConnected: false, reason: 'gone' })] }, 'Disconnected', 'red', /gone/],
    ['being taken', { taking: '/Common/b' }, 'Syncing', 'blue', /\/Common\/b is being taken/],
    ['refused', { failure: 'it cannot be' }, 'Sync Failed', 'red', /it cannot be/],
    ['a clock', { members: [member({ skewMs: -12_000 })] }, 'In Sync', 'green', /12\.0 s behind/],
    ['what a conflict came to', { conflict: 'Conflict at noon' }, 'In Sync', 'green', /Conflict at noon/],
  ] as const) {
    it(what, () => {
      const view = viewSync(facts(given));
      assert.deepEqual([view.status, view.color], [status, color]);
      assert.equal(view.mode, status === 'Standalone' ? 'standalone' : 'high-availability');
      assert.ok(
        view.details.some((line) => detail.test(line)),
        view.details.join('\n'),
      );
    });
  }
});
