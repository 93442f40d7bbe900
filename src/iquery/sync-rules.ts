// Which of two configurations of a group counts: whether one came from the other, and who wins where neither did.
//
// A revision carries how many edits of each device it holds (a version vector). One that holds all edits of another is its descendant
// and takes its place without loss. Two that hold edits which the other has not are a conflict: one of them counts as it is, the same
// for everybody who looks, and nothing is merged (docs/decisions/sync-group.md).

/** Edits of a device that a revision holds. */
export type Edits = { readonly device: string; readonly count: number };

export type Revision = {
  /** SHA-256 of its text, in hexadecimal. */
  readonly digest: string;
  /**
   * 0: of who has never met the group and has nothing to bring; 1: of who has never met it, and has something; from 2 on one more with
   * each change, and more than of all that were known.
   */
  readonly version: number;
  /** When it was made, in milliseconds since 1970; not before the one that it came from. */
  readonly time: number;
  /** For people. */
  readonly changedBy: string;
  /** Who made it comes first. */
  readonly edits: readonly Edits[];
};

/** What is to be done about the revision of a peer; `undecided`: neither has met a group, and somebody has to say which is to count. */
export type Decision = 'same' | 'take' | 'wait' | 'yield' | 'stand' | 'undecided';

/** From this version on a configuration is that of a group. */
export const FIRST_OF_GROUP = 2;

/** Devices whose edits are counted. */
export const MOST_DEVICES = 64;

/**
 * Changes within the same ten seconds go by version. It is not the tolerance of the configuration: both sides of a conflict have to
 * judge alike, and may have set another one. Steps, because "nearer than" would let three changes win in a circle.
 */
const TIME_STEP_MS = 10_000;

/** How `theirs` stands to `ours` by the edits that they hold. */
export function relate(ours: Revision, theirs: Revision): 'same' | 'newer' | 'older' | 'apart' {
  const hasAll = holds(ours, theirs);
  const isInAll = holds(theirs, ours);
  // The same edits and another text: a device has lost its memory and counted once more.
  if (hasAll && isInAll) return ours.digest === theirs.digest ? 'same' : 'apart';
  if (isInAll) return 'newer';
  return hasAll ? 'older' : 'apart';
}

function holds({ edits }: Revision, other: Revision): boolean {
  return other.edits.every(({ device, count }) => countOf(edits, device) >= count);
}

const countOf = (edits: readonly Edits[], device: string): number =>
  edits.find((edit) => edit.device === device)?.count ?? 0;

/** `take`: theirs came from ours. `yield`: a conflict that theirs wins. `wait` and `stand`: it is up to them. */
export function decide(ours: Revision, theirs: Revision): Decision {
  const relation = relate(ours, theirs);
  if (relation === 'same') return 'same';
  if (relation === 'newer') return 'take';
  if (relation === 'older') return 'wait';
  const [our, their] = [rankOf(ours), rankOf(theirs)];
  if (our === their && our < FIRST_OF_GROUP && ours.digest !== theirs.digest) return 'undecided';
  return compareRevisions(theirs, ours) > 0 ? 'yield' : 'stand';
}

const rankOf = ({ version }: Revision): number => Math.min(version, FIRST_OF_GROUP);

/**
 * Positive where `a` wins over `b`. A total order in which what came from a revision stands behind it, so that whoever takes the
 * greatest of what there is ends with the same as all others.
 */
export function compareRevisions(a: Revision, b: Revision): number {
  return (
    rankOf(a) - rankOf(b) ||
    stepOf(a) - stepOf(b) ||
    a.version - b.version ||
    compareText(makerOf(a), makerOf(b)) ||
    compareText(a.digest, b.digest)
  );
}

const stepOf = ({ time }: Revision): number => Math.floor(time / TIME_STEP_MS);
const makerOf = ({ edits }: Revision): string => edits[0]?.device ?? '';
const compareText = (a: string, b: string): number => (a < b ? -1 : a > b ? 1 : 0);

export type Edit = {
  /** Id of the device, and how many edits it has made with this one. */
  readonly device: string;
  readonly count: number;
  readonly digest: string;
  readonly time: number;
  readonly changedBy: string;
};

/** What comes of an edit of `base`; `highest` is the highest version that is known. */
export function editedRevision(base: Revision, edit: Edit, highest: number): Revision {
  return newRevision(edit, [base], Math.max(highest + 1, base.version + 1, FIRST_OF_GROUP));
}

/** Of who has met no group. It came from nothing, so that it never takes the place of what a group has. */
export function firstRevision(edit: Edit, hasContent: boolean): Revision {
  return newRevision(edit, [], hasContent ? FIRST_OF_GROUP - 1 : 0);
}

/** Counts before all of these, whatever they hold. */
export function overridingRevision(known: readonly Revision[], edit: Edit): Revision {
  const highest = Math.max(0, ...known.map(({ version }) => version));
  return newRevision(edit, known, Math.max(highest + 1, FIRST_OF_GROUP));
}

function newRevision(edit: Edit, bases: readonly Revision[], version: number): Revision {
  const { device, count, digest, changedBy } = edit;
  const counts = new Map<string, number>();
  for (const { edits } of bases) {
    for (const each of edits) counts.set(each.device, Math.max(each.count, counts.get(each.device) ?? 0));
  }
  counts.delete(device);
  const others = [...counts].map(([name, number]) => ({ device: name, count: number }));
  return {
    digest,
    version,
    time: Math.max(edit.time, ...bases.map(({ time }) => time)),
    changedBy,
    edits: [{ device, count }, ...others].slice(0, MOST_DEVICES),
  };
}

/** The revision that wins over all others among those that are to be taken; undefined: none is. */
export function choose<T extends { readonly revision: Revision }>(
  ours: Revision,
  peers: readonly T[],
): { readonly peer: T; readonly decision: 'take' | 'yield' } | undefined {
  let best: { readonly peer: T; readonly decision: 'take' | 'yield' } | undefined;
  for (const peer of peers) {
    const decision = decide(ours, peer.revision);
    if (decision !== 'take' && decision !== 'yield') continue;
    if (best === undefined || isBefore(best.peer.revision, peer.revision)) best = { peer, decision };
  }
  return best;
}

function isBefore(a: Revision, b: Revision): boolean {
  const relation = relate(a, b);
  return relation === 'newer' || (relation === 'apart' && compareRevisions(b, a) > 0);
}

/** `device count`, as a message lists it. */
export const printEdits = (edits: readonly Edits[]): readonly string[] =>
  edits.map(({ device, count }) => `${device} ${count}`);

/** Undefined for what is no list of edits. */
export function readEdits(list: readonly string[]): readonly Edits[] | undefined {
  const edits: Edits[] = [];
  for (const text of list) {
    const match = /^(\S{1,256}) ([1-9]\d{0,14})$/.exec(text);
    if (match === null) return undefined;
    edits.push({ device: match[1]!, count: Number(match[2]) });
  }
  return edits.length > MOST_DEVICES ? undefined : edits;
}
