// What a member of a group remembers of its own configuration, over restarts as well.

import {
  editedRevision,
  FIRST_OF_GROUP,
  firstRevision,
  overridingRevision,
  type Edit,
  type Revision,
} from './sync-rules.ts';

/** A revision, and the digest of the text that runs for it here: another version of the program may print it otherwise. */
export type Held = { readonly revision: Revision; readonly local: string };

export type SyncMemory = {
  readonly group: string;
  /** Edits of this device so far: a number is never used again. */
  readonly edits: number;
  /** Whether it has had what another member has. */
  readonly hasJoined: boolean;
  /** When the owner of the configuration was started from whom the last word came. */
  readonly epoch: number;
  readonly current: Held;
  /** What ran before, newest first. */
  readonly earlier: readonly Held[];
};

/** The configuration as it runs here. */
export type LocalReport = {
  readonly epoch: number;
  readonly digest: string;
  /** Whether there is more in it than what connects members. */
  readonly hasContent: boolean;
  readonly time: number;
  readonly changedBy: string;
};

/** Who reports, and the highest version that it knows. */
export type Reporter = { readonly device: string; readonly highest: number };

/** How many are remembered of what ran before. */
export const MOST_EARLIER = 64;

/** Of a machine that has never been in the group, or has come back to it as another. */
export function newMemory(group: string, report: LocalReport, device: string, before?: SyncMemory): SyncMemory {
  const edits = (before?.edits ?? 0) + 1;
  const revision = firstRevision(editOf(report, device, edits), report.hasContent);
  const current = { revision, local: report.digest };
  return { group, edits, hasJoined: false, epoch: report.epoch, current, earlier: [] };
}

/**
 * What it remembers with this report. Who owns the configuration may have been started anew, and run what was saved long ago: that is
 * no change, but the revision that it was, and what it never was has to join anew.
 */
export function withReport(memory: SyncMemory, report: LocalReport, { device, highest }: Reporter): SyncMemory {
  const { current, earlier, hasJoined } = memory;
  if (report.digest === current.local) {
    return report.epoch === memory.epoch ? memory : { ...memory, epoch: report.epoch };
  }
  if (report.epoch !== memory.epoch) {
    const place = earlier.findIndex(({ local }) => local === report.digest);
    const found = earlier[place];
    if (found === undefined) return newMemory(memory.group, report, device, memory);
    return { ...memory, epoch: report.epoch, current: found, earlier: earlier.slice(place + 1) };
  }
  const edits = memory.edits + 1;
  const edit = editOf(report, device, edits);
  const isOfGroup = hasJoined || current.revision.version >= FIRST_OF_GROUP;
  const revision = isOfGroup ? editedRevision(current.revision, edit, highest) : firstRevision(edit, report.hasContent);
  return replaced({ ...memory, edits }, { revision, local: report.digest });
}

/** What another member has runs here; `local` as in `Held`. */
export function withTaken(memory: SyncMemory, revision: Revision, local: string): SyncMemory {
  const taken = replaced(memory, { revision, local });
  return { ...taken, hasJoined: true };
}

/** What runs here is to count before all that is known of the group. */
export function withOverride(memory: SyncMemory, known: readonly Revision[], edit: Omit<Edit, 'count'>): SyncMemory {
  const edits = memory.edits + 1;
  const revision = overridingRevision([memory.current.revision, ...known], { ...edit, count: edits });
  const made = replaced({ ...memory, edits }, { revision, local: memory.current.local });
  return { ...made, hasJoined: true };
}

export function withJoined(memory: SyncMemory): SyncMemory {
  return memory.hasJoined ? memory : { ...memory, hasJoined: true };
}

function replaced(memory: SyncMemory, current: Held): SyncMemory {
  const earlier = [memory.current, ...memory.earlier].slice(0, MOST_EARLIER);
  return { ...memory, current, earlier };
}

const editOf = ({ digest, time, changedBy }: LocalReport, device: string, count: number): Edit => ({
  device,
  count,
  digest,
  time,
  changedBy,
});
