// Hashes of a name and of all its ancestors in one pass: labels are mixed in from the right, so that the hash of a suffix is
// that of the domain which it names, wherever it stands.

import { LOWER_CASE, MAX_LABELS, suffixOffsets } from './name.ts';

/** The hash of the root, from which all others start. */
export const ROOT_HASH = 0x811c9dc5 | 0;

/** The hash of a name from that of its parent and its first label, whose length octet is at `at`. */
export function hashLabel(parent: number, octets: Uint8Array, at: number): number {
  let hash = parent;
  const end = at + octets[at]!;
  hash = Math.imul(hash ^ octets[at]!, 0x01000193);
  for (let index = at + 1; index <= end; index++) {
    hash = Math.imul(hash ^ LOWER_CASE[octets[index]!]!, 0x01000193);
  }
  return hash ^ (hash >>> 15);
}

const starts = new Uint8Array(MAX_LABELS + 1);

/** The hash of a whole name without compression that starts at `at`. */
export function hashName(octets: Uint8Array, at = 0): number {
  let hash = ROOT_HASH;
  for (let label = suffixOffsets(octets, at, starts) - 2; label >= 0; label--) {
    hash = hashLabel(hash, octets, at + starts[label]!);
  }
  return hash;
}

/** Whether `length` octets of a name are the same as those of another, letters of either case; both without compression. */
export function equalNames(
  octets: Uint8Array,
  at: number,
  others: Uint8Array,
  otherAt: number,
  length: number,
): boolean {
  // From the end of the labels that differ most, and no label's length can be taken for a letter: it is 63 at most.
  for (let index = 0; index < length; index++) {
    const octet = octets[at + index]!;
    const other = others[otherAt + index]!;
    // Mostly they are the same as they stand.
    if (octet !== other && LOWER_CASE[octet] !== LOWER_CASE[other]) return false;
  }
  return true;
}
